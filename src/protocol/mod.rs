//! Layer 1: what an exchange means in OAuth and MCP. Knows kinds, roles of URLs and of fields, and the small grammars of
//! both protocols. Does not know secrets' values, files or replay.

mod challenge;
mod classify;
mod credentials;
mod endpoint;
mod entities;
mod fields;
mod kind;
mod parameters;
pub mod rebind;
mod roles;
pub mod rpc;
#[cfg(test)]
mod samples;

pub use challenge::{Challenge, parse_challenges};
pub use classify::{Classified, Confidence, classify_run};
pub use credentials::{Authorization, Basic, Bearer, BearerPlace, ClientAuthentication, ClientCredentials, jwt_part, subject_of_jwt};
pub use endpoint::{Endpoint, is_loopback_host, query_of};
pub use entities::{Entities, Era, MODERN_SINCE, protocol_version, request_parameters};
pub use fields::{FieldRole, Place, Reach, Role, field_role, field_role_within};
pub use kind::{Kind, UnknownKind};
pub use parameters::Parameters;
pub use roles::{EndpointRole, Evidence, Learned, RoleMap, Roles};
