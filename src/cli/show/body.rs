//! Bodies as people read them: JSON indented, forms as lists, events with their times, bytes as a dump.

use super::json::readable;
use super::times::short;
use crate::cli::terminal::{DIM, NAME, harmless_line, one_line};
use crate::exchange::{Body, Content, End, Event, EventStream, Field};
use serde_json::Value;
use std::fmt::Write;

/// How many bytes of a body that is no text are shown.
const DUMPED: usize = 256;

/// The lines of a body, indented under its head, and what is to be said about it; empty for a body without content.
pub(super) fn lines(body: &Body) -> String {
    let mut text = String::new();
    match &body.content {
        Content::Empty => {}
        Content::Json(json) => indented(&readable(&json.value), 2, &mut text),
        Content::Form(form) => form.iter().for_each(|(name, value)| pair(name, value, &mut text)),
        Content::Events(stream) => events(stream, &mut text),
        Content::Text(content) => indented(content, 2, &mut text),
        Content::Bytes(bytes) => dump(bytes, &mut text),
    }
    if !text.is_empty() {
        text.insert(0, '\n');
    }
    for remark in remarks(body) {
        let _ = writeln!(text, "{DIM}*{DIM:#} {}", one_line(&remark));
    }
    text
}

/// A name with its value.
pub(super) fn pair(name: &str, value: &str, out: &mut String) {
    let _ = writeln!(out, "  {NAME}{}{NAME:#}: {}", harmless_line(&one_line(name)), one_line(value));
}

fn remarks(body: &Body) -> Vec<String> {
    let mut remarks = Vec::new();
    if !body.codings.is_empty() {
        let codings: Vec<&str> = body.codings.iter().map(|coding| coding.name()).collect();
        remarks.push(format!("decoded from {}", codings.join(", ")));
    }
    match &body.end {
        End::Cut { of } => remarks.push(format!("only the beginning is stored; {of} bytes were transferred")),
        End::Open => remarks.push("its end was not seen".to_owned()),
        end => remarks.extend(super::note::trouble(end)),
    }
    remarks
}

fn indented(text: &str, indent: usize, out: &mut String) {
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        let line = harmless_line(line.strip_suffix('\r').unwrap_or(line));
        let indent = if line.is_empty() { 0 } else { indent };
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

fn events(stream: &EventStream, out: &mut String) {
    for event in &stream.events {
        let names: Vec<String> = event.fields.iter().filter_map(headline).collect();
        let gap = if names.is_empty() { "" } else { "  " };
        let _ = writeln!(out, "  {DIM}{:>7}{DIM:#}{gap}{}", short(event.at), one_line(&names.join("  ")));
        content(event, out);
    }
    if !stream.tail.is_empty() {
        let _ = writeln!(out, "  {DIM}unfinished:{DIM:#}");
        indented(&stream.tail, 11, out);
    }
    if stream.events.is_empty() && stream.tail.is_empty() {
        out.push_str("  no events\n");
    }
}

fn headline(field: &Field) -> Option<String> {
    match field {
        Field::Event(name) => Some(name.clone()),
        Field::Id(id) => Some(format!("id: {id}")),
        Field::Retry(time) => Some(format!("retry: {time}")),
        Field::Comment(comment) => Some(format!(": {comment}")),
        Field::Data(_) | Field::Json(_) | Field::Raw(_) => None,
    }
}

fn content(event: &Event, out: &mut String) {
    for field in &event.fields {
        match field {
            Field::Json(json) => indented(&readable(&json.value), 11, out),
            Field::Data(text) | Field::Raw(text) => indented(text.trim_end(), 11, out),
            _ => {}
        }
    }
}

/// Sixteen bytes a line, as numbers and as text.
fn dump(bytes: &[u8], out: &mut String) {
    for (index, line) in bytes[..bytes.len().min(DUMPED)].chunks(16).enumerate() {
        let numbers: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = line.iter().map(|byte| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' }).collect();
        let _ = writeln!(out, "  {:06x}  {:<47}  {}", index * 16, numbers.join(" "), one_line(&text));
    }
    if bytes.len() > DUMPED {
        let _ = writeln!(out, "  and {} more bytes", bytes.len() - DUMPED);
    }
}

/// An event of a stream on one line: what it carries.
pub(super) fn gist(event: &Event) -> String {
    let name = event.name().unwrap_or("message");
    let gist = match event.json() {
        Some(message) => rpc_gist(message).unwrap_or_else(|| message.to_string()),
        None => event.data().or_else(|| event.fields.iter().find_map(headline)).unwrap_or_default(),
    };
    one_line(&if name == "message" { gist } else { format!("{name}: {gist}") })
}

fn rpc_gist(message: &Value) -> Option<String> {
    message.get("jsonrpc")?;
    let id = message.get("id").filter(|id| !id.is_null()).map(Value::to_string);
    if let Some(method) = message.get("method").and_then(Value::as_str) {
        return Some(id.map_or_else(|| method.to_owned(), |id| format!("request {id}: {method}")));
    }
    let answer = super::note::rpc_error(message).unwrap_or_else(|| "result".to_owned());
    Some(format!("answer to {}: {answer}", id.unwrap_or_else(|| "null".to_owned())))
}
