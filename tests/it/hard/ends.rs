//! How a recording ends: exit codes, signals, time limits, streams that are closed. Each time the file is finished.

use super::recorder::{HOST, Over, Place, Recorder, is_alive};
use super::server::{Answer, Speaks, full, serve};
use crate::proxy::world::soon;
use bytes::Bytes;
use http::Request;
use nix::sys::signal::Signal;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};

fn result(_: Request<Bytes>) -> Answer {
    full(200, "application/json", r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#)
}

/// The client of these tests: one call by the test binary itself, which needs no other program.
fn calling() -> String {
    format!("'{}' hard::ends::one_call --exact --ignored >/dev/null", std::env::current_exe().unwrap().display())
}

#[tokio::test]
#[ignore = "the client of other tests"]
async fn one_call() {
    let Ok(root) = std::env::var("SSL_CERT_FILE") else { return };
    let roots = reqwest::Certificate::from_pem_bundle(&std::fs::read(root).unwrap()).unwrap();
    let proxy = reqwest::Proxy::all(std::env::var("HTTPS_PROXY").unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only(roots).proxy(proxy).build().unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    let request = client.post(format!("https://{HOST}/mcp")).header("content-type", "application/json").body(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

async fn recorded(options: &[&str], script: &str) -> Over {
    let server = serve(Speaks::Http1, result).await;
    Recorder::client(server, options, script).over().await
}

fn is_finished(over: &Over) {
    let tape = over.place.load();
    assert!(tape.header.finished && tape.interactions.len() == 1, "{}", over.stderr);
    assert!(!over.place.part().exists());
    assert!(std::fs::read_dir(over.place.path("tmp")).unwrap().next().is_none(), "nothing stays");
}

#[tokio::test]
async fn the_clients_code_is_ours() {
    for (end, code) in [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] {
        let over = recorded(&[], &format!("{}; {end}", calling())).await;
        assert_eq!(over.code, Some(code), "{}", over.stderr);
        is_finished(&over);
    }
}

#[tokio::test]
async fn a_client_that_made_no_request_fails_the_run_with_advice() {
    let over = recorded(&[], "exit 0").await;
    insta::assert_snapshot!(format!("{}\n{}", over.code.unwrap(), over.plain()), @"
    1

    out/tape.yaml: 0 interactions, 0 sessions, 0 replaced secrets; T s

    error: nothing came through the proxy
    hint: does this client heed proxies at all? `authtape doctor -- CLIENT` says; --reverse serves one that does not, one that runs already must be started anew
    ");
}

#[tokio::test]
async fn a_time_limit_ends_everything() {
    let script =
        format!("{}; trap '' TERM; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & echo $$; wait; sleep 600", calling());
    let over = recorded(&["--timeout", "3s"], &script).await;
    assert_eq!(over.code, Some(124), "{}", over.stderr);
    is_finished(&over);
    let pids: Vec<&str> = over.stdout.lines().collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| !is_alive(pid)), "{pids:?}");
}

/// Starts a client that did its call and waits; gives its process id.
async fn waiting(before: &str) -> (Recorder, String) {
    let server = serve(Speaks::Http1, result).await;
    let script = format!("{}; {before}; echo $$; while :; do sleep 0.05; done", calling());
    let mut recorder = Recorder::client(server, &[], &script);
    let mut lines = BufReader::new(recorder.stdout()).lines();
    let pid = soon(lines.next_line()).await.unwrap().unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (recorder, pid)
}

#[tokio::test]
async fn a_signal_ends_the_client_and_finishes_the_file() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let (recorder, pid) = waiting("trap - INT").await;
        recorder.signal(signal);
        let over = recorder.over().await;
        assert_eq!(over.code, Some(code), "{signal}: {}", over.stderr);
        is_finished(&over);
        assert!(!is_alive(pid));
    }
}

#[tokio::test]
async fn a_client_that_ignores_signals_is_ended_all_the_same() {
    let (recorder, pid) = waiting("trap '' TERM INT").await;
    recorder.signal(Signal::SIGINT);
    recorder.signal(Signal::SIGTERM);
    recorder.signal(Signal::SIGTERM);
    let over = recorder.over().await;
    assert_eq!(over.code, Some(137), "{}", over.stderr);
    is_finished(&over);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn serving_ends_with_each_signal_and_more_of_them_do_no_harm() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let recorder = Recorder::serve(serve(Speaks::Http2, result).await, &[]).await;
        let request = recorder.http().post(format!("https://{HOST}/mcp")).header("content-type", "application/json");
        let answer = request.body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        recorder.signal(signal);
        recorder.signal(signal);
        let over = recorder.over().await;
        assert_eq!(over.code, Some(0), "{signal}: {}", over.stderr);
        is_finished(&over);
        assert!(!over.place.path("run/authtape.json").exists());
    }
}

#[tokio::test]
async fn closed_streams_are_no_reason_to_lose_anything() {
    let server = serve(Speaks::Http1, result).await;
    let place = Place::new();
    let exe = env!("CARGO_BIN_EXE_authtape");
    let script = format!(
        "exec '{exe}' record -o out/tape.yaml --user-agent none --upstream-ca ca.pem --connect-to {HOST}:443={server} -- /bin/sh -c '{}; exit 5' <&- >&- 2>&-",
        calling().replace('\'', "")
    );
    let mut command = place.command(std::path::Path::new("/bin/sh"));
    command.arg("-c").arg(script).stdin(Stdio::null());
    let over = place.run(command).over().await;
    assert_eq!(over.code, Some(5));
    is_finished(&over);
}
