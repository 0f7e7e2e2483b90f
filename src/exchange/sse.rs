//! Server-sent events (WHATWG HTML §9.2): a parser that is fed chunks as they come and a writer that gives the same bytes
//! again. Keeps comments, order and unusual spellings; does not follow `retry` or reconnect.

use super::{Json, JsonStyle};
use std::fmt;
use std::time::Duration;

/// A stream of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventStream {
    /// How its lines are spelt.
    pub style: SseStyle,
    /// The finished events, in order.
    pub events: Vec<Event>,
    /// What came after the last finished event.
    pub tail: String,
}

/// The spelling of a stream, taken from its first lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseStyle {
    /// The line end.
    pub line_end: LineEnd,
    /// True when a blank follows the colon.
    pub space: bool,
}

/// A line end of an event stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`
    CrLf,
    /// `\r`
    Cr,
}

/// One event: the lines up to a blank line.
#[derive(Clone, PartialEq)]
pub struct Event {
    /// When its last byte came, since the start of the exchange.
    pub at: Duration,
    /// Its fields in wire order.
    pub fields: Vec<Field>,
}

/// A field of an event.
#[derive(Clone, PartialEq)]
pub enum Field {
    /// `event:`
    Event(String),
    /// `id:`
    Id(String),
    /// `retry:`, in milliseconds, as written.
    Retry(String),
    /// `data:`; several consecutive lines are joined by `\n`.
    Data(String),
    /// `data:` that holds one JSON value.
    Json(Json),
    /// A comment line, without its colon.
    Comment(String),
    /// A whole event, blank line included, whose spelling differs from the rest of the stream.
    Raw(String),
}

impl Default for SseStyle {
    fn default() -> Self {
        Self { line_end: LineEnd::Lf, space: true }
    }
}

impl LineEnd {
    /// The characters of the line end.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Cr => "\r",
        }
    }
}

impl EventStream {
    /// The decoded text of the stream as it was on the wire.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for event in &self.events {
            event.write(self.style, &mut text);
        }
        text.push_str(&self.tail);
        text
    }
}

impl Event {
    /// The value of the `event` field.
    pub fn name(&self) -> Option<&str> {
        self.fields.iter().rev().find_map(|field| if let Field::Event(name) = field { Some(name.as_str()) } else { None })
    }

    /// The value of the `id` field.
    pub fn id(&self) -> Option<&str> {
        self.fields.iter().rev().find_map(|field| if let Field::Id(id) = field { Some(id.as_str()) } else { None })
    }

    /// The JSON value of the `data` field.
    pub fn json(&self) -> Option<&serde_json::Value> {
        self.fields.iter().find_map(|field| if let Field::Json(json) = field { Some(&json.value) } else { None })
    }

    /// The `data` field as text.
    pub fn data(&self) -> Option<String> {
        self.fields.iter().find_map(|field| match field {
            Field::Data(text) => Some(text.clone()),
            Field::Json(json) => Some(json.to_text()),
            _ => None,
        })
    }

    /// The text of the event in a stream that is spelt so, its blank line included.
    pub fn to_text(&self, style: SseStyle) -> String {
        let mut text = String::new();
        self.write(style, &mut text);
        text
    }

    fn write(&self, style: SseStyle, out: &mut String) {
        for field in &self.fields {
            match field {
                Field::Raw(raw) => return out.push_str(raw),
                Field::Event(value) => line("event", value, style, out),
                Field::Id(value) => line("id", value, style, out),
                Field::Retry(value) => line("retry", value, style, out),
                Field::Comment(value) => line("", value, style, out),
                Field::Data(value) => value.split('\n').for_each(|part| line("data", part, style, out)),
                Field::Json(json) => json.to_text().split('\n').for_each(|part| line("data", part, style, out)),
            }
        }
        out.push_str(style.line_end.as_str());
    }
}

fn line(name: &str, value: &str, style: SseStyle, out: &mut String) {
    out.push_str(name);
    out.push(':');
    if style.space {
        out.push(' ');
    }
    out.push_str(value);
    out.push_str(style.line_end.as_str());
}

/// Turns chunks into events.
#[derive(Default)]
pub struct SseParser {
    style: Option<SseStyle>,
    pending: Vec<u8>,
    /// How far `pending` was searched for a blank line.
    searched: usize,
}

impl SseParser {
    /// Takes the next chunk and appends the events it finishes. Text that is not UTF-8 is replaced by U+FFFD.
    pub fn push(&mut self, at: Duration, chunk: &[u8], events: &mut Vec<Event>) {
        self.pending.extend_from_slice(chunk);
        let mut start = 0;
        while let Some(end) = end_of_event(&self.pending, start, &mut self.searched) {
            let block = String::from_utf8_lossy(&self.pending[start..end]).into_owned();
            let style = *self.style.get_or_insert_with(|| style_of(&block));
            events.push(Event { at, fields: fields_of(&block, style) });
            start = end;
        }
        self.pending.drain(..start);
        self.searched -= start;
    }

    /// The spelling of the stream, once an event was seen.
    pub fn style(&self) -> SseStyle {
        self.style.unwrap_or_default()
    }

