//! Faults of the MCP server as a resource server, through the binary with the reference client.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use super::{broken, count};
use crate::replay::{AUTHTAPE, ECHO, MCP, Tape, authtape, legacy, talk};
use authtape::cassette::Cassette;
use authtape::protocol::{Bearer, Kind, request_parameters};
use std::process::Output;

/// What a fault of the run says of itself.
fn fired(output: &Output, fault: &str) {
    assert!(talk(output).contains(&format!("fault: {fault} fired")), "{}", talk(output));
}

/// The tool call that takes no list.
const CALL: &[&str] = &["--tool", "echo", "--arguments", r#"{"text":"hi"}"#];

/// How often each of these kinds came.
fn counts<const N: usize>(tape: &Tape, kinds: [Kind; N]) -> [usize; N] {
    kinds.map(|kind| count(tape, kind))
}

/// The scopes that were asked for, in order.
fn scopes(tape: &Tape) -> Vec<String> {
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let asked = run.interactions.iter().filter(|own| own.kind == Kind::Authorize);
    asked.map(|own| request_parameters(&own.exchange.request).text("scope").unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_bearer_that_is_refused_early_and_its_refresh_lead_to_one_login() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["early-401-refresh-400"], ECHO);
    fired(&output, "early-401-refresh-400");
    // The one login of this process was its first; it does not ask a second time.
    assert_eq!(counts(&tape, [Kind::TokenRefresh, Kind::TokenCode]), [1, 1], "{}", talk(&output));
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));

    // A client that starts logged in asks once.
    let setup = format!("{AUTHTAPE} client {MCP}");
    let output = tape.reference(&["-o", "run.yaml", "--force", "--setup", &setup, "--fault", "early-401-refresh-400"], ECHO);
    fired(&output, "early-401-refresh-400");
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert_eq!(counts(&tape, [Kind::TokenRefresh, Kind::TokenCode, Kind::DcrCreate]), [1, 2, 1], "{}", talk(&output));

    let options = ["-o", "run.yaml", "--force", "--setup", &setup, "--fault", "early-401-refresh-400:body=vendor"];
    let output = tape.reference(&options, ECHO);
    assert_eq!(counts(&tape, [Kind::TokenRefresh, Kind::TokenCode]), [1, 1], "{}", talk(&output));
    assert_eq!(output.status.code(), Some(4), "{}", talk(&output));
}

