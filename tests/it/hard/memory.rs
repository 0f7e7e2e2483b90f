//! Memory while recording: bounded and flat. `AUTHTAPE_EXCHANGES` sets how many exchanges.

use super::recorder::{HOST, Recorder};
use super::server::{Speaks, full, serve};
use futures_util::StreamExt;

/// design.md, "Budgets".
const LIMIT: u64 = 64 << 10;
/// What may come with ten times as many exchanges.
const GROWTH: u64 = 6 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat() {
    let wanted: u64 = std::env::var("AUTHTAPE_EXCHANGES").map_or(5_000, |wanted| wanted.parse().unwrap());
    let server = serve(Speaks::Http2, |request| {
        let text = "some words of an answer ".repeat(20);
        let body = std::str::from_utf8(request.body()).unwrap();
        let id = body.split("\"id\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        full(
            200,
            "application/json",
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#),
        )
    });
    let recorder = Recorder::serve(server.await, &[]).await;
    let client = recorder.http();
    let ask = |from: u64, to: u64| {
        let client = &client;
        futures_util::stream::iter(from..to).for_each_concurrent(16, async move |id| {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"n":{id}}}}}}}"#);
            let request = client.post(format!("https://{HOST}/mcp")).header("content-type", "application/json").body(body);
            let request = request.header("authorization", format!("Bearer token-of-a-client-{}", id / 1000));
            request.send().await.unwrap().bytes().await.unwrap();
        })
    };
    ask(0, wanted / 10).await;
    let early = recorder.memory("VmRSS");
    ask(wanted / 10, wanted).await;
    let (late, peak) = (recorder.memory("VmRSS"), recorder.memory("VmHWM"));
    println!("{wanted} exchanges: {early} kB after a tenth, {late} kB at the end, {peak} kB at most");
    assert!(peak < LIMIT, "{peak} kB");
    assert!(late < early + GROWTH, "{early} kB grew to {late} kB");
    recorder.signal(nix::sys::signal::Signal::SIGINT);
    let over = recorder.over().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    assert_eq!(over.place.load().interactions.len() as u64, wanted);
}