    /// How many bytes of an unfinished event are held.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    /// What came after the last finished event.
    pub fn into_tail(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// The end of the event that begins at `start`: behind its blank line. A CR at the very end waits for a possible LF.
fn end_of_event(bytes: &[u8], start: usize, searched: &mut usize) -> Option<usize> {
    let mut index = (*searched).max(start);
    while index < bytes.len() {
        let Some(length) = line_end_at(bytes, index) else {
            if bytes[index] == b'\r' {
                break;
            }
            index += 1;
            continue;
        };
        let begins_line = index == start || matches!(bytes[index - 1], b'\n' | b'\r');
        index += length;
        if begins_line {
            *searched = index;
            return Some(index);
        }
    }
    *searched = index;
    None
}

/// The length of the line end at `index`; `None` where there is none or where a CR has no successor yet.
fn line_end_at(bytes: &[u8], index: usize) -> Option<usize> {
    match (bytes[index], bytes.get(index + 1)) {
        (b'\n', _) => Some(1),
        (b'\r', Some(b'\n')) => Some(2),
        (b'\r', Some(_)) => Some(1),
        _ => None,
    }
}

fn style_of(block: &str) -> SseStyle {
    let line_end = match block.find(['\r', '\n']) {
        Some(index) if block[index..].starts_with("\r\n") => LineEnd::CrLf,
        Some(index) if block[index..].starts_with('\r') => LineEnd::Cr,
        _ => LineEnd::Lf,
    };
    let space = block.split_once(':').is_none_or(|(_, value)| value.starts_with(' '));
    SseStyle { line_end, space }
}

fn fields_of(block: &str, style: SseStyle) -> Vec<Field> {
    let mut fields = Vec::new();
    let body = block.strip_suffix(style.line_end.as_str()).unwrap_or(block);
    for text in body.split_terminator(style.line_end.as_str()) {
        let Some(field) = field_of(text, style, &mut fields) else { return vec![Field::Raw(block.to_owned())] };
        fields.extend(field);
    }
    for field in &mut fields {
        if let Field::Data(text) = field
            && let Some(json) = Json::parse_faithful(text).filter(|json| json.style != JsonStyle::Indent2)
        {
            *field = Field::Json(json);
        }
    }
    let event = Event { at: Duration::ZERO, fields };
    let mut again = String::with_capacity(block.len());
    event.write(style, &mut again);
    if again == block { event.fields } else { vec![Field::Raw(block.to_owned())] }
}

/// Reads one line: `None` when it cannot be kept as a field, `Some(None)` when it continued the one before.
fn field_of(text: &str, style: SseStyle, fields: &mut [Field]) -> Option<Option<Field>> {
    let (name, value) = text.split_once(':')?;
    let value = if style.space { value.strip_prefix(' ')? } else { value };
    let value = value.to_owned();
    Some(Some(match name {
        "" => Field::Comment(value),
        "event" => Field::Event(value),
        "id" => Field::Id(value),
        "retry" => Field::Retry(value),
        "data" => {
            if let Some(Field::Data(before)) = fields.last_mut() {
                before.push('\n');
                before.push_str(&value);
                return Some(None);
            }
            Field::Data(value)
        }
        _ => return None,
    }))
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("at", &self.at).field("fields", &self.fields).finish()
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, size) = match self {
            Self::Event(value) => ("Event", value.len()),
            Self::Id(value) => ("Id", value.len()),
            Self::Retry(value) => ("Retry", value.len()),
            Self::Data(value) => ("Data", value.len()),
            Self::Json(json) => ("Json", json.to_text().len()),
            Self::Comment(value) => ("Comment", value.len()),
            Self::Raw(value) => ("Raw", value.len()),
        };
        write!(f, "{name}({size} bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(chunks: &[&[u8]]) -> EventStream {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            parser.push(Duration::from_millis(index as u64), chunk, &mut events);
        }
        let style = parser.style();
        EventStream { style, events, tail: parser.into_tail() }
    }

    #[test]
    fn an_event_has_its_fields_in_order_and_its_time() {
        let stream = parse(&[b": hi\n\nid: 7\neve", b"nt: message\ndata: {\"a\":1}\n\ndata: x"]);
        assert_eq!(stream.events.len(), 2);
        assert_eq!(stream.events[0].fields, [Field::Comment("hi".into())]);
        let event = &stream.events[1];
        assert_eq!((event.id(), event.name(), event.at), (Some("7"), Some("message"), Duration::from_millis(1)));
        assert_eq!(event.json().unwrap()["a"], 1);
        assert_eq!(stream.tail, "data: x");
    }

    #[test]
    fn lines_of_data_are_joined_and_written_apart() {
        let stream = parse(&[b"data: a\r\ndata: b\r", b"\n\r\n"]);
        assert_eq!(stream.style, SseStyle { line_end: LineEnd::CrLf, space: true });
        assert_eq!(stream.events[0].fields, [Field::Data("a\nb".into())]);
        assert_eq!(stream.to_text(), "data: a\r\ndata: b\r\n\r\n");
    }

    #[test]
    fn another_spelling_is_kept_raw() {
        let stream = parse(&[b"data: a\n\ndata:b\n\nfoo\n\n"]);
        assert_eq!(stream.events[1].fields, [Field::Raw("data:b\n\n".into())]);
        assert_eq!(stream.events[2].fields, [Field::Raw("foo\n\n".into())]);
    }

    proptest! {
        #[test]
        fn any_stream_is_written_as_it_came(text in r"(data: ?|id:|event: |:|\{\}|a|\n|\r\n|\r){0,24}", cut in 0usize..40) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(parse(&[first, second]).to_text(), text.clone());
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(parse(&single).to_text(), text);
        }
    }
}
