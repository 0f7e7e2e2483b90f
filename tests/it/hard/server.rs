//! A server over TLS whose answers are a function of the test.

use crate::proxy::origin::{TestAuthority, authority};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub type Answer = Response<BoxBody<Bytes, io::Error>>;

/// What a server speaks over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    Http2,
}

/// Serves until the test is over.
pub async fn serve(speaks: Speaks, answer: impl Fn(Request<Bytes>) -> Answer + Send + Sync + 'static) -> SocketAddr {
    serve_as(speaks, authority(), answer).await
}

/// Serves with a certificate of another authority.
pub async fn serve_as(
    speaks: Speaks,
    authority: &TestAuthority,
    answer: impl Fn(Request<Bytes>) -> Answer + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = authority.acceptor(if speaks == Speaks::Http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] });
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move {
                    let (head, body) = request.into_parts();
                    let Ok(body) = body.collect().await else { return Ok::<_, Infallible>(full(400, "text/plain", "")) };
                    Ok(answer(Request::from_parts(head, body.to_bytes())))
                }
            });
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// An answer of one piece.
pub fn full(status: u16, media_type: &str, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed();
    Response::builder().status(status).header(header::CONTENT_TYPE, media_type).body(body).unwrap()
}

/// The sender of a body that comes in pieces; it ends when the sender is dropped.
pub type Pieces = mpsc::UnboundedSender<Result<Frame<Bytes>, io::Error>>;

/// An answer in pieces.
pub fn pieces(media_type: &str) -> (Answer, Pieces) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    let response = Response::builder().header(header::CONTENT_TYPE, media_type).body(BodyExt::boxed(StreamBody::new(stream)));
    (response.unwrap(), sender)
}

/// Sends a piece; false when nobody reads any more.
pub fn send(pieces: &Pieces, text: &str) -> bool {
    pieces.send(Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes())))).is_ok()
}
