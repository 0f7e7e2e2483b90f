//! Answers that the tape does not hold and that follow from what its server said of itself: which lists are empty, what it does not
//! know. Anything that would have to be invented is not made here.

use super::servers::Line;
use super::{Answered, Source, json_response};
use crate::exchange::{Event, EventStream, Field, Headers, Json, JsonStyle, Response};
use crate::model::Decided;
use crate::protocol::Era;
use crate::reply::{Ending, Pace, Reply};
use serde_json::{Value, json};
use std::time::Duration;

/// What a list is called, the capability that it belongs to, and the calls that would prove it not to be empty.
const LISTS: &[(&str, &str, &str, &[&str])] = &[
    ("prompts/list", "prompts", "prompts", &["prompts/get"]),
    ("resources/list", "resources", "resources", &["resources/read"]),
    ("resources/templates/list", "resources", "resourceTemplates", &["resources/read"]),
    ("tools/list", "tools", "tools", &["tools/call"]),
];

/// The filters of a subscription, and the capability that promises each (MCP 2026-07-28, `subscriptions/listen`).
const NOTIFICATIONS: &[(&str, &str)] = &[
    ("toolsListChanged", "/tools/listChanged"),
    ("promptsListChanged", "/prompts/listChanged"),
    ("resourcesListChanged", "/resources/listChanged"),
    ("resourceSubscriptions", "/resources/subscribe"),
];

/// JSON-RPC 2.0 §5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// The answer to a request that is not on the tape, where what the server said of itself leaves only one.
pub(super) fn answer(line: &Line, message: &Value, era: Era) -> Option<Answered> {
    let method = message["method"].as_str().unwrap_or_default();
    if method == "ping" {
        return Some(result(message, json!({}), era));
    }
    let capabilities = line.capabilities.as_ref()?;
    match (method, LISTS.iter().find(|(name, ..)| *name == method)) {
        ("subscriptions/listen", _) if era == Era::Modern => Some(listening(message, capabilities)),
        ("logging/setLevel", _) if capabilities.get("logging").is_some() => Some(result(message, json!({}), era)),
        ("logging/setLevel", _) => Some(unknown(message, era)),
        (_, Some((_, capability, ..))) if capabilities.get(capability).is_none() => Some(unknown(message, era)),
        (_, Some((_, _, member, proofs))) if proofs.iter().all(|proof| line.calls.last(proof).is_none()) => {
            let cached = (era == Era::Modern).then(|| json!({ *member: [], "ttlMs": 0, "cacheScope": "private" }));
            Some(result(message, cached.unwrap_or_else(|| json!({ *member: [] })), era))
        }
        _ => None,
    }
}

/// Nothing to say to a notification or a response.
pub(super) fn accepted(method: String) -> Answered {
    let response = Response { status: 202, headers: Headers::new(), body: Default::default(), trailers: Headers::new() };
    Answered::whole(&response, Source::Model(Decided::Mcp { era: Era::Legacy, method }))
}

fn result(message: &Value, mut result: Value, era: Era) -> Answered {
    if era == Era::Modern {
        result["resultType"] = json!("complete");
    }
    said(message, 200, json!({"jsonrpc": "2.0", "id": message["id"], "result": result}), era)
}

fn unknown(message: &Value, era: Era) -> Answered {
    let error = json!({"code": METHOD_NOT_FOUND, "message": "Method not found"});
    // state-model §6.6: only the newer era says it with a status, too.
    let status = if era == Era::Modern { 404 } else { 200 };
    said(message, status, json!({"jsonrpc": "2.0", "id": message["id"], "error": error}), era)
}

fn said(message: &Value, status: u16, body: Value, era: Era) -> Answered {
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    Answered::whole(&json_response(status, body), Source::Model(Decided::Mcp { era, method }))
}

/// A subscription to a server without news: what it promised of the filter is acknowledged, and the stream kept open.
fn listening(message: &Value, capabilities: &Value) -> Answered {
    let asked = message["params"]["notifications"].as_object();
    let promised = |name: &str| {
        let (_, capability) = NOTIFICATIONS.iter().find(|(own, _)| *own == name)?;
        capabilities.pointer(capability).filter(|value| **value == Value::Bool(true))
    };
    let agreed: serde_json::Map<_, _> = asked
        .into_iter()
        .flatten()
        .filter(|(name, _)| promised(name).is_some())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let meta = json!({"io.modelcontextprotocol/subscriptionId": message["id"]});
    let params = json!({"_meta": meta, "notifications": agreed});
    let value = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
    let fields = vec![Field::Event("message".to_owned()), Field::Json(Json { value, style: JsonStyle::Compact })];
    let stream = EventStream { events: vec![Event { at: Duration::ZERO, fields }], ..EventStream::default() };
    let headers: Headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")].into_iter().collect();
    let reply = Reply::events(200, headers, &stream, Pace::Skipped, Ending::Open);
    let decided = Decided::Mcp { era: Era::Modern, method: "subscriptions/listen".to_owned() };
    Answered { reply, source: Source::Model(decided), open: None }
}
