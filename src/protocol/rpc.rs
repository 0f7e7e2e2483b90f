//! A view of JSON-RPC 2.0 messages: which of the four they are, their method and their id. Does not look into `params`.

use crate::exchange::Content;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt;

/// A JSON-RPC 2.0 message.
#[derive(Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A call that wants an answer (JSON-RPC 2.0 §4).
    Request {
        /// What the answer will name.
        id: Id<'a>,
        /// What is called.
        method: Cow<'a, str>,
    },
    /// A call that wants none (§4.1).
    Notification {
        /// What is called.
        method: Cow<'a, str>,
    },
    /// An answer (§5).
    Response {
        /// The id of the request.
        id: Id<'a>,
        /// True when it carries `error`.
        is_error: bool,
    },
    /// Several messages at once (§6; MCP 2025-03-26). What is no message among them is left out.
    Batch(Vec<Message<'a>>),
}

/// The id of a request. A number and a text of the same digits are two ids.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Id<'a> {
    /// A number, as sent.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// `null`, a missing id of a response, or a type that is not allowed.
    Null,
}

impl<'a> Message<'a> {
    /// Reads a value; `None` when it is no JSON-RPC 2.0 message. An array is a batch when its first member is a message.
    pub fn of(value: &'a Value) -> Option<Self> {
        if let Value::Array(members) = value {
            Self::of(members.first()?).filter(|first| !matches!(first, Self::Batch(_)))?;
            let messages = members.iter().filter_map(Self::of).filter(|message| !matches!(message, Self::Batch(_)));
            return Some(Self::Batch(messages.collect()));
        }
        if value.get("jsonrpc")?.as_str()? != "2.0" {
            return None;
        }
        let id = value.get("id").map(Id::of);
        if let Some(method) = value.get("method") {
            let method = Cow::Borrowed(method.as_str()?);
            return Some(match id {
                Some(id) => Self::Request { id, method },
                None => Self::Notification { method },
            });
        }
        let is_error = value.get("error").is_some();
        let is_response = is_error || value.get("result").is_some();
        is_response.then(|| Self::Response { id: id.unwrap_or(Id::Null), is_error })
    }

    /// Every message of a body: one for JSON, one an event for a stream.
    pub fn all(content: &'a Content) -> Vec<Self> {
        match content {
            Content::Events(stream) => stream.events.iter().filter_map(|event| Self::of(event.json()?)).collect(),
            _ => Self::of_body(content).into_iter().collect(),
        }
    }

    /// The message of a JSON body.
    pub fn of_body(content: &'a Content) -> Option<Self> {
        match content.json()? {
            Cow::Borrowed(value) => Self::of(value),
            Cow::Owned(value) => Message::of(&value).map(Message::into_owned),
        }
    }

    /// The method of a request or a notification.
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request { method, .. } | Self::Notification { method } => Some(method),
            Self::Response { .. } | Self::Batch(_) => None,
        }
    }

    /// The id of a request or a response.
    pub fn id(&self) -> Option<&Id<'a>> {
        match self {
            Self::Request { id, .. } | Self::Response { id, .. } => Some(id),
            Self::Notification { .. } | Self::Batch(_) => None,
        }
    }

    /// The message itself, or the members of a batch.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Batch(messages) => messages,
            _ => std::slice::from_ref(self),
        }
    }

    /// The same message, on its own.
    pub fn into_owned(self) -> Message<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Request { id, method } => Message::Request { id: id.into_owned(), method: own(method) },
            Self::Notification { method } => Message::Notification { method: own(method) },
            Self::Response { id, is_error } => Message::Response { id: id.into_owned(), is_error },
            Self::Batch(messages) => Message::Batch(messages.into_iter().map(Message::into_owned).collect()),
        }
    }
}

impl<'a> Id<'a> {
    /// Reads the value of an `id` member.
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            _ => Self::Null,
        }
    }

    /// The same id, on its own.
    pub fn into_owned(self) -> Id<'static> {
        match self {
            Self::Number(number) => Id::Number(number),
            Self::Text(text) => Id::Text(Cow::Owned(text.into_owned())),
            Self::Null => Id::Null,
        }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { id, method } => write!(f, "Request({id:?}, method of {} bytes)", method.len()),
            Self::Notification { method } => write!(f, "Notification(method of {} bytes)", method.len()),
            Self::Response { id, is_error } => write!(f, "Response({id:?}, is_error: {is_error})"),
            Self::Batch(messages) => f.debug_tuple("Batch").field(messages).finish(),
        }
    }
}

impl fmt::Debug for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(_) => f.write_str("number"),
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
            Self::Null => f.write_str("null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{EventStream, Headers, SseParser};
    use serde_json::json;

    #[test]
    fn the_four_kinds_are_told_apart() {
        for (value, expected) in [
            (json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), "Request(number, method of 10 bytes)"),
            (json!({"jsonrpc": "2.0", "id": "listen:0", "method": "x"}), "Request(text of 8 bytes, method of 1 bytes)"),
            (json!({"jsonrpc": "2.0", "method": "notifications/initialized"}), "Notification(method of 25 bytes)"),
            (json!({"jsonrpc": "2.0", "id": 1, "result": {}}), "Response(number, is_error: false)"),
            (json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700}}), "Response(null, is_error: true)"),
            (json!([{"jsonrpc": "2.0", "method": "a"}, 7, []]), "Batch([Notification(method of 1 bytes)])"),
        ] {
            assert_eq!(format!("{:?}", Message::of(&value).unwrap()), expected);
        }
    }

    #[test]
    fn other_json_is_no_message() {
        for value in [
            json!({}),
            json!([]),
            json!([1]),
            json!([[{"jsonrpc": "2.0", "method": "a"}]]),
            json!({"jsonrpc": "1.0", "method": "a"}),
            json!({"jsonrpc": 2.0, "method": "a"}),
            json!({"jsonrpc": "2.0"}),
            json!({"jsonrpc": "2.0", "method": 1}),
            json!("2.0"),
        ] {
            assert!(Message::of(&value).is_none(), "{value}");
        }
    }

    #[test]
    fn a_number_and_its_digits_are_two_ids() {
        assert_ne!(Id::of(&json!(1)), Id::of(&json!("1")));
        assert_eq!(Id::of(&json!(1)), Id::of(&json!(1)));
    }

    #[test]
    fn bodies_give_their_messages() {
        let text = Content::of("{ \"jsonrpc\": \"2.0\", \"id\":\"a\",\"method\":\"m\" }".into(), &Headers::new());
        let message = Message::of_body(&text).unwrap();
        assert_eq!((message.method(), message.id()), (Some("m"), Some(&Id::Text("a".into()))));
        assert_eq!(message.each().len(), 1);

        let mut events = Vec::new();
        let mut parser = SseParser::default();
        let wire = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\ndata: hi\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n\n";
        parser.push(std::time::Duration::ZERO, wire, &mut events);
        let stream = Content::Events(EventStream { style: parser.style(), events, tail: String::new() });
        assert_eq!(Message::all(&stream).len(), 2);
        assert!(Message::all(&Content::Empty).is_empty());
    }
}
