//! A recorded answer of an MCP server for another caller: JSON-RPC ids, progress tokens, session and revision are those of the
//! live request, as numbers or as texts.

use super::dress::lasting;
use crate::exchange::{Content, End, EventStream, Field, Json, Response};
use crate::reply::{Ending, Pace, Reply};
use serde_json::Value;

/// What stands where in the live exchange.
#[derive(Default)]
pub(super) struct Live<'a> {
    /// Recorded ids and the live ones for them; the last pair is that of the request itself.
    pub(super) ids: &'a [(Value, Value)],
    /// The recorded progress token and the live one.
    pub(super) progress: Option<(&'a Value, Option<&'a Value>)>,
    /// The session that was opened.
    pub(super) session: Option<&'a str>,
    /// The revision that was negotiated.
    pub(super) version: Option<&'a str>,
    /// What becomes of recorded waits.
    pub(super) pace: Pace,
}

/// How a recorded stream goes on behind its last event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It ends when the request is answered.
    Answer,
    /// It stays open where it was not the server that ended it.
    Recorded,
}

/// The recorded response for the live exchange.
pub(super) fn reply(recorded: &Response, live: &Live<'_>, after: After) -> Reply {
    let mut headers = lasting(&recorded.headers);
    if let Some(session) = live.session {
        headers.push("mcp-session-id", session);
    }
    let mut is_answered = false;
    match &recorded.body.content {
        Content::Events(stream) => {
            let stream = EventStream { events: events(stream, live, &mut is_answered), ..stream.clone() };
            let is_cut = matches!(recorded.body.end, End::Open | End::ClientGone);
            let ending = if is_cut && !(is_answered && after == After::Answer) { Ending::Open } else { Ending::Complete };
            Reply::events(recorded.status, headers, &stream, live.pace, ending)
        }
        content => {
            let Some(value) = content.json() else { return Reply::complete(recorded.status, headers, content) };
            let style = if let Content::Json(json) = content { json.style } else { Default::default() };
            let mut value = value.into_owned();
            message(&mut value, live);
            Reply::complete(recorded.status, headers, &Content::Json(Json { value, style }))
        }
    }
}

fn events(stream: &EventStream, live: &Live<'_>, is_answered: &mut bool) -> Vec<crate::exchange::Event> {
    let mut events = Vec::new();
    for event in &stream.events {
        let mut event = event.clone();
        let mut is_wanted = true;
        for field in &mut event.fields {
            if let Field::Json(json) = field {
                is_wanted &= !is_unasked_progress(&json.value, live);
                *is_answered |= answers(&json.value, live);
                message(&mut json.value, live);
            }
        }
        if is_wanted {
            events.push(event);
        }
    }
    events
}

fn answers(value: &Value, live: &Live<'_>) -> bool {
    let is_answer = value.get("result").is_some() || value.get("error").is_some();
    is_answer && live.ids.last().is_some_and(|(recorded, _)| value["id"] == *recorded)
}

/// Progress that the live request did not ask for (MCP 2025-11-25, Progress).
fn is_unasked_progress(value: &Value, live: &Live<'_>) -> bool {
    value["method"] == "notifications/progress" && matches!(live.progress, Some((own, None)) if value["params"]["progressToken"] == *own)
}

fn message(value: &mut Value, live: &Live<'_>) {
    let is_answer = value.get("result").is_some() || value.get("error").is_some();
    if is_answer && let Some(id) = value.get_mut("id") {
        rename(id, live.ids);
    }
    if let Some(version) = live.version
        && let Some(own) = value.pointer_mut("/result/protocolVersion")
    {
        *own = version.into();
    }
    if let (Some((recorded, Some(now))), Some(token)) = (live.progress, value.pointer_mut("/params/progressToken"))
        && token == recorded
    {
        *token = now.clone();
    }
    for place in ["/params/_meta", "/result/_meta"] {
        if let Some(id) = value.pointer_mut(place).and_then(|meta| meta.get_mut("io.modelcontextprotocol/subscriptionId")) {
            rename(id, live.ids);
        }
    }
    if let Some(id) = value.pointer_mut("/params/requestId") {
        rename(id, live.ids);
    }
}

fn rename(id: &mut Value, ids: &[(Value, Value)]) {
    if let Some((_, live)) = ids.iter().rev().find(|(recorded, _)| recorded == id) {
        *id = live.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Body, Event, Headers};
    use serde_json::json;
    use std::time::Duration;

    fn stream(values: &[Value], end: End) -> Response {
        let events = values.iter().map(|value| {
            let json = Json { value: value.clone(), style: Default::default() };
            Event { at: Duration::ZERO, fields: vec![Field::Json(json)] }
        });
        let stream = EventStream { events: events.collect(), ..EventStream::default() };
        let body = Body { content: Content::Events(stream), codings: Vec::new(), end };
        Response { status: 200, headers: Headers::new(), body, trailers: Headers::new() }
    }

    #[test]
    fn ids_become_the_live_ones_and_unasked_progress_goes() {
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 3, "progress": 1}});
        let result = json!({"jsonrpc": "2.0", "id": 3, "result": {}});
        let recorded = stream(&[progress, result], End::ClientGone);
        let (three, ids) = (json!(3), [(json!(3), json!("listen:0"))]);
        let live = Live { ids: &ids, progress: Some((&three, None)), ..Live::default() };
        let reply = reply(&recorded, &live, After::Answer);
        assert_eq!(reply.body(), b"data: {\"jsonrpc\":\"2.0\",\"id\":\"listen:0\",\"result\":{}}\n\n");
        assert_eq!(reply.ending, Ending::Complete);
    }

    #[test]
    fn a_stream_without_its_answer_stays_open_unless_the_server_ended_it() {
        let note = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
        for (end, ending) in [(End::ClientGone, Ending::Open), (End::Open, Ending::Open), (End::Complete, Ending::Complete)] {
            assert_eq!(reply(&stream(std::slice::from_ref(&note), end), &Live::default(), After::Recorded).ending, ending);
        }
    }
}
