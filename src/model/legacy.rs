//! MCP 2025-11-25 and earlier over HTTP: `initialize`, sessions, streams that can be resumed (reference: state-model §6.6,
//! step 6L).

use super::modern::server_info;
use super::policy::ReplyForm;
use super::respond::{empty, json, method_not_allowed, rpc_error, rpc_result_value, with_content, with_header};
use super::server::{Message, Passed, parse_error};
use super::{Access, Answer, Decided, Mint, OpenStream, Server, ServerId, Session, tools};
use crate::exchange::{Content, Event, EventStream, Field, Json, JsonStyle, Request, Response, SseStyle};
use crate::protocol::{Era, MODERN_SINCE};
use serde_json::{Value, json};
use std::time::Duration;

/// How many events a session keeps for clients that resume.
const KEPT_EVENTS: usize = 256;
/// How long a client waits before it resumes, in milliseconds.
const RETRY: &str = "50";

impl Server {
    /// Answers a POST of the older era.
    pub(super) fn legacy_post(&mut self, request: &Request, message: Option<&Message<'_>>, access: &Access, mint: &mut Mint) -> Response {
        let (passed, message) = match (self.legacy_pass(request, message, access, mint), message) {
            (Ok(passed), Some(message)) => (passed, message),
            (Err(response), _) => return *response,
            (Ok(_), None) => return parse_error(),
        };
        match passed {
            Passed::Opened { session, version } => self.initialized(message, session, &version),
            Passed::Accepted => Message::accepted(),
            Passed::Request { session, .. } => self.legacy_result(message, session, access),
        }
    }

    /// Everything that is checked before the content of an answer matters; `initialize` opens a session here.
    pub(super) fn legacy_pass(
        &mut self,
        request: &Request,
        message: Option<&Message<'_>>,
        access: &Access,
        mint: &mut Mint,
    ) -> Result<Passed, Box<Response>> {
        let refused = |status, code, text: &str| Err(Box::new(rpc_error(status, &Value::Null, code, text)));
        let accepts = |media_type: &str| request.headers.all("accept").any(|value| value.contains(media_type) || value.contains("*/*"));
        if !accepts("application/json") || !accepts("text/event-stream") {
            let text = "Not Acceptable: Client must accept both application/json and text/event-stream";
            return refused(406, -32000, text);
        }
        if request.headers.media_type().as_deref() != Some("application/json") {
            return refused(415, -32000, "Unsupported Media Type: Content-Type must be application/json");
        }
        let Some(message) = message else { return Err(Box::new(parse_error())) };
        if message.method == "initialize" {
            return self.open_session(message, access, mint);
        }
        let session = self.live_session(request, access)?;
        let is_request = message.id.is_some() && !message.method.is_empty();
        Ok(if is_request { Passed::Request { era: Era::Legacy, session } } else { Passed::Accepted })
    }

    fn legacy_result(&mut self, message: &Message<'_>, session: Option<String>, access: &Access) -> Response {
        let id = message.id.unwrap_or(&Value::Null);
        let answer = match message.method {
            "ping" => rpc_result_value(id, &json!({})),
            "tools/list" => rpc_result_value(id, &json!({"tools": tools::list()})),
            "tools/call" => match tools::call(message.params, access) {
                Ok(result) => rpc_result_value(id, &result),
                Err((code, text)) => error_value(id, code, text),
            },
            _ => error_value(id, -32601, "Method not found"),
        };
        let form = self.policy.reply;
        match session.and_then(|id| self.sessions.get_mut(&id)) {
            Some(session) => session.reply(answer, form),
            None => json(200, answer),
        }
    }

