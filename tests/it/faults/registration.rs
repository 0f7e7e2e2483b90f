//! Faults of registration: each fires, and the reference client does what is right.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use super::{broken, count};
use crate::replay::{AUTHTAPE, ECHO, MCP, Tape, talk};
use authtape::protocol::Kind;

/// Registrations, authorization requests and code exchanges of the last run.
fn steps(tape: &Tape) -> [usize; 3] {
    [Kind::DcrCreate, Kind::Authorize, Kind::TokenCode].map(|kind| count(tape, kind))
}

/// Replays with one fault: what the client returned, what was said, what the run holds.
fn under(tape: &Tape, fault: &str, client: &[&str]) -> (Option<i32>, String, [usize; 3]) {
    let output = broken(tape, &[fault], client);
    let name = fault.split(':').next().unwrap();
    let said = talk(&output);
    assert!(said.lines().any(|line| line.starts_with(&format!("fault: {name}")) && line.contains(" fired ")), "{said}");
    assert!(!said.contains("never fired"), "{said}");
    (output.status.code(), said, steps(tape))
}

#[test]
fn a_refused_registration_ends_the_login_before_any_browser_opens() {
    let tape = Tape::record(|_| {}, ECHO);
    for (fault, expected) in [
        ("dcr-rejected-403", "(403)"),
        ("dcr-invalid-redirect-uri", "invalid_redirect_uri"),
        ("dcr-response-differs", "other redirect URIs"),
    ] {
        let (code, said, steps) = under(&tape, fault, ECHO);
        assert_eq!((code, steps), (Some(1), [1, 0, 0]), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_registration_is_repeated_a_few_times_where_the_server_asks_to_wait() {
    let tape = Tape::record(|_| {}, ECHO);
    let (code, said, steps) = under(&tape, "dcr-rate-limited:seconds=0", ECHO);
    assert_eq!((code, steps), (Some(0), [2, 1, 1]), "{said}");
    let (code, said, steps) = under(&tape, "dcr-rate-limited:seconds=0,life=forever", ECHO);
    assert_eq!((code, steps), (Some(1), [3, 0, 0]), "{said}");
}

#[test]
fn what_the_server_registered_is_what_counts() {
    let tape = Tape::record(|_| {}, ECHO);
    for fault in [
        "dcr-auth-method-changed",
        "dcr-auth-method-changed:auth=basic",
        "dcr-response-differs:what=grant_types",
        "dcr-response-differs:what=scope",
        "dcr-response-differs:what=client_name",
    ] {
        let (code, said, steps) = under(&tape, fault, ECHO);
        assert_eq!((code, steps), (Some(0), [1, 1, 1]), "{fault}: {said}");
    }
    let (code, said, steps) = under(&tape, "dcr-secret-expired", ECHO);
    assert_eq!((code, steps), (Some(0), [2, 1, 1]), "{said}");
    let (code, said, steps) = under(&tape, "dcr-secret-expired:life=forever", ECHO);
    assert_eq!((code, steps), (Some(1), [2, 0, 0]), "{said}");
}

#[test]
fn a_forgotten_client_registers_once_more() {
    let tape = Tape::record(|_| {}, ECHO);
    // A client that logged in earlier.
    let login = format!("{AUTHTAPE} client {MCP}");
    let output = tape.reference(&["-o", "run.yaml", "--setup", &login, "--fault", "dcr-client-pruned"], ECHO);
    assert_eq!((output.status.code(), steps(&tape)), (Some(0), [2, 2, 2]), "{}", talk(&output));
    assert!(talk(&output).contains("fault: dcr-client-pruned fired once"), "{}", talk(&output));
    assert_eq!(count(&tape, Kind::TokenRefresh), 1);
    // With an older registration at the authorization endpoint: one request by the browser, one look by the client itself.
    let twice = format!("{AUTHTAPE} client {MCP} --list && {AUTHTAPE} client {MCP} --login --timeout 1 --list");
    for fault in ["authorize-unknown-client:nth=2", "dcr-client-pruned:kind=authorize,nth=2"] {
        let output = tape.replay(&["-o", "run.yaml", "--force", "--fault", fault], &["sh", "-c", &twice]);
        assert_eq!((output.status.code(), steps(&tape)), (Some(0), [2, 4, 2]), "{}", talk(&output));
        assert!(talk(&output).contains("turns its authorization request away"), "{}", talk(&output));
    }
}

#[test]
fn a_method_that_the_server_does_not_take_ends_the_login() {
    let tape = Tape::record(|_| {}, ECHO);
    for (fault, expected) in
        [("token-auth-method-only", "invalid_client"), ("token-auth-method-only:auth=post,says=missing", "invalid_request")]
    {
        let (code, said, steps) = under(&tape, fault, ECHO);
        assert_eq!((code, steps), (Some(1), [1, 1, 1]), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_document_that_the_server_cannot_get_is_replaced_by_a_registration() {
    let tape = Tape::record(|plan| plan.issuer.client_documents = true, ECHO);
    let document = &[ECHO, &["--timeout", "1", "--client-metadata-url", "https://client.example.test/client.json"]].concat();
    for fault in ["cimd-unresolvable", "cimd-unresolvable:status=500"] {
        let (code, said, steps) = under(&tape, fault, document);
        assert_eq!((code, steps), (Some(0), [1, 3, 1]), "{said}");
    }
}
