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
