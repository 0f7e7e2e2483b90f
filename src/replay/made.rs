//! Answers that every MCP server gives alike, where the tape holds none.

use super::{Answered, Source, json_response};
use crate::exchange::{Event, EventStream, Field, Headers, Json, JsonStyle, Response};
use crate::model::Decided;
use crate::protocol::Era;
use crate::reply::{Ending, Reply};
use serde_json::{Value, json};
use std::time::Duration;

/// The answer to `ping`.
pub(super) fn pong(message: &Value) -> Answered {
    let response = json_response(200, json!({"jsonrpc": "2.0", "id": message["id"], "result": {}}));
    Answered::whole(&response, Source::Model(Decided::Mcp { era: Era::Legacy, method: "ping".to_owned() }))
}

/// Nothing to say to a notification or a response.
pub(super) fn accepted(method: String) -> Answered {
    let response = Response { status: 202, headers: Headers::new(), body: Default::default(), trailers: Headers::new() };
    Answered::whole(&response, Source::Model(Decided::Mcp { era: Era::Legacy, method }))
}

/// A subscription to a server without news: acknowledged and kept open (MCP 2026-07-28, `subscriptions/listen`).
pub(super) fn listening(message: &Value) -> Answered {
    let meta = json!({"io.modelcontextprotocol/subscriptionId": message["id"]});
    let params = json!({"_meta": meta, "notifications": message["params"]["notifications"]});
    let value = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
    let fields = vec![Field::Event("message".to_owned()), Field::Json(Json { value, style: JsonStyle::Compact })];
    let stream = EventStream { events: vec![Event { at: Duration::ZERO, fields }], ..EventStream::default() };
    let headers: Headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")].into_iter().collect();
    let reply = Reply::events(200, headers, &stream, Duration::ZERO, Ending::Open);
    let decided = Decided::Mcp { era: Era::Modern, method: "subscriptions/listen".to_owned() };
    Answered { reply, source: Source::Model(decided), open: None }
}
