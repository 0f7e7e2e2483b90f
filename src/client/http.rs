//! HTTP for the client: one request, one answer, redirects under our own rules, patience with servers that are busy.
//!
//! Goes through the proxy of the environment and trusts the system's roots (and `SSL_CERT_FILE`): reqwest does both.

use crate::exchange::Headers;
use crate::protocol::is_loopback_host;
use ::http::Method;
use std::error::Error;
use std::fmt;
use std::time::Duration;
use url::Url;

/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// How many bytes of an answer are read.
const BODY_LIMIT: usize = 8 << 20;
/// The first wait before a request is repeated; it doubles.
const BACK_OFF: Duration = Duration::from_millis(250);
/// The longest wait that a server may ask for (`Retry-After`).
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Sends requests.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    limit: Duration,
}

/// A request.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    pub(super) follow: Follow,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// Those within the origin that keep method and body: a request with credentials stays with whom it was meant for.
    SameOrigin,
    /// Any that leads to an encrypted or a loopback address: a document without credentials.
    Anywhere,
    /// None.
    Nowhere,
}

/// How often a request is sent while the server is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempts(pub(super) u32);

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

/// The head of an answer, its body still to come.
pub(super) struct Open {
    pub(super) status: u16,
    pub(super) headers: Headers,
    response: reqwest::Response,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client could not be set up.
    #[error("failed to set up HTTP: {0}")]
    Setup(String),
    /// No connection, or it broke.
    #[error("no answer from {host}: {reason}")]
    NoAnswer {
        /// Who was asked.
        host: String,
        /// The cause chain on one line.
        reason: String,
    },
    /// It took too long.
    #[error("no answer from {host} within {} s", .limit.as_secs())]
    TimedOut {
        /// Who was asked.
        host: String,
        /// How long it was waited.
        limit: Duration,
    },
    /// An address that is neither encrypted nor on this machine (OAuth 2.1 §1.5).
    #[error("{0} is not encrypted: only https, and http on this machine, are used")]
    Insecure(String),
    /// A redirect that is not followed.
    #[error("{from} redirects to {to}, which is not followed with credentials")]
    Redirected {
        /// Who redirected.
        from: String,
        /// Whither, without its query.
        to: String,
    },
    /// An answer beyond the limit.
    #[error("the answer of {0} is too long")]
    TooLong(String),
}

impl Http {
    /// `limit` is how long one answer may take.
    pub(super) fn new(limit: Duration) -> Result<Self, HttpError> {
        let agent = concat!("authtape/", env!("CARGO_PKG_VERSION"));
        let builder = reqwest::Client::builder().user_agent(agent).redirect(reqwest::redirect::Policy::none());
        let client = builder.connect_timeout(limit).build().map_err(|error| HttpError::Setup(chain(&error)))?;
        Ok(Self { client, limit })
    }

    /// How long one answer may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&self, call: &Call) -> Result<Reply, HttpError> {
        let open = self.open(call).await?;
        self.within(&call.url, open.read()).await?
    }

    /// The same, repeated with growing waits while the server is busy (429, 5xx) or out of reach.
    pub(super) async fn send_patiently(&self, call: &Call, attempts: Attempts) -> Result<Reply, HttpError> {
        let mut wait = BACK_OFF;
        for attempt in 1.. {
            let outcome = self.send(call).await;
            let is_last = attempt >= attempts.0;
            let asked = match &outcome {
                Ok(reply) if reply.is_busy() => retry_after(&reply.headers),
                Err(HttpError::NoAnswer { .. } | HttpError::TimedOut { .. }) => None,
                _ => return outcome,
            };
            if is_last {
                return outcome;
            }
            tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST_WAIT)).await;
            wait *= 2;
        }
        Err(HttpError::Setup("no attempt was made".to_owned()))
    }

    /// Sends a request and reads the head of the answer.
    pub(super) async fn open(&self, call: &Call) -> Result<Open, HttpError> {
        let mut url = call.url.clone();
        for _ in 0..=REDIRECTS {
            let open = self.within(&url, self.once(call, &url)).await??;
            let Some(next) = open.redirect(&url) else { return Ok(open) };
            let is_followed = match call.follow {
                Follow::Nowhere => return Ok(open),
                Follow::Anywhere => true,
                Follow::SameOrigin => next.origin() == url.origin() && matches!(open.status, 307 | 308),
            };
            if !is_followed {
                return Err(HttpError::Redirected { from: host(&url), to: without_query(&next) });
            }
            url = next;
        }
        Err(HttpError::Redirected { from: host(&call.url), to: without_query(&url) })
    }

    async fn once(&self, call: &Call, url: &Url) -> Result<Open, HttpError> {
        if !is_safe(url) {
            return Err(HttpError::Insecure(without_query(url)));
        }
        let mut request = self.client.request(call.method.clone(), url.clone());
        for (name, value) in call.headers.iter() {
            request = request.header(name, value);
        }
        if !call.body.is_empty() {
            request = request.body(call.body.clone());
        }
        let response = request.send().await.map_err(|error| no_answer(url, error))?;
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        Ok(Open { status: response.status().as_u16(), headers, response })
    }

    async fn within<T>(&self, url: &Url, work: impl Future<Output = T>) -> Result<T, HttpError> {
        tokio::time::timeout(self.limit, work).await.map_err(|_| HttpError::TimedOut { host: host(url), limit: self.limit })
    }
}

impl Call {
    /// A request without a body.
    pub(super) fn new(method: Method, url: Url, follow: Follow) -> Self {
        Self { method, url, headers: Headers::new(), body: Vec::new(), follow }
    }

    /// A request for a JSON document.
    pub(super) fn document(url: Url) -> Self {
        Self::new(Method::GET, url, Follow::Anywhere).with("accept", "application/json")
    }

    /// The same request with one more header.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The same request with a body.
    #[must_use]
    pub(super) fn with_body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.push("content-type", media_type);
        self.body = body.into();
        self
    }
}

impl Open {
    /// The next piece of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<bytes::Bytes>, HttpError> {
        let url = self.response.url().clone();
        self.response.chunk().await.map_err(|error| no_answer(&url, error))
    }

    /// The rest of the body.
    pub(super) async fn read(mut self) -> Result<Reply, HttpError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                return Err(HttpError::TooLong(host(self.response.url())));
            }
        }
        Ok(Reply { status: self.status, headers: self.headers, body })
    }

    /// How long the server wants a client to wait before it comes back (RFC 9110 §10.2.3).
    pub(super) fn patience(&self) -> Duration {
        retry_after(&self.headers).unwrap_or(BACK_OFF).min(LONGEST_WAIT)
    }

    fn redirect(&self, from: &Url) -> Option<Url> {
        let target = self.headers.first("location").filter(|_| matches!(self.status, 301 | 302 | 303 | 307 | 308))?;
        from.join(target).ok()
    }
}

impl Reply {
    /// True when it is worth asking again later.
    pub(super) fn is_busy(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// RFC 9110 §10.2.3, seconds only.
fn retry_after(headers: &Headers) -> Option<Duration> {
    headers.first("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// True for an address that credentials may go to: encrypted, or on this machine.
pub(super) fn is_safe(url: &Url) -> bool {
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => true,
        ("http", Some(host)) => is_loopback_host(host),
        _ => false,
    }
}

/// The host and port of a URL.
pub(super) fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}

/// The URL as it may be shown: a query may hold a key.
pub(super) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_password(None);
    url.into()
}

fn no_answer(url: &Url, error: reqwest::Error) -> HttpError {
    HttpError::NoAnswer { host: host(url), reason: chain(&error.without_url()) }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}
