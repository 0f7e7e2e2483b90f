//! TLS on top of a dialled connection, with the protocols to offer. Which address was dialled does not matter here: name and
//! SNI are those of the URL.

use super::dial::{Dial, Dialling, Line};
use super::error::ConnectError;
use super::roots::Roots;
use crate::exchange::Stage;
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use rustls::ClientConfig;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::OnceCell;
use tower_service::Service;

/// Which protocols are offered to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alpn {
    /// HTTP/2, else HTTP/1.1.
    Any,
    /// HTTP/1.1, for an upgrade.
    Http11,
}

/// The connector of the client.
#[derive(Clone)]
pub(super) struct Connector {
    dial: Dial,
    roots: Roots,
    alpn: Alpn,
    /// Shared by all connections, for session resumption.
    config: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl Connector {
    pub fn new(dial: Dial, roots: Roots, alpn: Alpn) -> Self {
        Self { dial, roots, alpn, config: Arc::default() }
    }

    pub fn with_alpn(&self, alpn: Alpn) -> Self {
        Self::new(self.dial.clone(), self.roots.clone(), alpn)
    }

    pub fn dial(&self) -> &Dial {
        &self.dial
    }

    async fn connect(self, uri: Uri) -> Result<MaybeHttpsStream<Line>, ConnectError> {
        let mut dial = self.dial;
        if uri.scheme_str() == Some("http") {
            return dial.call(uri).await.map(MaybeHttpsStream::Http);
        }
        let protocols: &[&[u8]] = match self.alpn {
            Alpn::Any => &[b"h2", b"http/1.1"],
            Alpn::Http11 => &[b"http/1.1"],
        };
        let config = self.config.get_or_try_init(|| self.roots.config(protocols)).await;
        let config = config.map_err(|source| ConnectError { stage: Stage::Tls, source })?.clone();
        HttpsConnector::from((dial, config)).call(uri).await.map_err(|error| match error.downcast::<ConnectError>() {
            Ok(dialling) => *dialling,
            Err(source) => ConnectError { stage: Stage::Tls, source },
        })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Line>;
    type Error = ConnectError;
    type Future = Dialling<MaybeHttpsStream<Line>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
