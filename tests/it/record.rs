//! `authtape record` around the reference client, with the parts that other tests leave to chance: the person's own browser,
//! exit codes, what is in the header.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::{Cassette, Interaction};
use authtape::demo::{Names, Plan, World};
use authtape::exchange::Outcome;
use authtape::protocol::Kind;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tokio::runtime::Runtime;

const AUTHTAPE: &str = env!("CARGO_BIN_EXE_authtape");

/// Servers under made-up names.
fn world() -> (Runtime, World) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = runtime.block_on(World::start(Plan { names: Names::MadeUp, ..Plan::default() })).unwrap();
    (runtime, world)
}

/// Records the reference client from an empty environment; `browser` is the person's own.
fn record(folder: &Path, world: &World, options: &[&str], browser: &Path) -> Output {
    let mut command = Command::new(AUTHTAPE);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder).env("BROWSER", browser).current_dir(folder);
    command.args(["record", "-o", "login.yaml"]).args(options);
    command.args(world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]));
    command.args(["--", AUTHTAPE, "client", &world.url, "--tool", "echo", "--arguments", r#"{"text":"hi"}"#]).output().unwrap()
}

/// A person who has only the names of the machine: the made-up ones are mapped for curl.
fn browser(folder: &Path, world: &World) -> std::path::PathBuf {
    let path = folder.join("browser");
    let mapped: String = world.connect_to.iter().map(|rule| format!(" --connect-to {}", rule.replace('=', ":"))).collect();
    fs::write(&path, format!("#!/bin/sh\nexec curl -sL{mapped} -o /dev/null \"$1\"\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn with_the_persons_browser_authorize_and_callback_are_concluded() {
    let (runtime, world) = world();
    let folder = tempfile::tempdir().unwrap();
    let output = record(folder.path(), &world, &["--user-agent", "system"], &browser(folder.path(), &world));
    runtime.block_on(world.stop());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let cassette = Cassette::load(&folder.path().join("login.yaml")).unwrap();
    let kinds: Vec<Kind> = cassette.interactions.iter().map(|interaction| interaction.kind).collect();
    let login = [Kind::DcrCreate, Kind::Authorize, Kind::Callback, Kind::TokenCode];
    assert!(kinds.windows(4).any(|window| window == login), "{kinds:?}");
    let times: Vec<_> = cassette.interactions.iter().map(|interaction| interaction.exchange.at).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of = |kind: Kind| cassette.interactions.iter().find(|interaction| interaction.kind == kind).unwrap();
    let (authorize, callback, token) = (of(Kind::Authorize), of(Kind::Callback), of(Kind::TokenCode));
    for concluded in [authorize, callback] {
        assert!(concluded.exchange.inferred && concluded.exchange.outcome == Outcome::Unseen);
    }
    assert_eq!(parameter(authorize, "state"), parameter(callback, "state"));
    assert_eq!(parameter(authorize, "redirect_uri").split(':').next(), Some("http"));
    let form = token.exchange.request.body.content.form().unwrap().into_owned();
    assert_eq!(form.first("code"), Some(parameter(callback, "code").as_str()));
}

#[test]
fn when_nobody_comes_the_login_is_seen_up_to_there() {
    let (runtime, world) = world();
    let folder = tempfile::tempdir().unwrap();
    let output = record(folder.path(), &world, &["--user-agent", "none", "--timeout", "2s"], Path::new("/bin/false"));
    runtime.block_on(world.stop());
    assert_eq!(output.status.code(), Some(124), "{}", String::from_utf8_lossy(&output.stderr));
    let cassette = Cassette::load(&folder.path().join("login.yaml")).unwrap();
    assert_eq!(cassette.interactions.last().map(|last| last.kind), Some(Kind::DcrCreate));
    assert!(cassette.header.finished);
}

fn parameter(interaction: &Interaction, name: &str) -> String {
    let url = url::Url::parse(&interaction.exchange.request.url).unwrap();
    let value = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    value.unwrap_or_else(|| panic!("no {name} in interaction {}", interaction.exchange.number))
}

#[test]
fn a_page_that_needs_a_person_is_named_on_the_last_screen() {
    let (runtime, world) = world();
    world.front.edit(|request, answer| {
        if request.url.contains("/authorize") {
            answer.response.status = 200;
            answer.response.headers = [("content-type", "text/html")].into_iter().collect();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let output = record(folder.path(), &world, &["--user-agent", "auto", "--timeout", "3s"], Path::new("/bin/false"));
    runtime.block_on(world.stop());
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(talk.contains("answered 200 with a page, which needs a person: use --user-agent system or chromium"), "{talk}");
    assert!(!talk.contains("code_challenge"), "{talk}");
}

#[test]
fn a_client_that_listens_after_it_opened_the_browser_gets_its_callback() {
    let (runtime, world) = world();
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let query = format!("response_type=code&client_id=c&state=s&redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}%2Fcb");
    let mut command = Command::new(AUTHTAPE);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path()).current_dir(folder.path());
    command.args(["record", "-o", "late.yaml", "--user-agent", "auto", "--timeout", "20s"]);
    command.args(world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]));
    let late = format!("$BROWSER '{}/authorize?{query}'; exec cat", world.issuer_url);
    world.front.edit(move |request, answer| {
        if request.url.contains("/authorize") {
            answer.response.status = 302;
            answer.response.headers = [("location", format!("http://127.0.0.1:{port}/cb?code=k&state=s"))].into_iter().collect();
        }
    });
    let mut child =
        command.args(["--", "sh", "-c", &late]).stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let part = folder.path().join("late.yaml.part");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
    while !fs::read_to_string(&part).is_ok_and(|text| text.contains("kind: authorize")) {
        assert!(std::time::Instant::now() < deadline, "the authorization request was recorded");
        std::thread::yield_now();
    }
    // Only now does anybody listen.
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    assert!(std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap() > 0);
    std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    while !fs::read_to_string(&part).is_ok_and(|text| text.contains("kind: callback")) {
        assert!(std::time::Instant::now() < deadline, "the callback was recorded");
        std::thread::yield_now();
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    runtime.block_on(world.stop());
    let cassette = Cassette::load(&folder.path().join("late.yaml")).unwrap();
    let callback = cassette.interactions.iter().find(|interaction| interaction.kind == Kind::Callback).unwrap();
    assert_eq!(callback.exchange.status(), Some(200));
}
