//! Where URLs stand in header fields and parameters. What is not a URL of a bound origin keeps its bytes.

use super::Rebinding;
use percent_encoding::percent_decode_str;

/// Parameters of requests that name a server to another one (RFC 8707 §2, RFC 8693 §2.1, RFC 9207 §2).
const REQUEST_PARAMETERS: &[&str] = &["resource", "audience", "iss", "issuer"];
/// The parameter of an authorization response that names a server (RFC 9207 §2).
const RESPONSE_PARAMETERS: &[&str] = &["iss"];
/// Parameters of challenges that are URLs of the server or of who it trusts (RFC 9728 §5.1).
const CHALLENGE_PARAMETERS: &[&str] = &["resource_metadata", "resource", "authorization_uri", "as_uri"];

impl Rebinding {
    /// A header field of a response; `None` where nothing changes.
    pub fn response_header(&self, name: &str, value: &str) -> Option<String> {
        match name {
            "location" => self.redirect(value),
            "content-location" | "access-control-allow-origin" => self.url(value.trim()),
            "www-authenticate" => self.challenge(value),
            "link" => self.link(value),
            _ => None,
        }
    }

    /// A header field of a request; `None` where nothing changes.
    pub fn request_header(&self, name: &str, value: &str) -> Option<String> {
        matches!(name, "origin" | "referer").then(|| self.url(value.trim())).flatten()
    }

    /// A query or form of a request; `None` where nothing changes. The redirect URI is the client's own and stays.
    pub fn request_parameters(&self, text: &str) -> Option<String> {
        self.parameters(text, REQUEST_PARAMETERS)
    }

    /// True for the name of such a parameter.
    pub(super) fn is_request_parameter(name: &str) -> bool {
        REQUEST_PARAMETERS.contains(&name)
    }

    /// The target of a redirect: its own URL, and the issuer that it may name to the client (RFC 9207 §2).
    pub fn redirect(&self, location: &str) -> Option<String> {
        let moved = self.url(location.trim());
        let named = self.named_issuer(moved.as_deref().unwrap_or(location));
        named.or(moved)
    }

    /// A URL whose query or fragment names an issuer, such as a callback; `None` where it names none of ours.
    pub fn named_issuer(&self, url: &str) -> Option<String> {
        let (before, fragment) = url.split_once('#').map_or((url, None), |(before, fragment)| (before, Some(fragment)));
        let (place, query) = before.split_once('?').map_or((before, None), |(place, query)| (place, Some(query)));
        let new_query = query.and_then(|query| self.parameters(query, RESPONSE_PARAMETERS));
        // OAuth 2.0 Multiple Response Type Encoding §2.1: `response_mode=fragment`.
        let new_fragment = fragment.and_then(|fragment| self.parameters(fragment, RESPONSE_PARAMETERS));
        if new_query.is_none() && new_fragment.is_none() {
            return None;
        }
        let mut text = place.to_owned();
        for (sign, part) in [('?', new_query.as_deref().or(query)), ('#', new_fragment.as_deref().or(fragment))] {
            if let Some(part) = part {
                text.push(sign);
                text.push_str(part);
            }
        }
        Some(text)
    }

    fn parameters(&self, text: &str, names: &[&str]) -> Option<String> {
        let mut is_changed = false;
        let pairs = text.split('&').map(|pair| {
            let moved = self.parameter(pair, names);
            is_changed |= moved.is_some();
            moved.unwrap_or_else(|| pair.to_owned())
        });
        let joined = pairs.collect::<Vec<_>>().join("&");
        is_changed.then_some(joined)
    }

    fn parameter(&self, pair: &str, names: &[&str]) -> Option<String> {
        let (name, value) = pair.split_once('=')?;
        let decoded = percent_decode_str(name).decode_utf8().ok()?;
        if !names.contains(&decoded.as_ref()) {
            return None;
        }
        let value = value.replace('+', " ");
        let moved = self.url(&percent_decode_str(&value).decode_utf8().ok()?)?;
        Some(format!("{name}={}", url::form_urlencoded::byte_serialize(moved.as_bytes()).collect::<String>()))
    }

    /// RFC 9110 §11.6.1: the values of some parameters, quoted or not; every other byte stays.
    fn challenge(&self, value: &str) -> Option<String> {
        let mut out = String::with_capacity(value.len());
        let mut is_changed = false;
        let mut rest = value;
        while let Some(sign) = rest.find(['=', '"']) {
            let (before, at) = rest.split_at(sign);
            out.push_str(before);
            if let Some(inside) = at.strip_prefix('"') {
                let (quoted, behind) = at.split_at(1 + end_of_quoted(inside));
                out.push_str(quoted);
                rest = behind;
                continue;
            }
            let name = before.trim_end_matches([' ', '\t']).rsplit([' ', '\t', ',']).next().unwrap_or_default();
            let (sign, value, close, behind) = parameter_value(at);
            out.push_str(sign);
            let is_url = CHALLENGE_PARAMETERS.iter().any(|own| own.eq_ignore_ascii_case(name));
            match self.url(value).filter(|_| is_url) {
                Some(moved) => {
                    is_changed = true;
                    out.push_str(&moved);
                }
                None => out.push_str(value),
            }
            out.push_str(close);
            rest = behind;
        }
        out.push_str(rest);
        is_changed.then_some(out)
    }

    /// RFC 8288 §3: the targets in angle brackets.
    fn link(&self, value: &str) -> Option<String> {
        let mut out = String::with_capacity(value.len());
        let mut is_changed = false;
        let mut rest = value;
        while let Some((before, target, behind)) = rest.split_once('<').and_then(|(before, at)| {
            let (target, behind) = at.split_once('>')?;
            Some((before, target, behind))
        }) {
            let moved = self.url(target.trim());
            is_changed |= moved.is_some();
            out.push_str(before);
            out.push('<');
            out.push_str(moved.as_deref().unwrap_or(target));
            out.push('>');
            rest = behind;
        }
        out.push_str(rest);
        is_changed.then_some(out)
    }
}

/// A value behind its sign: what precedes it (sign, blanks, opening quote), the value, its closing quote, and the rest.
fn parameter_value(at: &str) -> (&str, &str, &str, &str) {
    let start = at.len() - at[1..].trim_start_matches([' ', '\t']).len();
    if at[start..].starts_with('"') {
        let (sign, behind) = at.split_at(start + 1);
        let (quoted, rest) = behind.split_at(end_of_quoted(behind));
        let value = quoted.strip_suffix('"').unwrap_or(quoted);
        return (sign, value, &quoted[value.len()..], rest);
    }
    let (sign, behind) = at.split_at(start);
    let (value, rest) = behind.split_at(behind.find([',', ' ', '\t']).unwrap_or(behind.len()));
    (sign, value, "", rest)
}

/// Where a quoted string ends, its closing quote included (RFC 9110 §5.6.4); one that does not end takes everything.
fn end_of_quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}
