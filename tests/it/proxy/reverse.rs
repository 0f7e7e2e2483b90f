//! Reverse listeners: what the server gets, what the client gets, and who is let in.

#![cfg(target_os = "linux")]

use super::origin::{Origin, Speaks};
use super::world::{Setup, World, head, response, rest, soon};
use authtape::exchange::{Actor, Captured, Trouble};
use authtape::proxy::{Limit, Wanted};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ORIGIN: &str = "https://mcp.example.test";

/// A server under a name, a proxy that finds it, and a listener that stands for it.
async fn reversed(speaks: Speaks) -> (Origin, World, SocketAddr) {
    let origin = Origin::start(speaks).await;
    let world = Setup::default().connect_to(&format!("mcp.example.test:443={}", origin.address)).start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = world.proxy.reverse().stand_for(ORIGIN, listener, Wanted::Asked).unwrap();
    (origin, world, local)
}

/// A client that knows nothing of proxies.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn the_server_sees_itself_and_so_does_the_recording() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (origin, world, local) = reversed(speaks).await;
        let form = format!("code=x&redirect_uri=http://{local}/cb&resource=http%3A%2F%2Flocalhost%3A{}%2Fmcp", local.port());
        let request = client().post(format!("http://{local}/echo?resource=http://{local}/mcp&a=%2F")).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded").header("origin", format!("http://{local}"));
        let answer = request.header("accept-encoding", "gzip").send().await.unwrap().text().await.unwrap();
        let seen = origin.last();
        let body = format!("code=x&redirect_uri=http://{local}/cb&resource=https%3A%2F%2Fmcp.example.test%2Fmcp");
        assert_eq!(seen.body, body);
        assert_eq!((seen.headers["origin"].as_bytes(), seen.headers["accept-encoding"].as_bytes()), (ORIGIN.as_bytes(), &b"identity"[..]));
        assert!(seen.uri.ends_with("/echo?resource=https%3A%2F%2Fmcp.example.test%2Fmcp&a=%2F"), "{}", seen.uri);
        if speaks == Speaks::Http1 {
            assert_eq!(seen.headers["host"], "mcp.example.test");
        }
        assert_eq!(answer, body, "what is no document is passed on as it is");
        let exchange = world.exchange().await;
        assert_eq!(exchange.request.url, format!("{ORIGIN}/echo?resource=https%3A%2F%2Fmcp.example.test%2Fmcp&a=%2F"));
        assert_eq!(exchange.request.headers.first("accept-encoding"), Some("gzip"), "what the client sent");
        assert_eq!((&exchange.request.body.bytes[..], exchange.actor), (body.as_bytes(), Actor::Client));
    }
}

