//! hudsucker's view of us: it opens tunnels and speaks TLS to the client, we answer every request ourselves. It accepts
//! nothing but our own relay, and it never dials.

use super::context::{Context, Tunnel, Via};
use super::forward;
use http::uri::{Scheme, Uri};
use http::{Method, Request, StatusCode};
use hudsucker::{Body, HttpContext, HttpHandler, RequestOrResponse, WebSocketHandler};
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task;
use tower_service::Service;

/// Answers what comes out of a tunnel. hudsucker clones it for each request; the clone that opened a tunnel is the parent
/// of those for the requests within.
#[derive(Clone)]
pub(super) struct Handler {
    context: Arc<Context>,
    tunnel: Option<Arc<Via>>,
}

/// The connector hudsucker gets: there is nothing it may dial.
#[derive(Clone)]
pub(super) struct NoConnector;

impl Handler {
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, tunnel: None }
    }
}

impl HttpHandler for Handler {
    async fn handle_request(&mut self, peer: &HttpContext, mut request: Request<Body>) -> RequestOrResponse {
        if let Some(via) = &self.tunnel {
            if request.method() == Method::CONNECT {
                return refusal(StatusCode::NOT_IMPLEMENTED, "a tunnel within a tunnel");
            }
            return forward::answer(&self.context, via, &Scheme::HTTPS, request).await.into();
        }
        let named = self.context.tunnel(peer.client_addr).filter(|_| request.method() == Method::CONNECT);
        let Some(Tunnel { via, stream }) = named else {
            return refusal(StatusCode::FORBIDDEN, "this port is for authtape itself");
        };
        self.tunnel = Some(via);
        // The client's stream in place of the one that the CONNECT came on.
        request.extensions_mut().insert(stream);
        request.into()
    }
}

impl WebSocketHandler for Handler {}

fn refusal(status: StatusCode, reason: &str) -> RequestOrResponse {
    forward::text(status, format!("authtape: {reason}\n")).into()
}

impl Service<Uri> for NoConnector {
    type Response = hyper_util::rt::TokioIo<tokio::net::TcpStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(Err(io::Error::other("the core does not dial")))
    }
}
