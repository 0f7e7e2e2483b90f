//! The TCP connection below TLS: direct, to an address given by `--connect-to`, or through the parent proxy.

use super::connect_to::ConnectTo;
use super::descriptors::Descriptors;
use super::error::ConnectError;
use super::parent::{ParentProxy, Route};
use crate::exchange::Stage;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long a dial waits for another connection to end when as many are open as file descriptors allow: longer than an idle one
/// is kept.
const SLOT_LIMIT: Duration = Duration::from_secs(5);

/// Dials the TCP connection of a URL.
#[derive(Clone)]
pub(super) struct Dial {
    tcp: HttpConnector,
    connect_to: Arc<ConnectTo>,
    parent: ParentProxy,
    descriptors: Descriptors,
    slots: Arc<Semaphore>,
}

/// A TCP connection.
pub(super) struct Line {
    stream: TokioIo<TcpStream>,
    /// True where the other end is a proxy that wants absolute URLs.
    wants_absolute: bool,
    _slot: OwnedSemaphorePermit,
}

pub(super) type Dialling<T> = Pin<Box<dyn Future<Output = Result<T, ConnectError>> + Send>>;

impl Dial {
    pub fn new(connect_to: ConnectTo, parent: ParentProxy) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        let descriptors = Descriptors::of_this_process();
        let slots = Arc::new(Semaphore::new(descriptors.servers));
        Self { tcp, connect_to: Arc::new(connect_to), parent, descriptors, slots }
    }

    /// The `proxy-authorization` that a plain http request through the parent proxy carries itself.
    pub fn plain_proxy_credential(&self, uri: &Uri) -> Option<HeaderValue> {
        if uri.scheme_str() != Some("http") || self.redirected(uri).is_some() {
            return None;
        }
        self.parent.route(uri)?.credential
    }

    fn redirected(&self, uri: &Uri) -> Option<Uri> {
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let (host, port) = self.connect_to.target(uri.host()?, uri.port_u16().unwrap_or(default))?;
        format!("http://{host}:{port}/").parse().ok()
    }

    async fn dial(mut self, uri: Uri) -> Result<Line, ConnectError> {
        if let Some(target) = self.redirected(&uri) {
            return self.direct(target).await;
        }
        match self.parent.route(&uri) {
            None => self.direct(uri).await,
            Some(Route { proxy, .. }) if uri.scheme_str() == Some("http") => {
                let line = self.direct(proxy).await.map_err(ConnectError::at_parent)?;
                Ok(Line { wants_absolute: true, ..line })
            }
            Some(Route { proxy, credential }) => {
                let mut tunnel = Tunnel::new(proxy, self.tcp);
                if let Some(credential) = credential {
                    tunnel = tunnel.with_auth(credential);
                }
                let slot = Self::slot(self.slots, self.descriptors).await?;
                let stream = tunnel.call(uri).await.map_err(|error| ConnectError::new(error).at_parent())?;
                Ok(Line { stream, wants_absolute: false, _slot: slot })
            }
        }
    }

    async fn direct(&mut self, uri: Uri) -> Result<Line, ConnectError> {
        let slot = Self::slot(Arc::clone(&self.slots), self.descriptors).await?;
        let stream = self.tcp.call(uri).await.map_err(ConnectError::new)?;
        Ok(Line { stream, wants_absolute: false, _slot: slot })
    }

    async fn slot(slots: Arc<Semaphore>, descriptors: Descriptors) -> Result<OwnedSemaphorePermit, ConnectError> {
        let slot = timeout(SLOT_LIMIT, slots.acquire_owned()).await.ok().and_then(Result::ok);
        slot.ok_or_else(|| {
            let Descriptors { servers, limit, .. } = descriptors;
            let source = format!("{servers} connections to servers are open, as many as `ulimit -n` ({limit}) allows").into();
            ConnectError { stage: Stage::Connect, source }
        })
    }
}

impl ConnectError {
    fn new(error: impl Into<super::BoxError>) -> Self {
        let source = error.into();
        // hyper-util's error type is private; `dns error` is how its text begins (held by a test).
        let stage = if source.to_string().starts_with("dns error") { Stage::Resolve } else { Stage::Connect };
        Self { stage, source }
    }

    fn at_parent(self) -> Self {
        let source = format!("parent proxy: {}", super::error::chain(&*self.source));
        Self { stage: Stage::Connect, source: source.into() }
    }
}

impl Service<Uri> for Dial {
    type Response = Line;
    type Error = ConnectError;
    type Future = Dialling<Line>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.wants_absolute)
    }
}

impl Read for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
