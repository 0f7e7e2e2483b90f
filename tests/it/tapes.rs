//! The tapes of `cassettes/`: each is whole, is what the table of tapes says of it, and is replayed to the reference client.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::{Cassette, Interaction};
use authtape::protocol::Kind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AUTHTAPE: &str = env!("CARGO_BIN_EXE_authtape");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cassettes")
}

/// Each tape of the folder.
fn tapes() -> BTreeMap<String, Cassette> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), Cassette::load(&path).unwrap())).collect()
}

/// The revision that the table gives for each tape; `–` for none.
fn table() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("TAPES.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ["));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_start_matches('[').split(']').next().unwrap();
        assert_eq!(cells[1], format!("[{name}]({name}.yaml)"));
        assert!(cells[5].len() > 10, "{row}");
        (name.to_owned(), cells[4].to_owned())
    })
    .collect()
}

fn rpc(interaction: &Interaction) -> Value {
    interaction.exchange.request.body.content.json().map(|body| body.into_owned()).unwrap_or_default()
}

fn status(interaction: &Interaction) -> u16 {
    interaction.exchange.status().unwrap_or_default()
}

/// The revision that was spoken: what a server agreed to, or what a modern request with an answer says.
fn spoken(tape: &Cassette) -> &'static str {
    let answered = |method: &str| tape.interactions.iter().any(|own| rpc(own)["method"] == method && status(own) == 200);
    match (answered("initialize"), answered("server/discover")) {
        (true, false) => "2025-11-25",
        (false, true) => "2026-07-28",
        (false, false) => "–",
        (true, true) => "both",
    }
}

#[test]
fn every_tape_is_whole_small_and_in_the_table() {
    let tapes = tapes();
    let table = table();
    assert_eq!(tapes.keys().collect::<Vec<_>>(), table.keys().collect::<Vec<_>>());
    for (name, tape) in &tapes {
        assert!(tape.header.finished && !tape.header.raw, "{name}");
        assert!(tape.warnings.is_empty(), "{name}: {:?}", tape.warnings);
        let bytes = fs::read(folder().join(format!("{name}.yaml"))).unwrap();
        let mut saved = Vec::new();
        tape.write(&mut saved).unwrap();
        assert!(saved == bytes, "{name} is saved as something else");
        assert!(bytes.len() <= 64 * 1024, "{name} has {} bytes", bytes.len());
        assert_eq!(spoken(tape), table[name], "{name}");
    }
}

/// What a tape is there for: a kind, a status, and words that its answer or its request holds.
const SHOWS: &[(&str, Kind, u16, &str)] = &[
    ("access-denied", Kind::Callback, 400, "error=access_denied"),
    ("claude-account-login", Kind::TokenCode, 200, "sk-ant-ort01-"),
    ("claude-account-login", Kind::AccountApi, 200, "claude_max"),
    ("claude-account-refused", Kind::TokenRefresh, 400, "invalid_grant"),
    ("claude-account-refused", Kind::LlmApi, 401, ""),
    ("claude-account-renewed", Kind::TokenRefresh, 200, "sk-ant-oat01-"),
    ("claude-client-document", Kind::Authorize, 303, "client_id=https%3A%2F%2Fclaude.ai%2F"),
    ("claude-newer", Kind::McpRequest, 200, "subscriptions/listen"),
    ("claude-whole", Kind::Revoke, 200, "refresh_token"),
    ("invalid-params", Kind::McpRequest, 400, "-32602"),
    ("logout", Kind::Revoke, 200, ""),
    ("oidc-client-document", Kind::Authorize, 303, "client_id=https%3A%2F%2Fclient.example.test%2F"),
    ("oidc-id-token", Kind::Jwks, 200, "RS256"),
    ("oidc-id-token", Kind::TokenCode, 200, "id_token"),
    ("oidc-refresh", Kind::TokenRefresh, 200, "refresh_token"),
    ("oidc-static-client", Kind::TokenCode, 200, "authorization: Basic "),
    ("polling", Kind::McpResume, 200, "last-event-id"),
    ("progress", Kind::McpRequest, 200, "notifications/progress"),
    ("progress-newer", Kind::McpRequest, 200, "notifications/progress"),
    ("refresh-invalid-grant", Kind::TokenRefresh, 400, "invalid_grant"),
    ("registration-closed", Kind::DcrCreate, 401, "error"),
    ("registration-refused", Kind::DcrCreate, 400, "invalid_client_metadata"),
    ("stateless-older", Kind::McpGetStream, 405, ""),
    ("step-up", Kind::McpRequest, 403, "insufficient_scope"),
    ("tool-fails", Kind::McpRequest, 200, "isError"),
    ("tool-unknown", Kind::McpRequest, 200, "isError"),
    ("ts-v1-session", Kind::McpDelete, 200, "mcp-session-id"),
    ("ts-v1-session", Kind::TokenRefresh, 200, "refresh_token"),
    ("ts-v1-python", Kind::McpRequest, 200, "style: crlf"),
    ("two-servers", Kind::Prm, 200, "https://mcp.oidc.test/mcp"),
    ("two-servers", Kind::Prm, 200, "https://mcp.ts.test/mcp"),
    ("unknown-session", Kind::McpRequest, 404, "Session not found"),
];

