//! What can come through a CONNECT, or instead of one.

use super::origin::{Origin, Speaks, authority};
use super::world::{Setup, World, head, response, soon, tls_connector};
use authtape::exchange::{Trouble, Version};
use authtape::proxy::Deadlines;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_plain_post_in_a_tunnel_is_recorded() {
    let (origin, world) = (Origin::start(Speaks::PlainHttp).await, World::new().await);
    let mut stream = world.tunnel(&origin.address.to_string()).await;
    let host = origin.address;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let request = format!("{method} /echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"hello");
        let exchange = world.exchange().await;
        assert_eq!((exchange.request.method.as_str(), exchange.request.url), (method, origin.url("/echo")));
        assert_eq!(origin.last().headers["host"], host.to_string());
    }
}

#[tokio::test]
async fn http2_with_prior_knowledge_in_a_tunnel_is_recorded() {
    let (origin, world) = (Origin::start(Speaks::PlainHttp).await, World::new().await);
    let stream = world.tunnel(&origin.address.to_string()).await;
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(origin.url("/echo")).body(Full::new(bytes::Bytes::from("hello"))).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&answer[..], b"hello");
    let exchange = world.exchange().await;
    assert_eq!((exchange.request.version, exchange.request.url), (Version::Http2, origin.url("/echo")));
}

#[tokio::test]
async fn an_absolute_url_is_forwarded_without_our_credential() {
    let (origin, world) = (Origin::start(Speaks::PlainHttp).await, World::new().await);
    let answer = world.client().post(origin.url("/echo")).header("proxy-connection", "keep-alive").body("x").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "x");
    let exchange = world.exchange().await;
    assert_eq!(exchange.request.url, origin.url("/echo"));
    let seen = origin.last();
    assert_eq!(seen.uri, "/echo");
    for name in ["proxy-authorization", "proxy-connection"] {
        assert!(!seen.headers.contains_key(name) && !exchange.request.headers.has(name), "{name}");
    }
}

/// Writes one byte a time, each in a segment of its own.
struct Dribble(TcpStream);

impl AsyncRead for Dribble {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Dribble {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_hello_in_segments_of_one_byte_is_intercepted() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let stream = Dribble(world.tunnel(&origin.address.to_string()).await);
    let connector = tls_connector(world.root.certificate_pem(), &[b"http/1.1"]);
    let name = tokio_rustls::rustls::pki_types::ServerName::from(origin.address.ip());
    let mut stream = soon(connector.connect(name, stream)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(response(&world.exchange().await).status, 200);
}

#[tokio::test]
async fn a_web_socket_passes_through() {
    use futures_util::{SinkExt, StreamExt};
    use hudsucker::tokio_tungstenite::{client_async, tungstenite::Message};
    for speaks in [Speaks::Http1, Speaks::Http2, Speaks::PlainHttp] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let target = format!("localhost:{}", origin.address.port());
        let url = format!("ws://{target}/ws");
        if speaks == Speaks::PlainHttp {
            let stream = world.tunnel(&target).await;
            let (mut socket, _) = client_async(url, stream).await.unwrap();
            socket.send(Message::text("hello")).await.unwrap();
            assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
        } else {
            let stream = world.tunnel_tls(&target, world.root.certificate_pem(), &[b"http/1.1"]).await.unwrap();
            let (mut socket, _) = client_async(url, stream).await.unwrap();
            socket.send(Message::text("hello")).await.unwrap();
            assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
        }
        let exchange = world.exchange().await;
        let answer = response(&exchange);
        assert_eq!((answer.status, answer.headers.first("upgrade")), (101, Some("websocket")));
        assert!(answer.body.bytes.is_empty());
    }
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_is_refused() {
    let world = World::new().await;
    let mut stream = world.tunnel("a.test:22").await;
    stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    let event = world.event().await;
    assert_eq!((event.trouble, event.host.as_deref(), event.session), (Trouble::NotHttp, Some("a.test:22"), Some(1)));
}

#[tokio::test]
async fn a_silent_tunnel_is_reported() {
    let deadlines = Deadlines { tunnel: Duration::from_millis(30), ..Deadlines::default() };
    let world = Setup { deadlines, ..Setup::default() }.start().await;
    let waiting = world.tunnel("a.test:22").await;
    let event = world.event().await;
    assert_eq!((event.trouble, event.host.as_deref()), (Trouble::Silent, Some("a.test:22")));
    drop((waiting, world.tunnel("b.test:22").await));
    assert_eq!(world.event().await.host.as_deref(), Some("b.test:22"));
}

#[tokio::test]
async fn a_client_that_does_not_trust_us_is_named() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let target = origin.address.to_string();
    world.tunnel_tls(&target, &authority().pem(), &[]).await.unwrap_err();
    let event = world.event().await;
    assert_eq!((event.trouble, event.host.as_deref()), (Trouble::TlsHandshakeFailed, Some(target.as_str())));
    assert_eq!(event.detail, "alert unknown_ca");
}

#[tokio::test]
async fn curl_that_does_not_trust_us_is_named() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    for version in ["1.2", "1.3"] {
        let empty = tempfile::tempdir().unwrap();
        let empty = empty.path().to_str().unwrap();
        let pem = format!("{empty}/other.pem");
        std::fs::write(&pem, authority().pem()).unwrap();
        let output = world.curl(&["--cacert", &pem, "--tls-max", version, &origin.url("/")]).await;
        assert_eq!(output.status.code(), Some(60), "{output:?}");
        let event = world.event().await;
        assert_eq!(event.trouble, Trouble::TlsHandshakeFailed);
        assert_eq!(event.detail, "alert unknown_ca", "TLS {version}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_after_the_handshake_is_named() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    // Node finishes the handshake, looks at the certificate and closes.
    let target = format!("localhost:{}", origin.address.port());
    drop(world.tunnel_tls(&target, world.root.certificate_pem(), &[]).await.unwrap());
    let event = world.event().await;
    assert_eq!(event.trouble, Trouble::TlsHandshakeFailed);
    assert_eq!(event.detail, "closed right after the handshake, without an alert or a request");
}
