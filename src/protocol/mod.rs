//! Layer 1: what an exchange means in OAuth and MCP. Knows kinds, roles of URLs and of fields, and the small grammars of
//! both protocols. Does not know secrets' values, files or replay.

mod fields;
mod kind;

pub use fields::{FieldRole, Place, Reach, Role, field_role, field_role_within};
pub use kind::{Kind, UnknownKind};
