//! The credential of a run: whoever does not show it is not let in, and its user part says which session speaks.

use crate::exchange::Actor;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use std::hint::black_box;
use std::net::SocketAddr;

/// Who speaks through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The session, from 1.
    pub session: u32,
    /// Its client or its browser.
    pub actor: Actor,
}

/// The secret of a run.
#[derive(Clone)]
pub struct Credential {
    secret: String,
}

/// What a request showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The credential.
    Right(Peer),
    /// None.
    Nothing,
    /// Another one, or none that can be read.
    Wrong,
}

impl Peer {
    /// The client process of a session.
    pub fn client(session: u32) -> Self {
        Self { session, actor: Actor::Client }
    }

    fn parse(user: &str) -> Option<Self> {
        let actor = match user.get(..1)? {
            "s" => Actor::Client,
            "u" => Actor::UserAgent,
            _ => return None,
        };
        let session = user[1..].parse().ok().filter(|session| *session > 0)?;
        Some(Self { session, actor })
    }

    fn user(self) -> String {
        let letter = match self.actor {
            Actor::Client => 's',
            Actor::UserAgent => 'u',
        };
        format!("{letter}{}", self.session)
    }
}

impl Credential {
    /// A fresh one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 18];
        getrandom::fill(&mut bytes)?;
        Ok(Self { secret: URL_SAFE_NO_PAD.encode(bytes) })
    }

    /// The proxy URL for a peer, as it goes into `HTTPS_PROXY`.
    pub fn proxy_url(&self, proxy: SocketAddr, peer: Peer) -> String {
        format!("http://{}:{}@{proxy}", peer.user(), self.secret)
    }

    /// The value of `proxy-authorization` for a peer.
    pub fn header(&self, peer: Peer) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", peer.user(), self.secret)))
    }

    pub(super) fn check(&self, headers: &HeaderMap) -> Shown {
        let Some(value) = headers.get(header::PROXY_AUTHORIZATION) else { return Shown::Nothing };
        self.read(value.as_bytes()).map_or(Shown::Wrong, Shown::Right)
    }

    /// RFC 7617 §2: `Basic` in any case, then base64 of `user:password`.
    fn read(&self, value: &[u8]) -> Option<Peer> {
        let (scheme, encoded) = std::str::from_utf8(value).ok()?.trim().split_once(' ')?;
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        let is_right = scheme.eq_ignore_ascii_case("basic") && same(password.as_bytes(), self.secret.as_bytes());
        Peer::parse(user).filter(|_| is_right)
    }
}

/// Compares in a time that depends on the lengths only.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differing = left.iter().zip(right).fold(0, |all, (l, r)| black_box(all | (l ^ r)));
    left.len() == right.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(credential: &Credential, value: &str) -> Shown {
        credential.check(&HeaderMap::from_iter([(header::PROXY_AUTHORIZATION, value.parse().unwrap())]))
    }

    #[test]
    fn the_credential_names_the_session() {
        let credential = Credential::generate().unwrap();
        let browser = Peer { session: 12, actor: Actor::UserAgent };
        assert_eq!(shown(&credential, &credential.header(Peer::client(1))), Shown::Right(Peer::client(1)));
        assert_eq!(shown(&credential, &credential.header(browser).replace("Basic", "basic")), Shown::Right(browser));
        let url = url::Url::parse(&credential.proxy_url("127.0.0.1:7200".parse().unwrap(), browser)).unwrap();
        assert_eq!((url.username(), url.port()), ("u12", Some(7200)));
    }

    #[test]
    fn anything_else_is_wrong() {
        let credential = Credential::generate().unwrap();
        let other = Credential::generate().unwrap();
        assert_eq!(shown(&credential, &other.header(Peer::client(1))), Shown::Wrong);
        for user in ["s0", "x1", "1", "", "s"] {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{}", credential.secret)));
            assert_eq!(shown(&credential, &value), Shown::Wrong, "{user}");
        }
        assert_eq!(shown(&credential, &credential.header(Peer::client(1)).replace("Basic", "Bearer")), Shown::Wrong);
        assert_eq!(shown(&credential, "Basic !"), Shown::Wrong);
        assert_eq!(credential.check(&HeaderMap::new()), Shown::Nothing);
    }
}
