//! The token endpoint: exchange, refresh, revocation, and what an answer means for the credentials one holds.

use super::discovery::Metadata;
use super::http::{Attempts, Call, Follow, Http, HttpError, Reply, host};
use super::registration::{ClientAuth, Registered};
use super::store::{Tokens, now};
use crate::exchange::Form;
use ::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;

/// Why there are no new tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The code or the refresh token does not hold (RFC 6749 §5.2). Final.
    #[error("{host} says that the grant does not hold (invalid_grant)")]
    InvalidGrant {
        /// The server.
        host: String,
    },
    /// The server does not know the client (RFC 6749 §5.2). Final for this registration.
    #[error("{host} does not accept the client (invalid_client)")]
    InvalidClient {
        /// The server.
        host: String,
    },
    /// Another error of RFC 6749 §5.2.
    #[error("{host} refused the token request: {error}")]
    Refused {
        /// The server.
        host: String,
        /// The error code.
        error: String,
    },
    /// The server is busy or out of reach; nothing is known about the credentials.
    #[error("{host} cannot answer now ({reason}); the stored credentials are kept")]
    Busy {
        /// The server.
        host: String,
        /// Status or cause.
        reason: String,
    },
    /// An answer that says nothing known about the credentials.
    #[error("{host} answered the token request with {status} and no OAuth error; the stored credentials are kept")]
    Unknown {
        /// The server.
        host: String,
        /// The status.
        status: u16,
    },
    /// A page in place of an answer: something stands before the server. Nothing is known about the credentials.
    #[error("something before {host} refused the token request (403, text/html); the stored credentials are kept")]
    Wall {
        /// The server.
        host: String,
    },
    /// An address that cannot be used.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// A token endpoint and who asks there.
pub(super) struct TokenEndpoint<'a> {
    pub(super) http: &'a Http,
    pub(super) metadata: &'a Metadata,
    pub(super) client: &'a Registered,
    pub(super) resource: &'a str,
}

