//! Rules for the front channel: pushed requests, device codes, the authorization request and its way back.

use super::sight::Sight;
use super::{Classified, high, low, sure};
use crate::protocol::kind::Kind;
use crate::protocol::parameters::Parameters;
use crate::protocol::roles::EndpointRole;

/// Rule 5, by shape: an authorization request as a POST whose answer is JSON, not a page or a redirect (RFC 9126 §2).
pub(super) fn pushed(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("POST") || !asks_for_authorization(sight.body()) || sight.roles.has(EndpointRole::Authorization) {
        return None;
    }
    if sight.answer().has("request_uri") {
        return Some(high(Kind::Par));
    }
    let is_error = |status: u16| (400..500).contains(&status);
    let refused = sight.response().is_some_and(|response| is_error(response.status) && response.body.content.json().is_some());
    refused.then(|| low(Kind::Par))
}

/// Rule 5, by shape: the answer names both codes (RFC 8628 §3.2).
pub(super) fn device(sight: &Sight<'_>) -> Option<Classified> {
    let fits = sight.is("POST") && sight.answer().has("device_code") && sight.answer().has("user_code");
    fits.then(|| high(Kind::DeviceAuthorize))
}

/// Rule 6: a client id with a response type or a pushed request (RFC 6749 §4.1.1, RFC 9126 §4), and anything that a known
/// authorization endpoint is asked.
pub(super) fn authorize(sight: &Sight<'_>) -> Option<Classified> {
    let parameters = match () {
        () if sight.is("GET") => sight.query(),
        () if sight.is("POST") => sight.body(),
        () => return None,
    };
    let is_named = sight.is_named(EndpointRole::Authorization);
    if asks_for_authorization(parameters) {
        return Some(sure(Kind::Authorize, is_named || sight.is("GET")));
    }
    // An incomplete request is a finding, not another page: GET with a query at the very URL that the metadata names.
    let is_incomplete = is_named && sight.is("GET") && parameters.names().next().is_some();
    is_incomplete.then(|| low(Kind::Authorize))
}

/// Rule 7: the way back to the client, on loopback or at a redirect URI of this run (RFC 6749 §4.1.2, RFC 8252 §7.3).
pub(super) fn callback(sight: &Sight<'_>) -> Option<Classified> {
    let endpoint = sight.endpoint.as_ref()?;
    let parameters = match () {
        () if sight.is("GET") => sight.query(),
        // OAuth 2.0 Form Post Response Mode §2.
        () if sight.is("POST") => sight.body(),
        () => return None,
    };
    let answers = parameters.has("code") || parameters.has("error");
    let returns = parameters.has("state") || parameters.has("iss");
    if !answers && !returns {
        return None;
    }
    let is_known = sight.map.is_redirect(endpoint);
    let fits = match is_known {
        true => answers || returns,
        false => answers && returns && endpoint.is_loopback() && sight.is("GET"),
    };
    fits.then(|| sure(Kind::Callback, is_known && answers))
}

fn asks_for_authorization(parameters: &Parameters<'_>) -> bool {
    parameters.has("client_id") && (parameters.has("response_type") || parameters.has("request_uri"))
}

/// True when the query of a URL could be part of an authorization request, or its way back.
pub(super) fn is_front_channel(url: &str) -> bool {
    let query = Parameters::of_query(url);
    let answers = query.has("code") || query.has("error");
    let returns = query.has("state") || query.has("iss");
    (answers && returns) || ["client_id", "response_type", "code_challenge"].iter().any(|name| query.has(name))
}
