//! Faults of the code exchange and of the shape of tokens, against the reference client.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use super::super::replay::{AUTHTAPE, ECHO, MCP, Tape, talk};
use super::{broken, count};
use authtape::model::Scope;
use authtape::protocol::Kind;

/// What the reference client does: exit code, token requests with a code, token requests with a refresh token.
struct Case {
    faults: &'static [&'static str],
    exit: i32,
    codes: usize,
    refreshes: usize,
    says: &'static str,
}

fn check(tape: &Tape, case: &Case) {
    let output = broken(tape, case.faults, ECHO);
    let talk = talk(&output);
    let name = case.faults[0].split(':').next().unwrap();
    assert_eq!(output.status.code(), Some(case.exit), "{name}: {talk}");
    assert!(talk.contains(&format!("fault: {name}")) && !talk.contains("never fired"), "{name}: {talk}");
    assert!(talk.contains(case.says), "{name}: {talk}");
    assert_eq!((count(tape, Kind::TokenCode), count(tape, Kind::TokenRefresh)), (case.codes, case.refreshes), "{name}: {talk}");
}

#[test]
fn a_code_is_never_sent_twice_but_for_a_server_that_is_down() {
    let tape = Tape::record(|_| {}, ECHO);
    for case in [
        Case { faults: &["code-expired"], exit: 1, codes: 1, refreshes: 0, says: "invalid_grant" },
        Case { faults: &["pkce-rejected"], exit: 1, codes: 1, refreshes: 0, says: "invalid_grant" },
        Case { faults: &["code-exchange-5xx"], exit: 0, codes: 2, refreshes: 0, says: "fired once" },
        Case { faults: &["code-exchange-5xx:count=9"], exit: 4, codes: 2, refreshes: 0, says: "cannot answer now" },
        Case { faults: &["code-exchange-slow:seconds=0.05"], exit: 0, codes: 1, refreshes: 0, says: "fired once" },
        Case { faults: &["token-error-in-200"], exit: 1, codes: 1, refreshes: 0, says: "bad_verification_code" },
        Case { faults: &["token-waf-403"], exit: 4, codes: 1, refreshes: 0, says: "something before" },
    ] {
        check(&tape, &case);
        assert_eq!(count(&tape, Kind::Callback), 1, "{:?}", case.faults);
    }
}

#[test]
fn a_refused_code_leads_to_another_one_at_the_next_start() {
    let tape = Tape::record(|_| {}, ECHO);
    let twice = format!("{AUTHTAPE} client {MCP}; {AUTHTAPE} client {MCP} --list");
    for fault in ["code-expired", "pkce-rejected"] {
        let output = tape.replay(&["-o", "run.yaml", "--force", "--fault", fault], &["sh", "-c", &twice]);
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        // Anew, with another state and another PKCE pair: the model takes no other.
        let counts = [Kind::Authorize, Kind::TokenCode, Kind::DcrCreate].map(|kind| count(&tape, kind));
        assert_eq!(counts, [2, 2, 1], "{fault}: {}", talk(&output));
    }
}

#[test]
fn the_lifetime_of_a_token_is_what_the_answer_says_and_no_more() {
    let tape = Tape::record(|_| {}, ECHO);
    for case in [
        // Unknown: the 401 says when it is over.
        Case { faults: &["token-no-expires-in", "early-401"], exit: 0, codes: 1, refreshes: 1, says: "fired 2 times" },
        Case { faults: &["token-expires-in-odd:value=0"], exit: 0, codes: 1, refreshes: 1, says: "fired once" },
        Case { faults: &["token-expires-in-odd:value=text"], exit: 0, codes: 1, refreshes: 0, says: "fired once" },
        Case { faults: &["null-members"], exit: 0, codes: 1, refreshes: 0, says: "which a correct client passes" },
    ] {
        check(&tape, &case);
    }
}

#[test]
fn without_a_refresh_token_nothing_is_refreshed() {
    let tape = Tape::record(|_| {}, ECHO);
    let setup = format!("{AUTHTAPE} client {MCP}");
    let faults = ["--fault", "token-no-refresh-token", "--fault", "early-401"];
    let options = [&["-o", "run.yaml", "--setup", &setup][..], &faults].concat();
    let output = tape.reference(&options, ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(talk(&output).contains("token-no-refresh-token fired 2 times"), "{}", talk(&output));
    assert_eq!((count(&tape, Kind::TokenCode), count(&tape, Kind::TokenRefresh)), (2, 0), "{}", talk(&output));
}

#[test]
fn less_scope_than_asked_for_is_kept_until_more_is_needed() {
    let needs = |plan: &mut authtape::demo::Plan| plan.server.tool_scopes = vec![("echo".to_owned(), Scope::parse("mcp:write"))];
    let tape = Tape::record(needs, ECHO);
    // Recorded with a step-up, and replayed with one.
    check(&tape, &Case { faults: &["token-narrow-scope"], exit: 0, codes: 2, refreshes: 0, says: "fired once" });
}
