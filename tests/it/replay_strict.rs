//! Strictness through the binary: curl behind `authtape replay`, with everything that a server must refuse and the one thing that it
//! must not.

use crate::replay_lab::{Making, Tape, said, talk};
use authtape::demo::Plan;
use std::fs;

fn tape() -> Tape {
    let mut making = Making::of(Plan::default());
    making.plan.server.versions = vec!["2025-11-25".to_owned()];
    Tape::record(making)
}

/// Functions for the older era: a login, a session, a call; `status` prints a status and an error code.
const LOGIN: &str = r#"
init='{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}'
echo='{"jsonrpc":"2.0","id":"call-7","method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"}}}'
ask() { json -H 'accept: application/json, text/event-stream' -d "$echo" -w ' %{http_code}\n' "$@" "$MCP"; }
short() { sed 's/.*"error":"\([a-z_]*\)".* \([0-9]*\)$/\2 \1/; s/.*"code":\(-[0-9]*\).* \([0-9]*\)$/\2 \1/'; }
open() { rpc "$1" "$init" -o /dev/null -D - | tr -d '\r' | sed -n 's/^[Mm]cp-[Ss]ession-[Ii]d: //p'; }
login() { id=$(register); tokens=$(redeem "$id" "$(code "$id")"); access=$(printf %s "$tokens" | member access_token); refresh=$(printf %s "$tokens" | member refresh_token); }
"#;

fn run(tape: &Tape, options: &[&str], script: &str) -> Vec<String> {
    let output = tape.script(options, &format!("{LOGIN}\n{script}\ncurl -s -o /dev/null \"$MCP\""));
    assert_eq!(output.status.code(), Some(0), "{}\n{}", talk(&output), said(&output));
    said(&output).lines().map(str::to_owned).collect()
}

#[test]
fn only_a_live_bearer_of_this_run_gets_the_tools_answer() {
    let tape = tape();
    let text = fs::read_to_string(tape.path("tape.yaml")).expect("the tape");
    let placeholder = text.split("access_token: ").nth(1).and_then(|rest| rest.split([',', '\n', '}']).next()).expect("a token");
    let other = run(&tape, &["--seed", "1"], r#"login; echo "$access""#).remove(0);
    let script = format!(
        r#"
        ask | short
        for bearer in stale '{placeholder}' '{other}'; do ask -H "authorization: Bearer $bearer" | short; done
        ask -H 'authorization: Basic eDp5' | short
        login; session=$(open "$access")
        ask -H "authorization: Bearer $access" -H "mcp-session-id: $session"
        ask -H "authorization: Bearer $access" -H "mcp-session-id: nobody" | short
        ask -H "authorization: Bearer $access" | short
        [ "$access" = '{other}' ] && echo same || echo different"#
    );
    let refused = ["401 unauthorized", "401 invalid_token", "401 invalid_token", "401 invalid_token", "400 invalid_request"];
    let answer = r#"{"jsonrpc":"2.0","id":"call-7","result":{"content":[{"type":"text","text":"hi"}],"isError":false}} 200"#;
    let expected = |last| [&refused[..], &[answer, "404 -32001", "400 -32000", last]].concat();
    assert_eq!(run(&tape, &["--seed", "2"], &script), expected("different"));
    // A seed repeats its values by design, and still none of them holds before it is issued.
    assert_eq!(run(&tape, &["--seed", "1"], &script), expected("same"));
}

#[test]
fn a_401_is_written_as_the_tapes_server_writes_it() {
    let tape = tape();
    let recorded =
        tape.cassette().interactions.into_iter().filter_map(|own| own.exchange.response().cloned()).find(|own| own.status == 401);
    let recorded = recorded.expect("the tape begins with a refusal");
    let said = run(&tape, &[], r#"json -d "$echo" -D - -o /dev/null "$MCP" | tr -d '\r' | sed -n 's/^[Ww][Ww][Ww]-[Aa]uthenticate: //p'"#);
    assert_eq!(said, [recorded.headers.first("www-authenticate").expect("a challenge")]);
}

#[test]
fn an_expired_bearer_is_refused_and_its_refresh_gives_one_that_expires_too() {
    let script = r#"
        login
        ask -H "authorization: Bearer $access" | short
        printf '%s' "$tokens" | grep -o '"expires_in":[0-9]*'
        access=$(refresh "$id" "$refresh" | member access_token)
        ask -H "authorization: Bearer $access" | short"#;
    assert_eq!(run(&tape(), &["--expires-in", "0"], script), ["401 invalid_token", "\"expires_in\":0", "401 invalid_token"]);
}

#[test]
fn a_code_is_for_one_client_one_redirect_uri_one_verifier_and_once() {
    let script = r#"
        id=$(register); other=$(register)
        try() { curl -s -w ' %{http_code}\n' -d grant_type=authorization_code "$@" "$AUTH/token" | short | sed 's/.*access_token.*/granted/'; }
        v=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk; back=http://127.0.0.1:4711/cb
        code=$(code "$id")
        try -d client_id="$id" -d code="$code" -d redirect_uri=$back -d code_verifier=wrong-verifier-that-is-long-enough-for-the-rfc
        try -d client_id="$id" -d code="$code" -d redirect_uri=$back
        try -d client_id="$id" -d code="$code" -d redirect_uri=http://127.0.0.1:4711/other -d code_verifier=$v
        try -d client_id=nobody -d code="$code" -d redirect_uri=$back -d code_verifier=$v
        try -d client_id="$id" -d code=nothing -d redirect_uri=$back -d code_verifier=$v
        try -d client_id="$id" -d redirect_uri=$back -d code_verifier=$v
        try -d client_id="$id" -d code="$code" -d redirect_uri=$back -d code_verifier=$v
        try -d client_id="$id" -d code="$code" -d redirect_uri=$back -d code_verifier=$v
        code=$(code "$id")
        try -d client_id="$other" -d code="$code" -d redirect_uri=$back -d code_verifier=$v
        try -d client_id="$id" -d code="$code" -d redirect_uri=$back -d code_verifier=$v
        login; echo "$(refresh "$other" "$refresh" | member error) $(refresh "$id" "$refresh" | member error)"
        curl -s -o /dev/null -w '%{http_code} %{redirect_url}\n' -G "$AUTH/authorize" -d response_type=code -d client_id=nobody -d redirect_uri=$back"#;
    let invalid = "400 invalid_grant";
    let expected = [
        invalid,
        invalid,
        invalid,
        "401 invalid_client",
        invalid,
        "400 invalid_request",
        "granted",
        invalid,
        invalid,
        invalid,
        "invalid_grant invalid_grant",
        "400 ",
    ];
    assert_eq!(run(&tape(), &[], script).iter().map(|line| line.trim_end()).collect::<Vec<_>>(), expected.map(str::trim_end));
}
