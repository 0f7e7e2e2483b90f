//! Servers and clients that misbehave while a recording runs.

use super::recorder::{HOST, Over, Recorder};
use super::server::{Answer, Speaks, full, pieces, send, serve, serve_as};
use crate::proxy::origin::TestAuthority;
use crate::proxy::world::{rest, soon};
use authtape::exchange::{End, Outcome, Stage, Trouble};
use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;

fn result(_: Request<Bytes>) -> Answer {
    full(200, "application/json", r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#)
}

fn call(client: &reqwest::Client) -> reqwest::RequestBuilder {
    client.post(format!("https://{HOST}/mcp")).header("content-type", "application/json").body(CALL)
}

fn failures(over: &Over) -> Vec<(Stage, String)> {
    let failed = |outcome: &Outcome| match outcome {
        Outcome::Failed(failure) => Some((failure.stage, failure.reason.clone())),
        _ => None,
    };
    over.place.load().interactions.iter().filter_map(|interaction| failed(&interaction.exchange.outcome)).collect()
}

#[tokio::test]
async fn a_server_that_is_down_is_a_502_with_its_cause_and_a_failed_exchange() {
    // Bound and not listened on: nobody else gets the port.
    let down = tokio::net::TcpSocket::new_v4().unwrap();
    down.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let recorder = Recorder::serve(down.local_addr().unwrap(), &[]).await;
    let answer = call(&recorder.http()).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    let text = answer.text().await.unwrap();
    let over = recorder.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    let failures = failures(&over);
    assert_eq!((failures.len(), failures[0].0), (1, Stage::Connect));
    assert!(over.stderr.contains(&format!("no answer from:\n       1  {HOST}: ")) && over.stderr.contains("refused"), "{}", over.stderr);
    assert!(text.contains("no connection to the server") && text.contains("refused") && failures[0].1.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_is_a_502_with_its_cause_and_a_failed_exchange() {
    let server = serve_as(Speaks::Http1, &TestAuthority::new(), result).await;
    let recorder = Recorder::serve(server, &[]).await;
    let answer = call(&recorder.http()).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    let text = answer.text().await.unwrap();
    let over = recorder.stop().await;
    let failures = failures(&over);
    assert_eq!((failures.len(), failures[0].0), (1, Stage::Tls));
    assert!(text.contains("UnknownIssuer") && failures[0].1.contains("UnknownIssuer"), "{text} {failures:?}");
}

#[tokio::test]
async fn garbage_on_the_proxy_port_is_an_event_and_harms_nobody() {
    let server = serve(Speaks::Http2, result).await;
    let recorder = Recorder::serve(server, &[]).await;
    let garbage: Vec<u8> = (0..70_000_u32).map(|number| (number * 31 % 251) as u8 | 0x80).collect();
    for sent in [&garbage[..], b"SSH-2.0-OpenSSH_9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut stream = TcpStream::connect(recorder.address()).await.unwrap();
        let _ = stream.write_all(sent).await;
        let _ = stream.shutdown().await;
        let _ = soon(stream.read_to_end(&mut Vec::new())).await;
    }
    assert_eq!(call(&recorder.http()).send().await.unwrap().status(), 200);
    let over = recorder.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    let tape = over.place.load();
    assert_eq!((tape.interactions.len(), tape.events.len()), (1, 3), "{:?}", tape.events);
    assert!(tape.events.iter().all(|event| matches!(event.trouble, Trouble::NotHttp | Trouble::Silent)), "{:?}", tape.events);
}

#[tokio::test]
async fn a_connect_within_a_tunnel_is_answered_and_nothing_of_it_is_printed() {
    let server = serve(Speaks::Http1, result).await;
    let recorder = Recorder::serve_with(server, &[], |mut command| {
        command.env("AUTHTAPE_LOG", "trace").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        command
    });
    let recorder = recorder.await;
    let client = recorder.http_builder().http1_only().build().unwrap();
    let method = reqwest::Method::from_bytes(b"CONNECT").unwrap();
    let url = format!("https://{HOST}/mcp?access_token=planted-in-a-connect");
    let _ = soon(client.request(method, url).header("authorization", "Bearer planted-in-a-connect").send()).await;
    assert_eq!(call(&recorder.http()).send().await.unwrap().status(), 200, "it lives on");
    let over = recorder.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    assert!(!over.stderr.contains("planted"), "{}", over.stderr);
}

#[tokio::test]
async fn a_client_that_hangs_up_in_a_body_is_recorded_as_gone() {
    let (sender, mut opened) = tokio::sync::mpsc::unbounded_channel();
    let server = serve(Speaks::Http1, move |_| {
        let (answer, pieces) = pieces("application/json");
        send(&pieces, r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"half"#);
        sender.send(pieces).unwrap();
        answer
    });
    let recorder = Recorder::serve(server.await, &[]).await;
    let client = recorder.http();
    let mut answer = call(&client).send().await.unwrap();
    assert!(soon(answer.chunk()).await.unwrap().is_some());
    drop((answer, client));
    let pieces = soon(opened.recv()).await.unwrap();
    soon(pieces.closed()).await;
    let over = recorder.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    let tape = over.place.load();
    let response = tape.interactions[0].exchange.response().unwrap();
    assert_eq!(response.body.end, End::ClientGone);
    assert!(String::from_utf8_lossy(&response.body.content.to_bytes()).ends_with("\"half"));
}

#[tokio::test]
async fn a_client_that_hangs_up_in_its_request_is_recorded_as_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let recorder = Recorder::serve(listener.local_addr().unwrap(), &[]).await;
    let mut stream = TcpStream::connect(recorder.address()).await.unwrap();
    let plain = format!("http://{HOST}:443/mcp");
    let head = format!(
        "POST {plain} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{{\"jsonrpc\":\"2.0\""
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut upstream, _) = soon(listener.accept()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\"2.0\"") {
        assert!(soon(upstream.read_buf(&mut seen)).await.unwrap() > 0);
    }
    drop(stream);
    let _ = soon(upstream.read_to_end(&mut seen)).await;
    let over = recorder.stop().await;
    // What was asked is not known to be MCP: it is counted, not stored.
    assert!(over.stderr.contains("forwarded and not stored: 1 request") || failures(&over).len() == 1, "{}", over.stderr);
}

#[tokio::test]
async fn what_is_open_when_the_recording_ends_is_recorded_as_open() {
    let server = serve(Speaks::Http2, |_| {
        let (answer, pieces) = pieces("text/event-stream");
        send(&pieces, "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n");
        tokio::spawn(async move { pieces.closed().await });
        answer
    });
    let recorder = Recorder::serve(server.await, &[]).await;
    let mut answer = call(&recorder.http()).send().await.unwrap();
    assert!(soon(answer.chunk()).await.unwrap().is_some());
    let over = recorder.stop().await;
    let _ = soon(async { while let Ok(Some(_)) = answer.chunk().await {} }).await;
    let tape = over.place.load();
    let body = &tape.interactions[0].exchange.response().unwrap().body;
    assert_eq!((&body.end, body.content.events().unwrap().events.len()), (&End::Open, 1));
}

#[tokio::test]
async fn a_stream_that_is_longer_than_what_is_stored_passes_whole_and_is_named() {
    const EVENTS: usize = 9;
    let server = serve(Speaks::Http1, |_| {
        let (answer, pieces) = pieces("text/event-stream");
        for _ in 0..EVENTS {
            let text = "x".repeat(1 << 20);
            let message = format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{text}"}}}}"#);
            send(&pieces, &format!("data: {message}\n\n"));
        }
        answer
    });
    let recorder = Recorder::serve(server.await, &[]).await;
    let mut answer = call(&recorder.http()).send().await.unwrap();
    assert!(rest(&mut answer).await.len() > EVENTS << 20);
    let over = recorder.stop().await;
    assert!(over.stderr.contains("cut: 1 body is longer than what is stored of one"), "{}", over.stderr);
    assert!(matches!(over.place.load().interactions[0].exchange.response().unwrap().body.end, End::Cut { .. }));
}

#[tokio::test]
async fn bodies_pass_while_they_are_made() {
    let server = serve(Speaks::Http2, result).await;
    let recorder = Recorder::serve(server, &[]).await;
    let mut answer = call(&recorder.http()).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert!(rest(&mut answer).await.ends_with(b"}}"));
    assert_eq!(recorder.stop().await.place.load().interactions.len(), 1);
}
