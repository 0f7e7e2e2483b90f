//! The model as text. The order of members is fixed, defaults are left out, nothing is copied on the way.

use super::VERSION;
use super::names::{By, Encoding, Ended, Ending, FailedAt, Happened, Http, Style, Written};
use super::replayed::{write_answer, write_replayed};
use crate::cassette::{Entry, Header, Interaction, More, Recorded};
use crate::exchange::{
    Actor, Body, ConnectionEvent, Content, End, Event, EventStream, Exchange, Field, Headers, Json, JsonStyle, Outcome, Request, Response,
    SseStyle, Version,
};
use crate::yaml::{self, Emitter};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use std::fmt::{self, Display};
use std::time::Duration;

/// Base64 beyond one line of this many characters is a literal block.
const BASE64_LINE: usize = 96;

/// Appends the text of one document, without any `---`.
pub fn document_of(entry: &Entry, out: &mut String) {
    match entry {
        Entry::Interaction(interaction) => write_interaction(interaction, out),
        Entry::Event(event) => write_event(event, out),
        Entry::More(more) => write_more(more, out),
    }
}

/// Appends the text of the header, without any `---`.
pub(in crate::cassette) fn header(header: &Header, out: &mut String) {
    let Header { recorded, scrubbed, finished, raw, sessions, passed, tools, replayed } = header;
    let mut yaml = Emitter::new(out);
    yaml.name("authtape").plain(VERSION);
    write_recorded(recorded, &mut yaml);
    if let Some(scrubbed) = scrubbed {
        let mut map = yaml.name("scrubbed").flow();
        map.plain("policy", scrubbed.policy).plain("secrets", scrubbed.secrets).plain("personal", scrubbed.personal).end();
    }
    yaml.name("finished").plain(finished);
    if *raw {
        yaml.name("raw").plain(true);
    }
    if !sessions.is_empty() {
        list(yaml.name("sessions"), sessions, |yaml, session| {
            let mut map = yaml.flow();
            map.plain("session", session.session).texts("client", session.client.iter().map(String::as_str));
            if let Some(exit) = session.exit {
                map.plain("exit", exit);
            }
            if let Some(signal) = session.signal {
                map.plain("signal", signal);
            }
            map.end();
        });
    }
    if !passed.is_empty() {
        list(yaml.name("passed"), passed, |yaml, passed| {
            yaml.flow().text("host", &passed.host).plain("kind", passed.kind).plain("requests", passed.requests).end();
        });
    }
    if !tools.is_empty() {
        list(yaml.name("tools"), tools, |yaml, tool| {
            yaml.flow().text("tool", &tool.tool).plain("requests", tool.requests).end();
        });
    }
    if let Some(replayed) = replayed {
        write_replayed(replayed, &mut yaml);
    }
}

fn write_recorded(recorded: &Recorded, yaml: &mut Emitter<'_>) {
    let mut map = yaml.name("recorded").flow();
    let at = Timestamp::from_second(recorded.at.as_second()).unwrap_or(recorded.at);
    map.plain("at", at).text("with", &recorded.with).texts("client", recorded.client.iter().map(String::as_str));
    if let Some(version) = &recorded.client_version {
        map.text("client_version", version);
    }
    map.end();
}

/// Appends the text of one document, without any `---`.
pub(in crate::cassette) fn write_interaction(interaction: &Interaction, out: &mut String) {
    let Exchange { number, session, actor, connection, at, took, request, outcome, inferred, answered } = &interaction.exchange;
    let mut yaml = Emitter::new(out);
    yaml.name("interaction").plain(number);
    yaml.name("session").plain(session);
    if *actor != Actor::Client {
        yaml.name("by").plain(By::name(*actor));
    }
    yaml.name("connection").plain(connection);
    yaml.name("at").plain(Milliseconds(*at));
    if let Some(took) = took {
        yaml.name("took").plain(Milliseconds(*took));
    }
    yaml.name("kind").plain(interaction.kind);
    if *inferred {
        yaml.name("inferred").plain(true);
    }
    if let Some(answered) = answered {
        write_answer(answered, &mut yaml);
    }
    yaml.name("request").begin();
    write_request(request, &mut yaml);
    yaml.end();
    match outcome {
        Outcome::Response(response) => {
            yaml.name("response").begin();
            write_response(response, &mut yaml);
            yaml.end();
        }
        Outcome::Failed(failure) => {
            yaml.name("failed").begin();
            yaml.name("stage").plain(FailedAt::name(failure.stage));
            yaml.name("reason").text(&failure.reason);
            yaml.end();
        }
        Outcome::Unseen => yaml.name("unseen").plain(true),
    }
}

fn write_request(request: &Request, yaml: &mut Emitter<'_>) {
    let Request { method, url, version, headers, body, trailers } = request;
    yaml.name("method").text(method);
    yaml.name("url").text(url);
    if *version != Version::Http11 {
        yaml.name("http").plain(format_args!("\"{}\"", Http::name(*version)));
    }
    write_message(headers, body, trailers, yaml);
}

fn write_response(response: &Response, yaml: &mut Emitter<'_>) {
    let Response { status, headers, body, trailers } = response;
    yaml.name("status").plain(status);
    write_message(headers, body, trailers, yaml);
}

fn write_message(headers: &Headers, body: &Body, trailers: &Headers, yaml: &mut Emitter<'_>) {
    write_pairs("headers", headers.iter(), yaml);
    if !body.codings.is_empty() {
        let names: Vec<_> = body.codings.iter().map(|coding| Encoding::name(*coding)).collect();
        yaml.name("encoding").plain(format_args!("[{}]", names.join(", ")));
    }
    write_content(&body.content, yaml);
    write_end(&body.end, yaml);
    write_pairs("trailers", trailers.iter(), yaml);
}

