//! The proxy that the caller's environment already names (a company's): ours is chained to it. Reads variables; dialling and
//! matching hosts against `NO_PROXY` is upstream's work.

use super::Environment;
use percent_encoding::percent_decode_str;
use std::fmt;
use url::Url;

/// What the caller's environment says about proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParentProxies {
    /// For `https` targets.
    pub https: Option<ParentProxy>,
    /// For plain `http` targets.
    pub http: Option<ParentProxy>,
    /// The hosts to be dialled directly, as the caller wrote them, in order.
    pub no_proxy: Vec<String>,
    /// Variables whose value names no usable proxy, with the reason.
    pub unusable: Vec<(&'static str, &'static str)>,
}

/// A proxy to chain to.
#[derive(Clone, PartialEq, Eq)]
pub struct ParentProxy {
    /// How the proxy itself is spoken to.
    pub scheme: ProxyScheme,
    /// Its host name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User and password, decoded.
    pub credential: Option<(String, String)>,
    /// The variable that named it.
    pub variable: &'static str,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyScheme {
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
    /// SOCKS 5; names resolved by the proxy (`socks5h`) or here (`socks5`).
    Socks5,
}

const HTTPS: &[&str] = &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const HTTP: &[&str] = &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

impl ParentProxies {
    /// Reads the caller's variables; lower case first, as curl does.
    pub fn of(caller: &Environment) -> Self {
        let mut found = Self::default();
        found.https = found.first(caller, HTTPS);
        found.http = found.first(caller, HTTP);
        found.unusable.dedup();
        let bypass = caller.text("no_proxy").or_else(|| caller.text("NO_PROXY")).unwrap_or_default();
        found.no_proxy = bypass.split([',', ' ']).map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect();
        found
    }

    /// True when there is nothing to chain to.
    pub fn is_empty(&self) -> bool {
        self.https.is_none() && self.http.is_none()
    }

    fn first(&mut self, caller: &Environment, names: &[&'static str]) -> Option<ParentProxy> {
        for name in names {
            let Some(text) = caller.text(name) else { continue };
            match ParentProxy::parse(text, name) {
                Ok(proxy) => return Some(proxy),
                Err(reason) => self.unusable.push((name, reason)),
            }
        }
        None
    }
}

impl ParentProxy {
    /// Reads a proxy URL; `host:port` alone means `http`. The error never quotes the text: it may hold a password.
    pub fn parse(text: &str, variable: &'static str) -> Result<Self, &'static str> {
        let text = text.trim();
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&full).map_err(|_| "not a URL")?;
        let (scheme, default_port) = match url.scheme() {
            "http" => (ProxyScheme::Http, 80),
            "https" => (ProxyScheme::Https, 443),
            "socks5" | "socks5h" => (ProxyScheme::Socks5, 1080),
            _ => return Err("neither http, https nor socks5"),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("no host")?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let has_credential = !url.username().is_empty() || url.password().is_some();
        let credential = has_credential.then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { scheme, host, port: url.port().unwrap_or(default_port), credential, variable })
    }
}

impl fmt::Debug for ParentProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, credential, variable } = self;
        write!(f, "ParentProxy({variable}: {scheme:?} {host}:{port}, credential: {})", credential.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> ParentProxies {
        ParentProxies::of(&variables.iter().copied().collect())
    }

    #[test]
    fn the_caller_s_proxy_is_read_with_its_credential_and_its_bypass() {
        let found = of(&[("HTTPS_PROXY", "http://me:p%40ss@proxy.corp:3128/"), ("NO_PROXY", "localhost, .corp 10.0.0.0/8")]);
        let https = found.https.unwrap();
        assert_eq!((https.scheme, https.host.as_str(), https.port), (ProxyScheme::Http, "proxy.corp", 3128));
        assert_eq!(https.credential, Some(("me".into(), "p@ss".into())));
        assert_eq!(found.http, None);
        assert_eq!(found.no_proxy, ["localhost", ".corp", "10.0.0.0/8"]);
    }

    #[test]
    fn lower_case_comes_first_and_a_bare_authority_is_http() {
        let found = of(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "[::1]:8080"), ("ALL_PROXY", "socks5h://s")]);
        let (https, http) = (found.https.unwrap(), found.http.unwrap());
        assert_eq!((https.host.as_str(), https.port, https.variable), ("::1", 8080, "https_proxy"));
        assert_eq!((http.scheme, http.port), (ProxyScheme::Socks5, 1080));
    }

    #[test]
    fn nonsense_is_named_without_its_value() {
        let found = of(&[("HTTPS_PROXY", "ftp://secret@x")]);
        assert!(found.is_empty());
        assert_eq!(found.unusable, [("HTTPS_PROXY", "neither http, https nor socks5")]);
    }
}
