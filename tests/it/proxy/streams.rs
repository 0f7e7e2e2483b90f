//! Bodies that take their time: events one by one, uploads piece by piece, ends of every sort.

use super::origin::{Origin, Speaks};
use super::world::{World, response, rest, soon};
use authtape::exchange::{BODY_LIMIT, Captured, End, RawExchange};
use authtape::proxy::BODIES_IN_FLIGHT;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

async fn opened(world: &World) -> Box<RawExchange> {
    match world.captured().await {
        Captured::Opened(exchange) => exchange,
        other => panic!("not the head of a stream: {other:?}"),
    }
}

async fn frame(world: &World) -> String {
    match world.captured().await {
        Captured::Frames { frames, .. } => frames.iter().map(|frame| String::from_utf8_lossy(&frame.bytes).into_owned()).collect(),
        other => panic!("not a frame: {other:?}"),
    }
}

async fn closed(world: &World) -> End {
    match world.captured().await {
        Captured::Closed { end, .. } => end,
        other => panic!("not the end of a stream: {other:?}"),
    }
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    for speaks in [Speaks::Http1, Speaks::Http2, Speaks::PlainHttp] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let mut answer = world.client().post(origin.url("/sse")).body("{}").send().await.unwrap();
        let stream = origin.stream().await;
        let exchange = opened(&world).await;
        assert_eq!((response(&exchange).status, &exchange.request.body.bytes[..]), (200, &b"{}"[..]));
        assert_eq!(exchange.request.body.end, End::Complete);
        for event in ["data: 1\n\n", "data: 2\n\n"] {
            stream.send(event);
            assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), event);
            assert_eq!(frame(&world).await, event);
        }
        drop(stream);
        assert_eq!(rest(&mut answer).await, "");
        assert_eq!(closed(&world).await, End::Complete);
    }
}

#[tokio::test]
async fn uploads_arrive_piece_by_piece() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let (pieces, body) = tokio::sync::mpsc::unbounded_channel::<Result<&str, std::io::Error>>();
        let body = futures_util::stream::unfold(body, |mut body| async { body.recv().await.map(|piece| (piece, body)) });
        pieces.send(Ok("one")).unwrap();
        let request = world.client().post(origin.url("/upload")).body(reqwest::Body::wrap_stream(body)).send();
        let mut answer = soon(request).await.unwrap();
        assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), "one");
        pieces.send(Ok("two")).unwrap();
        assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), "two");
        drop(pieces);
        assert_eq!(rest(&mut answer).await, "");
        let exchange = world.exchange().await;
        assert_eq!((&exchange.request.body.bytes[..], &exchange.request.body.end), (&b"onetwo"[..], &End::Complete));
        assert_eq!(&response(&exchange).body.bytes[..], b"onetwo");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_in_a_body_is_recorded_and_felt_upstream() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let mut answer = world.client().get(origin.url("/stream")).send().await.unwrap();
        let stream = origin.stream().await;
        stream.send("some");
        assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), "some");
        drop(answer);
        stream.abandoned().await;
        let exchange = world.exchange().await;
        let body = &response(&exchange).body;
        assert_eq!((&body.bytes[..], &body.end), (&b"some"[..], &End::ClientGone));
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_in_an_event_stream_is_recorded() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let answer = world.client().get(origin.url("/sse")).send().await.unwrap();
    let stream = origin.stream().await;
    opened(&world).await;
    drop(answer);
    stream.abandoned().await;
    assert_eq!(closed(&world).await, End::ClientGone);
}

#[tokio::test]
async fn a_server_that_breaks_off_is_recorded_and_felt_by_the_client() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let mut answer = world.client().get(origin.url("/stream")).send().await.unwrap();
        let stream = origin.stream().await;
        stream.send("some");
        assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), "some");
        stream.break_off();
        soon(answer.chunk()).await.unwrap_err();
        let exchange = world.exchange().await;
        assert!(matches!(&response(&exchange).body.end, End::ServerGone(_)), "{exchange:?}");
    }
}

