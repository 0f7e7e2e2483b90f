//! Changing a reply that somebody else made: its JSON, its fields, its size.

use super::{Ending, Reply, Step};
use crate::exchange::{Field, Headers, SseParser};
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;

impl Reply {
    /// A JSON body with its status, not to be stored (RFC 6749 §5.1).
    pub fn json(status: u16, body: &Value) -> Self {
        let mut reply = Self::text(status, "application/json", body.to_string());
        reply.headers.push("cache-control", "no-store");
        reply
    }

    /// A body of that media type.
    pub fn text(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        let headers: Headers = [("content-type", media_type)].into_iter().collect();
        Self { status, headers, steps: vec![Step::Send(body.into())], ..Self::default() }
    }

    /// The body as JSON, where it is whole JSON.
    pub fn json_body(&self) -> Option<Value> {
        (self.ending == Ending::Complete).then(|| serde_json::from_slice(&self.body()).ok()).flatten()
    }

    /// The JSON-RPC response to the request with this id, in a whole JSON body or among the events of a stream.
    pub fn answer_to(&self, id: &Value) -> Option<Value> {
        let is_answer = |message: &Value| message["id"] == *id && message.get("method").is_none() && !id.is_null();
        if let Some(message) = self.json_body() {
            return Some(message).filter(is_answer);
        }
        let mut events = Vec::new();
        SseParser::default().push(Duration::ZERO, &self.body(), &mut events);
        let messages = events.iter().flat_map(|event| &event.fields).filter_map(|field| match field {
            Field::Json(json) => Some(json.value.clone()),
            Field::Data(text) => serde_json::from_str(text).ok(),
            _ => None,
        });
        messages.into_iter().find(is_answer)
    }

    /// Changes the JSON body. False where there is none, or where nothing was changed.
    pub fn edit_json(&mut self, edit: impl FnOnce(&mut Value)) -> bool {
        let Some(mut body) = self.json_body() else { return false };
        let before = body.clone();
        edit(&mut body);
        if body != before {
            self.set_body(body.to_string());
        }
        body != before
    }

    /// Puts this body in place of the steps.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        let body = body.into();
        self.steps = if body.is_empty() { Vec::new() } else { vec![Step::Send(body)] };
        self.ending = Ending::Complete;
    }

    /// Puts a header field in place of all of that name.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.headers.push(name, value);
    }

    /// Takes every header field of that name out. False where there was none.
    pub fn remove_header(&mut self, name: &str) -> bool {
        let had = self.headers.has(name);
        self.headers.retain(|own, _| !own.eq_ignore_ascii_case(name));
        had
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_edit_that_changes_nothing_says_so_and_keeps_the_bytes() {
        let mut reply = Reply::text(200, "application/json", "{\"a\": 1}");
        assert!(!reply.edit_json(|body| body["a"] = json!(1)));
        assert_eq!(reply.body(), b"{\"a\": 1}");
        assert!(reply.edit_json(|body| body["a"] = json!(2)));
        assert_eq!(reply.body(), b"{\"a\":2}");
        assert!(!Reply::text(200, "text/html", "<p>").edit_json(|body| *body = json!(1)));
    }

    #[test]
    fn a_field_is_replaced_whatever_its_case() {
        let mut reply = Reply::json(401, &json!({}));
        reply.headers.push("WWW-Authenticate", "Bearer");
        reply.set_header("www-authenticate", "Basic");
        assert_eq!(reply.headers.first("WWW-Authenticate"), Some("Basic"));
        assert!(reply.remove_header("Www-Authenticate") && !reply.remove_header("www-authenticate"));
    }
}
