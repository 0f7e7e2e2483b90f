//! Who the client is at an authorization server, in MCP's order: registered beforehand, a client id metadata document, a
//! registration of an earlier run, dynamic registration (RFC 7591).

use super::discovery::Metadata;
use super::http::{Attempts, Call, Follow, Http, HttpError, host};
use super::{ClientError, Misbehaviour, Options};
use ::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use url::Url;

/// A client as an authorization server knows it. What dynamic registration gave is kept in the store.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Registered {
    pub(super) client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<String>,
    /// When the secret ends, in seconds since the Unix epoch; 0 for never (RFC 7591 §3.2.1).
    #[serde(default)]
    pub(super) client_secret_expires_at: u64,
    pub(super) token_endpoint_auth_method: ClientAuth,
    /// The redirect URI that was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) redirect_uri: Option<String>,
    /// Where it comes from.
    #[serde(default)]
    pub(super) source: Source,
}

/// How the client proves at the token endpoint who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ClientAuth {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "client_secret_basic")]
    Basic,
    #[serde(rename = "client_secret_post")]
    Post,
}

/// Where a client's identity comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    /// The command line.
    Configured,
    /// A client id metadata document.
    Document,
    /// Dynamic registration.
    #[default]
    Registration,
}

/// Why the client has no identity at an authorization server.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// There is no way to register.
    #[error("{0} offers no dynamic registration; give a registered client with --client-id")]
    NotOffered(String),
    /// The server said no.
    #[error("{host} refused to register the client ({status}{}); give a registered client with --client-id", .error.as_deref().map(|e| format!(" {e}")).unwrap_or_default())]
    Refused {
        /// The server.
        host: String,
        /// The status.
        status: u16,
        /// The error code of the answer.
        error: Option<String>,
    },
    /// The server registered something that cannot be used (RFC 7591 §3.2.1).
    #[error("{0} registered other redirect URIs than the client's own")]
    OtherRedirect(String),
    /// The answer is no registration.
    #[error("{0} answered the registration with something that is none")]
    Unreadable(String),
}

/// The identity that needs no registration: of the command line, or of a metadata document where the server knows them.
pub(super) fn known(options: &Options, metadata: &Metadata) -> Option<Registered> {
    let known = |client_id: &str, secret: Option<String>, auth, source| Registered {
        client_id: client_id.to_owned(),
        client_secret: secret,
        client_secret_expires_at: 0,
        token_endpoint_auth_method: auth,
        redirect_uri: None,
        source,
    };
    if let Some(id) = &options.client_id {
        let auth = if options.client_secret.is_some() { preferred(metadata, true) } else { ClientAuth::None };
        return Some(known(id, options.client_secret.clone(), auth, Source::Configured));
    }
    let url = options.client_metadata_url.as_ref().filter(|_| metadata.client_id_metadata_document_supported)?;
    Some(known(url.as_str(), None, ClientAuth::None, Source::Document))
}

/// Registers the client (RFC 7591 §3.1).
pub(super) async fn register(
    http: &Http,
    options: &Options,
    metadata: &Metadata,
    redirect_uri: &str,
    scope: Option<&str>,
) -> Result<Registered, ClientError> {
    let endpoint = metadata.registration_endpoint.as_ref().ok_or_else(|| RegistrationError::NotOffered(metadata.issuer.clone()))?;
    let url = Url::parse(endpoint).map_err(|_| RegistrationError::NotOffered(metadata.issuer.clone()))?;
    let wanted = preferred(metadata, false);
    let mut body = json!({
        "client_name": "authtape",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": wanted,
        "application_type": "native",
    });
    if let Some(scope) = scope {
        body["scope"] = json!(scope);
    }
    let call = Call::new(Method::POST, url.clone(), Follow::SameOrigin).with("accept", "application/json");
    let reply =
        http.send_patiently(&call.with_body("application/json", body.to_string()), Attempts(3)).await.map_err(RegistrationError::Http)?;
    let answer = reply.json().unwrap_or(Value::Null);
    if !matches!(reply.status, 200 | 201) {
        let error = answer["error"].as_str().map(str::to_owned);
        return Err(RegistrationError::Refused { host: host(&url), status: reply.status, error }.into());
    }
    if !redirects_to(&answer, redirect_uri) && !options.misbehaves(Misbehaviour::RedirectUriMismatch) {
        return Err(RegistrationError::OtherRedirect(host(&url)).into());
    }
    let registered = registered(&answer, wanted, redirect_uri);
    let registered = registered.ok_or_else(|| RegistrationError::Unreadable(host(&url)))?;
    Ok(if options.misbehaves(Misbehaviour::ClientAuthMismatch) { registered.proven_otherwise() } else { registered })
}

