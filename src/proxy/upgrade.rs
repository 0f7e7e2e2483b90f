//! A request that changes the protocol of its connection (WebSocket): passed through byte by byte after the 101. What is
//! spoken then is not recorded.

use super::context::Context;
use super::forward::pass_back;
use super::recording::Recording;
use super::wire::Connection;
use crate::exchange::Failure;
use crate::upstream::RequestBody;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hudsucker::Body;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::io::copy_bidirectional;

/// Forwards a request that asks for another protocol.
pub(super) async fn pass(
    context: &Context,
    connection: &Connection,
    recording: &Arc<Recording>,
    mut request: Request<RequestBody>,
    protocol: HeaderValue,
) -> Result<Response<Body>, Failure> {
    let client = hyper::upgrade::on(&mut request);
    ask(request.headers_mut(), protocol);
    let mut response = context.answer.to_upgrade(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(pass_back(recording, response));
    }
    let server = hyper::upgrade::on(&mut response);
    let protocol = response.headers().get(header::UPGRADE).cloned();
    let (head, _) = pass_back(recording, response).into_parts();
    let mut response = Response::from_parts(head, Body::empty());
    if let Some(protocol) = protocol {
        ask(response.headers_mut(), protocol);
    }
    let stop = connection.stop.clone();
    let number = recording.number();
    context.tasks.spawn(async move {
        tokio::select! {
            () = splice(number, client, server) => {}
            () = stop.cancelled() => {}
        }
    });
    Ok(response)
}

fn ask(headers: &mut http::HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

async fn splice(exchange: u32, client: OnUpgrade, server: OnUpgrade) {
    let (Ok(client), Ok(server)) = tokio::join!(client, server) else {
        tracing::debug!(exchange, "an upgrade did not come about");
        return;
    };
    let copied = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server)).await;
    tracing::debug!(exchange, ok = copied.is_ok(), "upgraded connection ended");
}