#[test]
fn every_tape_shows_what_it_is_there_for() {
    let tapes = tapes();
    for (name, kind, wanted, words) in SHOWS {
        let holds = |own: &Interaction| {
            let mut alone = tapes[*name].clone();
            alone.interactions = vec![own.clone()];
            let mut text = Vec::new();
            alone.write(&mut text).unwrap();
            own.kind == *kind && status(own) == *wanted && String::from_utf8(text).unwrap().contains(words)
        };
        assert!(tapes[*name].interactions.iter().any(holds), "{name} shows no {} {wanted} {words}", kind.name());
    }
    let refreshes = |name: &str| tapes[name].interactions.iter().filter(|own| own.kind == Kind::TokenRefresh).count();
    assert_eq!(refreshes("no-refresh-token"), 0);
    let logs_in = tapes["begins-logged-in"].interactions.iter().any(|own| own.kind == Kind::TokenCode);
    assert!(!logs_in);
}

fn replay(name: &str, script: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(AUTHTAPE);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).env("TMPDIR", home.path()).current_dir(home.path());
    command.arg("replay").arg(folder().join(format!("{name}.yaml"))).args(["--", "sh", "-c", script]).output().unwrap()
}

/// The reference client, doing at each server what the tape's client did there.
fn reference(tape: &Cassette) -> String {
    let mut servers: Vec<&str> = Vec::new();
    for own in tape.interactions.iter().filter(|own| own.kind.is_mcp()) {
        let url = own.exchange.request.url.as_str();
        servers.extend(Some(url).filter(|url| !servers.contains(url)));
    }
    let calls = |url: &str| tape.interactions.iter().filter(|own| own.exchange.request.url == url).map(rpc).collect::<Vec<_>>();
    let client = |url: &&str| {
        let mut words = format!("{AUTHTAPE} client {url} --list");
        if let Some(call) = calls(url).iter().find(|message| message["method"] == "tools/call") {
            let input = if call["params"]["arguments"].is_null() { "{}".to_owned() } else { call["params"]["arguments"].to_string() };
            words.push_str(&format!(" --tool {} --arguments '{input}'", call["params"]["name"].as_str().unwrap()));
        }
        words
    };
    servers.iter().map(client).collect::<Vec<_>>().join(" && ")
}

#[test]
fn every_tape_of_a_session_is_replayed_to_the_reference_client() {
    let spoken: Vec<_> = tapes().into_iter().filter(|(_, tape)| spoken(tape) != "–").collect();
    assert!(spoken.len() > 20);
    let check = |name: &str, tape: &Cassette| {
        let output = replay(name, &reference(tape));
        let talk = String::from_utf8_lossy(&output.stderr);
        // A tool that fails, or is unknown, is a refusal for the client too.
        let wanted = if name.starts_with("tool-") || name == "invalid-params" { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(wanted), "{name}: {talk}");
        assert!(talk.contains("no miss, upstream connections: 0"), "{name}: {talk}");
    };
    std::thread::scope(|scope| {
        for part in spoken.chunks(spoken.len().div_ceil(4)) {
            scope.spawn(move || part.iter().for_each(|(name, tape)| check(name, tape)));
        }
    });
}