    fn open_session(&mut self, message: &Message<'_>, access: &Access, mint: &mut Mint) -> Result<Passed, Box<Response>> {
        if message.id.is_none() {
            return Err(Box::new(rpc_error(400, &Value::Null, -32600, "Invalid Request: initialize needs an id")));
        }
        let asked = message.params["protocolVersion"].as_str().unwrap_or_default();
        let mut legacy = self.policy.versions.iter().filter(|version| version.as_str() < MODERN_SINCE);
        let version = legacy.clone().find(|version| *version == asked).or_else(|| legacy.next()).cloned().unwrap_or_default();
        let session = self.policy.session_required.then(|| {
            let name = mint.next("session_");
            let session = Session { version: version.clone(), subject: access.subject.clone(), ..Session::default() };
            self.sessions.insert(name.clone(), session);
            name
        });
        Ok(Passed::Opened { session, version })
    }

    fn initialized(&mut self, message: &Message<'_>, session: Option<String>, version: &str) -> Response {
        let result = json!({"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server_info()});
        let answer = rpc_result_value(message.id.unwrap_or(&Value::Null), &result);
        let Some(name) = session else { return json(200, answer) };
        let Some(session) = self.sessions.get_mut(&name) else { return not_found() };
        // The answer that creates a session is never held back: a client could not resume without its id.
        let form = if self.policy.reply == ReplyForm::Poll { ReplyForm::Stream } else { self.policy.reply };
        with_header(session.reply(answer, form), "mcp-session-id", name.as_str())
    }

    /// Answers a GET: a stream for what the server has to say, or the rest of one that broke off.
    pub(super) fn legacy_get(&mut self, server: ServerId, request: &Request, access: &Access, decided: Decided) -> Answer {
        let refused = |response| Answer { response, open: None, decided: decided.clone() };
        if !request.headers.all("accept").any(|value| value.contains("text/event-stream")) {
            return refused(rpc_error(406, &Value::Null, -32000, "Not Acceptable: Client must accept text/event-stream"));
        }
        let name = match self.live_session(request, access) {
            Ok(Some(name)) if self.policy.get_stream => name,
            Ok(_) => return refused(method_not_allowed("POST, DELETE")),
            Err(response) => return refused(*response),
        };
        let Some(session) = self.sessions.get_mut(&name) else { return refused(not_found()) };
        if let Some(last) = request.headers.first("last-event-id") {
            return refused(session.resume(last));
        }
        if session.stream_open {
            return refused(rpc_error(409, &Value::Null, -32000, "Conflict: Only one SSE stream is allowed per session"));
        }
        session.stream_open = true;
        let stream = session.new_stream();
        let priming = session.event(stream, Vec::new());
        let response = stream_response(vec![priming]);
        Answer { response, open: Some(OpenStream { server, session: name }), decided }
    }

    /// Keeps the answer to a request back until its client resumes: gives the stream that ends before it (SEP-1699), and
    /// nothing where there is no such session.
    pub fn hold_back(&mut self, session: &str, answer: Value) -> Option<Response> {
        let session = self.sessions.get_mut(session).filter(|session| !session.terminated)?;
        session.event_ids += 1;
        let id = format!("held-{}", session.event_ids);
        if session.held.len() == KEPT_EVENTS {
            session.held.remove(0);
        }
        session.held.push((id.clone(), answer));
        let fields = vec![Field::Id(id), Field::Retry(RETRY.to_owned()), Field::Data(String::new())];
        Some(stream_response(vec![Event { at: Duration::ZERO, fields }]))
    }

    /// The answer that was held back under an event id, as the stream of the client that resumes with it.
    pub fn held_back(&self, session: &str, last: &str) -> Option<Response> {
        let session = self.sessions.get(session)?;
        let (id, answer) = session.held.iter().find(|(id, _)| id == last)?;
        let json = Json { value: answer.clone(), style: JsonStyle::Compact };
        let fields = vec![Field::Id(format!("{id}-answer")), Field::Event("message".to_owned()), Field::Json(json)];
        Some(stream_response(vec![Event { at: Duration::ZERO, fields }]))
    }

    /// Answers a DELETE: the session ends, for ever.
    pub(super) fn legacy_delete(&mut self, request: &Request, access: &Access) -> Response {
        let name = match self.live_session(request, access) {
            Ok(Some(name)) => name,
            Ok(None) => return method_not_allowed("POST"),
            Err(response) => return *response,
        };
        if let Some(session) = self.sessions.get_mut(&name) {
            session.terminated = true;
            session.stream_open = false;
        }
        empty(200)
    }

    /// The session that the request names and may use; `None` where none is needed and none is named.
    pub(super) fn live_session(&self, request: &Request, access: &Access) -> Result<Option<String>, Box<Response>> {
        if let Some(version) = request.headers.first("mcp-protocol-version")
            && !self.policy.versions.iter().any(|own| own == version)
        {
            let text = format!("Bad Request: Unsupported protocol version (supported versions: {})", self.policy.versions.join(", "));
            return Err(Box::new(rpc_error(400, &Value::Null, -32000, &text)));
        }
        let Some(name) = request.headers.first("mcp-session-id") else {
            if self.policy.session_required {
                return Err(Box::new(rpc_error(400, &Value::Null, -32000, "Bad Request: Mcp-Session-Id header is required")));
            }
            return Ok(None);
        };
        let live = self.sessions.get(name).is_some_and(|session| !session.terminated && session.is_of(access));
        if live { Ok(Some(name.to_owned())) } else { Err(Box::new(not_found())) }
    }
}

impl Session {
    /// True for whoever opened it, and for anybody where that was nobody: some servers want a bearer later.
    fn is_of(&self, access: &Access) -> bool {
        self.subject.is_empty() || self.subject == access.subject
    }

    fn reply(&mut self, answer: Value, form: ReplyForm) -> Response {
        if form == ReplyForm::Json {
            return json(200, answer);
        }
        let stream = self.new_stream();
        let retry = (form == ReplyForm::Poll).then(|| Field::Retry(RETRY.to_owned()));
        let mut events = vec![self.event(stream, retry.into_iter().collect())];
        let json = Json { value: answer, style: JsonStyle::Compact };
        let last = self.event(stream, vec![Field::Event("message".to_owned()), Field::Json(json)]);
        events.extend((form == ReplyForm::Stream).then_some(last));
        stream_response(events)
    }

    fn new_stream(&mut self) -> u32 {
        self.streams += 1;
        self.streams
    }

    /// Makes an event with the next id and keeps it; one without data is the priming event (SEP-1699).
    fn event(&mut self, stream: u32, mut fields: Vec<Field>) -> Event {
        self.event_ids += 1;
        fields.insert(0, Field::Id(format!("{stream}-{}", self.event_ids)));
        if !fields.iter().any(|field| matches!(field, Field::Json(_))) {
            fields.push(Field::Data(String::new()));
        }
        let event = Event { at: Duration::ZERO, fields };
        if self.events.len() == KEPT_EVENTS {
            self.events.remove(0);
        }
        self.events.push((stream, event.clone()));
        event
    }

    /// What came on the same stream behind the last event that the client has.
    fn resume(&self, last: &str) -> Response {
        let Some(index) = self.events.iter().position(|(_, event)| event.id() == Some(last)) else {
            return rpc_error(400, &Value::Null, -32000, "Bad Request: unknown Last-Event-ID");
        };
        let stream = self.events[index].0;
        let rest = self.events[index + 1..].iter().filter(|(own, _)| *own == stream).map(|(_, event)| event.clone());
        stream_response(rest.collect())
    }
}

fn stream_response(events: Vec<Event>) -> Response {
    let stream = EventStream { style: SseStyle::default(), events, tail: String::new() };
    with_header(with_content(200, "text/event-stream", Content::Events(stream)), "cache-control", "no-store")
}

fn not_found() -> Response {
    rpc_error(404, &Value::Null, -32001, "Session not found")
}

fn error_value(id: &Value, code: i64, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id})
}
