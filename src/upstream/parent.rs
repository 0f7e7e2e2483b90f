//! The proxy behind this one: a corporate proxy from the caller's variables, or one that was named. Knows which server is
//! reached through it.

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use std::net::IpAddr;
use std::sync::Arc;

/// The proxy behind this one, if there is one.
#[derive(Clone, Debug, Default)]
pub struct ParentProxy {
    matcher: Option<Arc<Matcher>>,
}

/// The proxy variables of the caller, as they were. Empty means unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyVariables {
    /// `HTTPS_PROXY` or `https_proxy`.
    pub https: String,
    /// `HTTP_PROXY` or `http_proxy`.
    pub http: String,
    /// `ALL_PROXY` or `all_proxy`.
    pub all: String,
    /// `NO_PROXY` or `no_proxy`.
    pub no: String,
}

/// A proxy URL that cannot be used. Does not repeat the URL, which may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadProxyUrl {
    /// No URL.
    #[error("not a proxy URL: expected http://[user:password@]host:port")]
    NotUrl,
    /// A scheme we do not speak.
    #[error("proxies of scheme `{0}` are not supported, only http")]
    Scheme(String),
}

/// How a server is reached through the parent proxy.
pub(super) struct Route {
    /// The proxy.
    pub proxy: Uri,
    /// The value of `proxy-authorization`.
    pub credential: Option<HeaderValue>,
}

impl ParentProxy {
    /// What the caller's variables say; a variable that holds no usable URL is an error.
    pub fn from_variables(variables: &ProxyVariables) -> Result<Self, BadProxyUrl> {
        let ProxyVariables { https, http, all, no } = variables;
        for url in [https, http, all] {
            check(url)?;
        }
        if [https, http, all].iter().all(|url| url.is_empty()) || no.split(',').any(|entry| entry.trim() == "*") {
            return Ok(Self::default());
        }
        let matcher = Matcher::builder().https(https.as_str()).http(http.as_str()).all(all.as_str()).no(no.as_str());
        Ok(Self { matcher: Some(Arc::new(matcher.build())) })
    }

    /// One proxy for everything but the hosts of a `NO_PROXY` list.
    pub fn from_url(url: &str, no_proxy: &str) -> Result<Self, BadProxyUrl> {
        if url.is_empty() {
            return Err(BadProxyUrl::NotUrl);
        }
        Self::from_variables(&ProxyVariables { all: url.to_owned(), no: no_proxy.to_owned(), ..ProxyVariables::default() })
    }

    /// The way to a URL through the parent proxy; `None` when it is dialled directly. This machine's own loopback always is.
    pub(super) fn route(&self, uri: &Uri) -> Option<Route> {
        let matcher = self.matcher.as_ref()?;
        if is_loopback(uri.host()?) {
            return None;
        }
        let intercept: Intercept = matcher.intercept(uri)?;
        Some(Route { proxy: intercept.uri().clone(), credential: intercept.basic_auth().cloned() })
    }
}

fn check(url: &str) -> Result<(), BadProxyUrl> {
    if url.is_empty() {
        return Ok(());
    }
    // Without a scheme, http is meant, as curl has it.
    let uri: Uri = url.parse().map_err(|_| BadProxyUrl::NotUrl)?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(BadProxyUrl::NotUrl);
    }
    match uri.scheme_str() {
        None | Some("http") => Ok(()),
        Some(scheme) => Err(BadProxyUrl::Scheme(scheme.to_owned())),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy_for(parent: &ParentProxy, url: &'static str) -> Option<String> {
        parent.route(&Uri::from_static(url)).map(|route| route.proxy.to_string())
    }

    #[test]
    fn no_proxy_hosts_and_loopback_are_dialled_directly() {
        let parent = ParentProxy::from_url("http://me:pw@proxy.corp:3128", "internal.corp, .example.test").unwrap();
        assert_eq!(proxy_for(&parent, "https://mcp.example.com/mcp").as_deref(), Some("http://proxy.corp:3128/"));
        assert_eq!(proxy_for(&parent, "https://internal.corp/mcp"), None);
        assert_eq!(proxy_for(&parent, "https://a.example.test/mcp"), None);
        assert_eq!(proxy_for(&parent, "http://localhost:3000/mcp"), None);
        assert_eq!(proxy_for(&parent, "http://[::1]:3000/mcp"), None);
        let credential = parent.route(&Uri::from_static("https://mcp.example.com/")).unwrap().credential.unwrap();
        assert_eq!(credential, "Basic bWU6cHc=");
    }

    #[test]
    fn a_star_turns_the_proxy_off_and_the_scheme_chooses_it() {
        let variables =
            |no: &str| ProxyVariables { https: "http://tls:1".into(), http: "plain:2".into(), all: String::new(), no: no.into() };
        let parent = ParentProxy::from_variables(&variables("")).unwrap();
        assert_eq!(proxy_for(&parent, "https://a.test/").as_deref(), Some("http://tls:1/"));
        assert_eq!(proxy_for(&parent, "http://a.test/").as_deref(), Some("http://plain:2/"));
        assert_eq!(proxy_for(&ParentProxy::from_variables(&variables("x, *")).unwrap(), "https://a.test/"), None);
    }

    #[test]
    fn an_unusable_url_is_refused() {
        assert_eq!(ParentProxy::from_url("socks5://a:1", "").unwrap_err(), BadProxyUrl::Scheme("socks5".into()));
        assert_eq!(ParentProxy::from_url("", "").unwrap_err(), BadProxyUrl::NotUrl);
        assert_eq!(ParentProxy::from_url("http://", "").unwrap_err(), BadProxyUrl::NotUrl);
    }
}
