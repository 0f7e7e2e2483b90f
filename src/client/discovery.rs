//! From the URL of an MCP server to its authorization server: protected resource metadata (RFC 9728), then authorization
//! server metadata (RFC 8414 and OpenID Connect Discovery), in the order of MCP 2026-07-28, each document checked against the
//! name under which it was asked for.

use super::http::{Attempts, Call, Http, HttpError, Reply, without_query};
use super::{Misbehaviour, Options};
use crate::protocol::Challenge;
use serde::{Deserialize, Serialize};
use url::Url;

/// What the server says about itself (RFC 9728 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Its name, byte for byte what the `resource` parameter says.
    pub(super) name: String,
    /// Its authorization server.
    pub(super) issuer: String,
    /// The scopes it lists.
    pub(super) scopes: Option<String>,
}

/// Authorization server metadata, the members that matter here (RFC 8414 §2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registration_endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revocation_endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scopes_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub(super) client_id_metadata_document_supported: bool,
}

/// Why no authorization server was found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server is there but cannot answer now. Guessing would be wrong.
    #[error("{url} answers {status}")]
    Busy {
        /// The document.
        url: String,
        /// The status.
        status: u16,
    },
    /// The metadata is about another resource (RFC 9728 §3.3).
    #[error("{url} describes the resource {found:?}, not {expected:?}; it must not be used (RFC 9728 §3.3)")]
    OtherResource {
        /// The document.
        url: String,
        /// What it names.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// The metadata names no authorization server.
    #[error("{url} names no authorization server")]
    NoIssuer {
        /// The document.
        url: String,
    },
    /// The issuer is no URL that may be used.
    #[error("{0:?} is no https address of an authorization server")]
    BadIssuer(String),
    /// The metadata is of another issuer (RFC 8414 §3.3).
    #[error("{url} says that its issuer is {found:?}, not {expected:?}; it must not be used (RFC 8414 §3.3)")]
    OtherIssuer {
        /// The document.
        url: String,
        /// What it names.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// None of the documents exists.
    #[error("the authorization server {issuer} has no metadata; asked for {}", .tried.join(", "))]
    NoMetadata {
        /// The issuer.
        issuer: String,
        /// The URLs, in order.
        tried: Vec<String>,
    },
    /// No proof that PKCE is supported (MCP: clients MUST refuse).
    #[error("the authorization server {0} does not say that it supports PKCE with S256; MCP forbids to go on")]
    NoPkce(String),
}

/// Asks for the protected resource metadata: the URL of the challenge, then the well-known ones. `None` where there is none.
pub(super) async fn resource(
    http: &Http,
    options: &Options,
    server: &Url,
    challenge: Option<&Challenge>,
) -> Result<Resource, DiscoveryError> {
    let named = challenge.and_then(Challenge::resource_metadata).and_then(|url| server.join(url).ok());
    let mut candidates: Vec<(Url, bool)> = Vec::new();
    let well_known = [(inserted(server, "oauth-protected-resource"), false), (at_root(server, "oauth-protected-resource"), true)];
    for (url, is_root) in named.map(|url| (url, false)).into_iter().chain(well_known) {
        if !candidates.iter().any(|(known, _)| *known == url) {
            candidates.push((url, is_root));
        }
    }
    if options.misbehaves(Misbehaviour::DiscoveryOrder) {
        candidates = vec![(inserted(server, "oauth-protected-resource"), false)];
    }
    for (url, is_root) in candidates {
        let Some(document) = document(http, &url).await? else { continue };
        let Some(name) = document["resource"].as_str() else { continue };
        if !is_for(name, server, is_root) && !options.misbehaves(Misbehaviour::WrongAudience) {
            let (found, expected) = (name.to_owned(), without_query(server));
            return Err(DiscoveryError::OtherResource { url: without_query(&url), found, expected });
        }
        let issuer = document["authorization_servers"][0].as_str().ok_or_else(|| DiscoveryError::NoIssuer { url: without_query(&url) })?;
        let scopes = document["scopes_supported"].as_array().map(|scopes| {
            let words: Vec<_> = scopes.iter().filter_map(serde_json::Value::as_str).collect();
            words.join(" ")
        });
        let name = match Url::parse(name) {
            Ok(url) if options.misbehaves(Misbehaviour::ResourceParamMismatch) => url.into(),
            // RFC 9728 §3.3: byte for byte.
            _ => name.to_owned(),
        };
        return Ok(Resource { name, issuer: issuer.to_owned(), scopes: scopes.filter(|scopes| !scopes.is_empty()) });
    }
    // MCP 2025-03-26: without metadata the server's origin is the authorization server.
    Ok(Resource { name: without_query(server), issuer: server.origin().ascii_serialization(), scopes: None })
}

/// Asks for the metadata of an authorization server.
pub(super) async fn issuer(http: &Http, options: &Options, identifier: &str) -> Result<Metadata, DiscoveryError> {
    let url = Url::parse(identifier).ok().filter(super::http::is_safe).ok_or_else(|| DiscoveryError::BadIssuer(identifier.to_owned()))?;
    match described(http, options, identifier, &url).await {
        Err(DiscoveryError::Busy { .. } | DiscoveryError::NoMetadata { .. })
            if options.misbehaves(Misbehaviour::EndpointNotFromMetadata) =>
        {
            Ok(Metadata::guessed(identifier, &url))
        }
        found => found,
    }
}

async fn described(http: &Http, options: &Options, identifier: &str, url: &Url) -> Result<Metadata, DiscoveryError> {
    let names = if options.misbehaves(Misbehaviour::DiscoveryOrder) { 1 } else { usize::MAX };
    let mut tried = Vec::new();
    for candidate in candidates(url).into_iter().take(names) {
        let shown = without_query(&candidate);
        let found = document(http, &candidate).await?.and_then(|document| serde_json::from_value::<Metadata>(document).ok());
        let Some(mut metadata) = found else {
            tried.push(shown);
            continue;
        };
        if metadata.issuer != identifier && !options.misbehaves(Misbehaviour::IssuerMismatchAccepted) {
            return Err(DiscoveryError::OtherIssuer { url: shown, found: metadata.issuer, expected: identifier.to_owned() });
        }
        identifier.clone_into(&mut metadata.issuer);
        let mut methods = metadata.code_challenge_methods_supported.iter().flatten();
        if !methods.any(|method| method == "S256") && !options.misbehaves(Misbehaviour::PkceSupportUnverified) {
            return Err(DiscoveryError::NoPkce(identifier.to_owned()));
        }
        if options.misbehaves(Misbehaviour::EndpointNotFromMetadata) && metadata.registration_endpoint.is_none() {
            metadata.registration_endpoint = Metadata::guessed(identifier, url).registration_endpoint;
        }
        return Ok(metadata);
    }
    Err(DiscoveryError::NoMetadata { issuer: identifier.to_owned(), tried })
}

impl Metadata {
    /// The default paths of MCP 2025-03-26, which hold for no later revision.
    fn guessed(identifier: &str, url: &Url) -> Self {
        let at = |path: &str| format!("{}{path}", url.origin().ascii_serialization());
        Self {
            issuer: identifier.to_owned(),
            authorization_endpoint: at("/authorize"),
            token_endpoint: at("/token"),
            registration_endpoint: Some(at("/register")),
            revocation_endpoint: None,
            code_challenge_methods_supported: None,
            token_endpoint_auth_methods_supported: None,
            scopes_supported: None,
            authorization_response_iss_parameter_supported: false,
            client_id_metadata_document_supported: false,
        }
    }
}

/// The three URLs of an issuer with a path, the two of one without (MCP 2025-11-25, Authorization Server Metadata Discovery).
fn candidates(issuer: &Url) -> Vec<Url> {
    let mut urls = vec![inserted(issuer, "oauth-authorization-server"), inserted(issuer, "openid-configuration")];
    if issuer.path() != "/" {
        let mut appended = issuer.clone();
        appended.set_path(&format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/')));
        urls.push(appended);
    }
    urls
}

/// A document: `None` where there is none, be it a 4xx or something that is no JSON object (RFC 9728 §3.2).
async fn document(http: &Http, url: &Url) -> Result<Option<serde_json::Value>, DiscoveryError> {
    let reply: Reply = http.send_patiently(&Call::document(url.clone()), Attempts(3)).await?;
    if reply.is_busy() {
        return Err(DiscoveryError::Busy { url: without_query(url), status: reply.status });
    }
    Ok(reply.json().filter(|document| reply.status == 200 && document.is_object()))
}

/// The well-known name between host and path.
fn inserted(url: &Url, name: &str) -> Url {
    let mut well_known = url.clone();
    well_known.set_path(&format!("/.well-known/{name}{}", url.path().trim_end_matches('/')));
    well_known.set_fragment(None);
    well_known
}

fn at_root(url: &Url, name: &str) -> Url {
    let mut well_known = url.clone();
    well_known.set_path(&format!("/.well-known/{name}"));
    well_known.set_query(None);
    well_known
}

/// True when the metadata is about this server; a slash at the end and the query do not count. What was found at the root may
/// be about the root (RFC 9728 §3.3).
fn is_for(name: &str, server: &Url, is_root: bool) -> bool {
    let Ok(named) = Url::parse(name) else { return false };
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let is_same_path = path(&named) == path(server) || (is_root && path(&named).is_empty());
    named.origin() == server.origin() && is_same_path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_with_a_path_has_three_candidates_and_one_without_two() {
        let of = |text: &str| candidates(&Url::parse(text).unwrap()).into_iter().map(String::from).collect::<Vec<_>>();
        let expected = [
            "https://a.test/.well-known/oauth-authorization-server/t",
            "https://a.test/.well-known/openid-configuration/t",
            "https://a.test/t/.well-known/openid-configuration",
        ];
        assert_eq!(of("https://a.test/t"), expected);
        assert_eq!(of("https://a.test/t/"), [expected[0], expected[1], expected[2]]);
        assert_eq!(of("https://a.test").len(), 2);
    }

    #[test]
    fn metadata_must_be_about_the_server() {
        let server = Url::parse("https://a.test/mcp?key=1").unwrap();
        assert!(is_for("https://a.test/mcp", &server, false) && is_for("https://a.test/mcp/", &server, false));
        assert!(!is_for("https://a.test/", &server, false) && is_for("https://a.test/", &server, true));
        assert!(!is_for("https://b.test/mcp", &server, true) && !is_for("https://a.test/other", &server, true));
    }
}
