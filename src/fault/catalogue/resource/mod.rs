//! Faults of the MCP server as a resource server.

mod early_401;

use crate::fault::Spec;

pub(super) const ALL: &[&Spec] = &[&early_401::SPEC];