#[tokio::test]
async fn a_document_is_rebound_for_the_client_alone_and_names_get_listeners() {
    let (_origin, world, local) = reversed(Speaks::Http1).await;
    let document = format!(r#"{{"resource":"{ORIGIN}/mcp","authorization_servers":["https://auth.example.test","{ORIGIN}"]}}"#);
    for spelling in [local.to_string(), format!("localhost:{}", local.port())] {
        let request = client().post(format!("http://{spelling}/echo")).header("content-type", "application/json").body(document.clone());
        let answer = request.send().await.unwrap().text().await.unwrap();
        let standing = world.proxy.reverse().standing().borrow().clone();
        assert_eq!(
            (standing.len(), standing[1].wanted, standing[1].binding.origin.as_str()),
            (2, Wanted::Named, "https://auth.example.test")
        );
        let host = spelling.split(':').next().unwrap();
        let auth = format!("http://{host}:{}", standing[1].binding.local.port());
        let expected = format!(r#"{{"resource":"http://{spelling}/mcp","authorization_servers":["{auth}","http://{spelling}"]}}"#);
        assert_eq!(answer, expected);
        assert_eq!(&response(&world.exchange().await).body.bytes[..], document.as_bytes());
    }
    // A JSON-RPC message is nobody's metadata.
    let message = format!(r#"{{"jsonrpc":"2.0","issuer":"{ORIGIN}"}}"#);
    let request = client().post(format!("http://{local}/echo")).header("content-type", "application/json").body(message.clone());
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), message);
}

#[tokio::test]
async fn what_is_large_or_encoded_passes_as_it_is() {
    let (_origin, world, local) = reversed(Speaks::Http1).await;
    let large = format!(r#"{{"issuer":"{ORIGIN}","x":"{}"}}"#, "y".repeat(2 << 20));
    let request = client().post(format!("http://{local}/echo")).header("content-type", "application/json").body(large.clone());
    assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), large);
    drop(world.exchange().await);
    let packed = client().get(format!("http://{local}/gzip")).send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(packed.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
}

#[tokio::test]
async fn events_arrive_one_by_one_and_the_endpoint_is_rebound() {
    let (origin, world, local) = reversed(Speaks::Http1).await;
    let mut answer = client().get(format!("http://{local}/sse")).send().await.unwrap();
    let stream = origin.stream().await;
    stream.send("event: endpoint\ndata: https://mcp.exa");
    stream.send("mple.test/messages?s=1\n\n");
    assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), format!("event: endpoint\ndata: http://{local}/messages?s=1\n\n"));
    for event in ["data: https://mcp.example.test/\n\n", "data: half"] {
        stream.send(event);
        assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), event);
    }
    drop(stream);
    assert_eq!(rest(&mut answer).await, "");
    let mut recorded = String::new();
    loop {
        match world.captured().await {
            Captured::Frames { frames, .. } => {
                frames.iter().for_each(|frame| recorded.push_str(std::str::from_utf8(&frame.bytes).unwrap()));
            }
            Captured::Closed { .. } => break,
            _ => {}
        }
    }
    assert!(recorded.starts_with("event: endpoint\ndata: https://mcp.example.test/messages?s=1\n\n"), "{recorded}");
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused() {
    let (origin, world, local) = reversed(Speaks::Http1).await;
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: evil.test:{}\r\n\r\n", local.port()), "403"),
        (format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", local.port() ^ 1), "403"),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), "403"),
        (format!("GET http://{local}/ HTTP/1.1\r\nHost: {local}\r\n\r\n"), "400"),
        (format!("CONNECT mcp.example.test:443 HTTP/1.1\r\nHost: {local}\r\n\r\n"), "400"),
        (format!("OPTIONS * HTTP/1.1\r\nHost: {local}\r\n\r\n"), "400"),
    ] {
        let mut stream = TcpStream::connect(local).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = head(&mut stream).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) || answer.starts_with(&format!("HTTP/1.0 {status} ")),
            "{request}{answer}"
        );
        drop(stream);
        if status == "403" {
            let event = world.event().await;
            assert_eq!((event.trouble, event.host.as_deref()), (Trouble::ConnectRefused, Some(ORIGIN)));
        }
    }
    let mut stream = TcpStream::connect(local).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x00\xa5\x01\x00").await.unwrap();
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(world.event().await.trouble, Trouble::NotHttp);
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn a_client_that_does_use_the_proxy_may_name_the_listener() {
    let (origin, world, local) = reversed(Speaks::Http1).await;
    let answer = world.client().get(format!("http://{local}/x")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), origin.last().uri.as_str()), (200, "/x"));
    assert_eq!(world.exchange().await.request.url, format!("{ORIGIN}/x"));
}

#[tokio::test]
async fn what_is_signed_for_the_listener_is_named() {
    let (_origin, world, local) = reversed(Speaks::Http1).await;
    let reverse = world.proxy.reverse();
    assert!(reverse.limits().is_empty());
    let form = "grant_type=authorization_code&client_assertion=x.y.z";
    let request = client().post(format!("http://{local}/echo")).header("content-type", "application/x-www-form-urlencoded").body(form);
    request.header("dpop", "x.y.z").send().await.unwrap();
    let request = client().post(format!("http://{local}/echo")).header("content-type", "application/json").body(r#"{"id_token":"x.y.z"}"#);
    request.send().await.unwrap();
    assert_eq!(reverse.limits(), [Limit::Dpop, Limit::Assertion, Limit::IdToken]);
}

#[tokio::test]
async fn whoever_comes_is_of_the_running_session_and_a_page_is_for_a_browser() {
    let (_origin, world, local) = reversed(Speaks::Http1).await;
    world.proxy.reverse().begin_session(3);
    client().get(format!("http://{local}/")).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    let exchange = world.exchange().await;
    assert_eq!((exchange.session, exchange.actor), (3, Actor::UserAgent));
}
