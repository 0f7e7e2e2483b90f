//! The reference client told to misbehave, under the faults of registration and authorization: it fails, or falls for them.
//! Exempt: callback-address-family, which no client meets that sends the address it listens on.

use super::{broken, count};
use crate::replay::{AUTHTAPE, ECHO, MCP, Tape, talk};
use authtape::protocol::Kind;

/// Registrations, authorization requests and code exchanges of the last run.
fn steps(tape: &Tape) -> [usize; 3] {
    [Kind::DcrCreate, Kind::Authorize, Kind::TokenCode].map(|kind| count(tape, kind))
}

fn check(tape: &Tape, fault: &str, misbehave: &str, expected: (i32, [usize; 3])) {
    let output = broken(tape, &[fault], &[ECHO, &["--timeout", "1", "--misbehave", misbehave]].concat());
    let said = talk(&output);
    assert_eq!((output.status.code(), steps(tape)), (Some(expected.0), expected.1), "{fault}, {misbehave}: {said}");
    assert!(!said.contains("never fired"), "{said}");
}

#[test]
fn an_answer_that_is_not_to_be_trusted_is_taken() {
    let tape = Tape::record(|_| {}, ECHO);
    check(&tape, "callback-wrong-state", "state-mismatch-accepted", (0, [1, 1, 1]));
    check(&tape, "callback-iss-wrong", "iss-not-validated", (0, [1, 1, 1]));
    check(&tape, "callback-iss-missing", "iss-not-validated", (0, [1, 1, 1]));
    check(&tape, "callback-late:seconds=2", "callback-never-received", (0, [1, 1, 1]));
    check(&tape, "callback-duplicated", "code-replayed", (1, [1, 1, 2]));
}

#[test]
fn a_refused_login_begins_again_and_again() {
    let tape = Tape::record(|_| {}, ECHO);
    check(&tape, "dcr-rejected-403", "auth-loop", (1, [4, 0, 0]));
    check(&tape, "dcr-invalid-redirect-uri", "auth-loop", (1, [4, 0, 0]));
    check(&tape, "dcr-rate-limited:seconds=0,life=forever", "auth-loop", (1, [12, 0, 0]));
    check(&tape, "callback-access-denied:life=forever", "auth-loop", (1, [1, 4, 0]));
    check(&tape, "authorize-scope-rule", "auth-loop", (1, [1, 4, 0]));
    check(&tape, "token-auth-method-only", "auth-loop", (1, [4, 7, 7]));
}

#[test]
fn what_was_registered_is_not_what_is_sent() {
    let tape = Tape::record(|_| {}, ECHO);
    check(&tape, "redirect-strict", "redirect-uri-mismatch", (1, [1, 2, 0]));
    check(&tape, "dcr-response-differs", "redirect-uri-mismatch", (1, [1, 2, 0]));
    check(&tape, "dcr-auth-method-changed", "client-auth-mismatch", (1, [1, 1, 1]));
    check(&tape, "authorize-needs-state", "state-missing", (1, [1, 1, 0]));
    check(&tape, "dcr-secret-expired", "stale-client-reused", (1, [1, 1, 1]));
}

#[test]
fn a_dead_client_id_is_presented_again() {
    let tape = Tape::record(|_| {}, ECHO);
    let login = format!("{AUTHTAPE} client {MCP}");
    let stale = ["--timeout", "1", "--misbehave", "stale-client-reused"];
    let output = tape.reference(&["-o", "run.yaml", "--setup", &login, "--fault", "dcr-client-pruned"], &[ECHO, &stale].concat());
    assert_eq!((output.status.code(), steps(&tape)), (Some(1), [1, 5, 1]), "{}", talk(&output));
    let twice = format!("{login} --list && {login} --login {} --list", stale.join(" "));
    let options = ["-o", "run.yaml", "--force", "--fault", "authorize-unknown-client:nth=2"];
    let output = tape.replay(&options, &["sh", "-c", &twice]);
    assert_eq!((output.status.code(), steps(&tape)), (Some(1), [1, 5, 1]), "{}", talk(&output));
}

#[test]
fn a_callback_that_cannot_come_is_waited_for_without_end() {
    let tape = Tape::record(|plan| plan.issuer.client_documents = true, ECHO);
    for fault in ["callback-dropped", "callback-wrong-port", "authorize-url-cut", "cimd-unresolvable"] {
        let document = ["--client-metadata-url", "https://client.example.test/client.json"];
        let client = [ECHO, &["--timeout", "1", "--misbehave", "callback-never-received"], &document].concat();
        let output = tape.reference(&["-o", "run.yaml", "--force", "--timeout", "3s", "--fault", fault], &client);
        assert_eq!((output.status.code(), steps(&tape)), (Some(124), [0, 1, 0]), "{fault}: {}", talk(&output));
    }
}
