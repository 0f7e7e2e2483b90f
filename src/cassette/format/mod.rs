//! How the documents of a cassette are written and read. `write` turns the model into text; `wire` and `read` turn text into
//! the model. `cassettes/README.md` is the specification for a reader. Does not know files or what stands around a document.
//!
//! Version 1. A reader refuses members it does not know, so whatever is added later raises the version or stands in the header.

mod body;
mod names;
mod pairs;
mod read;
mod replayed;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod schema;
mod wire;
mod write;

pub use names::{ending_name, stage_name, trouble_name};
pub(super) use read::{FormatError, entry, header};
pub use write::document_of;
pub(super) use write::{header as write_header, write_event, write_interaction};

/// The version this program writes, and the newest it reads.
pub const VERSION: u32 = 1;
