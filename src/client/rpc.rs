//! JSON-RPC 2.0 as a client speaks it, and the messages of an answer: one JSON body, or the events of a stream.

use super::ClientError;
use super::http::{Http, HttpError, Open, host};
use crate::exchange::{Event, Field, SseParser};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use url::Url;

/// How many bytes of one message are read.
const MESSAGE_LIMIT: usize = 8 << 20;

/// A request.
pub(super) fn request(id: u64, method: &str, params: Value) -> Value {
    let mut message = json!({"jsonrpc": "2.0", "id": id, "method": method});
    if !params.is_null() {
        message["params"] = params;
    }
    message
}

/// What a message of the server is to a request.
pub(super) enum Heard {
    /// Its answer.
    Answer(Result<Value, ClientError>),
    /// A request of the server, which wants an answer of its own.
    Request(Value),
    /// A notification, or an answer to something else.
    Other,
}

/// Looks at a message of the server; `id` is that of the open request.
pub(super) fn heard(message: &Value, id: u64) -> Heard {
    if message["method"].is_string() {
        return if message.get("id").is_some() { Heard::Request(reply_to(message)) } else { Heard::Other };
    }
    let is_ours = message["id"].as_u64() == Some(id) || (message["id"].is_null() && message["error"].is_object());
    match message.get("error").filter(|error| error.is_object()) {
        _ if !is_ours => Heard::Other,
        Some(error) => Heard::Answer(Err(error_of(error))),
        None => Heard::Answer(Ok(message["result"].clone())),
    }
}

/// The error of a message as ours.
fn error_of(error: &Value) -> ClientError {
    let message = error["message"].as_str().unwrap_or("no message").chars().filter(|c| !c.is_control()).take(200).collect();
    ClientError::Rpc { code: error["code"].as_i64().unwrap_or_default(), message, data: error["data"].clone() }
}

/// The answer to a request of the server: we are alive, and offer nothing else.
fn reply_to(message: &Value) -> Value {
    match message["method"].as_str() {
        Some("ping") => json!({"jsonrpc": "2.0", "id": message["id"], "result": {}}),
        _ => json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "Method not found"}}),
    }
}

/// The messages of an answer, as they come.
pub(super) struct Messages {
    open: Open,
    server: Url,
    limit: Duration,
    is_stream: bool,
    is_over: bool,
    parser: SseParser,
    body: Vec<u8>,
    ready: VecDeque<Value>,
    /// The id of the last event (2025-11-25, Resumability).
    pub(super) last_id: Option<String>,
    /// How long the server wants a client to wait before it comes back.
    pub(super) retry: Option<Duration>,
}

impl Messages {
    pub(super) fn of(open: Open, http: &Http, server: &Url) -> Self {
        Self {
            is_stream: open.headers.media_type().as_deref() == Some("text/event-stream"),
            open,
            server: server.clone(),
            limit: http.limit(),
            is_over: false,
            parser: SseParser::default(),
            body: Vec::new(),
            ready: VecDeque::new(),
            last_id: None,
            retry: None,
        }
    }

    /// True when the answer is a stream of events.
    pub(super) fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// The next message; `None` at the end. A stream may be silent for as long as one answer may take.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, HttpError> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            if self.is_over {
                return Ok(None);
            }
            let chunk = tokio::time::timeout(self.limit, self.open.chunk()).await;
            let chunk = chunk.map_err(|_| HttpError::TimedOut { host: host(&self.server), limit: self.limit })??;
            match chunk {
                Some(chunk) => self.take(&chunk)?,
                None => self.finish(),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), HttpError> {
        if !self.is_stream {
            self.body.extend_from_slice(chunk);
        } else {
            let mut events = Vec::new();
            self.parser.push(Duration::ZERO, chunk, &mut events);
            events.iter().for_each(|event| self.hear(event));
        }
        let held = self.body.len().max(self.parser.held());
        if held > MESSAGE_LIMIT { Err(HttpError::TooLong(host(&self.server))) } else { Ok(()) }
    }

    fn finish(&mut self) {
        self.is_over = true;
        if let Ok(message) = serde_json::from_slice(&self.body) {
            // MCP 2025-03-26 knows batches.
            match message {
                Value::Array(messages) => self.ready.extend(messages),
                message => self.ready.push_back(message),
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        let mut data = None;
        for (name, value) in fields(event) {
            match name.as_str() {
                "id" if !value.contains('\0') => self.last_id = Some(value).filter(|id| !id.is_empty()),
                "retry" => self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry),
                "data" => data.get_or_insert_with(Vec::new).push(value),
                _ => {}
            }
        }
        self.ready.extend(data.and_then(|lines| serde_json::from_str(&lines.join("\n")).ok()));
    }
}

/// Names and values of an event, whatever its spelling.
fn fields(event: &Event) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for field in &event.fields {
        let (name, value) = match field {
            Field::Id(value) => ("id", value.clone()),
            Field::Retry(value) => ("retry", value.clone()),
            Field::Data(value) => ("data", value.clone()),
            Field::Json(value) => ("data", value.to_text()),
            Field::Event(_) | Field::Comment(_) => continue,
            Field::Raw(raw) => {
                found.extend(raw.lines().filter_map(|line| {
                    let (name, value) = line.split_once(':').unwrap_or((line, ""));
                    (!name.is_empty()).then(|| (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
                }));
                continue;
            }
        };
        found.push((name.to_owned(), value));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_id() {
        assert!(matches!(heard(&json!({"id": 3, "result": {"a": 1}}), 3), Heard::Answer(Ok(_))));
        assert!(matches!(heard(&json!({"id": 4, "result": {}}), 3), Heard::Other));
        assert!(matches!(heard(&json!({"id": null, "error": {"code": -32700}}), 3), Heard::Answer(Err(_))));
        assert!(matches!(heard(&json!({"method": "notifications/progress"}), 3), Heard::Other));
        let Heard::Request(reply) = heard(&json!({"id": "s1", "method": "ping"}), 3) else { panic!("a request") };
        assert_eq!(reply, json!({"jsonrpc": "2.0", "id": "s1", "result": {}}));
    }

    #[test]
    fn an_event_of_odd_spelling_is_read_too() {
        let event = Event { at: Duration::ZERO, fields: vec![Field::Raw("id:7\ndata:{\ndata: }\n\n".into())] };
        let found = fields(&event);
        let pairs: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("id", "7"), ("data", "{"), ("data", "}")]);
    }
}
