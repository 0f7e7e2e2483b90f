//! Faults of refresh and revocation, against the reference client.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use super::super::replay::{AUTHTAPE, ECHO, MCP, Tape, talk};
use super::{broken, count};
use authtape::protocol::Kind;
use std::process::Output;

/// Requests that log in: registrations, code exchanges, refreshes.
const LOGIN: [Kind; 3] = [Kind::DcrCreate, Kind::TokenCode, Kind::TokenRefresh];

/// The faults, the exit code, how many requests of each of [`LOGIN`], and what is said.
type Case = (&'static [&'static str], i32, [usize; 3], &'static str);

/// The client logs in, starts again, and meets the faults then.
fn check(tape: &Tape, case: Case) {
    let setup = format!("{AUTHTAPE} client {MCP}");
    let options = ["-o", "run.yaml", "--force", "--setup", &setup].into_iter().chain(case.0.iter().flat_map(|own| ["--fault", own]));
    judge(tape, case, &tape.reference(&options.collect::<Vec<_>>(), ECHO));
}

fn judge(tape: &Tape, (faults, exit, counts, says): Case, output: &Output) {
    let talk = talk(output);
    assert_eq!(output.status.code(), Some(exit), "{faults:?}: {talk}");
    for fault in faults {
        let name = fault.split(':').next().unwrap();
        assert!(talk.contains(&format!("fault: {name}")), "{faults:?}: {talk}");
    }
    assert!(!talk.contains("never fired") && talk.contains(says), "{faults:?}: {talk}");
    assert_eq!(LOGIN.map(|kind| count(tape, kind)), counts, "{faults:?}: {talk}");
}

#[test]
fn each_answer_to_a_refresh_leads_to_what_the_rfcs_say() {
    let tape = Tape::record(|_| {}, ECHO);
    let cases: [Case; 8] = [
        // Dead: one login, with another client where the client is what is dead.
        (&["refresh-invalid-grant"], 0, [1, 2, 1], "invalid_grant"),
        (&["refresh-invalid-client"], 0, [2, 2, 1], "invalid_client"),
        // Busy or gone: again, with the same token.
        (&["refresh-429:seconds=0"], 0, [1, 1, 2], "refresh-429:seconds=0 fired once"),
        (&["refresh-unreachable"], 0, [1, 1, 3], "refresh-unreachable fired 2 times"),
        (&["refresh-slow:seconds=0.05"], 0, [1, 1, 1], "fired once"),
        // Nothing that is known about the token: it is kept.
        (&["refresh-dead-other-code"], 1, [1, 1, 1], "invalid_request"),
        (&["refresh-needs-scope"], 1, [1, 1, 1], "invalid_request"),
        (&["token-waf-403:kind=token-refresh"], 4, [1, 1, 1], "something before"),
    ];
    cases.into_iter().for_each(|case| check(&tape, case));
}

#[test]
fn rotation_is_met_with_the_token_that_is_good() {
    let tape = Tape::record(|_| {}, ECHO);
    let cases: [Case; 6] = [
        // The second try presents a token that was replaced: one login. With grace it gets the pair that was lost.
        (&["refresh-response-lost"], 0, [1, 2, 2], "fired once"),
        (&["refresh-response-lost", "refresh-grace"], 0, [1, 1, 2], "which a correct client passes"),
        (&["refresh-grace"], 0, [1, 1, 1], "which a correct client passes"),
        (&["refresh-strict-rotation"], 0, [1, 1, 1], "fired once"),
        (&["refreshed-token-401"], 0, [1, 2, 1], "fired once"),
        (&["refresh-needs-resource"], 0, [1, 1, 1], "which a correct client passes"),
    ];
    cases.into_iter().for_each(|case| check(&tape, case));
    // Each token has ended when it comes, so that every request but the first refreshes.
    let output = broken(&tape, &["refresh-no-new-token", "token-expires-in-odd:value=0,life=forever"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(count(&tape, Kind::TokenRefresh) >= 2 && count(&tape, Kind::TokenCode) == 1, "{}", talk(&output));
}

#[test]
fn rules_about_resource_hold_where_they_are_set() {
    let tape = Tape::record(|_| {}, ECHO);
    let cases: [Case; 6] = [
        (&["resource-strict"], 0, [1, 1, 0], "fired 2 times"),
        (&["resource-strict:rule=require"], 0, [1, 1, 0], "fired 2 times"),
        (&["resource-strict:rule=exact,kind=token-refresh"], 0, [1, 1, 1], "fired once"),
        (&["resource-strict:rule=forbid,kind=authorize"], 1, [1, 0, 0], "invalid_target"),
        (&["resource-strict:rule=forbid,kind=token-code"], 1, [1, 1, 0], "invalid_target"),
        (&["refresh-rejects-resource"], 1, [1, 1, 1], "invalid_target"),
    ];
    for case in cases {
        judge(&tape, case, &broken(&tape, case.0, ECHO));
    }
    let output = broken(&tape, &["resource-strict:kind=revoke"], ECHO);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
}

/// The same refresh token refused the same way in two separate attempts leads to one login.
#[test]
fn a_token_that_is_refused_twice_without_a_reason_is_given_up() {
    let tape = Tape::record(|_| {}, ECHO);
    let client = format!("{AUTHTAPE} client {MCP} --list");
    for fault in ["refresh-dead-other-code", "refresh-dead-other-code:code=unauthorized_client", "refresh-400-vendor"] {
        let output = tape.replay(&["-o", "run.yaml", "--force", "--fault", fault], &["sh", "-c", &format!("{client}; {client}; {client}")]);
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        assert_eq!(LOGIN.map(|kind| count(&tape, kind)), [1, 2, 2], "{fault}: {}", talk(&output));
    }
}

#[test]
fn a_logout_says_when_the_token_may_live_on() {
    let tape = Tape::record(|_| {}, ECHO);
    let script = format!("{AUTHTAPE} client {MCP} --list; {AUTHTAPE} client {MCP} --logout");
    for (fault, revocations, lives_on) in [("revoke-fails", 2, false), ("revoke-fails:status=400", 1, true)] {
        let output = tape.replay(&["-o", "run.yaml", "--force", "--fault", fault], &["sh", "-c", &script]);
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        assert!(talk(&output).contains(&format!("fault: {fault} fired once")), "{}", talk(&output));
        assert_eq!(count(&tape, Kind::Revoke), revocations, "{}", talk(&output));
        assert_eq!(talk(&output).contains("may still be good"), lives_on, "{}", talk(&output));
    }
}
