//! Rules for documents: the well-known paths that the standards reserve, the URLs that were named, and documents by shape.

use super::sight::Sight;
use super::{Classified, high, low, sure};
use crate::protocol::kind::Kind;
use crate::protocol::roles::EndpointRole;
use serde_json::Value;

/// Rule 8: protected resource metadata, at the reserved path (RFC 9728 §3.1) or where a challenge points.
pub(super) fn resource_metadata(sight: &Sight<'_>) -> Option<Classified> {
    let fits = sight.is("GET")
        && (sight.roles.has(EndpointRole::ResourceMetadata) || has_segments(sight.path(), "/.well-known/oauth-protected-resource"));
    fits.then(|| high(Kind::Prm))
}

/// Rule 9: server metadata, the reserved segments anywhere in the path: RFC 8414 §3.1 inserts them, OpenID Connect appends them.
pub(super) fn server_metadata(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("GET") {
        return None;
    }
    if sight.roles.has(EndpointRole::ServerMetadata) || has_segments(sight.path(), "/.well-known/oauth-authorization-server") {
        return Some(high(Kind::AsMetadata));
    }
    let is_openid = sight.roles.has(EndpointRole::OidcConfiguration) || has_segments(sight.path(), "/.well-known/openid-configuration");
    is_openid.then(|| high(Kind::OidcConfig))
}

/// Rule 11: a document at a place that nobody named, by its members.
pub(super) fn document(sight: &Sight<'_>) -> Option<Classified> {
    if !sight.is("GET") {
        return None;
    }
    if sight.roles.has(EndpointRole::ClientMetadata) {
        // A page at that URL is no document, but a finding.
        return Some(sure(Kind::CimdDoc, sight.success().is_none() || sight.answer().is_object()));
    }
    let answer = sight.answer();
    if !answer.is_object() {
        return None;
    }
    let has = |member: &str| answer.has(member);
    if has("redirect_uris") && answer.text("client_id") == Some(&sight.exchange.request.url) {
        return Some(high(Kind::CimdDoc));
    }
    if answer.value("keys").and_then(Value::as_array).is_some_and(|keys| is_key_set(keys)) {
        return Some(high(Kind::Jwks));
    }
    if has("resource") && (has("authorization_servers") || has("bearer_methods_supported")) {
        return Some(high(Kind::Prm));
    }
    let names_tokens = answer.text("issuer").is_some() && answer.text("token_endpoint").is_some();
    names_tokens.then(|| low(Kind::AsMetadata))
}

/// RFC 7517 §5: each key says its type. An empty list could be anything.
fn is_key_set(keys: &[Value]) -> bool {
    !keys.is_empty() && keys.iter().all(|key| key.get("kty").is_some())
}

/// True when `path` holds these whole segments, at its end or before another segment.
fn has_segments(path: &str, segments: &str) -> bool {
    path.match_indices(segments).any(|(index, _)| matches!(path.as_bytes().get(index + segments.len()), None | Some(b'/')))
}

#[cfg(test)]
mod tests {
    use super::has_segments;

    #[test]
    fn only_whole_segments_count() {
        for (path, expected) in
            [("/a/b", true), ("/a/b/c", true), ("/x/a/b", true), ("/a/bc", false), ("/a/bc/a/b", true), ("/xa/b", false)]
        {
            assert_eq!(has_segments(path, "/a/b"), expected, "{path}");
        }
    }
}
