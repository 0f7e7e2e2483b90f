//! `--format json`: one document. The list holds what the table shows; one interaction holds its headers and bodies too.
//! Values are those of the file; what a terminal would obey is escaped, so they are the same to every parser.

use super::call::Call;
use super::full::version_name;
use super::note::note_of;
use super::run;
use super::source::Source;
use crate::cassette::{Header, Interaction, VERSION, ending_name, stage_name, trouble_name};
use crate::cli::terminal::is_harmful;
use crate::exchange::{Actor, Body, ConnectionEvent, Content, End, Event, Exchange, Field, Headers, Outcome};
use base64::Engine as _;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The whole cassette.
pub(super) fn cassette(source: &Source) -> String {
    let interactions: Vec<Value> = source.cassette.interactions.iter().map(|each| Value::Object(summary(source, each))).collect();
    let events: Vec<Value> = source.cassette.events.iter().map(event).collect();
    let document = json!({
        "file": source.cassette.path.to_string_lossy(),
        "header": header(&source.cassette.header),
        "interactions": interactions,
        "events": events,
    });
    readable(&document) + "\n"
}

/// One interaction in full.
pub(super) fn one(source: &Source, interaction: &Interaction) -> String {
    let mut members = summary(source, interaction);
    let request = &interaction.exchange.request;
    members.insert("request".to_owned(), message(&request.headers, &request.body, &request.trailers));
    if let Some(response) = interaction.exchange.response() {
        members.insert("response".to_owned(), message(&response.headers, &response.body, &response.trailers));
    }
    readable(&Value::Object(members)) + "\n"
}

/// JSON over several lines, without a character that a terminal obeys and without what a CI runner takes for a command.
pub(super) fn readable(value: &Value) -> String {
    let text = format!("{value:#}");
    if !text.contains(|c: char| c != '\n' && is_harmful(c)) && !text.contains("##") {
        return text;
    }
    let text = text.replace("##[", "#\\u0023[").replace("##vso[", "#\\u0023vso[");
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character != '\n' && is_harmful(character) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn header(header: &Header) -> Value {
    let recorded = &header.recorded;
    let scrubbed = header.scrubbed.map(|done| json!({"policy": done.policy, "secrets": done.secrets, "personal": done.personal}));
    let session =
        |each: &crate::cassette::Session| json!({"session": each.session, "client": each.client, "exit": each.exit, "signal": each.signal});
    let passed = |each: &crate::cassette::Passed| json!({"host": each.host, "kind": each.kind.name(), "requests": each.requests});
    let tool = |each: &crate::cassette::Tool| json!({"tool": each.tool, "requests": each.requests});
    let mut document = json!({
        "authtape": VERSION,
        "recorded": {
            "at": recorded.at.to_string(),
            "with": recorded.with,
            "client": recorded.client,
            "client_version": recorded.client_version,
        },
        "scrubbed": scrubbed,
        "finished": header.finished,
        "raw": header.raw,
        "sessions": header.sessions.iter().map(session).collect::<Vec<_>>(),
        "passed": header.passed.iter().map(passed).collect::<Vec<_>>(),
        "tools": header.tools.iter().map(tool).collect::<Vec<_>>(),
    });
    if let Some(replayed) = &header.replayed {
        document["replayed"] = run::replayed(replayed);
    }
    document
}

fn summary(source: &Source, interaction: &Interaction) -> Map<String, Value> {
    let exchange = &interaction.exchange;
    let derived = source.derived_kind(exchange.number);
    let call = Call::of(&exchange.request.body.content);
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("number", exchange.number.into());
    add("session", exchange.session.into());
    add("by", if exchange.actor == Actor::Client { "client" } else { "user-agent" }.into());
    add("connection", exchange.connection.into());
    add("at_ms", milliseconds(exchange.at));
    add("took_ms", exchange.took.map_or(Value::Null, milliseconds));
    add("kind", interaction.kind.name().into());
    if let Some(derived) = derived {
        add("derived_kind", derived.name().into());
    }
    add("inferred", exchange.inferred.into());
    add("method", exchange.request.method.clone().into());
    add("url", exchange.request.url.clone().into());
    add("http", version_name(exchange.request.version).into());
    add("rpc", call.map_or(Value::Null, |call| json!({"method": call.method, "target": call.target})));
    outcome(exchange, &mut add);
    if let Some(answered) = &exchange.answered {
        add("answer", run::answer(answered));
    }
    members.insert("note".to_owned(), note_of(interaction).into());
    members
}

fn outcome(exchange: &Exchange, add: &mut impl FnMut(&str, Value) -> Option<Value>) {
    add("status", exchange.status().into());
    match &exchange.outcome {
        Outcome::Response(response) => {
            add("outcome", "response".into());
            add("ended", ending_name(&response.body.end).into());
            if let Some(stream) = response.body.content.events() {
                add("stream_events", stream.events.len().into());
            }
        }
        Outcome::Failed(failure) => {
            add("outcome", "failed".into());
            add("failed", json!({"stage": stage_name(failure.stage), "reason": failure.reason}));
        }
        Outcome::Unseen => {
            add("outcome", "unseen".into());
        }
    }
}

fn event(event: &ConnectionEvent) -> Value {
    json!({
        "event": trouble_name(event.trouble),
        "session": event.session,
        "connection": event.connection,
        "at_ms": milliseconds(event.at),
        "host": event.host,
        "detail": event.detail,
    })
}

fn message(headers: &Headers, body: &Body, trailers: &Headers) -> Value {
    let mut members = Map::new();
    members.insert("headers".to_owned(), pairs(headers.iter()));
    let (name, content) = match &body.content {
        Content::Empty => ("body", Value::Null),
        Content::Json(json) => ("json", json.value.clone()),
        Content::Form(form) => ("form", pairs(form.iter())),
        Content::Events(stream) => ("events", stream.events.iter().map(stream_event).collect()),
        Content::Text(text) => ("text", text.clone().into()),
        Content::Bytes(bytes) => ("base64", base64::engine::general_purpose::STANDARD.encode(bytes).into()),
    };
    members.insert(name.to_owned(), content);
    if !body.codings.is_empty() {
        members.insert("encoding".to_owned(), body.codings.iter().map(|coding| Value::from(coding.name())).collect());
    }
    if let End::Cut { of } = body.end {
        members.insert("cut".to_owned(), of.into());
    }
    members.insert("ended".to_owned(), ending_name(&body.end).into());
    if !trailers.is_empty() {
        members.insert("trailers".to_owned(), pairs(trailers.iter()));
    }
    Value::Object(members)
}

fn stream_event(event: &Event) -> Value {
    let field = |field: &Field| match field {
        Field::Event(text) => json!({"event": text}),
        Field::Id(text) => json!({"id": text}),
        Field::Retry(text) => json!({"retry": text}),
        Field::Data(text) => json!({"data": text}),
        Field::Json(json) => json!({"json": json.value}),
        Field::Comment(text) => json!({"comment": text}),
        Field::Raw(text) => json!({"raw": text}),
    };
    json!({"at_ms": milliseconds(event.at), "fields": event.fields.iter().map(field).collect::<Vec<_>>()})
}

fn pairs<'t>(pairs: impl Iterator<Item = (&'t str, &'t str)>) -> Value {
    pairs.map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn milliseconds(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}
