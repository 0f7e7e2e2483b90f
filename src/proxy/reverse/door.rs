//! Who is let in at a reverse listener, and what it is asked: plain HTTP by our own user, under a name of this machine. Any page of
//! a browser could reach the port under a name of its own (DNS rebinding); the `host` field tells.

use super::super::context::Via;
use super::super::forward;
use super::super::relay::Relay;
use super::super::wire::Connection;
use http::uri::{Scheme, Uri};
use http::{Request, Response, StatusCode, header};
use hudsucker::Body;
use hyper::body::Incoming;
use std::sync::Arc;

/// Answers a request that came to a reverse listener.
pub(in super::super) async fn respond(relay: &Arc<Relay>, connection: &Arc<Connection>, mut request: Request<Incoming>) -> Response<Body> {
    let reverse = &relay.context.reverse;
    let standing = reverse.standing.borrow().iter().find(|own| own.binding.local == connection.local).cloned();
    let Some(binding) = standing.map(|standing| standing.binding) else {
        return forward::text(StatusCode::NOT_FOUND, "authtape: nothing is served here\n".to_owned());
    };
    if !connection.is_of_our_user().await {
        *connection.refused() = Some((Some(binding.origin), "a process of another user".to_owned()));
        return forward::text(StatusCode::FORBIDDEN, "authtape: this port is for programs of the user who started it\n".to_owned());
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    if binding.spelling_of(&host).is_none() {
        *connection.refused() = Some((Some(binding.origin), "the host field names another host".to_owned()));
        let text = format!("authtape: this port answers to {} only\n", binding.local);
        return forward::text(StatusCode::FORBIDDEN, text);
    }
    let Some(uri) = absolute(request.uri(), &host) else {
        return forward::text(StatusCode::BAD_REQUEST, "authtape: this port is a web server, not a proxy\n".to_owned());
    };
    connection.refused().take();
    *request.uri_mut() = uri;
    let via = Via::new(Arc::clone(connection), reverse.peer(request.headers()), None);
    forward::answer(&relay.context, &via, &Scheme::HTTP, request.map(Body::from)).await
}

/// The URL of a request in origin form (RFC 9112 §3.2.1).
fn absolute(uri: &Uri, host: &str) -> Option<Uri> {
    let path = uri.path_and_query().filter(|path| uri.authority().is_none() && path.as_str().starts_with('/'))?;
    Uri::builder().scheme(Scheme::HTTP).authority(host).path_and_query(path.clone()).build().ok()
}
