//! The end of the proxy, and clients that do not wait for an answer.

use super::origin::{Origin, Speaks};
use super::world::{Setup, World, response, soon};
use authtape::exchange::{Captured, End, RawOutcome, Stage};
use authtape::proxy::Deadlines;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn an_open_event_stream_does_not_hold_up_the_end() {
    for speaks in [Speaks::Http1, Speaks::Http2, Speaks::PlainHttp] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let mut answer = world.client().get(origin.url("/sse")).send().await.unwrap();
        let stream = origin.stream().await;
        stream.send("data: 1\n\n");
        soon(answer.chunk()).await.unwrap();
        let mut idle = world.raw().await;
        world.shutdown.cancel();
        soon(world.proxy.ended()).await;
        soon(world.proxy.ended()).await;
        assert!(matches!(world.captured().await, Captured::Opened(_)));
        assert!(matches!(world.captured().await, Captured::Frames { .. }));
        assert!(matches!(world.captured().await, Captured::Closed { end: End::Open, .. }));
        stream.abandoned().await;
        assert!(soon(idle.read_u8()).await.is_err(), "an idle connection is closed");
    }
}

#[tokio::test]
async fn an_exchange_under_way_gets_its_time() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let answer = world.client().get(origin.url("/stream")).send().await.unwrap();
    let stream = origin.stream().await;
    world.shutdown.cancel();
    let ended = world.proxy.ended();
    tokio::pin!(ended);
    assert!(futures_util::poll!(&mut ended).is_pending());
    stream.send("whole");
    drop(stream);
    assert_eq!(soon(answer.text()).await.unwrap(), "whole");
    soon(ended).await;
    assert_eq!(response(&world.exchange().await).body.end, End::Complete);
}

#[tokio::test]
async fn an_exchange_that_takes_too_long_is_left_open() {
    let deadlines = Deadlines { end: Duration::from_millis(30), ..Deadlines::default() };
    let (origin, world) = (Origin::start(Speaks::Http1).await, Setup { deadlines, ..Setup::default() }.start().await);
    let _answer = world.client().get(origin.url("/stream")).send().await.unwrap();
    let stream = origin.stream().await;
    world.shutdown.cancel();
    soon(world.proxy.ended()).await;
    assert_eq!(response(&world.exchange().await).body.end, End::Open);
    stream.abandoned().await;
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_the_head_is_recorded() {
    // A server that accepts and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let world = World::new().await;
    let mut client = world.tunnel(&target.to_string()).await;
    client.write_all(format!("POST /mcp HTTP/1.1\r\nHost: {target}\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes()).await.unwrap();
    let (mut server, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(server.read_u8()).await.is_ok());
    drop(client);
    let exchange = world.exchange().await;
    assert!(matches!(&exchange.outcome, RawOutcome::Failed(failure) if failure.stage == Stage::ClientGone), "{exchange:?}");
    assert_eq!(&exchange.request.body.bytes[..], b"{}");
    let mut rest = Vec::new();
    let _ = soon(server.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn a_connection_can_be_reset_by_its_number() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let mut client = world.tunnel(&origin.address.to_string()).await;
    world.proxy.connections().find(1).unwrap().reset();
    let error = soon(client.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(world.proxy.connections().find(1).is_none());
}
