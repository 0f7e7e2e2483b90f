//! Layer 4: what goes wrong on purpose. A fault is one file of the catalogue: its page, its attributes and its deed, an edit of
//! plain data (a reply, a handshake, a delivery) or of the model. Knows when a fault is due and whether it fired; does not know
//! who performs what it decided, and draws nothing at random.

mod attributes;
mod catalogue;
mod deed;
mod deeds;
mod faults;
mod selection;
mod spec;

pub use attributes::{Attributes, FaultError, of, read};
pub use catalogue::{ALL, find};
pub use deed::{Before, Deed, Rpc, Scene, ServerFacts, Stage};
pub use faults::{Expiry, Fault, Faults, Fired, Stepped};
pub use selection::{Life, Selection};
pub use spec::{Attribute, Control, Group, Needs, Page, Spec, Trigger};

#[cfg(test)]
mod tests;
