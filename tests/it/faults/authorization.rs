//! Faults of the authorization endpoint and of the callback: each fires, and the reference client does what is right.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use super::{broken, count};
use crate::replay::{ECHO, Tape, talk};
use authtape::cassette::Cassette;
use authtape::protocol::Kind;

/// Replays with one fault: what the client returned, what was said, and how many authorization requests, callbacks and code exchanges
/// the run holds.
fn under(tape: &Tape, fault: &str, client: &[&str]) -> (Option<i32>, String, [usize; 3]) {
    let output = broken(tape, &[fault], &[ECHO, client].concat());
    let name = fault.split(':').next().unwrap();
    let said = talk(&output);
    assert!(said.lines().any(|line| line.starts_with(&format!("fault: {name}")) && line.contains(" fired ")), "{said}");
    assert!(!said.contains("never fired"), "{said}");
    (output.status.code(), said, [Kind::Authorize, Kind::Callback, Kind::TokenCode].map(|kind| count(tape, kind)))
}

#[test]
fn an_answer_that_is_not_to_be_trusted_is_thrown_away() {
    let tape = Tape::record(|_| {}, ECHO);
    for (fault, expected) in [
        ("callback-wrong-state", "a state that is not ours"),
        ("callback-wrong-state:how=missing", "a state that is not ours"),
        ("callback-iss-wrong", "another authorization server than"),
        ("callback-iss-missing", "does not name its authorization server"),
        ("callback-access-denied", "access_denied"),
    ] {
        let (code, said, steps) = under(&tape, fault, &[]);
        assert_eq!((code, steps), (Some(1), [1, 1, 0]), "{fault}: {said}");
        assert!(said.contains(expected), "{said}");
        let run = Cassette::load(&tape.path("run.yaml")).unwrap();
        let callback = run.interactions.iter().find(|own| own.kind == Kind::Callback).unwrap();
        assert_eq!(callback.exchange.response().unwrap().status, 400);
    }
}

#[test]
fn a_second_callback_changes_nothing() {
    let tape = Tape::record(|_| {}, ECHO);
    let (code, said, steps) = under(&tape, "callback-duplicated", &[]);
    assert_eq!((code, steps), (Some(0), [1, 2, 1]), "{said}");
}

#[test]
fn a_callback_that_comes_too_late_or_elsewhere_is_waited_for_no_longer_than_stated() {
    let tape = Tape::record(|_| {}, ECHO);
    for fault in ["callback-late:seconds=30", "callback-wrong-port"] {
        let (code, said, [_, callbacks, codes]) = under(&tape, fault, &["--timeout", "1"]);
        assert_eq!((code, callbacks, codes), (Some(4), 1, 0), "{said}");
        assert!(said.contains("the browser did not come back within 1 s"), "{said}");
    }
    let (code, said, [_, callbacks, codes]) = under(&tape, "authorize-url-cut", &["--timeout", "1"]);
    assert_eq!((code, callbacks, codes), (Some(4), 0, 0), "{said}");
    // Cut within the state: the server still knows where to go.
    let (code, said, steps) = under(&tape, "authorize-url-cut:at=columns,columns=180", &["--timeout", "1"]);
    assert_eq!((code, steps), (Some(1), [1, 1, 0]), "{said}");
    assert!(said.contains("a state that is not ours"), "{said}");
    let (code, said, _) = under(&tape, "authorize-url-cut:at=columns", &["--timeout", "1"]);
    assert_eq!(code, Some(4), "{said}");
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let first = run.interactions.iter().find(|own| own.kind == Kind::Authorize).unwrap();
    assert_eq!(first.exchange.response().unwrap().status, 400);
}

#[test]
fn a_strict_server_is_passed() {
    let tape = Tape::record(|_| {}, ECHO);
    for fault in [
        "authorize-needs-state",
        "redirect-strict",
        "redirect-strict:match=path",
        "redirect-strict:match=host",
        "callback-address-family",
        "callback-address-family:family=4",
    ] {
        let (code, said, steps) = under(&tape, fault, &[]);
        assert_eq!((code, steps), (Some(0), [1, 1, 1]), "{fault}: {said}");
        assert!(said.contains("which a correct client passes"), "{said}");
    }
}

#[test]
fn a_client_that_the_server_does_not_know_waits_no_longer_than_stated() {
    let tape = Tape::record(|_| {}, ECHO);
    for fault in ["authorize-unknown-client", "redirect-strict:uri=https://app.example.test/callback"] {
        let (code, said, steps) = under(&tape, fault, &["--timeout", "1"]);
        assert_eq!((code, steps), (Some(1), [2, 0, 0]), "{fault}: {said}");
    }
}

#[test]
fn a_scope_that_cannot_be_asked_for_is_reported() {
    let tape = Tape::record(|_| {}, ECHO);
    for (fault, steps) in [
        ("authorize-scope-rule", [1, 1, 0]),
        ("authorize-scope-rule:require=admin", [1, 1, 0]),
        ("authorize-scope-rule:at=token", [1, 1, 1]),
    ] {
        let (code, said, own) = under(&tape, fault, &[]);
        assert_eq!((code, own), (Some(1), steps), "{fault}: {said}");
        assert!(said.contains("invalid_scope"), "{said}");
    }
}
