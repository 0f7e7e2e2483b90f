//! Layer 1: what an exchange means in OAuth and MCP. Knows kinds, roles of URLs and of fields, and the small grammars of
//! both protocols. Does not know secrets' values, files or replay.

mod kind;

pub use kind::{Kind, UnknownKind};
