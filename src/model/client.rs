//! The clients of one authorization server: what was registered, and whether a redirect URI or a proof of identity fits.

use super::policy::{AuthMethod, RedirectMatching, RedirectRule};
use super::{Moment, Scope};
use crate::protocol::is_loopback_host;
use std::fmt;
use url::Url;

/// A client of an authorization server (RFC 7591 §2).
#[derive(Clone, PartialEq)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Option<String>,
    /// When the secret ends; `None` for never.
    pub secret_expires: Option<Moment>,
    /// When it was registered.
    pub issued: Moment,
    /// Its name for people.
    pub name: Option<String>,
    /// How it proves who it is.
    pub auth: AuthMethod,
    /// True when it may present its secret in another way as well.
    pub any_auth: bool,
    /// The registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// The grant types it may use.
    pub grant_types: Vec<String>,
    /// The scope it registered.
    pub scope: Scope,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it may still be used.
    pub status: ClientStatus,
}

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A tape.
    Tape,
    /// Dynamic registration.
    Registered,
    /// A client id metadata document.
    Document,
    /// A configuration.
    Configured,
}

/// Whether a client may still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStatus {
    /// It may.
    Active,
    /// A later registration took its place.
    Superseded,
    /// The server forgot it.
    Pruned,
}

impl Client {
    /// A public client of a configuration, with the grants of the authorization code flow.
    pub fn configured(id: impl Into<String>, redirect_uris: Vec<String>) -> Self {
        Self {
            id: id.into(),
            secret: None,
            secret_expires: None,
            issued: Moment::default(),
            name: None,
            auth: AuthMethod::None,
            any_auth: false,
            redirect_uris,
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            scope: Scope::default(),
            origin: Origin::Configured,
            status: ClientStatus::Active,
        }
    }

    /// The same client with a secret and the way in which it presents it.
    #[must_use]
    pub fn confidential(mut self, auth: AuthMethod, secret: impl Into<String>) -> Self {
        self.auth = auth;
        self.secret = Some(secret.into());
        self
    }

    /// True when it may use the grant type.
    pub fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|own| own == grant_type)
    }

    /// True when one of the registered redirect URIs covers this one.
    pub fn covers(&self, redirect_uri: &str, rule: RedirectRule) -> bool {
        self.redirect_uris.iter().any(|registered| covers(registered, redirect_uri, rule))
    }

    /// True when both registrations describe the same client: name and redirect URIs, loopback ports aside.
    pub fn resembles(&self, other: &Self) -> bool {
        let rule = RedirectRule { matching: RedirectMatching::Exact, loopback_port_free: true };
        self.name == other.name
            && self.redirect_uris.len() == other.redirect_uris.len()
            && self.redirect_uris.iter().zip(&other.redirect_uris).all(|(own, theirs)| covers(own, theirs, rule))
    }

    /// True when the client proved with this method and secret who it is.
    pub fn is_proven_by(&self, method: AuthMethod, secret: Option<&str>, now: Moment) -> bool {
        let is_right_method = method == self.auth || (self.any_auth && method != AuthMethod::None);
        if self.status != ClientStatus::Active || !is_right_method {
            return false;
        }
        match method {
            AuthMethod::None => true,
            _ => self.secret.is_some() && self.secret.as_deref() == secret && self.secret_expires.is_none_or(|end| now < end),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("auth", &self.auth)
            .field("origin", &self.origin)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// True for a host that is the machine itself (RFC 8252 §7.3).
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

fn covers(registered: &str, asked: &str, rule: RedirectRule) -> bool {
    if registered == asked {
        return true;
    }
    let (Ok(mut registered), Ok(mut asked)) = (Url::parse(registered), Url::parse(asked)) else { return false };
    if rule.loopback_port_free && is_loopback(&registered) && is_loopback(&asked) {
        let freed = [&mut registered, &mut asked].map(|url| url.set_port(None));
        if freed.iter().any(Result::is_err) {
            return false;
        }
    }
    let same_origin = registered.origin() == asked.origin();
    match rule.matching {
        RedirectMatching::Exact => registered == asked,
        RedirectMatching::Path => same_origin && registered.path() == asked.path(),
        RedirectMatching::Host => same_origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: RedirectRule = RedirectRule { matching: RedirectMatching::Exact, loopback_port_free: true };

    #[test]
    fn a_loopback_port_is_free_and_nothing_else_is() {
        let registered = "http://127.0.0.1:4711/callback";
        assert!(covers(registered, "http://127.0.0.1:9/callback", EXACT));
        assert!(!covers(registered, "http://127.0.0.1:9/other", EXACT));
        assert!(!covers(registered, "http://localhost:4711/callback", EXACT));
        assert!(!covers("https://app.example:1/cb", "https://app.example:2/cb", EXACT));
        let strict = RedirectRule { loopback_port_free: false, ..EXACT };
        assert!(!covers(registered, "http://127.0.0.1:9/callback", strict));
    }

    #[test]
    fn a_policy_may_compare_less() {
        let path = RedirectRule { matching: RedirectMatching::Path, loopback_port_free: true };
        let host = RedirectRule { matching: RedirectMatching::Host, loopback_port_free: true };
        assert!(covers("https://a.example/cb", "https://a.example/cb?x=1", path));
        assert!(!covers("https://a.example/cb", "https://a.example/other", path));
        assert!(covers("https://a.example/cb", "https://a.example/other", host));
        assert!(!covers("https://a.example/cb", "https://b.example/cb", host));
    }

    #[test]
    fn a_proof_needs_the_registered_method_the_secret_and_an_active_client() {
        let now = Moment::default();
        let mut client = Client::configured("c", Vec::new()).confidential(AuthMethod::Basic, "s");
        assert!(client.is_proven_by(AuthMethod::Basic, Some("s"), now));
        assert!(!client.is_proven_by(AuthMethod::Post, Some("s"), now));
        assert!(!client.is_proven_by(AuthMethod::Basic, Some("t"), now));
        client.any_auth = true;
        assert!(client.is_proven_by(AuthMethod::Post, Some("s"), now) && !client.is_proven_by(AuthMethod::None, None, now));
        assert!(!client.is_proven_by(AuthMethod::Post, Some("t"), now));
        client.status = ClientStatus::Pruned;
        assert!(!client.is_proven_by(AuthMethod::Basic, Some("s"), now));
    }
}
