//! Cookies for the length of one walk: enough for an authorization server to know its own redirects again, in memory only.

use url::Url;

/// The cookies of a walk.
#[derive(Default)]
pub(super) struct Cookies(Vec<Cookie>);

struct Cookie {
    name: String,
    value: String,
    /// Host, or domain with its subdomains.
    host: String,
    with_subdomains: bool,
    path: String,
}

impl Cookies {
    /// Keeps a `set-cookie` value of a response (RFC 6265 §5.3, without dates: a walk takes seconds).
    pub fn take(&mut self, url: &Url, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let mut cookie =
            Cookie { name: name.trim().to_owned(), value: value.trim().to_owned(), host, with_subdomains: false, path: "/".to_owned() };
        let mut is_expired = false;
        for (name, value) in parts.map(|part| part.split_once('=').unwrap_or((part, ""))) {
            match name.trim().to_ascii_lowercase().as_str() {
                "domain" => {
                    let domain = value.trim().trim_start_matches('.').to_ascii_lowercase();
                    if !is_within(&cookie.host, &domain) {
                        return;
                    }
                    if !domain.is_empty() {
                        cookie.host = domain;
                        cookie.with_subdomains = true;
                    }
                }
                "path" if value.trim().starts_with('/') => value.trim().clone_into(&mut cookie.path),
                "max-age" => is_expired = value.trim().parse::<i64>().is_ok_and(|age| age <= 0),
                // How servers delete a cookie.
                "expires" => is_expired |= value.contains("1970"),
                _ => {}
            }
        }
        self.0.retain(|other| (&other.name, &other.host, &other.path) != (&cookie.name, &cookie.host, &cookie.path));
        if !is_expired {
            self.0.push(cookie);
        }
    }

    /// The `cookie` value for a request; longer paths first (RFC 6265 §5.4).
    pub fn for_url(&self, url: &Url) -> Option<String> {
        let host = url.host_str()?.to_ascii_lowercase();
        let mut fitting: Vec<&Cookie> = self.0.iter().filter(|cookie| cookie.fits(&host, url.path())).collect();
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = fitting.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    fn fits(&self, host: &str, path: &str) -> bool {
        let is_host = if self.with_subdomains { is_within(host, &self.host) } else { host == self.host };
        let rest = path.strip_prefix(self.path.as_str());
        is_host && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    domain.is_empty() || host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_cookie_goes_where_it_belongs() {
        let mut cookies = Cookies::default();
        let server = url("https://login.as.test/a");
        cookies.take(&server, "own=1; HttpOnly; Path=/a");
        cookies.take(&server, "wide=2; Domain=.as.test; Secure");
        cookies.take(&server, "foreign=3; Domain=other.test");
        assert_eq!(cookies.for_url(&url("https://login.as.test/a/b")).as_deref(), Some("own=1; wide=2"));
        assert_eq!(cookies.for_url(&url("https://login.as.test/ab")).as_deref(), Some("wide=2"));
        assert_eq!(cookies.for_url(&url("https://as.test/")).as_deref(), Some("wide=2"));
        assert_eq!(cookies.for_url(&url("https://other.test/")), None);
        assert_eq!(cookies.for_url(&url("https://not-as.test/")), None);
    }

    #[test]
    fn a_cookie_is_replaced_and_deleted() {
        let mut cookies = Cookies::default();
        let server = url("http://as.test/");
        cookies.take(&server, "a=1");
        cookies.take(&server, "a=2");
        assert_eq!(cookies.for_url(&server).as_deref(), Some("a=2"));
        cookies.take(&server, "a=; Max-Age=0");
        assert_eq!(cookies.for_url(&server), None);
    }
}
