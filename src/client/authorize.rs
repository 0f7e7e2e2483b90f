//! One authorization request: state, PKCE, the URL, and what must hold of the browser's answer before the code is used.

use super::Misbehaviour;
use super::discovery::Metadata;
use super::http::{is_safe, without_query};
use crate::exchange::Form;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use url::Url;

/// An authorization request that was made, or is about to be.
pub(super) struct Attempt {
    /// Where the browser goes.
    pub(super) url: Url,
    /// The verifier that the code is bound to (RFC 7636 §4.1).
    pub(super) verifier: String,
    state: String,
    issuer: String,
    iss_is_promised: bool,
    misbehave: Option<Misbehaviour>,
}

/// What an authorization request asks for.
pub(super) struct Wish<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) client_id: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) resource: &'a str,
    pub(super) scope: Option<&'a str>,
    pub(super) misbehave: Option<Misbehaviour>,
}

/// Why an authorization did not give a code.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// No random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
    /// The authorization endpoint is no address for a person's browser.
    #[error("the authorization endpoint {0} is not https")]
    BadEndpoint(String),
    /// No port to listen on.
    #[error("failed to listen on 127.0.0.1 for the browser's answer: {0}")]
    Listen(std::io::Error),
    /// Nobody came.
    #[error("the browser did not come back within {0} s; run the command again to retry")]
    TimedOut(u64),
    /// The state is not ours (RFC 6749 §10.12).
    #[error("the browser came back with a state that is not ours; its answer was thrown away (RFC 6749 §10.12)")]
    WrongState,
    /// The issuer is another one (RFC 9207 §2.4).
    #[error("the browser came back from another authorization server than {0}; its answer was thrown away (RFC 9207 §2.4)")]
    WrongIssuer(String),
    /// The issuer is missing though it was promised (RFC 9207 §2.4).
    #[error("the answer does not name its authorization server, although {0} promises to; it was thrown away (RFC 9207 §2.4)")]
    MissingIssuer(String),
    /// The server or the person said no (RFC 6749 §4.1.2.1).
    #[error("the authorization was refused: {0}")]
    Refused(String),
    /// Neither a code nor an error.
    #[error("the browser came back without a code")]
    NoCode,
}

impl Attempt {
    /// A fresh state and a fresh verifier, never used before.
    pub(super) fn new(wish: &Wish<'_>) -> Result<Self, AuthorizeError> {
        let endpoint = &wish.metadata.authorization_endpoint;
        let url = Url::parse(endpoint).ok().filter(is_safe);
        let mut url = url.ok_or_else(|| AuthorizeError::BadEndpoint(endpoint.clone()))?;
        let (state, verifier) = (random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", "code").append_pair("client_id", wish.client_id);
        query.append_pair("redirect_uri", wish.redirect_uri);
        if wish.misbehave != Some(Misbehaviour::StateMissing) {
            query.append_pair("state", &state);
        }
        query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
        query.append_pair("resource", wish.resource);
        if let Some(scope) = wish.scope {
            query.append_pair("scope", scope);
            if scope.split(' ').any(|word| word == "offline_access") {
                // OpenID Connect Core §11.
                query.append_pair("prompt", "consent");
            }
        }
        drop(query);
        let iss_is_promised = wish.metadata.authorization_response_iss_parameter_supported;
        Ok(Self { url, verifier, state, issuer: wish.metadata.issuer.clone(), iss_is_promised, misbehave: wish.misbehave })
    }

    /// The code of the browser's answer, if the answer is to this request and from this server.
    pub(super) fn code(&self, answer: &Form) -> Result<String, AuthorizeError> {
        let is_careless = matches!(self.misbehave, Some(Misbehaviour::StateMismatchAccepted | Misbehaviour::StateMissing));
        if !is_careless && answer.first("state") != Some(&self.state) {
            return Err(AuthorizeError::WrongState);
        }
        match answer.first("iss") {
            _ if self.misbehave == Some(Misbehaviour::IssNotValidated) => {}
            Some(iss) if iss != self.issuer => return Err(AuthorizeError::WrongIssuer(self.issuer.clone())),
            None if self.iss_is_promised => return Err(AuthorizeError::MissingIssuer(self.issuer.clone())),
            _ => {}
        }
        if let Some(error) = answer.first("error") {
            let description = answer.first("error_description").map(|text| format!(" ({text})")).unwrap_or_default();
            return Err(AuthorizeError::Refused(format!("{error}{description}")));
        }
        answer.first("code").filter(|code| !code.is_empty()).map(str::to_owned).ok_or(AuthorizeError::NoCode)
    }
}

/// 256 random bits as 43 characters (RFC 7636 §4.1).
fn random() -> Result<String, AuthorizeError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| AuthorizeError::Random(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt({})", without_query(&self.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(iss_is_promised: bool) -> Attempt {
        let metadata = serde_json::json!({
            "issuer": "https://as.test",
            "authorization_endpoint": "https://as.test/authorize?tenant=1",
            "token_endpoint": "https://as.test/token",
            "authorization_response_iss_parameter_supported": iss_is_promised,
        });
        let metadata = serde_json::from_value(metadata).unwrap();
        let wish = Wish {
            metadata: &metadata,
            client_id: "c",
            redirect_uri: "http://127.0.0.1:1/callback",
            resource: "https://rs.test/mcp",
            scope: Some("a offline_access"),
            misbehave: None,
        };
        Attempt::new(&wish).unwrap()
    }

    fn code(attempt: &Attempt, members: &[(&str, &str)]) -> Result<String, AuthorizeError> {
        attempt.code(&members.iter().copied().collect())
    }

    #[test]
    fn the_request_is_complete_and_never_the_same() {
        let (first, second) = (attempt(true), attempt(true));
        assert_ne!(first.verifier, second.verifier);
        assert_ne!(first.state, second.state);
        let query: Vec<_> = first.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        let expected = "tenant response_type client_id redirect_uri state code_challenge code_challenge_method resource scope prompt";
        assert_eq!(query.join(" "), expected);
        assert_eq!(first.verifier.len(), 43);
        assert_eq!(format!("{first:?}"), "Attempt(https://as.test/authorize)");
    }

    #[test]
    fn state_comes_first_then_the_issuer_then_the_error() {
        let attempt = attempt(true);
        let state = ("state", attempt.state.as_str());
        let iss = ("iss", "https://as.test");
        assert!(matches!(code(&attempt, &[("code", "c"), ("error", "x")]), Err(AuthorizeError::WrongState)));
        assert!(matches!(code(&attempt, &[state, ("iss", "https://as.test/"), ("error", "x")]), Err(AuthorizeError::WrongIssuer(_))));
        assert!(matches!(code(&attempt, &[state, ("code", "c")]), Err(AuthorizeError::MissingIssuer(_))));
        assert!(matches!(code(&attempt, &[state, iss, ("error", "access_denied")]), Err(AuthorizeError::Refused(_))));
        assert!(matches!(code(&attempt, &[state, iss]), Err(AuthorizeError::NoCode)));
        assert_eq!(code(&attempt, &[state, iss, ("code", "c")]).unwrap(), "c");
    }

    #[test]
    fn an_issuer_that_is_not_promised_may_be_missing_but_not_wrong() {
        let attempt = attempt(false);
        let state = ("state", attempt.state.as_str());
        assert!(code(&attempt, &[state, ("code", "c")]).is_ok());
        assert!(matches!(code(&attempt, &[state, ("iss", "x"), ("code", "c")]), Err(AuthorizeError::WrongIssuer(_))));
    }
}
