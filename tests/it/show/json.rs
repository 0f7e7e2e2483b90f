//! `--format json`: one document that every parser reads.

use super::{command, golden, run, shown};
use serde_json::{Value, json};

fn document(arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    serde_json::from_str(&shown(&all)).unwrap()
}

#[test]
fn the_list_holds_what_the_table_shows() {
    let document = document(&["login.yaml"]);
    assert_eq!(document["header"]["finished"], true);
    assert_eq!(document["header"]["recorded"]["client_version"], "2.1.329");
    assert_eq!(document["header"]["passed"], json!([{"host": "statsig.example.test", "kind": "telemetry", "requests": 3}]));
    let event = json!({
        "event": "tls-handshake-failed", "session": 1, "connection": 2, "at_ms": 70,
        "host": "auth.example.test:443", "detail": "the client sent the alert unknown_ca",
    });
    assert_eq!(document["events"], json!([event]));
    let fifth = json!({
        "number": 5, "session": 2, "by": "client", "connection": 5, "at_ms": 2512, "took_ms": 10034, "kind": "mcp-request",
        "inferred": false, "method": "POST", "url": "https://mcp.example.test/mcp", "http": "HTTP/1.1",
        "rpc": {"method": "tools/call", "target": "add"}, "status": 200, "outcome": "response", "ended": "server-gone",
        "stream_events": 2, "note": "the server broke off: connection reset by peer",
    });
    assert_eq!(document["interactions"][4], fifth);
    let outcomes: Vec<_> = document["interactions"].as_array().unwrap().iter().map(|each| each["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["response", "response", "response", "unseen", "response", "failed"]);
}

#[test]
fn one_interaction_holds_headers_and_bodies() {
    let document = document(&["login.yaml", "3"]);
    assert_eq!(document["number"], 3);
    assert_eq!(document["request"]["form"][0], json!({"name": "grant_type", "value": "authorization_code"}));
    assert_eq!(document["response"]["headers"], json!([{"name": "content-type", "value": "application/json"}]));
    assert_eq!(document["response"]["json"]["expires_in"], 3600);
}

#[test]
fn an_unfinished_recording_is_valid_json_and_warned_about() {
    let shown = run(command(&golden(), &["killed.yaml", "--format", "json"]));
    let document: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((&document["header"]["finished"], &document["file"]), (&json!(false), &json!("killed.yaml.part")));
    assert_eq!(document["interactions"][0]["derived_kind"], "prm");
    assert!(shown.talk.contains("warning: not finished: "), "{}", shown.talk);
}

#[test]
fn what_a_terminal_obeys_is_escaped_and_stays_the_same() {
    let shown = run(command(&golden(), &["hostile.yaml", "--format", "json", "1"]));
    let document: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(document["url"], "https://e\u{1b}[1mvil.test/\u{2066}x?a%0a::error::q=%1b[2J&::b=1");
    assert_eq!(document["request"]["json"]["params"]["name"], "t\u{1b}[2J\n::error::tool\u{2067} ##[x");
    assert_eq!(document["response"]["text"].as_str().unwrap().lines().nth(2), Some("##[error]third\r##vso[x]"));
}
