//! The members of a body as its content and its end: at most one view, a style only where it belongs, a reason only where
//! there is something to explain.

use super::names::{Ended, Ending, Style, Written};
use super::pairs::{JsonText, Pairs, WireEvent};
use crate::exchange::{Content, End, EventStream, Form, Json, JsonStyle, SseStyle};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

/// Members that contradict each other.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The member in which `member` stands; empty at the top.
    pub outer: &'static str,
    /// The member to point at.
    pub member: &'static str,
    pub message: String,
}

impl Wrong {
    pub(super) fn new(member: &'static str, message: impl Into<String>) -> Self {
        Self { outer: "", member, message: message.into() }
    }

    pub(super) fn within(self, outer: &'static str) -> Self {
        Self { outer, ..self }
    }
}

/// The members of which a body consists.
pub(super) struct Parts {
    pub style: Option<Written>,
    pub json: Option<Value>,
    pub json_text: Option<JsonText>,
    pub form: Option<Pairs>,
    pub events: Option<Vec<WireEvent>>,
    pub tail: Option<String>,
    pub text: Option<String>,
    pub base64: Option<String>,
}

impl Parts {
    pub(super) fn content(self) -> Result<Content, Wrong> {
        let Self { mut style, json, json_text, form, events, tail, text, base64 } = self;
        if events.is_none() && tail.is_some() {
            return Err(Wrong::new("tail", "a `tail` without `events`"));
        }
        let mut given = Vec::new();
        for (name, value) in [("json", json), ("json_text", json_text.map(|json| json.0))] {
            if let Some(value) = value {
                given.push((name, Content::Json(Json { value, style: json_style(style.take())? })));
            }
        }
        if let Some(form) = form {
            given.push(("form", Content::Form(form.0.into_iter().collect::<Form>())));
        }
        if let Some(events) = events {
            let events = events.into_iter().map(|event| event.0).collect();
            let stream = EventStream { style: sse_style(style.take())?, events, tail: tail.unwrap_or_default() };
            given.push(("events", Content::Events(stream)));
        }
        if let Some(text) = text {
            given.push(("text", Content::Text(text)));
        }
        if let Some(text) = base64 {
            given.push(("base64", bytes(text)?));
        }
        if style.is_some() {
            return Err(Wrong::new("style", "a `style` without `json` or `events`"));
        }
        let (name, content) = given.pop().unwrap_or_default();
        match given.pop() {
            Some((other, _)) => Err(Wrong::new(name, format!("both `{other}` and `{name}`: a body is given in one way"))),
            None => Ok(content),
        }
    }
}

fn bytes(mut text: String) -> Result<Content, Wrong> {
    text.retain(|character| !character.is_ascii_whitespace());
    let bytes = BASE64.decode(text).map_err(|error| Wrong::new("base64", format!("not base64: {error}")))?;
    Ok(Content::Bytes(bytes.into()))
}

fn json_style(style: Option<Written>) -> Result<JsonStyle, Wrong> {
    match style.map(|style| style.0) {
        None => Ok(JsonStyle::Compact),
        Some(Style::Json(style)) => Ok(style),
        Some(Style::Sse(_)) => Err(Wrong::new("style", "no style of `json`: expected compact, python or indent2")),
    }
}

pub(super) fn sse_style(style: Option<Written>) -> Result<SseStyle, Wrong> {
    match style.map(|style| style.0) {
        None => Ok(SseStyle::default()),
        Some(Style::Sse(style)) => Ok(style),
        Some(Style::Json(_)) => Err(Wrong::new("style", "no style of `events`: expected lf, crlf or cr, perhaps with -tight")),
    }
}

/// How a body ended; `None` where nothing is said about it.
pub(super) fn end(cut: Option<u64>, ended: Option<Ended>, reason: Option<String>) -> Result<Option<End>, Wrong> {
    let end = match (cut, ended.map(|ended| ended.0), reason) {
        (None, None, None) => return Ok(None),
        (Some(of), None, None) => End::Cut { of },
        (Some(_), Some(_), _) => return Err(Wrong::new("cut", "both `cut` and `ended`: only one of them can be")),
        (None, Some(Ending::Complete), None) => End::Complete,
        (None, Some(Ending::ClientGone), None) => End::ClientGone,
        (None, Some(Ending::Open), None) => End::Open,
        (None, Some(Ending::ServerGone), reason) => End::ServerGone(reason.unwrap_or_default()),
        (None, Some(Ending::Undecodable), reason) => End::Undecodable(reason.unwrap_or_default()),
        (_, _, Some(_)) => {
            return Err(Wrong::new("reason", "a `reason` without `ended: server-gone` or `ended: undecodable`"));
        }
    };
    Ok(Some(end))
}