#[test]
fn a_token_that_has_expired_before_the_last_session_is_refreshed_and_nobody_is_asked() {
    let tape = Tape::record(|_| {}, ECHO);
    let setup = format!("{AUTHTAPE} client {MCP}");
    let output = tape.reference(&["-o", "run.yaml", "--force", "--setup", &setup, "--fault", "expired-at-start"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    fired(&output, "expired-at-start");
    assert_eq!(count(&tape, Kind::TokenCode), 1, "{}", talk(&output));
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let last = |kind: Kind| run.interactions.iter().filter(|own| own.kind == kind && own.exchange.session == 2).count();
    assert_eq!((last(Kind::TokenRefresh), last(Kind::TokenCode)), (1, 0), "{}", talk(&output));

    let output = broken(&tape, &["expired-at-start"], ECHO);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("there is one session only"), "{}", talk(&output));
}

#[test]
fn bearers_that_are_never_taken_lead_to_one_refresh_and_one_login() {
    for world in [|_: &mut authtape::demo::Plan| {}, legacy] {
        let tape = Tape::record(world, ECHO);
        let output = broken(&tape, &["persistent-401"], ECHO);
        fired(&output, "persistent-401");
        assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
        assert!(talk(&output).contains("answers 401 even to a token from a new login"), "{}", talk(&output));
        assert_eq!(counts(&tape, [Kind::TokenRefresh, Kind::TokenCode]), [1, 1]);
    }
}

#[test]
fn the_resource_and_the_stream_are_no_reason_for_a_login() {
    let tape = Tape::record(legacy, ECHO);
    let output = broken(&tape, &["audience-401"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    fired(&output, "audience-401");
    assert_eq!(counts(&tape, [Kind::TokenRefresh, Kind::TokenCode]), [0, 1]);

    let output = broken(&tape, &["401-on-get-only"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    fired(&output, "401-on-get-only");
    assert!(count(&tape, Kind::TokenRefresh) <= 1 && count(&tape, Kind::TokenCode) == 1, "{}", talk(&output));
    assert_eq!(count(&tape, Kind::McpGetStream), 1);
}

#[test]
fn a_token_that_was_asked_for_nobody_is_refused() {
    let tape = Tape::record(|_| {}, ECHO);
    // A client that leaves `resource` out of everything: what it gets is refused.
    let output = tape.replay(&["--fault", "audience-401"], &["sh", "-c", WITHOUT_RESOURCE]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "401", "{}", talk(&output));
    fired(&output, "audience-401");
    let output = tape.replay(&[], &["sh", "-c", WITHOUT_RESOURCE]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "200", "{}", talk(&output));
}

/// A login by hand, with the verifier and the challenge of RFC 7636 appendix B, and one request.
const WITHOUT_RESOURCE: &str = r#"
auth=http://auth.demo.localhost
member() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
client=$(curl -s $auth/register -H 'content-type: application/json' -d '{"redirect_uris":["http://127.0.0.1:9/"],"token_endpoint_auth_method":"none"}' | member client_id)
query="response_type=code&client_id=$client&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
code=$(curl -s -o /dev/null -w '%{redirect_url}' "$auth/authorize?$query" | sed 's/.*code=\([^&]*\).*/\1/')
form="grant_type=authorization_code&client_id=$client&code=$code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
token=$(curl -s $auth/token -d "$form" | member access_token)
curl -s -o /dev/null -w '%{http_code}' http://mcp.demo.localhost/mcp -H "authorization: Bearer $token" \
  -H 'accept: application/json, text/event-stream' -H 'content-type: application/json' \
  -H 'mcp-protocol-version: 2026-07-28' -H 'mcp-method: tools/list' \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}'
"#;

#[test]
fn more_scope_is_asked_for_with_what_was_granted_and_a_few_times_at_most() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["scope-403"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    fired(&output, "scope-403");
    let asked = scopes(&tape);
    assert_eq!(asked.len(), 2, "{asked:?}");
    let has = |scope: &str, word: &str| scope.split(' ').any(|own| own == word);
    assert!(has(&asked[1], "authtape:more") && asked[0].split(' ').all(|word| has(&asked[1], word) || word.is_empty()), "{asked:?}");
    assert_eq!(count(&tape, Kind::TokenRefresh), 0);

    let output = broken(&tape, &["scope-403-forever"], ECHO);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    fired(&output, "scope-403-forever");
    assert_eq!(scopes(&tape).len(), 4, "the first login and three more");
}

#[test]
fn one_tool_does_not_cost_the_other() {
    let tape = Tape::record(|_| {}, ECHO);
    let client = format!("{AUTHTAPE} client {MCP} --tool echo --arguments '{{\"text\":\"hi\"}}'");
    let script = format!("{client} && {AUTHTAPE} client {MCP} --tool whoami; {client}");
    let output = tape.replay(&["-o", "run.yaml", "--force", "--fault", "scope-403-per-tool"], &["sh", "-c", &script]);
    fired(&output, "scope-403-per-tool");
    let asked = scopes(&tape);
    assert_eq!(asked.len(), 3, "{asked:?} {}", talk(&output));
    assert!(asked[1].contains("tool:echo") && asked[2].contains("tool:echo") && asked[2].contains("tool:whoami"), "{asked:?}");
}

#[test]
fn an_error_that_looks_like_success_is_shown() {
    for world in [|_: &mut authtape::demo::Plan| {}, legacy] {
        let tape = Tape::record(world, ECHO);
        for fault in ["auth-error-in-200", "auth-error-in-200:form=rpc"] {
            let output = broken(&tape, &[fault], CALL);
            assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
            fired(&output, fault);
            let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), talk(&output));
            assert!(shown.contains("Authentication required"), "{shown}");
            assert_eq!(counts(&tape, [Kind::TokenCode, Kind::TokenRefresh]), [1, 0]);
        }
    }
}

/// The tape of a vendor's own login.
const ACCOUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes/claude-account-login.yaml");

#[test]
fn account_endpoints_refuse_and_a_tape_without_them_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let profile = "curl -s -w ' %{http_code}' https://api.anthropic.com/api/oauth/profile -H 'authorization: Bearer x'";
    for (fault, says) in [("account-api-rejects", "permission_error"), ("account-api-rejects:status=401", "authentication_error")] {
        let mut command = authtape(home.path());
        let output = command.args(["replay", ACCOUNT, "--fault", fault, "--", "sh", "-c", profile]).output().unwrap();
        let body = String::from_utf8_lossy(&output.stdout);
        assert!(body.contains(says), "{body} {}", talk(&output));
        fired(&output, fault);
    }
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["account-api-rejects"], ECHO);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("the tape holds no account endpoint"), "{}", talk(&output));
}

#[test]
fn every_request_of_a_run_under_a_fault_still_carries_its_bearer() {
    let tape = Tape::record(legacy, ECHO);
    let output = broken(&tape, &["early-401"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let bare = run.interactions.iter().filter(|own| own.kind.is_mcp() && Bearer::of(&own.exchange.request).is_none()).count();
    assert_eq!(bare, 1, "only the first");
}

#[test]
fn clients_that_take_a_refusal_wrongly_are_seen() {
    let tape = Tape::record(|_| {}, ECHO);
    let wrong = |fault: &str, misbehave: &str| {
        let output = broken(&tape, &[fault], &[ECHO, &["--misbehave", misbehave]].concat());
        fired(&output, fault);
        output
    };
    wrong("persistent-401", "auth-loop");
    assert!(count(&tape, Kind::TokenCode) >= 3);
    wrong("scope-403", "step-up-ignored");
    assert_eq!(scopes(&tape).len(), 1);
    let output = wrong("early-401", "unauthorized-retry-loop");
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let is_refused = |own: &authtape::exchange::Exchange| own.response().is_some_and(|response| response.status == 401);
    let refused = run.interactions.iter().filter(|own| is_refused(&own.exchange) && Bearer::of(&own.exchange.request).is_some());
    assert_eq!(refused.count(), 3, "{}", talk(&output));

    let output = wrong("scope-403-per-tool", "step-up-scope-lost");
    assert_eq!(scopes(&tape).last().map(String::as_str), Some("tool:echo"), "{}", talk(&output));
}
