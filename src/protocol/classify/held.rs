//! Which unnamed exchanges are worth waiting for: those that a later document could name by their URL. Everything else that a
//! client and its tools fetch is let go at once.

use super::authorization::is_front_channel;
use super::sight::has_media_type;
use crate::exchange::{Exchange, Outcome, Request};
use crate::protocol::credentials::{Authorization, Bearer};
use crate::protocol::parameters::Parameters;

pub(super) fn may_be_named(exchange: &Exchange) -> bool {
    let request = &exchange.request;
    if is_repository(request) {
        return false;
    }
    match request.method.as_str() {
        "GET" => carries_token(request) || wants_events(request) || is_missing_document(exchange) || is_front_channel(&request.url),
        "POST" => has_parameters(request) || (request.body.content.is_empty() && request.headers.has("authorization")),
        // RFC 7592 §2.2, and the end of a session that lost its id.
        "PUT" => carries_token(request),
        "DELETE" => true,
        _ => false,
    }
}

/// A userinfo request, a registration that is read, an account endpoint.
fn carries_token(request: &Request) -> bool {
    matches!(Authorization::of(&request.headers), Some(Authorization::Bearer(_) | Authorization::Dpop(_)))
        || Bearer::of_url(&request.url).is_some()
}

/// The first GET to an MCP endpoint.
fn wants_events(request: &Request) -> bool {
    request.headers.all("accept").any(|accept| has_media_type(accept, "text/event-stream"))
}

/// A metadata document, key set or client document that did not come: the ones that came are known by their members.
fn is_missing_document(exchange: &Exchange) -> bool {
    let request = &exchange.request;
    let asks_for_json = request.headers.all("accept").any(|accept| has_media_type(accept, "application/json"));
    match &exchange.outcome {
        Outcome::Failed(_) | Outcome::Unseen => asks_for_json,
        Outcome::Response(response) if (200..300).contains(&response.status) => false,
        // What an MCP endpoint says to a GET without a token, and to one that it does not serve.
        Outcome::Response(response) => asks_for_json || matches!(response.status, 401 | 405 | 406),
    }
}

/// A form or a JSON object: every back-channel request has one.
fn has_parameters(request: &Request) -> bool {
    let parameters = Parameters::of(&request.body.content);
    parameters.is_object() || parameters.names().next().is_some()
}

/// git's smart protocol and npm, which ask for JSON and carry tokens too.
fn is_repository(request: &Request) -> bool {
    let agent = request.headers.first("user-agent").unwrap_or_default();
    let accepts = |part: &str| request.headers.all("accept").any(|accept| accept.contains(part));
    agent.starts_with("git/") || agent.starts_with("npm/") || accepts("application/vnd.npm.") || accepts("application/x-git-")
}
