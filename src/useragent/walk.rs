//! The way of `auto`: from the authorization endpoint along redirects, through our own proxy, so that each step is captured like
//! any other exchange. Follows nothing but redirects: a page is for a person.

use super::cookies::Cookies;
use super::opened::AuthorizationRequest;
use reqwest::header::{ACCEPT, COOKIE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE, USER_AGENT};
use reqwest::{Certificate, Client, Proxy, Response, redirect};
use std::time::Duration;
use url::Url;

/// How many redirects are followed: as many as browsers do.
const STEPS: usize = 20;
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// Walks through the proxy of a run.
#[derive(Clone, Debug)]
pub struct Walker {
    client: Client,
}

/// Where a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// At a redirect back to the client: to be delivered.
    Callback(Url),
    /// At a redirect to the client that is no loopback address: an app's own scheme, or a page of the client's vendor.
    Elsewhere(Url),
    /// At a page, which would need a person. Its URL without query, and its status.
    Page(String, u16),
    /// At an answer that is neither a redirect nor a page. Its URL without query, and its status.
    Dead(String, u16),
    /// In a circle.
    TooManyRedirects,
    /// The server did not answer. One line, without the URL.
    Failed(String),
}

impl Walker {
    /// Goes through the proxy at `proxy`, whose URL carries the credential of the session's user agent; trusts `root` (PEM) and
    /// nothing else.
    pub fn new(proxy: &str, root: &str) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .proxy(Proxy::all(proxy)?)
            .tls_certs_only([Certificate::from_pem(root.as_bytes())?])
            .redirect(redirect::Policy::none())
            .timeout(STEP_LIMIT)
            .build()?;
        Ok(Self { client })
    }

    /// Follows an authorization request to its end.
    pub async fn walk(&self, request: &AuthorizationRequest) -> WalkEnd {
        let mut cookies = Cookies::default();
        let mut url = request.url.clone();
        for _ in 0..STEPS {
            let response = match self.step(&url, &cookies).await {
                Ok(response) => response,
                Err(error) => return WalkEnd::Failed(chain(&error.without_url())),
            };
            for cookie in response.headers().get_all(SET_COOKIE) {
                cookies.take(&url, &String::from_utf8_lossy(cookie.as_bytes()));
            }
            let Some(next) = next_of(&url, &response) else { return ended(&url, response).await };
            drain(response).await;
            if request.is_answered_by(&next) {
                return if super::opened::is_loopback(&next) { WalkEnd::Callback(next) } else { WalkEnd::Elsewhere(next) };
            }
            if !matches!(next.scheme(), "http" | "https") {
                return WalkEnd::Elsewhere(next);
            }
            url = next;
        }
        WalkEnd::TooManyRedirects
    }

    async fn step(&self, url: &Url, cookies: &Cookies) -> reqwest::Result<Response> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_NAME));
        headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        if let Some(value) = cookies.for_url(url).and_then(|cookies| cookies.parse().ok()) {
            headers.insert(COOKIE, value);
        }
        self.client.get(url.clone()).headers(headers).send().await
    }
}

/// What we call ourselves; servers that refuse what is not called Mozilla are not unknown.
pub(super) const USER_AGENT_NAME: &str = concat!("Mozilla/5.0 (compatible; authtape/", env!("CARGO_PKG_VERSION"), ")");

/// What we take: a page would end the walk.
pub(super) const ACCEPTED: &str = "text/html,*/*;q=0.8";

/// The target of a redirect (RFC 9110 §15.4).
fn next_of(url: &Url, response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    url.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

async fn ended(url: &Url, response: Response) -> WalkEnd {
    let status = response.status().as_u16();
    let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = media_type.to_ascii_lowercase().starts_with("text/html");
    drain(response).await;
    let mut place = url.clone();
    place.set_query(None);
    place.set_fragment(None);
    if is_page { WalkEnd::Page(place.into(), status) } else { WalkEnd::Dead(place.into(), status) }
}

/// Reads a body to its end, so that the exchange is whole in the recording; not for ever.
pub(super) async fn drain(mut response: Response) -> u64 {
    const ENOUGH: u64 = 8 << 20;
    let mut size = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        size += chunk.len() as u64;
        if size > ENOUGH {
            break;
        }
    }
    size
}

/// An error with its causes on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.replace(['\r', '\n'], " ")
}
