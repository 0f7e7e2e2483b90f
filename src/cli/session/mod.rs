//! What `record` and `replay` share around a client: `output` (is the path good), `lab` (proxy, certificates, folder of the run),
//! `reverse` (URLs for clients that ignore proxies), `writer` (captures to file), `troubles` (connections without a request),
//! `attended` (what a client process is given, and who attends its openers), `plan` (the sessions of a run), `ending` (one that is
//! killed at an answer) and `client` (checks, and clients that are started elsewhere).

mod attended;
pub mod client;
mod ending;
mod lab;
pub mod output;
mod plan;
mod reverse;
mod troubles;
mod writer;

pub use attended::Given;
pub use client::Started;
pub use ending::Ending;
pub use lab::Lab;
pub use plan::{Plan, Servers};
pub use reverse::ReverseOptions;
pub use troubles::{Gathering, Troubles};
pub use writer::{Writer, Written};
