//! What answers a request: the real server, or something in this process, and then nothing can dial.

use super::forward::text;
use super::{Connection, Peer};
use crate::exchange::Actor;
use crate::exchange::Failure;
use crate::reply::{Break, Handshake, Threshold};
use crate::upstream::{RequestBody, Upstream};
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use hudsucker::Body;
use std::sync::Arc;

/// What answers a request.
#[non_exhaustive]
pub enum Answer {
    /// The real server.
    Upstream(Box<Upstream>),
    /// This process. Nothing is dialled.
    Local(Arc<dyn Local>),
}

/// Makes answers without a server.
pub trait Local: Send + Sync {
    /// How a connection to a host begins, where it does not begin as it should. Asked once for each tunnel at each threshold.
    fn handshake(&self, _peer: Peer, _host: &str, _at: Threshold) -> Option<Handshake> {
        None
    }

    /// The response to a request with an absolute URL, as soon as its head is known; the body may follow as it likes.
    ///
    /// # Errors
    /// There is no response: it failed, or the connection is to break.
    fn answer(
        &self,
        peer: Peer,
        connection: Arc<Connection>,
        request: Request<RequestBody>,
    ) -> BoxFuture<'_, Result<Response<Body>, NoAnswer>>;
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It failed; the client gets a 502 that says so.
    Failed(Failure),
    /// The connection breaks on purpose.
    Broken(Break),
}

impl From<Failure> for NoAnswer {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Answer {
    /// How a client's connection to a host begins, where it does not begin as it should. A browser's always does.
    pub(super) fn handshake(&self, peer: Peer, host: &str, at: Threshold) -> Option<Handshake> {
        match self {
            Self::Local(local) if peer.actor != Actor::UserAgent => local.handshake(peer, host, at),
            _ => None,
        }
    }

    /// The response to a request with an absolute URL, as soon as its head is there.
    pub(super) async fn to(
        &self,
        peer: Peer,
        connection: &Arc<Connection>,
        request: Request<RequestBody>,
    ) -> Result<Response<Body>, NoAnswer> {
        match self {
            Self::Upstream(upstream) => Ok(upstream.send(request).await.map_err(Failure::from)?.map(Body::from)),
            Self::Local(local) => local.answer(peer, Arc::clone(connection), request).await,
        }
    }

    /// The response to a request that asks for another protocol. Nothing but a server speaks one.
    pub(super) async fn to_upgrade(&self, request: Request<RequestBody>) -> Result<Response<Body>, Failure> {
        match self {
            Self::Upstream(upstream) => Ok(upstream.send_upgrade(request).await?.map(Body::from)),
            Self::Local(_) => Ok(text(StatusCode::NOT_IMPLEMENTED, "authtape: no other protocol is spoken here\n".to_owned())),
        }
    }
}
