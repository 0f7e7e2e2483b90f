//! Layer 9: an MCP server with an authorization server, the model behind HTTP on this machine. Nothing but Rust is needed.

mod serve;
mod world;

pub use serve::{Edit, Front, Seen, serve};
pub use world::{Names, Plan, World};
