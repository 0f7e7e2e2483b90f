//! Rules for MCP: JSON-RPC by POST in both eras, and the GET streams, resumptions and DELETEs of 2025-11-25 and earlier.

use super::sight::Sight;
use super::{Classified, high, low, sure};
use crate::exchange::Content;
use crate::protocol::challenge::parse_challenges;
use crate::protocol::kind::Kind;
use crate::protocol::roles::EndpointRole;
use crate::protocol::rpc::Message;

/// Rule 3: a POST with JSON-RPC 2.0.
pub(super) fn message(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("POST") {
        return None;
    }
    let message = Message::of(sight.body().json()?)?;
    if sight.roles.has(EndpointRole::LegacyPost) {
        return Some(high(Kind::SseLegacyPost));
    }
    let kind = match message {
        Message::Request { .. } => Kind::McpRequest,
        Message::Notification { .. } => Kind::McpNotification,
        Message::Response { .. } => Kind::McpResponse,
        Message::Batch(_) => Kind::McpBatch,
    };
    // Other protocols speak JSON-RPC over POST as well; only MCP wants both answers, or names itself.
    let is_sure = sight.wants_events() || names_mcp(sight) || sight.roles.has(EndpointRole::Resource) || sight.is_named(EndpointRole::Mcp);
    Some(sure(kind, is_sure))
}

/// Rule 10: the GET streams.
pub(super) fn stream(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("GET") {
        return None;
    }
    if is_announced(sight) {
        return Some(high(Kind::SseLegacyOpen));
    }
    let names_mcp = names_mcp(sight);
    let is_endpoint = sight.roles.any(&[EndpointRole::Mcp, EndpointRole::LegacyStream]);
    if !sight.wants_events() {
        // A probe for a 401, or a stream asked for wrongly.
        return (is_endpoint || is_challenged(sight)).then(|| low(Kind::McpGetStream));
    }
    if sight.roles.has(EndpointRole::LegacyStream) && !names_mcp {
        return Some(high(Kind::SseLegacyOpen));
    }
    let is_resource = sight.roles.has(EndpointRole::Resource) || is_challenged(sight);
    if !names_mcp && !is_endpoint && !is_resource {
        return None;
    }
    let kind = if sight.headers().has("last-event-id") { Kind::McpResume } else { Kind::McpGetStream };
    Some(sure(kind, names_mcp || is_endpoint))
}

/// Rule 10: the end of a session.
pub(super) fn delete(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("DELETE") {
        return None;
    }
    let names_session = sight.headers().has("mcp-session-id");
    let fits = names_session || sight.roles.any(&[EndpointRole::Mcp, EndpointRole::Resource]);
    fits.then(|| sure(Kind::McpDelete, names_session || sight.roles.has(EndpointRole::Mcp)))
}

/// A POST at an MCP endpoint whose body is no message, or was not kept whole.
pub(super) fn unreadable_post(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("POST") {
        return None;
    }
    if sight.roles.has(EndpointRole::LegacyPost) {
        return Some(low(Kind::SseLegacyPost));
    }
    let fits = sight.roles.has(EndpointRole::Mcp) || names_mcp(sight);
    fits.then(|| low(Kind::McpRequest))
}

/// True when a header exists in MCP only.
fn names_mcp(sight: &Sight<'_>) -> bool {
    ["mcp-protocol-version", "mcp-session-id", "mcp-method"].iter().any(|name| sight.headers().has(name))
}

/// HTTP+SSE (2024-11-05): the first named event is `endpoint`.
fn is_announced(sight: &Sight<'_>) -> bool {
    let Some(response) = sight.success() else { return false };
    match &response.body.content {
        Content::Events(stream) => stream.events.iter().find_map(|event| event.name()) == Some("endpoint"),
        _ => false,
    }
}

/// RFC 9728 §5.1: who is asked by GET and answers with a challenge that names its metadata is an MCP endpoint in all likelihood.
fn is_challenged(sight: &Sight<'_>) -> bool {
    let Some(response) = sight.response().filter(|response| response.headers.has("www-authenticate")) else { return false };
    parse_challenges(&response.headers).iter().any(|challenge| challenge.resource_metadata().is_some())
}
