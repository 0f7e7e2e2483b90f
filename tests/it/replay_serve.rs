//! `authtape replay` without a command: clients that are started elsewhere share one model, until Ctrl-C.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::hard::recorder::{Over, Place, Recorder};
use crate::replay::{AUTHTAPE, ECHO, MCP, Tape};
use authtape::cassette::Cassette;
use std::fs;
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

async fn serving(options: &[&str]) -> Recorder {
    let tape = tokio::task::spawn_blocking(|| Tape::record(|_| {}, ECHO)).await.unwrap();
    let place = Place::new();
    fs::copy(tape.path("tape.yaml"), place.path("tape.yaml")).unwrap();
    let mut command = place.command(Path::new(AUTHTAPE));
    command.args(["replay", "tape.yaml"]).args(options);
    let serving = place.run(command);
    serving.said("before you start a client").await;
    serving
}

/// A shell that asks for its variables first, as a person's does.
fn shell(place: &Place, script: &str) -> Command {
    let mut command = place.command(Path::new("/bin/sh"));
    command.arg("-c").arg(format!("eval \"$({AUTHTAPE} env)\"; {script}"));
    command
}

fn client() -> String {
    format!(r#"{AUTHTAPE} client {MCP} --tool echo --arguments '{{"text":"hi"}}'"#)
}

fn out(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_clients_share_a_model_until_it_is_ended() {
    let serving = serving(&["-o", "out/run.yaml"]).await;
    let [mut first, mut second] = [0, 1].map(|_| shell(&serving.place, &client()));
    let (first, second) = tokio::join!(first.output(), second.output());
    for output in [first.unwrap(), second.unwrap()] {
        assert_eq!(out(&output).lines().last(), Some("hi"));
    }
    assert!(fs::read_dir(serving.place.path("home")).unwrap().next().is_none(), "nothing comes into the caller's home");
    let over = serving.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    assert!(over.stderr.contains("no miss, upstream connections: 0"), "{}", over.stderr);
    assert!(over.stderr.contains("session 1: clients started elsewhere"), "{}", over.stderr);
    let run = Cassette::load(&over.place.path("out/run.yaml")).unwrap();
    assert!(run.header.finished && run.header.replayed.is_some());
    assert!(!over.place.path("run/authtape.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_one_is_refused_and_harms_nothing() {
    let serving = serving(&[]).await;
    for arguments in [&["replay", "tape.yaml", "-o", "out/second.yaml"][..], &["record", "-o", "out/second.yaml"]] {
        let mut command = serving.place.command(Path::new(AUTHTAPE));
        let output = command.args(arguments).output().await.unwrap();
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{talk}");
        assert!(talk.contains(&format!("process {} is serving already", serving.pid)), "{talk}");
    }
    assert!(fs::read_dir(serving.place.path("out")).unwrap().next().is_none(), "nothing is written");
    let mut apart = serving.place.command(Path::new(AUTHTAPE));
    let other = serving.place.path("tmp/other");
    fs::create_dir(&other).unwrap();
    let mut apart = apart.args(["replay", "tape.yaml"]).env("XDG_RUNTIME_DIR", &other).spawn().unwrap();
    while !other.join("authtape.json").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(out(&shell(&serving.place, &client()).output().await.unwrap()).lines().last(), Some("hi"));
    apart.kill().await.unwrap();
    assert_eq!(serving.stop().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miss_and_silence_fail_it() {
    let first = serving(&[]).await;
    let other = client().replace("hi", "other");
    let missed = shell(&first.place, &other).output().await.unwrap();
    assert!(String::from_utf8_lossy(&missed.stderr).contains("is not on the tape"));
    let over = first.stop().await;
    assert_eq!(over.code, Some(1), "{}", over.stderr);
    let Over { code, stderr, .. } = serving(&[]).await.stop().await;
    assert!(code == Some(1) && stderr.contains("nothing came through the proxy"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_can_be_taken_back_and_leave_one_folder_behind() {
    let serving = serving(&[]).await;
    let unset = format!(r#"eval "$({AUTHTAPE} env)"; eval "$({AUTHTAPE} env --unset)"; env"#);
    let mut plain = serving.place.command(Path::new("/bin/sh"));
    plain.env("HTTPS_PROXY", "http://corporate.test:3128").arg("-c").arg("env");
    let plain = out(&plain.output().await.unwrap());
    let mut command = shell(&serving.place, &unset);
    let after = out(&command.env("HTTPS_PROXY", "http://corporate.test:3128").output().await.unwrap());
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with("_=")).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(&after), sorted(&plain));
    let folders = out(&shell(&serving.place, "ls -d $(dirname $(dirname $SSL_CERT_FILE))/env-* | wc -l").output().await.unwrap());
    assert_eq!(folders.trim(), "1");
    let mut without = serving.place.command(Path::new(AUTHTAPE));
    assert_eq!(without.args(["env", "--unset"]).output().await.unwrap().status.code(), Some(4));
    serving.stop().await;
}
