//! Short of memory, file descriptors or disk: the recorder goes on, says so, and what it wrote stays readable.

use super::recorder::{HOST, Place, Recorder};
use super::server::{Answer, Speaks, full, serve};
use crate::proxy::origin::{self, Origin};
use crate::proxy::world::soon;
use authtape::cassette::Cassette;
use authtape::exchange::End;
use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::Command;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const STORED: usize = 8 << 20;

fn call(client: &reqwest::Client, url: &str) -> reqwest::RequestBuilder {
    client.post(url).header("content-type", "application/json").body(CALL)
}

#[tokio::test]
async fn a_decompression_bomb_costs_no_more_than_what_is_stored() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&[b'0'; 1 << 20]).unwrap();
    // Members follow one another (RFC 1952 §2.2): 2 GiB in some 9 MB.
    let bomb = Bytes::from(encoder.finish().unwrap().repeat(2048));
    let sent = bomb.clone();
    let server = serve(Speaks::Http1, move |_| {
        let mut answer = full(200, "application/json", sent.clone());
        answer.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        answer
    });
    let recorder = Recorder::serve(server.await, &[]).await;
    let answer = call(&recorder.http(), &format!("https://{HOST}/mcp")).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), bomb, "the client gets what was sent");
    let Watched { over, peak } = watch(recorder).await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    let tape = over.place.load();
    let body = &tape.interactions[0].exchange.response().unwrap().body;
    assert!(matches!(body.end, End::Cut { .. }), "{:?}", body.end);
    assert!(body.content.to_bytes().len() <= STORED);
    println!("bomb: {peak} kB");
    assert!(peak < 160 << 10, "{peak} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_a_gibibyte_passes_whole_and_is_stored_cut() {
    const SIZE: u64 = 1 << 30;
    let origin = Origin::start(origin::Speaks::PlainHttp).await;
    let recorder = Recorder::serve(origin.address, &["--connect-to", &format!("{HOST}:80={}", origin.address)]).await;
    let mut answer = call(&recorder.http(), &format!("http://{HOST}/zeros?{SIZE}")).send().await.unwrap();
    let mut size = 0;
    while let Some(chunk) = soon(answer.chunk()).await.unwrap() {
        size += chunk.len() as u64;
    }
    assert_eq!(size, SIZE);
    let Watched { over, peak } = watch(recorder).await;
    let tape = over.place.load();
    let body = &tape.interactions[0].exchange.response().unwrap().body;
    assert_eq!(body.end, End::Cut { of: SIZE });
    println!("1 GiB: {peak} kB");
    assert!(peak < 128 << 10, "{peak} kB");
}

struct Watched {
    over: super::recorder::Over,
    peak: u64,
}

/// Ends a recorder once it has written, with the most memory that it used.
async fn watch(recorder: Recorder) -> Watched {
    let part = recorder.place.part();
    let empty = std::fs::metadata(&part).unwrap().len();
    soon(until(|| std::fs::metadata(&part).unwrap().len() > empty + 200)).await;
    let peak = recorder.memory("VmHWM");
    Watched { over: recorder.stop().await, peak }
}

/// Looks again and again; what is looked at sends no event.
async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same command behind a line of shell.
fn behind(place: &Place, shell: &str, line: &str, command: &Command) -> Command {
    let mut wrapped = place.command(Path::new(shell));
    wrapped.arg("-c").arg(format!("{line} exec \"$0\" \"$@\"")).arg(command.as_std().get_program()).args(command.as_std().get_args());
    wrapped
}

async fn serve_behind(server: SocketAddr, line: &str) -> Recorder {
    let place = Place::new();
    let command = place.record(&["--connect-to", &format!("{HOST}:443={server}")], &[]);
    let command = behind(&place, "/bin/sh", line, &command);
    let recorder = place.run(command);
    recorder.said("serving on ").await;
    recorder
}

