//! Tapes of any length: calls of one tool of one server, each with arguments of its own, behind one refused request.

use super::Fallible;
use authtape::cassette::{Cassette, Entry, Existing, Header, Interaction, PartFile, Recorded, Untouched};
use authtape::exchange::{Actor, Body, Content, End, Exchange, Headers, Json, Outcome, Request, Response, Version};
use authtape::protocol::Kind;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The server.
pub const MCP: &str = "https://mcp.bench.test/mcp";
const BEARER: &str = "Bearer SCRUBBED0001xxxxxxxxxxxxxxxxxxxx";

/// What the arguments of recorded calls hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// Plain texts and numbers.
    Plain,
    /// A placeholder too, which stands for any text.
    Placeholder,
}

/// Writes a tape of so many interactions.
pub fn write(path: &Path, count: u32, arguments: Arguments) -> Fallible<()> {
    let at = "2026-11-20T10:12:03Z".parse()?;
    let recorded = Recorded { at, with: "a bench".to_owned(), client: vec!["client".to_owned()], client_version: None };
    let (sessions, passed, tools) = Default::default();
    let header = Header { recorded, scrubbed: None, finished: false, raw: false, sessions, passed, tools, replayed: None };
    let mut part = PartFile::create(path, &header, Existing::Refuse)?;
    part.append(&Entry::Interaction(Box::new(refused())))?;
    for number in 2..=count {
        part.append(&Entry::Interaction(Box::new(interaction(number, arguments))))?;
    }
    part.finish(&header, &mut Untouched)?;
    Ok(())
}

/// A tape in memory.
pub fn cassette(count: u32, arguments: Arguments) -> Fallible<Cassette> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tape.yaml");
    write(&path, count, arguments)?;
    Ok(Cassette::load(&path)?)
}

/// What a client sends that repeats the call with this number, under a bearer and an id of its own.
pub fn live(number: u32, arguments: Arguments, bearer: &str) -> Request {
    let mut message = call(number, arguments);
    message["id"] = json!(format!("live-{number}"));
    if arguments == Arguments::Placeholder {
        message["params"]["arguments"]["key"] = json!("what the client says now");
    }
    request(message, Some(bearer))
}

fn interaction(number: u32, arguments: Arguments) -> Interaction {
    let result = json!({"content": [{"type": "text", "text": format!("Cloudy with some sun in the afternoon, {number} degrees.")}]});
    let answer = json!({"jsonrpc": "2.0", "id": number, "result": result});
    exchange(number, request(call(number, arguments), Some(BEARER)), 200, answer, &[])
}

fn refused() -> Interaction {
    let challenge = [("www-authenticate", "Bearer realm=\"mcp\"")];
    exchange(1, request(call(1, Arguments::Plain), None), 401, json!({"error": "unauthorized"}), &challenge)
}

fn call(number: u32, arguments: Arguments) -> Value {
    let mut values = json!({"place": format!("City {number}"), "days": 3, "units": "metric", "language": "en", "detail": "short"});
    if arguments == Arguments::Placeholder {
        values["key"] = json!("SCRUBBED0002xxxxxxxxxxxx");
    }
    json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "weather", "arguments": values}})
}

fn request(message: Value, bearer: Option<&str>) -> Request {
    let mut headers: Headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
        ("user-agent", "bench/1.0"),
    ]
    .into_iter()
    .collect();
    if let Some(bearer) = bearer {
        headers.push("authorization", bearer);
    }
    let (method, url, body, trailers) = ("POST".to_owned(), MCP.to_owned(), json_body(message), Headers::new());
    Request { method, url, version: Version::Http11, headers, body, trailers }
}

fn exchange(number: u32, request: Request, status: u16, answer: Value, fields: &[(&str, &str)]) -> Interaction {
    let fields = [("content-type", "application/json")].iter().chain(fields);
    let response = Response { status, headers: fields.copied().collect(), body: json_body(answer), trailers: Headers::new() };
    let (session, connection, actor, inferred) = (1, 1, Actor::Client, false);
    let (at, took) = (Duration::from_millis(u64::from(number)), Some(Duration::from_millis(1)));
    let outcome = Outcome::Response(response);
    let exchange = Exchange { number, session, actor, connection, at, took, request, outcome, inferred, answered: None };
    Interaction { exchange, kind: Kind::McpRequest }
}

fn json_body(value: Value) -> Body {
    Body { content: Content::Json(Json { value, style: Default::default() }), codings: Vec::new(), end: End::Complete }
}