fn write_pairs<'t>(name: &'static str, pairs: impl Iterator<Item = (&'t str, &'t str)>, yaml: &mut Emitter<'_>) {
    let mut is_first = true;
    for (key, value) in pairs {
        if std::mem::take(&mut is_first) {
            yaml.name(name).begin();
        }
        yaml.item().key(key).text(value);
        yaml.end_item();
    }
    if !is_first {
        yaml.end();
    }
}

fn write_content(content: &Content, yaml: &mut Emitter<'_>) {
    match content {
        Content::Empty => {}
        Content::Json(json) => write_json(json, yaml),
        Content::Form(form) if form.iter().next().is_none() => yaml.name("form").empty_list(),
        Content::Form(form) => write_pairs("form", form.iter(), yaml),
        Content::Events(EventStream { style, events, tail }) => {
            write_sse_style(*style, yaml);
            write_events(events, yaml);
            if !tail.is_empty() {
                yaml.name("tail").text(tail);
            }
        }
        Content::Text(text) => yaml.name("text").text(text),
        Content::Bytes(bytes) => write_base64(bytes, yaml),
    }
}

fn write_json(json: &Json, yaml: &mut Emitter<'_>) {
    if json.style != JsonStyle::Compact {
        yaml.name("style").plain(Written::name(Style::Json(json.style)));
    }
    if yaml::json_fits(&json.value) {
        yaml.name("json").json(&json.value);
    } else {
        yaml.name("json_text").text(&json.to_text());
    }
}

fn write_sse_style(style: SseStyle, yaml: &mut Emitter<'_>) {
    if style != SseStyle::default() {
        yaml.name("style").plain(Written::name(Style::Sse(style)));
    }
}

fn write_events(events: &[Event], yaml: &mut Emitter<'_>) {
    if events.is_empty() {
        return yaml.name("events").empty_list();
    }
    list(yaml.name("events"), events, |yaml, event| {
        yaml.name("at").plain(Milliseconds(event.at));
        if names_repeat(&event.fields) {
            return list(yaml.name("fields"), &event.fields, |yaml, field| write_field(field, yaml));
        }
        for field in &event.fields {
            write_field(field, yaml);
        }
    });
}

fn names_repeat(fields: &[Field]) -> bool {
    let same = |a: &Field, b: &Field| std::mem::discriminant(a) == std::mem::discriminant(b);
    fields.iter().enumerate().any(|(index, field)| fields[..index].iter().any(|before| same(field, before)))
}

fn write_field(field: &Field, yaml: &mut Emitter<'_>) {
    let (name, text) = match field {
        Field::Json(json) => return write_json(json, yaml),
        Field::Event(text) => ("event", text),
        Field::Id(text) => ("id", text),
        Field::Retry(text) => ("retry", text),
        Field::Data(text) => ("data", text),
        Field::Comment(text) => ("comment", text),
        Field::Raw(text) => ("raw", text),
    };
    yaml.name(name).text(text);
}

fn write_base64(bytes: &[u8], yaml: &mut Emitter<'_>) {
    let text = BASE64.encode(bytes);
    yaml.name("base64");
    if text.len() <= BASE64_LINE {
        return yaml.text(&text);
    }
    let lines: Vec<&str> = text.as_bytes().chunks(BASE64_LINE).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    yaml.text(&(lines.join("\n") + "\n"));
}

fn write_end(end: &End, yaml: &mut Emitter<'_>) {
    let (ending, reason) = match end {
        End::Complete => return,
        End::Cut { of } => return yaml.name("cut").plain(of),
        End::ClientGone => (Ending::ClientGone, None),
        End::Open => (Ending::Open, None),
        End::ServerGone(reason) => (Ending::ServerGone, Some(reason)),
        End::Undecodable(reason) => (Ending::Undecodable, Some(reason)),
    };
    yaml.name("ended").plain(Ended::name(ending));
    if let Some(reason) = reason {
        yaml.name("reason").text(reason);
    }
}

/// Appends the text of one document, without any `---`.
pub(in crate::cassette) fn write_event(event: &ConnectionEvent, out: &mut String) {
    let ConnectionEvent { at, session, connection, trouble, host, detail } = event;
    let mut yaml = Emitter::new(out);
    yaml.name("event").plain(Happened::name(*trouble));
    if let Some(session) = session {
        yaml.name("session").plain(session);
    }
    yaml.name("connection").plain(connection);
    yaml.name("at").plain(Milliseconds(*at));
    if let Some(host) = host {
        yaml.name("host").text(host);
    }
    if !detail.is_empty() {
        yaml.name("detail").text(detail);
    }
}

fn write_more(more: &More, out: &mut String) {
    let More { number, style, events, closing } = more;
    let mut yaml = Emitter::new(out);
    yaml.name("more").plain(number);
    write_sse_style(*style, &mut yaml);
    if !events.is_empty() {
        write_events(events, &mut yaml);
    }
    let Some(closing) = closing else { return };
    if !closing.tail.is_empty() {
        yaml.name("tail").text(&closing.tail);
    }
    if let Some(took) = closing.took {
        yaml.name("took").plain(Milliseconds(took));
    }
    match closing.end {
        End::Complete => yaml.name("ended").plain(Ended::name(Ending::Complete)),
        ref end => write_end(end, &mut yaml),
    }
    write_pairs("trailers", closing.trailers.iter(), &mut yaml);
}

fn list<T>(yaml: &mut Emitter<'_>, items: &[T], mut write: impl FnMut(&mut Emitter<'_>, &T)) {
    yaml.begin();
    for item in items {
        write(yaml.item(), item);
        yaml.end_item();
    }
    yaml.end();
}

struct Milliseconds(Duration);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}
