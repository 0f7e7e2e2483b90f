//! Layer 8: client processes. Their environment, home, terminal, time limit, and what they leave behind.
//!
//! Knows what the measured clients read and do; does not know what crosses the wire.

mod bundle;
pub mod claude;
mod dialect;
pub mod doctor;
mod environment;
mod foreground;
mod home;
pub mod interception;
pub mod isolation;
mod lasting_root;
mod piped;
mod process;
pub mod program;
mod pty;
mod serving;
mod signals;
pub mod sockets;
mod tree;

pub use bundle::Bundles;
pub use dialect::Dialect;
pub use environment::{Environment, Variables};
pub use home::Home;
pub use interception::NoProxy;
pub use lasting_root::{LastingRoot, LastingRootError};
pub use piped::Lines;
pub use process::{Ended, GRACE, Launch, Running, Screen};
pub use program::StartError;
pub use pty::{Input, Measure, OwnTerminal};
pub use serving::{STATE, ServingError, ServingState};
pub use signals::Stop;
