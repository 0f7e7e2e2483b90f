//! An endpoint: the part of a URL that says who is spoken to. Scheme, lower-case host, effective port and path; no query.
//! Does not know which role the endpoint plays.

use std::fmt;
use std::net::IpAddr;
use url::Url;

/// A URL without query and fragment, spelt so that equal endpoints are equal: scheme and host in lower case, the scheme's own
/// port left out, `/` for an empty path. The path keeps its spelling: `/mcp` and `/mcp/` are two endpoints.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    text: String,
    host: (u32, u32),
    path: u32,
}

impl Endpoint {
    /// Reads an absolute `http` or `https` URL; a query, a fragment and a user part are left out.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (scheme, standard_port) = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => ("https://", 443),
            _ if scheme.eq_ignore_ascii_case("http") => ("http://", 80),
            _ => return None,
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let authority = authority.rsplit_once('@').map_or(authority, |(_, behind)| behind);
        let (host, port) = host_and_port(authority)?;
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];

        let mut text = String::with_capacity(url.len() + 1);
        text.push_str(scheme);
        let host_start = size(&text)?;
        text.extend(host.chars().map(|c| c.to_ascii_lowercase()));
        let host = (host_start, size(&text)?);
        if let Some(port) = port.filter(|port| *port != standard_port) {
            text.push(':');
            text.push_str(&port.to_string());
        }
        let path_start = size(&text)?;
        text.push_str(if path.is_empty() { "/" } else { path });
        size(&text)?;
        Some(Self { text, host, path: path_start })
    }

    /// Resolves a reference that this endpoint sent, absolute or relative (RFC 3986 §5).
    pub fn join(&self, reference: &str) -> Option<Self> {
        if reference.contains("://") {
            return Self::parse(reference);
        }
        let joined = Url::parse(&self.text).ok()?.join(reference).ok()?;
        Self::parse(joined.as_str())
    }

    /// The whole endpoint as a URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, as in `https://example.test:8443` (RFC 6454 §6.2).
    pub fn origin(&self) -> &str {
        &self.text[..self.path as usize]
    }

    /// The host; an IPv6 address in its brackets.
    pub fn host(&self) -> &str {
        &self.text[self.host.0 as usize..self.host.1 as usize]
    }

    /// The effective port.
    pub fn port(&self) -> u16 {
        let written = self.text[self.host.1 as usize..self.path as usize].strip_prefix(':');
        let standard = if self.text.starts_with("https:") { 443 } else { 80 };
        written.and_then(|port| port.parse().ok()).unwrap_or(standard)
    }

    /// The path, beginning with `/`.
    pub fn path(&self) -> &str {
        &self.text[self.path as usize..]
    }

    /// True when the host is this machine: see [`is_loopback_host`].
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(self.host())
    }

    /// The same endpoint at the scheme's own port: how redirect URIs on loopback compare (RFC 8252 §7.3).
    pub fn without_port(&self) -> Self {
        let text = format!("{}{}", &self.text[..self.host.1 as usize], self.path());
        Self { text, host: self.host, path: self.host.1 }
    }
}

/// The query of a URL, without its `?`; empty where there is none.
pub fn query_of(url: &str) -> &str {
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    url.split_once('?').map_or("", |(_, query)| query)
}

/// True for `localhost`, `*.localhost` (RFC 6761 §6.3), 127.0.0.0/8 and `::1`, with or without brackets.
pub fn is_loopback_host(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let ends_local = host.len() >= 9
        && host.is_char_boundary(host.len() - 9)
        && host[host.len() - 9..].eq_ignore_ascii_case("localhost")
        && (host.len() == 9 || host.as_bytes()[host.len() - 10] == b'.');
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ends_local || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.find(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        Some("") => None,
        Some(digits) => Some(digits.parse().ok()?),
        None if port.is_empty() => None,
        None => return None,
    };
    (!host.is_empty()).then_some((host, port))
}

fn size(text: &str) -> Option<u32> {
    text.len().try_into().ok()
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({} bytes)", self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_endpoints_are_spelt_alike() {
        for (url, text) in [
            ("HTTPS://MCP.Example.test:443/mcp?key=1#x", "https://mcp.example.test/mcp"),
            ("http://localhost:80", "http://localhost/"),
            ("http://user:pass@127.0.0.1:7301?x=1", "http://127.0.0.1:7301/"),
            ("https://[::1]:9/a/b/", "https://[::1]:9/a/b/"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().as_str(), text, "{url}");
        }
        for url in ["", "mcp.test/x", "vscode://x/y", "https://", "https://h:99999/", "https://[::1/x", "com.example:/cb"] {
            assert!(Endpoint::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn its_parts_are_read() {
        let endpoint = Endpoint::parse("https://[::1]:8443/a?b").unwrap();
        assert_eq!((endpoint.host(), endpoint.port(), endpoint.path()), ("[::1]", 8443, "/a"));
        assert_eq!(endpoint.origin(), "https://[::1]:8443");
        assert_eq!(endpoint.without_port(), Endpoint::parse("https://[::1]/a").unwrap());
        assert_eq!(endpoint.join("/messages?session=1").unwrap().as_str(), "https://[::1]:8443/messages");
        assert_eq!(endpoint.join("http://x.test/y").unwrap().as_str(), "http://x.test/y");
        assert_eq!(query_of("https://x/y?a=1&b=?#c?d"), "a=1&b=?");
        assert_eq!(query_of("https://x/y#?a"), "");
    }

    #[test]
    fn loopback_is_known_by_host() {
        for host in ["localhost", "LOCALHOST", "app.localhost", "127.0.0.1", "127.9.8.7", "[::1]", "::1", "localhost."] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["notlocalhost", "localhost.test", "128.0.0.1", "[::2]", "", "."] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_stable(url in "(http|https)://\\PC{0,40}") {
            if let Some(endpoint) = Endpoint::parse(&url) {
                let again = Endpoint::parse(endpoint.as_str()).unwrap();
                prop_assert_eq!(again.as_str(), endpoint.as_str());
                let _ = (endpoint.port(), endpoint.path(), endpoint.is_loopback(), endpoint.join(&url[4..]));
            }
        }
    }
}
