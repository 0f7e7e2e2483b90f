//! What answers a request: the real server. Replay will add the player here, and then nothing can dial.

use crate::exchange::Failure;
use crate::upstream::{RequestBody, Upstream};
use http::{Request, Response};
use hudsucker::Body;

/// What answers a request.
#[non_exhaustive]
pub enum Answer {
    /// The real server.
    Upstream(Upstream),
}

impl Answer {
    /// The response to a request with an absolute URL, as soon as its head is there.
    pub(super) async fn to(&self, request: Request<RequestBody>) -> Result<Response<Body>, Failure> {
        match self {
            Self::Upstream(upstream) => Ok(upstream.send(request).await?.map(Body::from)),
        }
    }

    /// The response to a request that asks for another protocol.
    pub(super) async fn to_upgrade(&self, request: Request<RequestBody>) -> Result<Response<Body>, Failure> {
        match self {
            Self::Upstream(upstream) => Ok(upstream.send_upgrade(request).await?.map(Body::from)),
        }
    }
}
