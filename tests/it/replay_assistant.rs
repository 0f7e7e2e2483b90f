//! The assistant of `authtape replay`: curl in the place of a client's model code, the reference client in that of its MCP code.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::replay::{AUTHTAPE, ECHO, MCP, Tape, authtape, legacy, talk};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;

const MODEL: &str = "https://api.anthropic.com/v1/messages?beta=true";

/// A shell command that prints the answer to a request of the Messages API on one line.
fn ask(url: &str, body: &Value) -> String {
    format!("curl -sS -H 'content-type: application/json' -H 'x-api-key: dummy' -d '{body}' '{url}'; echo")
}

fn go(offered: &[&str], more: &[Value]) -> Value {
    let tools: Vec<Value> = offered.iter().map(|name| json!({"name": name})).collect();
    let messages = [&[json!({"role": "user", "content": "go"})], more].concat();
    json!({"model": "m", "messages": messages, "tools": tools})
}

fn answers(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn the_model_calls_what_the_tape_s_client_called_and_quotes_the_result() {
    let tape = Tape::record(legacy, ECHO);
    let called = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_authtape_0_0_0", "name": "mcp__lab__echo"}]});
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_authtape_0_0_0", "content": "hi back"}]});
    let script = [
        ask(MODEL, &go(&["mcp__lab__echo"], &[])),
        format!("{AUTHTAPE} client {MCP} --tool echo --arguments '{{\"text\":\"hi\"}}'"),
        ask("https://gateway.test/v1/messages", &go(&["mcp__lab__echo"], &[called, result])),
        ask(MODEL, &go(&[], &[])),
    ];
    let output = tape.replay(&[], &["sh", "-c", &script.join("; ")]);
    let told = talk(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let answers = answers(&output);
    let block = &answers[0]["content"][0];
    assert_eq!(
        (&block["name"], &block["input"], &block["id"]),
        (&json!("mcp__lab__echo"), &json!({"text": "hi"}), &json!("toolu_authtape_0_0_0"))
    );
    assert_eq!(answers[1]["content"][0]["text"], "The tool echo said: hi back");
    assert_eq!(answers[2]["content"][0]["text"], "authtape replay", "without tools nothing of the script happens");
    assert!(told.contains("assistant: 3 requests to the model answered, echo ×1 called"), "{told}");
}

#[test]
fn a_tool_that_is_never_offered_fails_the_replay() {
    let tape = Tape::record(|_| {}, ECHO);
    let client = format!("{AUTHTAPE} client {MCP} --list");
    let output = tape.replay(&[], &["sh", "-c", &format!("{}; {client}", ask(MODEL, &go(&["Bash"], &[])))]);
    let told = talk(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the client offered no tool echo to the model"), "{told}");
    let text = answers(&output)[0]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("authtape: the client offers no tool echo"), "{text}");
    // A client that gets its tools a moment later is all right.
    let late = [ask(MODEL, &go(&["Bash"], &[])), ask(MODEL, &go(&["mcp__lab__echo"], &[])), client];
    let output = tape.replay(&[], &["sh", "-c", &late.join("; ")]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
}

#[test]
fn a_script_says_what_the_model_does() {
    let tape = Tape::record(|_| {}, ECHO);
    fs::write(tape.path("script.yaml"), "assistant: 1\nsteps:\n  - text: Nothing to do.\n  - tool: lab/echo\n    arguments: {n: 1}\n")
        .unwrap();
    let said = json!({"role": "assistant", "content": [{"type": "text", "text": "Nothing to do."}]});
    let script = [
        ask(MODEL, &go(&["mcp__lab__echo"], &[])),
        ask(MODEL, &go(&["mcp__lab__echo"], &[said, json!({"role": "user", "content": "on"})])),
        format!("{AUTHTAPE} client {MCP} --list >/dev/null"),
    ];
    let output = tape.replay(&["--assistant", "script.yaml"], &["sh", "-c", &script.join("; ")]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let answers = answers(&output);
    assert_eq!(answers[0]["content"][0]["text"], "Nothing to do.");
    assert_eq!((&answers[1]["content"][0]["name"], &answers[1]["content"][0]["input"]), (&json!("mcp__lab__echo"), &json!({"n": 1})));
}

#[test]
fn a_broken_script_is_refused_before_the_client_starts() {
    let tape = Tape::record(|_| {}, ECHO);
    let large = format!("assistant: 1\nsteps: [{{text: {}}}]", "x".repeat(2 << 20));
    for (text, place) in [
        ("assistant: 1\nsteps:\n  - tool: 7\n    arguments: 8\n", "bad.yaml:4:"),
        ("", "bad.yaml:1:1"),
        (&large, "bad.yaml:1:1"),
        ("assistant: 9\nsteps: [{text: a}]", "script version 9"),
    ] {
        fs::write(tape.path("bad.yaml"), text).unwrap();
        let output = tape.replay(&["--assistant", "bad.yaml"], &["touch", "started"]);
        assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
        assert!(talk(&output).contains(place), "{}", talk(&output));
    }
    assert_eq!(tape.replay(&["--assistant", "none.yaml"], &["touch", "started"]).status.code(), Some(3));
    assert!(!tape.path("started").exists());
}

#[test]
fn calls_at_a_client_s_start_are_answered_and_other_apis_of_models_are_not() {
    let tape = Tape::record(|_| {}, ECHO);
    let status = |url: &str| format!("curl -sS -o /dev/null -w '%{{http_code}} ' {url}");
    let script = [
        status("https://api.anthropic.com/api/hello"),
        status("https://platform.claude.com/v1/oauth/hello"),
        status("-d '{}' https://api.anthropic.com/api/event_logging/v2/batch"),
        status("https://api.anthropic.com/api/claude_code/settings"),
        status("-d '{}' https://platform.claude.com/v1/oauth/token"),
        status("-d '{}' https://api.openai.com/v1/responses"),
        format!("{AUTHTAPE} client {MCP} --list >/dev/null"),
    ];
    let output = tape.replay(&[], &["sh", "-c", &script.join("; ")]);
    let told = talk(&output);
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).trim()), (Some(0), "200 200 200 404 404 404"), "{told}");
    assert!(told.contains("assistant: 4 start-up calls answered"), "{told}");
    assert!(told.contains("answered 404: api.openai.com ×1, platform.claude.com ×1"), "{told}");
}

/// Runs a shell script as the client of a tape of `cassettes/`.
fn shipped(name: &str, script: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let tape = Path::new(env!("CARGO_MANIFEST_DIR")).join("cassettes").join(name);
    authtape(home.path()).arg("replay").arg(tape).args(["--", "sh", "-c", script]).output().unwrap()
}

/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const TOOLBOX: &str = r#"
post() { curl -sS -o body -w '%{http_code} ' -H 'content-type: application/json' "$@"; }
ask() { post "$@" -d '{"model":"m","messages":[]}' https://api.anthropic.com/v1/messages; }
profile() { curl -sS -o body -w '%{http_code} ' "$@" https://api.anthropic.com/api/oauth/profile; }
token() { post -d "$1" https://platform.claude.com/v1/oauth/token; }
member() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" body; }
cd "$HOME"
"#;

#[test]
fn the_model_demands_the_bearer_of_the_vendor_s_login() {
    let redirect = "http://localhost:1234/callback";
    let login = format!(
        r#"
        ask; ask -H 'authorization: Bearer sk-ant-oat01-stale'; profile -H 'authorization: Bearer sk-ant-oat01-stale'
        place=$(curl -sS -o /dev/null -w '%{{redirect_url}}' 'https://claude.com/cai/oauth/authorize?code=true&client_id=app&response_type=code&redirect_uri={redirect}&scope=a+b&code_challenge={CHALLENGE}&code_challenge_method=S256&state=st')
        code=$(echo "$place" | sed 's/.*[?&]code=\([^&]*\).*/\1/')
        echo "$place" | grep -q '^{redirect}?code=.*&state=st$' && echo 'redirected '
        token "{{\"grant_type\":\"authorization_code\",\"code\":\"$code\",\"redirect_uri\":\"{redirect}\",\"client_id\":\"app\",\"code_verifier\":\"wrong\",\"state\":\"st\"}}"
        token "{{\"grant_type\":\"authorization_code\",\"code\":\"$code\",\"redirect_uri\":\"{redirect}\",\"client_id\":\"app\",\"code_verifier\":\"{VERIFIER}\",\"state\":\"st\"}}"
        bearer=$(member access_token)
        ask -H "authorization: Bearer $bearer"; profile -H "authorization: Bearer $bearer"
        ask -H 'x-api-key: dummy'; ask -H 'authorization: Bearer sk-ant-oat01-SCRUBBED0004xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
        "#
    );
    let output = shipped("claude-account-login.yaml", &format!("{TOOLBOX}{login}"));
    let said = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(said, "401 401 401 redirected 400 200 200 200 200 401", "{}", talk(&output));
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
}

#[test]
fn a_vendor_s_login_from_before_is_renewed_or_refused_as_on_the_tape() {
    let script = r#"
        ask -H 'authorization: Bearer sk-ant-oat01-mine'
        token '{"grant_type":"refresh_token","refresh_token":"sk-ant-ort01-mine","client_id":"app","scope":"user:inference user:plugins"}'
        ask -H "authorization: Bearer $(member access_token)"
        token '{"grant_type":"refresh_token","refresh_token":"sk-ant-ort01-another","client_id":"app"}'
    "#;
    for (tape, expected) in [("claude-account-renewed.yaml", "401 200 200 400"), ("claude-account-refused.yaml", "401 400 401 400")] {
        let output = shipped(tape, &format!("{TOOLBOX}{script}"));
        let said = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((said.as_str(), output.status.code()), (expected, Some(0)), "{tape}: {}", talk(&output));
    }
}

#[test]
fn a_client_without_a_credential_for_its_model_gets_a_made_up_one_unless_the_tape_holds_a_login() {
    let tape = Tape::record(|_| {}, ECHO);
    let script = format!("echo \"$ANTHROPIC_AUTH_TOKEN\"; {AUTHTAPE} client {MCP} --list >/dev/null");
    let output = tape.replay(&[], &["sh", "-c", &script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "authtape-made-up", "{}", talk(&output));
    let own = tape.path("home");
    let output = tape.replay(&["--home", own.to_str().unwrap()], &["sh", "-c", &script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "", "a home that is chosen may hold a login");
    let output = shipped("claude-account-login.yaml", "echo \"$ANTHROPIC_AUTH_TOKEN\"");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "");
}
