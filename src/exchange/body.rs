//! A body with its content encoding undone: the typed view where writing that view back gives the same bytes, text or
//! bytes elsewhere. Does not know what any member of it means.

use super::{Coding, EventStream, Form, Headers, Json};
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;

/// The body of a request or a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The decoded content.
    pub content: Content,
    /// The content codings that were undone, in the order in which the sender applied them (RFC 9110 §8.4).
    pub codings: Vec<Coding>,
    /// How the body ended.
    pub end: End,
}

/// Decoded content. The typed variants are only used when [`Content::to_bytes`] gives the wire bytes again.
#[derive(Clone, Default, PartialEq)]
pub enum Content {
    /// No bytes at all.
    #[default]
    Empty,
    /// JSON in one of the known styles.
    Json(Json),
    /// `application/x-www-form-urlencoded`, canonical.
    Form(Form),
    /// `text/event-stream`.
    Events(EventStream),
    /// Any other UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Bytes),
}

/// How a body ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// With its last byte.
    #[default]
    Complete,
    /// It went through whole; only its beginning is stored. `of` is its full size in bytes as transferred, if that was seen.
    Cut {
        /// The size in bytes as transferred.
        of: u64,
    },
    /// The client went away.
    ClientGone,
    /// The server broke off; free text of foreign origin.
    ServerGone(String),
    /// Its end was not seen (a recording that was killed, a stream open at the end).
    Open,
    /// A coding that could not be undone: the content is dropped. The text says which and why.
    Undecodable(String),
}

impl Content {
    /// Looks at decoded bytes and picks the most telling view that loses nothing. `headers` are those of the same message.
    pub fn of(bytes: Bytes, headers: &Headers) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        let Ok(text) = std::str::from_utf8(&bytes) else { return Self::Bytes(bytes) };
        let media_type = headers.media_type().unwrap_or_default();
        if media_type == "application/x-www-form-urlencoded"
            && let Some(form) = Form::parse_canonical(text)
        {
            return Self::Form(form);
        }
        if let Some(json) = Json::parse_faithful(text) {
            return Self::Json(json);
        }
        Self::Text(text.to_owned())
    }

    /// The decoded bytes.
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Empty => Cow::Borrowed(&[]),
            Self::Json(json) => Cow::Owned(json.to_text().into_bytes()),
            Self::Form(form) => Cow::Owned(form.to_text().into_bytes()),
            Self::Events(events) => Cow::Owned(events.to_text().into_bytes()),
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// The content as a JSON value, whatever its media type says; parsed now if it is stored as text.
    pub fn json(&self) -> Option<Cow<'_, serde_json::Value>> {
        match self {
            Self::Json(json) => Some(Cow::Borrowed(&json.value)),
            Self::Text(text) => {
                let first = text.trim_start().as_bytes().first()?;
                if !matches!(first, b'{' | b'[') {
                    return None;
                }
                serde_json::from_str(text).ok().map(Cow::Owned)
            }
            _ => None,
        }
    }

    /// The content as form parameters, whatever its media type says: by shape where it is stored as text.
    pub fn form(&self) -> Option<Cow<'_, Form>> {
        match self {
            Self::Form(form) => Some(Cow::Borrowed(form)),
            Self::Text(text) => Form::parse_by_shape(text).map(Cow::Owned),
            _ => None,
        }
    }

    /// The events of a stream.
    pub fn events(&self) -> Option<&EventStream> {
        match self {
            Self::Events(events) => Some(events),
            _ => None,
        }
    }

    /// True when there is no byte.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Empty => return f.write_str("Empty"),
            Self::Json(_) => "Json",
            Self::Form(_) => "Form",
            Self::Events(_) => "Events",
            Self::Text(_) => "Text",
            Self::Bytes(_) => "Bytes",
        };
        write!(f, "{name}({} bytes)", self.to_bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(media_type: &str, body: &'static [u8]) -> Content {
        Content::of(Bytes::from_static(body), &[("content-type", media_type)].into_iter().collect())
    }

    #[test]
    fn a_typed_view_is_taken_only_where_it_writes_the_same_bytes() {
        assert!(matches!(content("application/json", b"{\"a\":1}"), Content::Json(_)));
        assert!(matches!(content("application/json", b"{\"a\":1,\"a\":2}"), Content::Text(_)));
        assert!(matches!(content("application/json", b"{ \"a\":1 }"), Content::Text(_)));
        assert!(matches!(content("application/x-www-form-urlencoded", b"a=b&c=d"), Content::Form(_)));
        assert!(matches!(content("application/x-www-form-urlencoded", b"a=b&c=%7e"), Content::Text(_)));
        assert!(matches!(content("text/plain", b"\xff\xfe"), Content::Bytes(_)));
        assert!(matches!(content("application/json", b""), Content::Empty));
    }

    #[test]
    fn json_and_form_are_found_behind_text() {
        assert_eq!(content("text/plain", b"{ \"a\": 1 }").json().unwrap()["a"], 1);
        let form = content("text/plain", b"grant_type=refresh_token&x=%7e");
        assert_eq!(form.form().unwrap().first("x"), Some("~"));
        assert!(content("text/plain", b"no form here").form().is_none());
    }
}
