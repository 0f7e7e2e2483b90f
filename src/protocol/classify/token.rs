//! Rules for what clients send to an authorization server's back channel: grants, registrations, revocations.

use super::sight::Sight;
use super::{Classified, high, low, sure};
use crate::protocol::kind::Kind;
use crate::protocol::roles::EndpointRole;
use serde_json::Value;

/// Rule 2: a POST with `grant_type`, as a form or as JSON, wherever it goes.
pub(super) fn grant(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("POST") {
        return None;
    }
    let kind = match sight.body().text("grant_type")? {
        "authorization_code" => Kind::TokenCode,
        "refresh_token" => Kind::TokenRefresh,
        "client_credentials" => Kind::TokenClientCredentials,
        "urn:ietf:params:oauth:grant-type:token-exchange" => Kind::TokenExchange,
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => Kind::TokenJwtBearer,
        "urn:ietf:params:oauth:grant-type:device_code" => Kind::TokenDevice,
        _ => Kind::TokenOther,
    };
    Some(high(kind))
}

/// Rule 4: a registration by its endpoint or its members; its management by the URL that the registration gave.
pub(super) fn registration(sight: &Sight<'_>) -> Option<Classified> {
    if sight.roles.has(EndpointRole::ClientConfiguration) && ["GET", "PUT", "DELETE"].iter().any(|method| sight.is(method)) {
        return Some(high(Kind::DcrManage));
    }
    if !sight.is("POST") {
        return None;
    }
    if sight.is_named(EndpointRole::Registration) {
        return Some(high(Kind::DcrCreate));
    }
    let body = sight.body();
    if !body.is_object() {
        return None;
    }
    let names_redirects = body.value("redirect_uris").is_some_and(Value::is_array);
    let describes_client =
        body.has("client_name") && ["grant_types", "token_endpoint_auth_method", "response_types"].iter().any(|member| body.has(member));
    let fits = names_redirects || describes_client || sight.roles.has(EndpointRole::Registration);
    fits.then(|| sure(Kind::DcrCreate, names_redirects || describes_client))
}

/// Rule 5, by URL: endpoints that metadata names, and those that were used as such.
pub(super) fn named_endpoint(sight: &Sight<'_>) -> Option<Classified> {
    const ENDPOINTS: &[(EndpointRole, &[&str], Kind)] = &[
        (EndpointRole::Revocation, &["POST"], Kind::Revoke),
        (EndpointRole::Introspection, &["POST"], Kind::Introspect),
        (EndpointRole::PushedAuthorization, &["POST"], Kind::Par),
        (EndpointRole::DeviceAuthorization, &["POST"], Kind::DeviceAuthorize),
        (EndpointRole::Userinfo, &["GET", "POST"], Kind::Userinfo),
        (EndpointRole::Jwks, &["GET"], Kind::Jwks),
        // Without `grant_type`, or with a body that cannot be read (RFC 6749 §5.2, invalid_request).
        (EndpointRole::Token, &["POST"], Kind::TokenOther),
    ];
    if sight.roles.is_empty() {
        return None;
    }
    let fits =
        |(role, methods, _): &&(EndpointRole, &[&str], Kind)| sight.roles.has(*role) && methods.iter().any(|method| sight.is(method));
    let (role, _, kind) = ENDPOINTS.iter().find(fits)?;
    Some(sure(*kind, sight.is_named(*role)))
}

/// Rule 5, by shape: `token` and nothing that RFC 7009 §2.1 and RFC 7662 §2.1 do not know; `active` in the answer decides.
pub(super) fn revocation_or_introspection(sight: &Sight<'_>) -> Option<Classified> {
    const KNOWN: &[&str] =
        &["token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type", "resource"];
    let body = sight.body();
    if !sight.is("POST") || body.text("token").is_none() || !body.names().all(|name| KNOWN.contains(&name)) {
        return None;
    }
    // Both RFCs want a form; a JSON object with nothing but a token could be anything.
    if body.is_object() && !body.has("token_type_hint") && !body.has("client_id") {
        return None;
    }
    if sight.answer().value("active").is_some_and(Value::is_boolean) {
        return Some(high(Kind::Introspect));
    }
    Some(low(Kind::Revoke))
}