impl TokenEndpoint<'_> {
    /// RFC 6749 §4.1.3. At most one repetition, and only while the server is busy.
    pub(super) async fn exchange(&self, code: &str, redirect_uri: &str, verifier: &str) -> Result<Tokens, TokenError> {
        let form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
            ("resource", self.resource),
        ];
        self.ask(form, None, Attempts(2)).await
    }

    /// RFC 6749 §6. The old refresh token stays where no new one is given.
    pub(super) async fn refresh(&self, old: &Tokens, refresh_token: &str, attempts: Attempts) -> Result<Tokens, TokenError> {
        let form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("resource", self.resource)];
        self.ask(form, Some(old), attempts).await
    }

    /// RFC 7009 §2.1. `false` where the server offers none or does not do it.
    pub(super) async fn revoke(&self, tokens: &Tokens) -> Result<bool, HttpError> {
        let Some(url) = self.metadata.revocation_endpoint.as_deref().and_then(|url| Url::parse(url).ok()) else { return Ok(false) };
        let (token, hint) = match &tokens.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&tokens.access_token, "access_token"),
        };
        let call = self.call(url, vec![("token", token), ("token_type_hint", hint)]);
        Ok(self.http.send_patiently(&call, Attempts(3)).await?.status == 200)
    }

    async fn ask(&self, form: Vec<(&str, &str)>, old: Option<&Tokens>, attempts: Attempts) -> Result<Tokens, TokenError> {
        let url = Url::parse(&self.metadata.token_endpoint);
        let url = url.map_err(|_| HttpError::Insecure(self.metadata.token_endpoint.clone()))?;
        let host = host(&url);
        match self.http.send_patiently(&self.call(url, form), attempts).await {
            Ok(reply) => read(&reply, host, old),
            Err(error @ (HttpError::NoAnswer { .. } | HttpError::TimedOut { .. })) => {
                Err(TokenError::Busy { host, reason: error.to_string() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A form with the client's proof, in the one way it was registered for (RFC 6749 §2.3).
    fn call<'a>(&'a self, url: Url, mut form: Vec<(&'a str, &'a str)>) -> Call {
        let mut call = Call::new(Method::POST, url, Follow::SameOrigin).with("accept", "application/json");
        let secret = self.client.client_secret.as_deref().unwrap_or_default();
        match self.client.token_endpoint_auth_method {
            ClientAuth::Basic => {
                let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.client.client_id), encoded(secret));
                call = call.with("authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
            ClientAuth::Post => form.extend([("client_id", self.client.client_id.as_str()), ("client_secret", secret)]),
            ClientAuth::None => form.push(("client_id", &self.client.client_id)),
        }
        let form: Form = form.into_iter().collect();
        call.with_body("application/x-www-form-urlencoded", form.to_text())
    }
}

fn read(reply: &Reply, host: String, old: Option<&Tokens>) -> Result<Tokens, TokenError> {
    if reply.is_busy() {
        return Err(TokenError::Busy { host, reason: format!("status {}", reply.status) });
    }
    if reply.status == 403 && reply.headers.first("content-type").is_some_and(|own| own.starts_with("text/html")) {
        return Err(TokenError::Wall { host });
    }
    let body = reply.json().unwrap_or(Value::Null);
    // Some servers answer 200 with an error.
    match body["error"].as_str() {
        Some("invalid_grant") => return Err(TokenError::InvalidGrant { host }),
        Some("invalid_client") => return Err(TokenError::InvalidClient { host }),
        Some(error) => return Err(TokenError::Refused { host, error: short(error) }),
        None => {}
    }
    match body["access_token"].as_str() {
        Some(access) if reply.status == 200 && !access.is_empty() => Ok(tokens(&body, access, old)),
        _ => Err(TokenError::Unknown { host, status: reply.status }),
    }
}

fn tokens(body: &Value, access: &str, old: Option<&Tokens>) -> Tokens {
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    // Some servers send the number as a string. Absent means unknown (RFC 6749 §5.1).
    let lifetime = body["expires_in"].as_u64().or_else(|| body["expires_in"].as_str()?.trim().parse().ok());
    Tokens {
        access_token: access.to_owned(),
        refresh_token: text("refresh_token").or_else(|| old?.refresh_token.clone()),
        expires_at: lifetime.map(|lifetime| now().saturating_add(lifetime)),
        lifetime,
        scope: text("scope").or_else(|| old?.scope.clone()),
        refused: None,
    }
}

/// An error code of foreign origin, as much as fits into a message.
fn short(error: &str) -> String {
    error.chars().filter(|c| c.is_ascii_graphic()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Headers;

    fn answer(status: u16, body: &str, old: Option<&Tokens>) -> Result<Tokens, TokenError> {
        read(&Reply { status, headers: Headers::new(), body: body.into() }, "as.test".into(), old)
    }

    #[test]
    fn an_answer_without_a_refresh_token_keeps_the_old_one() {
        let old = answer(200, r#"{"access_token":"a","refresh_token":"r","expires_in":"60","scope":"s"}"#, None).unwrap();
        assert_eq!((old.lifetime, old.refresh_token.as_deref()), (Some(60), Some("r")));
        let new = answer(200, r#"{"access_token":"b"}"#, Some(&old)).unwrap();
        assert_eq!((new.refresh_token, new.scope, new.expires_at), (Some("r".into()), Some("s".into()), None));
    }

    #[test]
    fn only_two_errors_are_final() {
        assert!(matches!(answer(400, r#"{"error":"invalid_grant"}"#, None), Err(TokenError::InvalidGrant { .. })));
        assert!(matches!(answer(401, r#"{"error":"invalid_client"}"#, None), Err(TokenError::InvalidClient { .. })));
        assert!(matches!(answer(200, r#"{"error":"bad_verification_code"}"#, None), Err(TokenError::Refused { .. })));
        assert!(matches!(answer(503, "<html>", None), Err(TokenError::Busy { .. })));
        assert!(matches!(answer(429, r#"{"error":"invalid_grant"}"#, None), Err(TokenError::Busy { .. })));
        assert!(matches!(answer(400, r#"{"type":"error"}"#, None), Err(TokenError::Unknown { status: 400, .. })));
        assert!(matches!(answer(200, "{}", None), Err(TokenError::Unknown { .. })));
    }
}