fn result(_: Request<Bytes>) -> Answer {
    full(200, "application/json", r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#)
}

#[tokio::test]
async fn without_file_descriptors_clients_wait_and_the_recorder_lives_on() {
    let server = serve(Speaks::Http1, result).await;
    let recorder = serve_behind(server, "ulimit -n 64;").await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        // The accept queue takes them; whoever is beyond it waits for its SYN.
        match tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(recorder.address())).await {
            Ok(stream) => idle.push(stream.unwrap()),
            Err(_) => break,
        }
    }
    let part = recorder.place.part();
    soon(until(|| std::fs::read_to_string(&part).unwrap().contains("ulimit -n"))).await;
    let before = recorder.ticks();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = recorder.ticks() - before;
    println!("{} connections; {spent} ticks in a second", idle.len());
    assert!(spent < 30, "it spins: {spent} ticks in a second");
    drop(idle);
    assert_eq!(call(&recorder.http(), &format!("https://{HOST}/mcp")).send().await.unwrap().status(), 200);
    let over = recorder.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    assert!(over.stderr.contains("as many as `ulimit -n` (64) allows"), "{}", over.stderr);
    assert_eq!(over.place.load().interactions.len(), 1);
}

#[tokio::test]
async fn many_requests_at_once_share_what_file_descriptors_there_are() {
    let server = serve(Speaks::Http1, result).await;
    let recorder = serve_behind(server, "ulimit -n 64;").await;
    let url = format!("https://{HOST}/mcp");
    // One HTTP/2 connection of a client becomes many of HTTP/1.1 to the server.
    let client = recorder.http();
    let statuses: Vec<u16> = futures_util::stream::iter(0..100)
        .map(|_| async { call(&client, &url).send().await.unwrap().status().as_u16() })
        .buffer_unordered(100)
        .collect()
        .await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let over = recorder.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    assert_eq!(over.place.load().interactions.len(), 100);
}

fn wordy(_: Request<Bytes>) -> Answer {
    let text = "words of a long answer ".repeat(200);
    full(200, "application/json", format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#))
}

/// Records until the disk is full and beyond; `seen` is the file as this process sees it.
async fn fill(recorder: Recorder, seen: PathBuf) -> String {
    let client = recorder.http();
    let url = format!("https://{HOST}/mcp");
    let full = recorder.said("error: ");
    let calls = async {
        loop {
            assert_eq!(call(&client, &url).send().await.unwrap().status(), 200, "the client notices nothing");
        }
    };
    tokio::select! {
        () = full => {}
        () = calls => {}
    }
    let tape = Cassette::load(&seen).unwrap();
    assert!(tape.interactions.len() > 10);
    for interaction in &tape.interactions {
        let response = interaction.exchange.response().unwrap();
        assert!(response.body.content.json().unwrap()["result"]["content"][0]["text"].as_str().unwrap().ends_with("long answer "));
    }
    let over = recorder.stop().await;
    assert_eq!(over.code, Some(125), "{}", over.stderr);
    assert!(!over.place.tape().exists(), "what is not whole has not the name of a cassette");
    over.plain().lines().filter(|line| line.starts_with("error") || line.starts_with("hint")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_file_that_may_not_grow_ends_in_one_message_and_stays_readable() {
    let recorder = serve_behind(serve(Speaks::Http1, wordy).await, "ulimit -f 2000;").await;
    let seen = recorder.place.part();
    insta::assert_snapshot!(fill(recorder, seen).await, @"
    error: cannot write out/tape.yaml.part: File too large (os error 27); what comes waits in memory, as far as it goes
    error: cannot write out/tape.yaml.part: File too large (os error 27)
    hint: what was written until then is in out/tape.yaml.part
    ");
}

#[tokio::test]
async fn a_full_disk_ends_in_one_message_and_what_was_recorded_stays_readable() {
    let can_mount =
        std::process::Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null()).status();
    if !can_mount.is_ok_and(|status| status.success()) {
        println!("not run: this user may not mount a small disk; the limit on file sizes stands for it");
        return;
    }
    let place = Place::new();
    let server = serve(Speaks::Http1, wordy).await;
    let command = place.record(&["--connect-to", &format!("{HOST}:443={server}")], &[]);
    let inner = behind(&place, "/bin/sh", "mount -t tmpfs -o size=200k tmpfs out;", &command);
    let mut outer = place.command(Path::new("unshare"));
    outer.arg("-m").arg(inner.as_std().get_program()).args(inner.as_std().get_args());
    let recorder = place.run(outer);
    recorder.said("serving on ").await;
    let part = recorder.place.part();
    let seen = Path::new("/proc").join(recorder.pid.to_string()).join("root").join(part.strip_prefix("/").unwrap());
    insta::assert_snapshot!(fill(recorder, seen).await, @"
    error: cannot write out/tape.yaml.part: No space left on device (os error 28); what comes waits in memory, as far as it goes
    error: cannot write out/tape.yaml.part: No space left on device (os error 28)
    hint: what was written until then is in out/tape.yaml.part
    ");
}
