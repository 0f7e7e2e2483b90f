//! `authtape replay` around the reference client and curl: the same kinds with the servers gone, in both eras, and no way around
//! the bearer.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::Cassette;
use authtape::demo::{Names, Plan, World};
use authtape::model::policy::{AuthMethod, ReplyForm, Rotation};
use authtape::protocol::Kind;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub const AUTHTAPE: &str = env!("CARGO_BIN_EXE_authtape");
pub const MCP: &str = "http://mcp.demo.localhost/mcp";

/// A tape of the reference client whose servers are gone, and a caller's home with something to lose.
pub struct Tape {
    pub folder: TempDir,
    /// What the file holds.
    kinds: Vec<Kind>,
}

impl Tape {
    pub fn record(change: impl FnOnce(&mut Plan), client: &[&str]) -> Self {
        let mut plan = Plan { names: Names::MadeUp, seed: [7; 32], ..Plan::default() };
        change(&mut plan);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = runtime.block_on(World::start(plan)).unwrap();
        let tape = Self::of(&world, client);
        runtime.block_on(world.stop());
        tape
    }

    /// A tape of servers that go on.
    pub fn of(world: &World, client: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sentinel"), "mine").unwrap();
        let mut command = authtape(folder.path());
        command.args(["record", "-o", "tape.yaml", "--user-agent", "auto", "--home", "temp"]);
        command.args(world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]));
        let output = command.args(["--", AUTHTAPE, "client", &world.url]).args(client).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        let tape = Self { kinds: kinds(&folder.path().join("tape.yaml")), folder };
        assert!(tape.kinds.len() > 5, "{:?}", tape.kinds);
        tape
    }

    pub fn replay(&self, options: &[&str], client: &[&str]) -> Output {
        let output = authtape(self.folder.path()).arg("replay").args(["tape.yaml"]).args(options).arg("--").args(client).output().unwrap();
        self.check_home();
        output
    }

    pub fn reference(&self, options: &[&str], client: &[&str]) -> Output {
        self.replay(options, &[&[AUTHTAPE, "client", MCP], client].concat())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The caller's home holds what it held, and nothing of the client's.
    fn check_home(&self) {
        assert_eq!(fs::read_to_string(self.path("sentinel")).unwrap(), "mine");
        assert!(!self.path(".local").exists() && !self.path(".config").exists());
    }
}

pub fn authtape(home: &Path) -> Command {
    let mut command = Command::new(AUTHTAPE);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).env("TMPDIR", home).current_dir(home);
    command
}

pub(crate) fn kinds(path: &Path) -> Vec<Kind> {
    Cassette::load(path).unwrap().interactions.iter().map(|interaction| interaction.kind).collect()
}

pub fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub const ECHO: &[&str] = &["--list", "--tool", "echo", "--arguments", r#"{"text":"hi"}"#];

pub fn legacy(plan: &mut Plan) {
    plan.server.versions = vec!["2025-11-25".to_owned()];
}

#[test]
fn the_reference_client_completes_twice_against_its_own_tape() {
    let worlds: [fn(&mut Plan); 6] = [
        |_| {},
        legacy,
        |plan| {
            legacy(plan);
            plan.server.reply = ReplyForm::Stream;
        },
        |plan| {
            legacy(plan);
            plan.server.reply = ReplyForm::Poll;
        },
        |plan| {
            legacy(plan);
            (plan.server.session_required, plan.server.get_stream) = (false, false);
        },
        |plan| {
            plan.issuer.auth_methods = vec![AuthMethod::Basic];
            (plan.issuer.rotation, plan.issuer.send_iss) = (Rotation::Never, false);
        },
    ];
    for world in worlds {
        let tape = Tape::record(world, ECHO);
        for run in ["first.yaml", "second.yaml"] {
            let output = tape.reference(&["-o", run], ECHO);
            assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
            assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("hi"));
            assert!(talk(&output).contains("no miss"), "{}", talk(&output));
            let mut replayed = kinds(&tape.path(run));
            let mut recorded = tape.kinds.clone();
            replayed.sort_unstable();
            recorded.sort_unstable();
            assert_eq!(replayed, recorded);
        }
    }
}

#[test]
fn nobody_gets_past_the_gate_without_a_bearer_of_this_run() {
    let tape = Tape::record(|_| {}, ECHO);
    let text = fs::read_to_string(tape.path("tape.yaml")).unwrap();
    let placeholder = text.split("access_token: ").nth(1).and_then(|rest| rest.split([',', '\n']).next()).unwrap();
    assert!(placeholder.contains("SCRUBBED"), "{placeholder}");
    let status =
        "curl -s -o /dev/null -w '%{http_code} ' -H 'accept: application/json, text/event-stream' -H 'content-type: application/json'";
    let body = format!(r#"-d '{{"jsonrpc":"2.0","id":1,"method":"tools/list"}}' {MCP}"#);
    let bearers = [String::new(), format!("-H 'authorization: Bearer {placeholder}'"), "-H 'authorization: Bearer at_stale'".to_owned()];
    let script: Vec<String> = bearers.iter().map(|bearer| format!("{status} {bearer} {body}")).collect();
    let output = tape.replay(&[], &["sh", "-c", &script.join("; ")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "401 401 401", "{}", talk(&output));
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
}

#[test]
fn a_call_that_is_not_on_the_tape_is_a_miss_with_its_reasons() {
    for world in [|_: &mut Plan| {}, legacy] {
        let tape = Tape::record(world, ECHO);
        let output = tape.reference(&[], &["--tool", "echo", "--arguments", r#"{"text":"other","more":1}"#]);
        let talk = talk(&output);
        assert_eq!(output.status.code(), Some(1), "{talk}");
        assert!(talk.contains("miss: tools/call echo at mcp.demo.localhost/mcp is not on the tape; nearest is interaction"), "{talk}");
        assert!(talk.contains("params.arguments.text differs; params.arguments.more is not on the tape"), "{talk}");
    }
}

#[test]
fn a_run_without_traffic_fails_and_a_real_home_is_asked_for() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = tape.replay(&[], &["true"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(talk(&output).contains("nothing came through the proxy"), "{}", talk(&output));
    for options in [&["--home", "real"][..], &["--user-agent", "system"]] {
        let output = tape.replay(options, &["touch", "started"]);
        assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    }
    assert_eq!(tape.replay(&[], &["no-such-client"]).status.code(), Some(127));
    assert_eq!(tape.replay(&["--timeout", "1s"], &["sleep", "30"]).status.code(), Some(124));
    assert!(!tape.path("started").exists());
}

#[test]
fn hosts_that_are_not_on_the_tape_get_a_404_and_are_no_miss() {
    let tape = Tape::record(|_| {}, ECHO);
    let script = format!("curl -s -o /dev/null -w '%{{http_code}}' http://api.elsewhere.test/v1; curl -s -o /dev/null {MCP}");
    let output = tape.replay(&[], &["sh", "-c", &script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "404");
    assert!(talk(&output).contains("api.elsewhere.test ×1"), "{}", talk(&output));
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
}

#[test]
fn a_run_takes_the_place_of_neither_its_tape_nor_a_device() {
    let tape = Tape::record(|_| {}, ECHO);
    let before = fs::read(tape.path("tape.yaml")).unwrap();
    for output in ["tape.yaml", "./tape.yaml", "/dev/null"] {
        let replayed = tape.replay(&["-o", output, "--force"], &["true"]);
        assert_eq!(replayed.status.code(), Some(2), "{}", talk(&replayed));
    }
    assert_eq!(fs::read(tape.path("tape.yaml")).unwrap(), before);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}
