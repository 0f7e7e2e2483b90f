//! The `WWW-Authenticate` field: a parser of the real grammar (RFC 9110 §11.6.1) that never fails: what fits no rule is passed over.

use crate::exchange::Headers;
use std::fmt;

/// One challenge of a server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, as sent; compares without case: see [`Challenge::is`].
    pub scheme: String,
    /// The credential of schemes that have no parameters (RFC 9110 §11.2).
    pub token68: Option<String>,
    /// Names as sent and unescaped values, in order.
    pub parameters: Vec<(String, String)>,
}

/// The challenges of a response, in order, whether they came in one field or in several.
pub fn parse_challenges(headers: &Headers) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for value in headers.all("www-authenticate") {
        Parser { rest: value }.challenges(&mut challenges);
    }
    challenges
}

impl Challenge {
    /// True when the scheme is `name` (RFC 9110 §11.1: without case).
    pub fn is(&self, name: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(name)
    }

    /// True for the schemes that carry an access token: `Bearer` (RFC 6750 §3) and `DPoP` (RFC 9449 §7.1).
    pub fn wants_token(&self) -> bool {
        self.is("bearer") || self.is("dpop")
    }

    /// The first parameter of a name (RFC 9110 §11.2: without case).
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The URL of the protected resource metadata (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.parameter("resource_metadata")
    }

    /// The scope that is needed, as sent (RFC 6750 §3).
    pub fn scope(&self) -> Option<&str> {
        self.parameter("scope")
    }

    /// The error code (RFC 6750 §3.1).
    pub fn error(&self) -> Option<&str> {
        self.parameter("error")
    }

    /// The explanation of the error (RFC 6750 §3).
    pub fn error_description(&self) -> Option<&str> {
        self.parameter("error_description")
    }

    /// The protection space (RFC 9110 §11.5).
    pub fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn challenges(&mut self, found: &mut Vec<Challenge>) {
        let first = found.len();
        loop {
            self.skip(|c| matches!(c, ' ' | '\t' | ','));
            if self.rest.is_empty() {
                return;
            }
            let name = self.token();
            if name.is_empty() {
                self.garbage();
                continue;
            }
            if let Some(value) = self.value() {
                if let Some(challenge) = found[first..].last_mut() {
                    challenge.parameters.push((name.to_owned(), value));
                }
                continue;
            }
            let token68 = self.token68().map(str::to_owned);
            found.push(Challenge { scheme: name.to_owned(), token68, parameters: Vec::new() });
        }
    }

    /// The value behind a parameter's name; `None` when the name was a scheme.
    fn value(&mut self) -> Option<String> {
        let value = self.rest.trim_start_matches([' ', '\t']).strip_prefix('=')?.trim_start_matches([' ', '\t']);
        self.rest = value;
        if let Some(quoted) = value.strip_prefix('"') {
            self.rest = quoted;
            return Some(self.quoted());
        }
        // Wider than a token: URLs are often sent without quotes.
        Some(self.take(|c| !matches!(c, ',' | ' ' | '\t')).to_owned())
    }

    /// The rest of a quoted string (RFC 9110 §5.6.4); one that does not end takes everything.
    fn quoted(&mut self) -> String {
        let mut value = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[index + 1..];
                    return value;
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => value.push(character),
            }
        }
        self.rest = "";
        value
    }

    /// A token68 that stands alone behind a scheme, up to the next comma or the end.
    fn token68(&mut self) -> Option<&'a str> {
        let start = self.rest.trim_start_matches([' ', '\t']);
        let word = start.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        let behind = word.trim_start_matches('=');
        let token = &start[..start.len() - behind.len()];
        let ends = behind.trim_start_matches([' ', '\t']);
        let stands_alone = !token.starts_with('=') && !token.is_empty() && (ends.is_empty() || ends.starts_with(','));
        stands_alone.then(|| {
            self.rest = ends;
            token
        })
    }

    fn token(&mut self) -> &'a str {
        self.take(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
    }

    /// Passes over a quoted string or a single character that begins nothing.
    fn garbage(&mut self) {
        let mut characters = self.rest.chars();
        let is_quote = characters.next() == Some('"');
        self.rest = characters.as_str();
        if is_quote {
            self.quoted();
        }
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn skip(&mut self, belongs: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(belongs);
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ["Bearer", "DPoP", "Basic", "Digest", "Negotiate"].into_iter().find(|name| self.is(name));
        let sizes = self.parameters.iter().map(|(name, value)| (name.len(), value.len()));
        write!(f, "Challenge({}, ", known.unwrap_or("another scheme"))?;
        f.debug_list().entries(sizes).finish()?;
        f.write_str(")")
    }
}