#[tokio::test]
async fn trailers_pass_and_are_recorded() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let target = origin.address.to_string();
        let stream = world.tunnel(&target).await;
        let connector = super::world::tls_connector(world.root.certificate_pem(), &[b"http/1.1"]);
        let name = tokio_rustls::rustls::pki_types::ServerName::from(origin.address.ip());
        let stream = connector.connect(name, stream).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("/stream").header("host", &target).header("te", "trailers");
        let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap());
        let (answer, stream) = tokio::join!(answer, origin.stream());
        stream.send("body");
        stream.trailers([(http::HeaderName::from_static("x-sum"), "42".parse().unwrap())].into_iter().collect());
        let collected = soon(answer.unwrap().into_body().collect()).await.unwrap();
        assert_eq!(collected.trailers().unwrap()["x-sum"], "42");
        let exchange = world.exchange().await;
        assert_eq!(response(&exchange).body.trailers.first("x-sum"), Some("42"));
    }
}

#[tokio::test]
async fn a_large_body_passes_whole_and_is_recorded_cut() {
    const SIZE: u64 = 20 << 20;
    let (origin, world) = (Origin::start(Speaks::Http2).await, World::new().await);
    let answer = world.client().get(origin.url(&format!("/zeros?{SIZE}"))).send().await.unwrap();
    assert_eq!(soon(answer.bytes()).await.unwrap().len() as u64, SIZE);
    let exchange = world.exchange().await;
    let body = &response(&exchange).body;
    assert_eq!((body.bytes.len(), &body.end), (BODY_LIMIT, &End::Cut { of: SIZE }));
}

#[tokio::test]
async fn many_large_bodies_share_one_budget() {
    const SIZE: usize = 7 << 20;
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let client = world.client();
    let mut open = Vec::new();
    let text = "x".repeat(SIZE);
    for _ in 0..6 {
        let mut answer = client.get(origin.url("/stream")).send().await.unwrap();
        let stream = origin.stream().await;
        stream.send(&text);
        let mut seen = 0;
        while seen < SIZE {
            seen += soon(answer.chunk()).await.unwrap().unwrap().len();
        }
        open.push((answer, stream));
    }
    let mut kept = 0;
    let mut cut = 0;
    for (mut answer, stream) in open {
        drop(stream);
        assert_eq!(rest(&mut answer).await, "");
        let exchange = world.exchange().await;
        kept += response(&exchange).body.bytes.len();
        cut += usize::from(response(&exchange).body.end == End::Cut { of: SIZE as u64 });
    }
    assert!(kept <= BODIES_IN_FLIGHT && kept > 4 * SIZE, "{kept}");
    assert_eq!(cut, 2);
}

#[tokio::test]
async fn heads_without_bodies_stay_as_they_are() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (origin, world) = (Origin::start(speaks).await, World::new().await);
        let client = world.client_builder().http1_only().build().unwrap();
        let answer = client.head(origin.url("/")).send().await.unwrap();
        assert_eq!(answer.headers()["content-length"], "5");
        for (path, status) in [("/204", 204), ("/304", 304)] {
            let answer = client.get(origin.url(path)).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers().get("transfer-encoding")), (status, None));
            assert_eq!(answer.bytes().await.unwrap().len(), 0);
        }
        for status in [200, 204, 304] {
            let exchange = world.exchange().await;
            let answer = response(&exchange);
            assert_eq!((answer.status, answer.body.bytes.len(), &answer.body.end), (status, 0, &End::Complete));
        }
    }
}

#[tokio::test]
async fn expect_100_continue_works() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let data = "x".repeat(4096);
    let output =
        world.curl(&["--http1.1", "--expect100-timeout", "20", "-H", "Expect: 100-continue", "-d", &data, &origin.url("/echo")]).await;
    assert_eq!(output.stdout.len(), data.len(), "{output:?}");
    assert_eq!(response(&world.exchange().await).status, 200);
}
