//! The upstream: answers JSON-RPC over POST with one small JSON object, and GET with an event stream. One server speaks
//! HTTP/1.1, one HTTP/2.

use super::Fallible;
use super::authority::Authority;
use super::load::Protocol;
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Between the first event of a stream and its second and last.
const BETWEEN_EVENTS: Duration = Duration::from_millis(5);

type Body = BoxBody<Bytes, Infallible>;

/// Starts a server on a port of its own; it runs until the runtime ends.
pub async fn start(authority: &Authority, protocol: Protocol) -> Fallible<SocketAddr> {
    let acceptor = TlsAcceptor::from(authority.server(&[protocol.alpn()])?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(acceptor.clone(), stream));
        }
    });
    Ok(address)
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
    // Ends with an error when the client simply leaves.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    if request.method() == Method::GET {
        return stream();
    }
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[{{"type":"text","text":"Cloudy with some sun in the afternoon, 14 degrees, wind from the west, and a chance of rain after eight in the evening near the coast."}}],"isError":false}}}}"#,
        id_of(&body)
    );
    typed("application/json", Full::from(answer).boxed())
}

/// The JSON-RPC id, without a parser: this is the bench's own request.
fn id_of(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.split_once("\"id\":").and_then(|(_, rest)| rest.split(',').next()).unwrap_or("null")
}

fn stream() -> Response<Body> {
    let (sender, mut events) = mpsc::channel::<&str>(2);
    tokio::spawn(async move {
        let _ = sender.send("event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/first\"}\n\n").await;
        tokio::time::sleep(BETWEEN_EVENTS).await;
        let _ = sender.send("event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/last\"}\n\n").await;
    });
    let frames = futures_util::stream::poll_fn(move |cx| {
        events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(Bytes::from_static(event.as_bytes())))))
    });
    typed("text/event-stream", BodyExt::boxed(StreamBody::new(frames)))
}

fn typed(media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    response
}