/// True when the client's redirect URI was registered; where the answer names none, it was.
fn redirects_to(answer: &Value, redirect_uri: &str) -> bool {
    answer["redirect_uris"].as_array().is_none_or(|own| own.iter().any(|own| is_same_redirect(own.as_str(), redirect_uri)))
}

/// The port of a loopback redirect URI is free (RFC 8252 §7.3).
fn is_same_redirect(registered: Option<&str>, redirect_uri: &str) -> bool {
    let without_port = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_port(None).ok()?;
        Some(url)
    };
    registered.and_then(without_port) == without_port(redirect_uri)
}

/// What the server made of the wish: its answer is what counts (RFC 7591 §3.2.1).
fn registered(answer: &Value, wanted: ClientAuth, redirect_uri: &str) -> Option<Registered> {
    let secret = answer["client_secret"].as_str().map(str::to_owned);
    let auth = match answer["token_endpoint_auth_method"].as_str() {
        Some(_) => serde_json::from_value(answer["token_endpoint_auth_method"].clone()).ok()?,
        // RFC 7591 §2: a secret without a method means Basic.
        None if secret.is_some() && wanted == ClientAuth::None => ClientAuth::Basic,
        None => wanted,
    };
    Some(Registered {
        client_id: answer["client_id"].as_str()?.to_owned(),
        client_secret: secret,
        client_secret_expires_at: answer["client_secret_expires_at"].as_u64().unwrap_or(0),
        token_endpoint_auth_method: auth,
        redirect_uri: Some(redirect_uri.to_owned()),
        source: Source::Registration,
    })
}

/// The method to ask for: none for a public client where it is allowed, else the server's first that we know.
fn preferred(metadata: &Metadata, has_secret: bool) -> ClientAuth {
    let known = |name: &String| match name.as_str() {
        "none" if !has_secret => Some(ClientAuth::None),
        "client_secret_basic" => Some(ClientAuth::Basic),
        "client_secret_post" => Some(ClientAuth::Post),
        _ => None,
    };
    let Some(methods) = &metadata.token_endpoint_auth_methods_supported else {
        // RFC 8414 §2: the default is client_secret_basic.
        return if has_secret { ClientAuth::Basic } else { ClientAuth::None };
    };
    if !has_secret && methods.iter().any(|name| name == "none") {
        return ClientAuth::None;
    }
    methods.iter().find_map(known).unwrap_or(if has_secret { ClientAuth::Basic } else { ClientAuth::None })
}

impl Registered {
    /// True when its secret has ended.
    pub(super) fn has_ended(&self, now: u64) -> bool {
        self.client_secret.is_some() && self.client_secret_expires_at != 0 && now >= self.client_secret_expires_at
    }

    /// The same one, which proves itself in another way than it was registered for: a misbehaviour.
    fn proven_otherwise(mut self) -> Self {
        self.token_endpoint_auth_method = match self.token_endpoint_auth_method {
            ClientAuth::Basic => ClientAuth::Post,
            _ => ClientAuth::Basic,
        };
        self
    }

    /// The loopback port that was registered.
    pub(super) fn port(&self) -> Option<u16> {
        Url::parse(self.redirect_uri.as_deref()?).ok()?.port()
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("source", &self.source).field("auth", &self.token_endpoint_auth_method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_decides_how_the_client_proves_itself() {
        let answer = json!({"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post"});
        assert_eq!(registered(&answer, ClientAuth::None, "r").unwrap().token_endpoint_auth_method, ClientAuth::Post);
        let silent = json!({"client_id": "c", "client_secret": "s"});
        assert_eq!(registered(&silent, ClientAuth::None, "r").unwrap().token_endpoint_auth_method, ClientAuth::Basic);
        assert!(registered(&json!({"client_id": "c", "token_endpoint_auth_method": "mtls"}), ClientAuth::None, "r").is_none());
        assert!(registered(&json!({}), ClientAuth::None, "r").is_none());
    }

    #[test]
    fn a_secret_may_end() {
        let mut client =
            registered(&json!({"client_id": "c", "client_secret": "s", "client_secret_expires_at": 0}), ClientAuth::Post, "r").unwrap();
        assert!(!client.has_ended(u64::MAX));
        client.client_secret_expires_at = 5;
        assert!(client.has_ended(5) && !client.has_ended(4));
    }
}
