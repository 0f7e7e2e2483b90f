//! Layer 6: the way to the real servers. Knows how to resolve, dial, tunnel through a parent proxy and speak TLS, and keeps
//! the connections. Does not know the client's side, recording or the environment; replay has no such thing at all.

mod connect_to;
mod connector;
mod descriptors;
mod dial;
mod error;
mod parent;
mod roots;

pub use connect_to::{BadConnectTo, ConnectTo};
pub use descriptors::Descriptors;
pub use error::{UpstreamError, chain};
pub use parent::{BadProxyUrl, ParentProxy, ProxyVariables};
pub use roots::{BadRoots, ExtraRoots};

use bytes::Bytes;
use connector::{Alpn, Connector};
use dial::Dial;
use http::{Request, Response, Uri, Version, header};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use roots::Roots;
use std::collections::HashSet;
use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tower_service::Service;

/// The error of a request body; any error breaks the request off.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A request body on its way to a server.
pub type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// Shorter than the shortest idle limit in common use (Node and uvicorn: 5 s), so that a request never meets a connection
/// that its server is just closing.
const IDLE_LIMIT: Duration = Duration::from_secs(4);

/// How to reach servers.
#[derive(Clone, Default)]
pub struct UpstreamOptions {
    /// Addresses dialled in place of others.
    pub connect_to: ConnectTo,
    /// Root certificates trusted besides those of the system.
    pub extra_roots: ExtraRoots,
    /// The proxy behind this one.
    pub parent: ParentProxy,
}

/// Sends requests to the real servers.
#[derive(Clone)]
pub struct Upstream {
    client: Client<Connector, RequestBody>,
    connector: Connector,
    /// Servers known to speak HTTP/1.1: only for them the `host` field stays where the client put it.
    plain_old: Arc<RwLock<HashSet<String>>>,
}

impl Upstream {
    /// Prepares the way; root certificates are loaded meanwhile on a thread of their own.
    pub fn new(options: UpstreamOptions) -> Self {
        let UpstreamOptions { connect_to, extra_roots, parent } = options;
        let connector = Connector::new(Dial::new(connect_to, parent), Roots::load(extra_roots), Alpn::Any);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .http1_preserve_header_case(true)
            .http1_title_case_headers(true)
            .http2_adaptive_window(true)
            .build(connector.clone());
        Self { client, connector, plain_old: Arc::default() }
    }

    /// Sends a request with an absolute URL and gives the response as soon as its head is there.
    pub async fn send(&self, mut request: Request<RequestBody>) -> Result<Response<Incoming>, UpstreamError> {
        *request.version_mut() = Version::HTTP_11;
        let origin = self.settle_host(&mut request);
        self.add_proxy_credential(&mut request);
        let response = self.client.request(request).await.map_err(|error| UpstreamError::from_client(&error))?;
        if let Some(origin) = origin
            && response.version() < Version::HTTP_2
        {
            self.plain_old.write().unwrap_or_else(PoisonError::into_inner).insert(origin);
        }
        Ok(response)
    }

    /// Sends a request that asks for another protocol, on an HTTP/1.1 connection of its own. After a 101,
    /// [`hyper::upgrade::on`] gives the stream.
    pub async fn send_upgrade(&self, mut request: Request<RequestBody>) -> Result<Response<Incoming>, UpstreamError> {
        *request.version_mut() = Version::HTTP_11;
        let mut connector = self.connector.with_alpn(Alpn::Http11);
        let stream = connector.call(request.uri().clone()).await.map_err(|error| UpstreamError::from_connect(&error))?;
        if stream.connected().is_proxied() {
            self.add_proxy_credential(&mut request);
        } else if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .preserve_header_case(true)
            .title_case_headers(true)
            .handshake(stream)
            .await
            .map_err(|error| UpstreamError::from_response(&error))?;
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await.map_err(|error| UpstreamError::from_response(&error))
    }

    fn add_proxy_credential(&self, request: &mut Request<RequestBody>) {
        if let Some(credential) = self.connector.dial().plain_proxy_credential(request.uri()) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, credential);
        }
    }

    /// Over HTTP/2 `:authority` names the host and a `host` field must not say it again (RFC 9113 §8.3.1), over HTTP/1.1 it
    /// stays as it was sent. Which of the two it is shows only after the first response: until then hyper adds the field
    /// itself, at the end. Returns the origin while that is not known.
    fn settle_host(&self, request: &mut Request<RequestBody>) -> Option<String> {
        if request.uri().scheme_str() != Some("https") {
            return None;
        }
        let authority = request.uri().authority()?.as_str();
        let sent = request.headers().get(header::HOST)?;
        if bare(sent.to_str().ok()?) != bare(authority) {
            return None;
        }
        if self.plain_old.read().unwrap_or_else(PoisonError::into_inner).contains(authority) {
            return None;
        }
        let authority = authority.to_owned();
        request.headers_mut().remove(header::HOST);
        Some(authority)
    }
}

/// An authority of an https URL without the port that goes without saying.
fn bare(authority: &str) -> &str {
    authority.strip_suffix(":443").unwrap_or(authority)
}
