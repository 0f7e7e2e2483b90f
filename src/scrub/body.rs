//! Bodies: typed views stay typed, text stays text, what is neither is dropped.

use super::ground::{Area, Ground};
use super::json_text::{key, secret_number};
use super::table::Table;
use super::value::{field, free};
use crate::exchange::{Body, Content, End, Event, Field, Form, Headers};
use crate::protocol::{FieldRole, Place, field_role};
use serde_json::Value;

/// Scrubs a body in place.
pub(super) fn scrub(table: &mut Table, body: &mut Body, ground: Ground) {
    match &mut body.content {
        Content::Empty => {}
        Content::Json(json) => {
            let ground = if is_rpc(&json.value) { Ground { area: Area::Envelope, ..ground } } else { ground };
            json_value(table, &mut json.value, None, ground);
        }
        Content::Form(form) => {
            for (name, value) in form.iter_mut() {
                let role = ground.parameter(name, true);
                replace(value, field(table, role, value, ground));
            }
            form_names(form, |name| key(table, name, ground));
        }
        Content::Events(stream) => {
            events(table, &mut stream.events, ground);
            let tail = raw_event(table, &stream.tail, ground);
            replace(&mut stream.tail, tail);
        }
        Content::Text(text) => {
            let ground = if text.contains("\"jsonrpc\"") { Ground { area: Area::Envelope, ..ground } } else { ground };
            replace(text, free(table, text, ground));
        }
        Content::Bytes(bytes) => {
            // Fail closed: nothing here can look into pictures, archives or unknown encodings.
            body.end = End::Undecodable(format!("{} bytes that are not text", bytes.len()));
            body.content = Content::Empty;
        }
    }
    if let End::ServerGone(reason) | End::Undecodable(reason) = &mut body.end {
        replace(reason, free(table, reason, ground));
    }
}

/// Scrubs header or trailer fields in place.
pub(super) fn headers(table: &mut Table, headers: &mut Headers, ground: Ground) {
    for (name, value) in headers.iter_mut() {
        replace(value, super::header::value(table, name, value, ground));
    }
}

/// Scrubs events in place.
pub(super) fn events(table: &mut Table, events: &mut [Event], ground: Ground) {
    for part in events.iter_mut().flat_map(|event| &mut event.fields) {
        match part {
            Field::Id(id) => replace(id, field(table, field_role(Place::Header, "last-event-id"), id, ground)),
            Field::Json(json) => {
                let ground = if is_rpc(&json.value) { Ground { area: Area::Envelope, ..ground } } else { ground };
                json_value(table, &mut json.value, None, ground);
            }
            Field::Data(text) => {
                // The `endpoint` event of the 2024-11-05 transport holds a URL, no content.
                let head = Ground { area: Area::Login, ..ground };
                let is_url = text.starts_with('/') || text.starts_with("http");
                replace(text, free(table, text, if is_url { head } else { ground }));
            }
            Field::Raw(raw) => replace(raw, raw_event(table, raw, ground)),
            Field::Event(text) | Field::Retry(text) | Field::Comment(text) => replace(text, free(table, text, ground)),
        }
    }
}

/// Lines of a stream that could not be taken apart, or were cut off.
fn raw_event(table: &mut Table, text: &str, ground: Ground) -> Option<String> {
    let mut changed = false;
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let bare = line.trim_end_matches(['\n', '\r']);
        let value = bare.find(':').map_or(0, |colon| colon + 1);
        let value = value + (bare.len() - value - bare[value..].trim_start().len());
        let new = match &bare[..value] {
            name if name.starts_with("id") => field(table, field_role(Place::Header, "last-event-id"), &bare[value..], ground),
            _ => free(table, &bare[value..], ground),
        };
        changed |= new.is_some();
        out.push_str(&bare[..value]);
        out.push_str(new.as_deref().unwrap_or(&bare[value..]));
        out.push_str(&line[bare.len()..]);
    }
    changed.then_some(out)
}

fn is_rpc(value: &Value) -> bool {
    let message = if let Value::Array(batch) = value { batch.first().unwrap_or(value) } else { value };
    message.get("jsonrpc").is_some()
}

fn json_value(table: &mut Table, value: &mut Value, role: Option<FieldRole>, ground: Ground) {
    match value {
        Value::String(text) => replace(text, field(table, role, text, ground.deeper())),
        Value::Array(items) => items.iter_mut().for_each(|item| json_value(table, item, role, ground)),
        Value::Object(members) => {
            let mut names = Vec::new();
            let is_key = members.contains_key("kty") && !matches!(ground.area, Area::Envelope | Area::Content);
            let ground = if is_key { Ground { area: Area::Metadata, ..ground } } else { ground };
            for (name, value) in members.iter_mut() {
                json_value(table, value, ground.member(name), ground.inside(name));
                names.extend(key(table, name, ground).map(|new| (name.clone(), new)));
            }
            if !names.is_empty() {
                rename(members, &names);
            }
        }
        Value::Number(digits) if role.is_some() => {
            if let Some(placeholder) = secret_number(table, &digits.to_string(), role) {
                *value = Value::String(placeholder);
            }
        }
        _ => {}
    }
}

/// Parameters whose names hold a secret get new names.
pub(super) fn form_names(form: &mut Form, mut visit: impl FnMut(&str) -> Option<String>) -> bool {
    let names: Vec<Option<String>> = form.iter().map(|(name, _)| visit(name)).collect();
    let changed = names.iter().any(Option::is_some);
    if changed {
        let renamed = form.iter().zip(names).map(|((name, value), new)| (new.unwrap_or_else(|| name.to_owned()), value.to_owned()));
        *form = renamed.collect::<Vec<_>>().into_iter().collect();
    }
    changed
}

fn rename(members: &mut serde_json::Map<String, Value>, names: &[(String, String)]) {
    let old = std::mem::take(members);
    members.extend(old.into_iter().map(|(name, value)| {
        let new = names.iter().find(|(before, _)| *before == name);
        (new.map_or(name, |(_, new)| new.clone()), value)
    }));
}

/// Puts a new text in place, where there is one.
pub(super) fn replace(text: &mut String, new: Option<String>) {
    if let Some(new) = new {
        *text = new;
    }
}
