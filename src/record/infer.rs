//! What is concluded rather than seen when the person's own browser does the browser's part: the authorization request from
//! the URL that the client opened, the callback from the token request that follows. Everything made here says `inferred`.

use crate::exchange::{Actor, Body, Exchange, Form, Headers, Outcome, Request, Version};
use base64::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::time::Duration;

/// How many opened URLs may wait for their callback.
const WAITING: usize = 64;

/// An URL that the client asked a browser to open.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedUrl {
    /// The number kept for the authorization request; the next one is kept for its callback.
    pub number: u32,
    /// When, since the start of the run.
    pub at: Duration,
    /// Which client process.
    pub session: u32,
    /// The URL as opened.
    pub url: String,
}

/// Authorization requests whose callback was neither seen nor concluded yet.
#[derive(Default)]
pub(super) struct Inferred {
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    callback_number: u32,
    session: u32,
    state: Option<String>,
    redirect_uri: String,
    challenge: Option<String>,
}

impl Inferred {
    /// The authorization request behind an opened URL, if it is one (RFC 6749 §4.1.1, RFC 9126 §4).
    pub fn authorize(&mut self, opened: &OpenedUrl) -> Option<Exchange> {
        let (_, query) = opened.url.split_once('?')?;
        let query = Form::parse(query.split('#').next()?)?;
        query.first("client_id")?;
        query.first("response_type").or(query.first("request_uri"))?;
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting {
            callback_number: opened.number + 1,
            session: opened.session,
            state: query.first("state").map(str::to_owned),
            redirect_uri: query.first("redirect_uri").unwrap_or_default().to_owned(),
            challenge: query.first("code_challenge").map(str::to_owned),
        });
        Some(inferred(opened.number, opened.session, opened.at, opened.url.clone()))
    }

    /// Forgets the authorization request that a callback answers: it was seen.
    pub fn seen(&mut self, callback: &Exchange) {
        let query = callback.request.url.split_once('?').and_then(|(_, query)| Form::parse(query));
        let Some(query) = query else { return };
        let state = query.first("state");
        self.waiting.retain(|waiting| state.is_none() || waiting.state.as_deref() != state);
    }

    /// The callback that must have come before a token request with a code (RFC 6749 §4.1.2, §4.1.3).
    pub fn callback(&mut self, token: &Exchange) -> Option<Exchange> {
        let form = token.request.body.content.form();
        let json = token.request.body.content.json();
        let member = |name: &str| {
            let from_json = || json.as_ref()?.get(name)?.as_str();
            form.as_ref().and_then(|form| form.first(name)).or_else(from_json)
        };
        let (code, redirect_uri) = (member("code")?, member("redirect_uri").unwrap_or_default());
        let challenge = member("code_verifier").map(s256);
        let answers = |waiting: &Waiting| {
            waiting.session == token.session
                && match (&waiting.challenge, &challenge) {
                    (Some(sent), Some(computed)) => sent == computed,
                    _ => waiting.redirect_uri == redirect_uri,
                }
        };
        let position = self.waiting.iter().position(answers)?;
        let waiting = self.waiting.remove(position)?;
        let query: Form = [("code", Some(code)), ("state", waiting.state.as_deref())]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let url = format!("{}?{}", waiting.redirect_uri, query.to_text());
        Some(inferred(waiting.callback_number, token.session, token.at, url))
    }
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
fn s256(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn inferred(number: u32, session: u32, at: Duration, url: String) -> Exchange {
    let request = Request {
        method: "GET".into(),
        url,
        version: Version::Http11,
        headers: Headers::new(),
        body: Body::default(),
        trailers: Headers::new(),
    };
    Exchange {
        number,
        session,
        actor: Actor::UserAgent,
        connection: 0,
        at,
        took: None,
        request,
        outcome: Outcome::Unseen,
        inferred: true,
        answered: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Content;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn opened(number: u32, state: &str, challenge: &str) -> OpenedUrl {
        let url = format!(
            "https://as.test/authorize?response_type=code&client_id=c&state={state}&code_challenge={challenge}&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb"
        );
        OpenedUrl { number, at: Duration::from_secs(1), session: 1, url }
    }

    fn token(verifier: &str) -> Exchange {
        let mut exchange = inferred(9, 1, Duration::from_secs(5), "https://as.test/token".into());
        let form =
            [("grant_type", "authorization_code"), ("code", "k"), ("redirect_uri", "http://localhost:1/cb"), ("code_verifier", verifier)];
        exchange.request.body.content = Content::Form(form.into_iter().collect());
        exchange
    }

    #[test]
    fn the_callback_belongs_to_the_request_whose_challenge_fits() {
        // The pair of RFC 7636 appendix B.
        let mut inferred = Inferred::default();
        assert!(inferred.authorize(&opened(2, "other", "x")).is_some());
        assert!(inferred.authorize(&opened(4, "right", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")).is_some());
        let callback = inferred.callback(&token(VERIFIER)).unwrap();
        assert_eq!((callback.number, callback.inferred), (5, true));
        assert_eq!(callback.request.url, "http://localhost:1/cb?code=k&state=right");
        assert!(inferred.callback(&token(VERIFIER)).is_none());
    }

    #[test]
    fn a_callback_that_was_seen_is_not_concluded_again() {
        let mut inferred = Inferred::default();
        inferred.authorize(&opened(2, "s", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        inferred.seen(&super::inferred(3, 1, Duration::ZERO, "http://localhost:1/cb?code=k&state=s".into()));
        assert!(inferred.callback(&token(VERIFIER)).is_none());
    }

    #[test]
    fn other_urls_are_no_authorization_requests() {
        let opened = OpenedUrl { number: 1, at: Duration::ZERO, session: 1, url: "https://docs.test/?client_id=x".into() };
        assert!(Inferred::default().authorize(&opened).is_none());
    }
}
