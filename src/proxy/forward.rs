//! A request on its way to whatever answers it, and the answer on its way back. Both bodies stream; nothing waits for an end.

use super::answer::NoAnswer;
use super::context::{Context, Via};
use super::recording::{Recording, Side};
use super::tee::{Lent, Tee};
use super::{headers, reverse, upgrade};
use crate::exchange::{Failure, Stage};
use crate::upstream::RequestBody;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use hudsucker::Body;
use std::sync::Arc;

/// Names the stage at which a request failed, on the 502 that the client gets for it.
pub const ERROR_HEADER: HeaderName = HeaderName::from_static("x-authtape-error");

/// Which content codings a server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codings {
    /// Those that the client named.
    AsAsked,
    /// None: the answer will be read on its way.
    None,
}

/// Answers a request, be it for a server or for a reverse URL, and records the exchange.
pub(super) async fn answer(context: &Arc<Context>, via: &Via, scheme: &Scheme, request: Request<Body>) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let Some(uri) = settle_uri(&mut head, via.target.as_ref(), scheme) else {
        return text(StatusCode::BAD_REQUEST, "authtape: this request names no server\n".to_owned());
    };
    let view = context.reverse.view(&uri);
    head.uri = uri;
    if let Some(view) = view {
        return reverse::pass(context, via, view, head, body).await;
    }
    let (mut head, body) = pass(context, via, Request::from_parts(head, body), Codings::AsAsked).await.into_parts();
    context.bring_home(via.peer.actor, &mut head);
    Response::from_parts(head, body)
}

/// Passes a request with an absolute URL to whatever answers it, and records the exchange.
pub(super) async fn pass(context: &Arc<Context>, via: &Via, request: Request<Body>, codings: Codings) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let uri = head.uri.clone();
    let recording = Recording::begin(context, via, &head, uri.to_string());
    context.sink.room().await;
    let lent = Lent::new(Tee::new(body, Side::Request, Arc::clone(&recording)));
    let body: RequestBody = UnsyncBoxBody::new(lent.clone().map_err(Into::into));
    let protocol = headers::upgrade(&head.headers).filter(|_| head.version < Version::HTTP_2);
    headers::strip(&mut head.headers);
    headers::join_cookies(&mut head.headers);
    if let Some(authority) = uri.authority() {
        headers::add_host(&mut head.headers, authority.as_str());
    }
    if codings == Codings::None {
        head.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let request = Request::from_parts(head, body);
    let answered = match protocol {
        Some(protocol) => upgrade::pass(context, &via.connection, &recording, request, protocol).await.map_err(NoAnswer::Failed),
        None => context.answer.to(via.peer, &via.connection, request).await.map(|response| pass_back(&recording, response)),
    };
    match answered {
        Ok(response) => response,
        Err(NoAnswer::Broken(how)) => {
            if let Some(reason) = via.connection.break_off(how) {
                recording.fail(Failure { stage: Stage::Response, reason: reason.to_owned() });
            }
            drop(lent);
            drop(recording);
            // Nothing more comes here: the client leaves, or the connection is torn down.
            std::future::pending().await
        }
        Err(NoAnswer::Failed(failure)) => {
            tracing::debug!(exchange = recording.number(), stage = ?failure.stage, "no response");
            lent.read_rest().await;
            let response = bad_gateway(&failure);
            recording.fail(failure);
            response
        }
    }
}

/// A response on its way to the client.
pub(super) fn pass_back(recording: &Arc<Recording>, response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    recording.respond(&head);
    headers::strip(&mut head.headers);
    head.version = Version::HTTP_11;
    let body = Tee::new(body, Side::Response, Arc::clone(recording));
    Response::from_parts(head, Body::from(BoxBody::new(body)))
}

/// The absolute URL, without a port that its scheme implies. In a tunnel the server is the one that the client asked to be
/// connected to; a different `:authority` of HTTP/2 becomes the `host` field that it stands for.
fn settle_uri(head: &mut Parts, target: Option<&Authority>, scheme: &Scheme) -> Option<Uri> {
    let named = head.uri.authority().cloned();
    let server = without_default_port(target.or(named.as_ref())?, scheme)?;
    if let Some(named) = named
        && without_default_port(&named, scheme).is_none_or(|named| named != server)
    {
        headers::add_host(&mut head.headers, named.as_str());
    }
    let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::builder().scheme(scheme.clone()).authority(server).path_and_query(path).build().ok()
}

fn without_default_port(authority: &Authority, scheme: &Scheme) -> Option<Authority> {
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let text = authority.as_str();
    let host_port = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    if authority.port_u16() != Some(default) && host_port.len() == text.len() {
        return Some(authority.clone());
    }
    match authority.port_u16() {
        Some(port) if port != default => format!("{}:{port}", authority.host()).parse().ok(),
        _ => authority.host().parse().ok(),
    }
}

/// What the client gets when no server answered: what failed, and why.
fn bad_gateway(failure: &Failure) -> Response<Body> {
    let (name, sentence) = match failure.stage {
        Stage::Resolve => ("resolve", "the server's name does not resolve"),
        Stage::Connect => ("connect", "no connection to the server"),
        Stage::Tls => ("tls", "the TLS handshake with the server failed"),
        Stage::Response | Stage::ClientGone => ("response", "the server sent no complete response head"),
    };
    let mut response = text(StatusCode::BAD_GATEWAY, format!("authtape: {sentence}: {}\n", failure.reason));
    response.headers_mut().insert(ERROR_HEADER, HeaderValue::from_static(name));
    response
}

/// A plain text response of our own.
pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(uri: &str, target: Option<&str>, scheme: &Scheme) -> (String, Option<String>) {
        let (mut head, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        let target = target.map(|target| target.parse().unwrap());
        let uri = settle_uri(&mut head, target.as_ref(), scheme).unwrap().to_string();
        (uri, head.headers.get(header::HOST).map(|host| host.to_str().unwrap().to_owned()))
    }

    #[test]
    fn the_url_is_absolute_without_an_implied_port() {
        let plain = |uri: &str| (uri.to_owned(), None);
        assert_eq!(settled("/mcp?a=b", Some("a.test:443"), &Scheme::HTTPS), plain("https://a.test/mcp?a=b"));
        assert_eq!(settled("/mcp", Some("[::1]:8443"), &Scheme::HTTPS), plain("https://[::1]:8443/mcp"));
        assert_eq!(settled("/mcp", Some("[::1]:80"), &Scheme::HTTP), plain("http://[::1]/mcp"));
        assert_eq!(settled("https://a.test/x", Some("a.test:443"), &Scheme::HTTPS), plain("https://a.test/x"));
        assert_eq!(settled("http://u:p@a.test:80/x", None, &Scheme::HTTP), plain("http://a.test/x"));
    }

    #[test]
    fn another_authority_of_http2_becomes_the_host() {
        let expected = ("https://a.test/x".to_owned(), Some("b.test".to_owned()));
        assert_eq!(settled("https://b.test/x", Some("a.test:443"), &Scheme::HTTPS), expected);
    }
}
