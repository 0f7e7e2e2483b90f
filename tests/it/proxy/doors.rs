//! Who gets in, and what a connection that is no client of a proxy gets.

use super::origin::{Origin, Speaks};
use super::world::{Setup, World, head, soon};
use authtape::exchange::{Actor, Trouble};
use authtape::proxy::{Admission, Deadlines, Peer};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn the_407_keeps_the_connection() {
    let (origin, world) = (Origin::start(Speaks::PlainHttp).await, World::new().await);
    let mut stream = world.raw().await;
    let target = origin.address;
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
    let refusal = head(&mut stream).await;
    assert!(refusal.starts_with("HTTP/1.1 407 "), "{refusal}");
    assert!(refusal.contains("Proxy-Authenticate: Basic realm=\"authtape\"\r\n"), "{refusal}");
    assert!(!refusal.to_lowercase().contains("connection: close"), "{refusal}");
    let size = refusal.to_lowercase().split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; size]).await.unwrap();

    let credential = world.credential.header(Peer::client(7));
    let again = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: {credential}\r\n\r\n");
    stream.write_all(again.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(world.exchange().await.session, 7, "and no event for the refusal that was made good");
}

#[tokio::test]
async fn the_user_agent_is_told_from_the_client() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let browser = Peer { session: 3, actor: Actor::UserAgent };
    let proxy = reqwest::Proxy::all(world.credential.proxy_url(world.proxy.address(), browser)).unwrap();
    let root = reqwest::Certificate::from_pem(world.root.certificate_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).proxy(proxy).build().unwrap();
    client.get(origin.url("/")).send().await.unwrap();
    let exchange = world.exchange().await;
    assert_eq!((exchange.session, exchange.actor), (3, Actor::UserAgent));
}

#[tokio::test]
async fn a_wrong_credential_is_refused_and_reported() {
    let world = Setup { admission: Admission::OwnUser(Peer::client(1)), ..Setup::default() }.start().await;
    let other = World::new().await;
    let mut stream = world.raw().await;
    let credential = other.credential.header(Peer::client(1));
    let request = format!("CONNECT a.test:443 HTTP/1.1\r\nProxy-Authorization: {credential}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 407 "));
    drop(stream);
    let event = world.event().await;
    assert_eq!((event.trouble, event.host.as_deref()), (Trouble::ConnectRefused, Some("a.test:443")));
    assert_eq!(event.detail, "wrong proxy credential");
}

#[tokio::test]
async fn an_absolute_url_needs_the_credential_too() {
    let (origin, world) = (Origin::start(Speaks::PlainHttp).await, World::new().await);
    let mut stream = world.raw().await;
    stream.write_all(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", origin.url("/")).as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 407 "));
    assert!(origin.seen().is_empty());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_process_of_our_own_user_is_let_in_without() {
    let origin = Origin::start(Speaks::PlainHttp).await;
    let world = Setup { admission: Admission::OwnUser(Peer::client(4)), ..Setup::default() }.start().await;
    let mut stream = world.raw().await;
    stream.write_all(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.address).as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(world.exchange().await.session, 4);
}

#[tokio::test]
async fn a_target_without_a_port_is_refused() {
    let world = World::new().await;
    let mut stream = world.raw().await;
    let credential = world.credential.header(Peer::client(1));
    let request = format!("CONNECT a.test HTTP/1.1\r\nProxy-Authorization: {credential}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 400 "));
    drop(stream);
    assert_eq!(world.event().await.trouble, Trouble::ConnectRefused);
}

#[tokio::test]
async fn a_visitor_is_told_what_this_port_is() {
    let world = World::new().await;
    let page = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{}/", world.proxy.address()));
    let page = page.send().await.unwrap();
    assert_eq!(page.status(), 400);
    assert!(page.text().await.unwrap().contains("port of a recording proxy"));
}

#[tokio::test]
async fn garbage_is_closed_and_reported() {
    for garbage in [&b"\x16\x03\x01\x00\xa5\x01\x00"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\0\0\0\0\0\0"] {
        let world = World::new().await;
        let mut stream = world.raw().await;
        stream.write_all(garbage).await.unwrap();
        let mut rest = Vec::new();
        soon(stream.read_to_end(&mut rest)).await.unwrap();
        let event = world.event().await;
        assert_eq!((event.connection, event.trouble, event.session), (1, Trouble::NotHttp, None), "{}", event.detail);
    }
}

#[tokio::test]
async fn a_silent_connection_is_reported() {
    let deadlines = Deadlines { head: Duration::from_millis(30), ..Deadlines::default() };
    let world = Setup { deadlines, ..Setup::default() }.start().await;
    let waiting = world.raw().await;
    let event = world.event().await;
    assert_eq!((event.trouble, event.detail.as_str()), (Trouble::Silent, "no request within the deadline"));
    drop((waiting, world.raw().await));
    assert_eq!(world.event().await.trouble, Trouble::Silent);
}
