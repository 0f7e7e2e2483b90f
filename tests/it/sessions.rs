//! Several client processes in one home: one after the other, at once, with time that passes in between, killed on the way.

use super::replay::{AUTHTAPE, ECHO, MCP, Tape, authtape, talk};
use authtape::cassette::Cassette;
use authtape::protocol::Kind;
use std::process::Output;

fn run_of(tape: &Tape) -> Cassette {
    Cassette::load(&tape.path("run.yaml")).expect("the run")
}

/// What a session did, by kind.
fn count(run: &Cassette, session: u32, kind: Kind) -> usize {
    run.interactions.iter().filter(|own| own.exchange.session == session && own.kind == kind).count()
}

fn refused(run: &Cassette, session: u32) -> usize {
    let of_session = run.interactions.iter().filter(|own| own.exchange.session == session);
    of_session.filter(|own| own.exchange.status() == Some(401)).count()
}

fn replayed(tape: &Tape, options: &[&str]) -> Output {
    tape.reference(&[&["-o", "run.yaml", "--force"], options].concat(), ECHO)
}

#[test]
fn the_second_session_uses_what_the_first_one_stored() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = replayed(&tape, &["--sessions", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let run = run_of(&tape);
    let sessions: Vec<_> = run.header.sessions.iter().map(|own| (own.session, own.exit)).collect();
    assert_eq!(sessions, [(1, Some(0)), (2, Some(0))]);
    let did = |session, kind| count(&run, session, kind);
    assert_eq!((did(1, Kind::Authorize), did(1, Kind::TokenCode)), (1, 1));
    assert_eq!((did(2, Kind::Authorize), did(2, Kind::TokenCode), did(2, Kind::TokenRefresh)), (0, 0, 0));
    assert!(did(2, Kind::McpRequest) >= 2 && refused(&run, 2) == 0);
}

#[test]
fn time_that_passes_unseen_is_a_401_and_one_refresh() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = replayed(&tape, &["--sessions", "2", "--advance", "13h"]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let run = run_of(&tape);
    assert_eq!((refused(&run, 2), count(&run, 2, Kind::TokenRefresh), count(&run, 2, Kind::TokenCode)), (1, 1, 0));
}

#[test]
fn three_at_once_refresh_once() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = replayed(&tape, &["--sessions", "2", "--parallel", "3", "--advance", "13h", "--fault", "refresh-strict-rotation"]);
    let said = talk(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let run = run_of(&tape);
    assert_eq!(run.header.sessions.iter().map(|own| own.session).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let last = |kind| (2..=4).map(|session| count(&run, session, kind)).sum::<usize>();
    assert_eq!((last(Kind::TokenRefresh), last(Kind::TokenCode)), (1, 0), "{said}");
    for session in 2..=4 {
        assert!(count(&run, session, Kind::McpRequest) >= 2, "{said}");
    }
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let of = |label: &str| printed.lines().filter(|line| line.starts_with(label)).count();
    // The first session prints as it likes.
    assert!(of("[1] ") > 0 && of("[1] ") == of("[2] ") && of("[2] ") == of("[3] "), "{printed}");
}

#[test]
fn several_at_once_get_nothing_to_read_and_the_highest_code_counts() {
    let tape = Tape::record(|_| {}, ECHO);
    let script = format!("cat; {AUTHTAPE} client {MCP} >&2; mkdir taken 2>/dev/null && exit 3; exit 5");
    let output = tape.replay(&["--parallel", "2"], &["sh", "-c", &script]);
    assert_eq!(output.status.code(), Some(5), "{}", talk(&output));
    assert!(talk(&output).contains("[1] ") && talk(&output).contains("[2] "), "{}", talk(&output));
}

/// A scenario beside the tape.
fn scenario(tape: &Tape, text: &str, options: &[&str], client: &[&str]) -> Output {
    std::fs::write(tape.path("scenario.yaml"), format!("scenario: 1\ncassette: tape.yaml\n{text}")).expect("written");
    let mut command = authtape(tape.folder.path());
    command.args(["replay", "--scenario", "scenario.yaml", "-o", "run.yaml", "--force"]).args(options).arg("--").args(client);
    command.output().expect("it runs")
}

#[test]
fn a_client_killed_between_authorize_and_callback_logs_in_anew() {
    let tape = Tape::record(|_| {}, ECHO);
    let text = "sessions:\n  - kill: {after: authorize}\n  - run\n";
    let output = scenario(&tape, text, &[], &[&[AUTHTAPE, "client", MCP], ECHO].concat());
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let run = run_of(&tape);
    let ends: Vec<_> = run.header.sessions.iter().map(|own| (own.exit, own.signal)).collect();
    assert_eq!(ends, [(None, Some(9)), (Some(0), None)]);
    assert_eq!((count(&run, 1, Kind::Authorize), count(&run, 1, Kind::TokenCode)), (1, 0));
    assert_eq!((count(&run, 2, Kind::Authorize), count(&run, 2, Kind::TokenCode)), (1, 1));
}

#[test]
fn a_kill_that_never_came_fails_the_run() {
    let tape = Tape::record(|_| {}, ECHO);
    let text = "sessions:\n  - run\n  - kill: {after: token-refresh}\n";
    let output = scenario(&tape, text, &[], &[&[AUTHTAPE, "client", MCP], ECHO].concat());
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("session 2 was never killed: no token-refresh was answered"), "{}", talk(&output));
}

#[test]
fn a_scenario_with_every_part_gives_the_same_run_five_times() {
    let tape = Tape::record(|_| {}, ECHO);
    let text = format!(
        "name: vendor error\nabout: the vendor answers 503 once\nfaults:\n  - {{fault: refresh-5xx, status: 502, count: 1}}\nsetup:\n           - {AUTHTAPE} client {MCP}\nsessions:\n  - run\n  - advance: 13h\n  - run\noptions: {{expires_in: 3600, seed: 7, timeout: 30s}}\n"
    );
    let runs: Vec<Vec<(u32, Kind)>> = (0..5)
        .map(|_| {
            let output = scenario(&tape, &text, &[], &[&[AUTHTAPE, "client", MCP], ECHO].concat());
            assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
            assert!(talk(&output).contains("refresh-5xx:status=502,count=1 fired once"), "{}", talk(&output));
            run_of(&tape).interactions.iter().map(|own| (own.exchange.session, own.kind)).collect()
        })
        .collect();
    assert!(runs.iter().all(|run| *run == runs[0]));
    let last: Vec<Kind> = runs[0].iter().filter(|(session, _)| *session == 3).map(|(_, kind)| *kind).collect();
    assert_eq!(last.iter().filter(|kind| **kind == Kind::TokenRefresh).count(), 2, "{last:?}");
}

#[test]
fn a_scenario_is_refused_before_the_client_starts() {
    let tape = Tape::record(|_| {}, ECHO);
    let touched = tape.path("touched");
    for (text, options, code, reason) in [
        ("faults: [refresh-invalid-grand]\n", [].as_slice(), 3, "scenario.yaml:3:"),
        ("fautls: []\n", &[], 3, "did you mean faults?"),
        ("faults: [refresh-5xx]\n", &["--fault", "refresh-5xx"], 2, "--fault: the scenario says it too"),
        ("options: {seed: 7}\n", &["--seed", "7"], 2, "--seed: the scenario says it too"),
        ("sessions: [run]\n", &["--sessions", "2"], 2, "the scenario says it too"),
    ] {
        let output = scenario(&tape, text, options, &["touch", touched.to_str().expect("text")]);
        assert_eq!(output.status.code(), Some(code), "{}", talk(&output));
        assert!(talk(&output).contains(reason), "{text}: {}", talk(&output));
        assert!(!touched.exists());
    }
}

#[test]
fn what_cannot_be_is_refused_before_the_client_starts() {
    let tape = Tape::record(|_| {}, ECHO);
    let touched = tape.path("touched");
    for (options, reason) in [
        (["--advance", "13h"].as_slice(), "no session comes before it"),
        (&["--sessions", "2", "--advance", "1.5h"], "expected a time such as"),
        (&["--sessions", "0"], "--sessions"),
        (&["--parallel", "65"], "--parallel"),
    ] {
        let output = tape.replay(options, &["touch", touched.to_str().expect("text")]);
        assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
        assert!(talk(&output).contains(reason), "{options:?}: {}", talk(&output));
        assert!(!touched.exists());
    }
}
