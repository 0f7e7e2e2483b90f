//! A URL that a client wanted to be shown, and what kind of URL it is.

use std::fmt;
use url::Url;

/// The longest URL that is taken; anything behind it is cut off and the URL marked as cut.
pub const URL_LIMIT: usize = 32 << 10;

/// A URL that a client opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The session whose opener was called.
    pub session: u32,
    /// The name under which the opener was called.
    pub opener: String,
    /// The URL as it came.
    pub url: String,
    /// What it is.
    pub target: Target,
}

/// What an opened URL is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An authorization request (RFC 6749 §4.1.1), pushed ones (RFC 9126) and request objects (RFC 9101) included.
    Authorization(Box<AuthorizationRequest>),
    /// What is left of an authorization request: something cut the URL, as a shell does at an unquoted `&`. The text says what
    /// is missing.
    Cut(&'static str),
    /// Any other page.
    Page,
}

/// The parts of an authorization request that lead back to the client.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// The whole request.
    pub url: Url,
    /// Where the answer goes; unknown where the request was pushed or the client has registered only one.
    pub redirect_uri: Option<Url>,
}

impl Opened {
    /// Looks at a URL.
    pub fn new(session: u32, opener: &str, url: &str) -> Self {
        let mut end = url.len().min(URL_LIMIT);
        while !url.is_char_boundary(end) {
            end -= 1;
        }
        let target = if end < url.len() { Target::Cut("longer than 32 KiB") } else { Target::of(url) };
        Self { session, opener: opener.to_owned(), url: url[..end].to_owned(), target }
    }

    /// The authorization request that a browser makes of it: of a cut one too, and the server says what it thinks of that.
    pub(super) fn request(&self) -> Option<AuthorizationRequest> {
        match &self.target {
            Target::Authorization(request) => Some((**request).clone()),
            Target::Cut(_) => Url::parse(&self.url).ok().map(|url| AuthorizationRequest { url, redirect_uri: None }),
            Target::Page => None,
        }
    }
}

impl Target {
    fn of(text: &str) -> Self {
        let Ok(url) = Url::parse(text) else { return Self::Page };
        let has = |name: &str| url.query_pairs().any(|(key, value)| key == name && !value.is_empty());
        let carries_request = has("request_uri") || has("request");
        if !has("response_type") && !carries_request {
            let is_rest = has("client_id") && (has("code_challenge") || has("redirect_uri"));
            return if is_rest { Self::Cut("no response_type") } else { Self::Page };
        }
        if !has("client_id") {
            return Self::Cut("no client_id");
        }
        if !carries_request && has("code_challenge_method") && !has("code_challenge") {
            return Self::Cut("no code_challenge");
        }
        if ends_broken(text) {
            return Self::Cut("the last parameter is incomplete");
        }
        let redirect_uri = url.query_pairs().find(|(key, _)| key == "redirect_uri").and_then(|(_, value)| Url::parse(&value).ok());
        Self::Authorization(Box::new(AuthorizationRequest { url, redirect_uri }))
    }
}

/// A URL that ends within a percent escape or behind a separator was cut.
fn ends_broken(text: &str) -> bool {
    let tail = text.as_bytes();
    text.ends_with('&') || tail.last() == Some(&b'%') || tail.iter().rev().nth(1) == Some(&b'%')
}

impl AuthorizationRequest {
    /// True when a redirect leads back to the client: to its redirect URI, whose query parameters stay (RFC 6749 §3.1.2); or,
    /// where that is unknown, to a loopback address with a code or an error.
    pub fn is_answered_by(&self, location: &Url) -> bool {
        if let Some(expected) = &self.redirect_uri {
            return same_place(expected, location);
        }
        let answers = location.query_pairs().any(|(key, _)| key == "code" || key == "error");
        answers && is_loopback(location)
    }
}

fn same_place(expected: &Url, location: &Url) -> bool {
    expected.scheme() == location.scheme()
        && expected.host_str() == location.host_str()
        && expected.port_or_known_default() == location.port_or_known_default()
        && expected.path() == location.path()
}

/// True for `http` to this machine: the redirect URIs of RFC 8252 §7.3 and `localhost`.
pub(super) fn is_loopback(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_here && url.scheme() == "http"
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened(session {}, {}, {} bytes, {:?})", self.session, self.opener, self.url.len(), self.target)
    }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizationRequest({} bytes, redirect_uri: {})", self.url.as_str().len(), self.redirect_uri.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "https://as.test/authorize?response_type=code&client_id=c&code_challenge=x&code_challenge_method=S256\
        &redirect_uri=http%3A%2F%2Flocalhost%3A4711%2Fcallback&state=s";

    fn target(url: &str) -> Target {
        Opened::new(1, "open", url).target
    }

    #[test]
    fn an_authorization_request_knows_its_answer() {
        let Target::Authorization(request) = target(WHOLE) else { panic!("an authorization request") };
        let is_answered_by = |url: &str| request.is_answered_by(&Url::parse(url).unwrap());
        assert!(is_answered_by("http://localhost:4711/callback?code=1&state=s"));
        assert!(!is_answered_by("http://localhost:4712/callback?code=1"));
        assert!(!is_answered_by("https://as.test/login"));
        let Target::Authorization(pushed) = target("https://as.test/a?client_id=c&request_uri=urn:x") else { panic!("pushed") };
        assert!(pushed.is_answered_by(&Url::parse("http://127.0.0.1:1/cb?error=access_denied").unwrap()));
        assert!(!pushed.is_answered_by(&Url::parse("http://127.0.0.1:1/login").unwrap()));
    }

    #[test]
    fn a_cut_request_is_named_and_a_page_is_a_page() {
        assert_eq!(target("https://as.test/authorize?response_type=code"), Target::Cut("no client_id"));
        assert_eq!(target(&WHOLE[..WHOLE.len() - 17]), Target::Cut("the last parameter is incomplete"));
        assert_eq!(target(&WHOLE.replace("code_challenge=x&", "")), Target::Cut("no code_challenge"));
        assert_eq!(target("https://as.test/docs?x=1"), Target::Page);
        let long = format!("{WHOLE}{}", "ä".repeat(URL_LIMIT));
        let opened = Opened::new(1, "open", &long);
        assert!(opened.url.len() <= URL_LIMIT && opened.target == Target::Cut("longer than 32 KiB"));
        assert!(!format!("{opened:?}").contains("as.test"));
    }
}
