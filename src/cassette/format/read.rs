//! Text as the model: which document it is, then its members, then what must hold between them.

use super::VERSION;
use super::body::{self, Parts, Wrong};
use super::names::Encoding;
use super::pairs::{Millis, Pairs};
use super::replayed::WireAnswer;
use super::wire::{WireConnectionEvent, WireHeader, WireInteraction, WireMore, WireRequest, WireResponse};
use crate::cassette::{Closing, Entry, Header, Interaction, More, Passed, Recorded, Scrubbed, Session, Tool};
use crate::exchange::{Body, Coding, ConnectionEvent, Exchange, Failure, Headers, Outcome, Request, Response};
use crate::yaml;
use std::time::Duration;

/// What is wrong with one document. Lines count from the beginning of the document.
#[derive(Debug)]
pub(in crate::cassette) struct FormatError {
    pub line: u64,
    pub column: u64,
    pub message: String,
    pub hint: Option<&'static str>,
}

/// Reads the header.
pub(in crate::cassette) fn header(text: &str) -> Result<Header, FormatError> {
    match top_level(text, &["authtape", "interaction", "event", "more"]) {
        Some(("authtape", line, value)) => check_version(line, value)?,
        Some((_, line, _)) => return Err(no_header(line)),
        None => return Err(no_cassette(text)),
    }
    let wire: WireHeader = yaml::from_str(text)?;
    if wire.authtape != VERSION {
        check_version(1, &wire.authtape.to_string())?;
    }
    let recorded = wire.recorded;
    Ok(Header {
        recorded: Recorded { at: recorded.at, with: recorded.with, client: recorded.client, client_version: recorded.client_version },
        scrubbed: wire.scrubbed.map(|scrubbed| Scrubbed {
            policy: scrubbed.policy,
            secrets: scrubbed.secrets,
            personal: scrubbed.personal,
        }),
        finished: wire.finished,
        raw: wire.raw,
        sessions: wire
            .sessions
            .into_iter()
            .map(|session| Session { session: session.session, client: session.client, exit: session.exit, signal: session.signal })
            .collect(),
        passed: wire
            .passed
            .into_iter()
            .map(|passed| Passed { host: passed.host, kind: passed.kind.0, requests: passed.requests })
            .collect(),
        tools: wire.tools.into_iter().map(|tool| Tool { tool: tool.tool, requests: tool.requests }).collect(),
        replayed: wire.replayed.map(Into::into),
    })
}

/// Reads a document after the header.
pub(in crate::cassette) fn entry(text: &str) -> Result<Entry, FormatError> {
    let made = match top_level(text, &["interaction", "event", "more", "authtape"]) {
        Some(("interaction", ..)) => interaction(yaml::from_str(text)?),
        Some(("event", ..)) => Ok(Entry::Event(event(yaml::from_str(text)?))),
        Some(("more", ..)) => more(yaml::from_str(text)?),
        Some((_, line, _)) => {
            let message = "a second header: `authtape:` stands only in the first document".to_owned();
            return Err(FormatError { line, column: 1, message, hint: None });
        }
        None => {
            let message = "neither an interaction nor an event: expected a line that begins with `interaction:` or `event:`".to_owned();
            return Err(FormatError { line: first_line(text), column: 1, message, hint: None });
        }
    };
    made.map_err(|Wrong { outer, member, message }| {
        let (line, column) = locate(text, &[outer, member]);
        FormatError { line, column, message, hint: None }
    })
}

impl From<yaml::Error> for FormatError {
    fn from(error: yaml::Error) -> Self {
        Self { line: error.line, column: error.column, message: error.message, hint: None }
    }
}

fn check_version(line: u64, value: &str) -> Result<(), FormatError> {
    let Ok(version) = value.split('#').next().unwrap_or_default().trim().parse::<u32>() else { return Ok(()) };
    if version == VERSION {
        return Ok(());
    }
    let message = format!("cassette version {version}; this authtape reads version {VERSION}");
    let hint = if version > VERSION { "a newer authtape wrote it: update authtape" } else { "there is no such version" };
    Err(FormatError { line, column: 1, message, hint: Some(hint) })
}

fn no_header(line: u64) -> FormatError {
    let message = "the header is missing: expected a first document that begins with `authtape: 1`".to_owned();
    FormatError { line, column: 1, message, hint: Some("cassettes/README.md shows a whole cassette") }
}

fn no_cassette(text: &str) -> FormatError {
    let message = "not a cassette: expected a YAML file that begins with `authtape: 1`".to_owned();
    FormatError { line: first_line(text), column: 1, message, hint: Some("cassettes/README.md shows a whole cassette") }
}

fn first_line(text: &str) -> u64 {
    let lines = text.lines().zip(1..);
    lines.filter(|(line, _)| !line.trim().is_empty() && !line.starts_with(['#', '-'])).map(|(_, number)| number).next().unwrap_or(1)
}

/// The first of `names` that stands at the beginning of a line, its line from 1, and what follows on that line.
fn top_level<'t, 'n>(text: &'t str, names: &'n [&'n str]) -> Option<(&'n str, u64, &'t str)> {
    text.lines().zip(1..).find_map(|(line, number)| {
        let (key, value) = line.split_once(':')?;
        names.iter().find(|name| **name == key).map(|name| (*name, number, value))
    })
}

/// Line and column of a member; of the deepest one that is found.
fn locate(text: &str, path: &[&str]) -> (u64, u64) {
    let mut found = (first_line(text), 1);
    let mut lines = text.lines().zip(1..);
    for (depth, name) in path.iter().filter(|name| !name.is_empty()).enumerate() {
        let Some((line, number)) = lines.find(|(line, _)| line.trim_start().split(':').next() == Some(name)) else { return found };
        let column = line.len() - line.trim_start().len();
        if depth > 0 && column == 0 {
            return found;
        }
        found = (number, column as u64 + 1);
    }
    found
}

fn interaction(wire: WireInteraction) -> Result<Entry, Wrong> {
    let request = request(wire.request)?;
    let outcome = match (wire.response, wire.failed, wire.unseen) {
        (Some(given), None, false) => Outcome::Response(response(given)?),
        (None, Some(failed), false) => Outcome::Failed(Failure { stage: failed.stage.0, reason: failed.reason }),
        (None, None, true) => Outcome::Unseen,
        (None, None, false) => return Err(Wrong::new("interaction", "no outcome: expected `response`, `failed` or `unseen: true`")),
        (_, Some(_), _) => return Err(Wrong::new("failed", "`failed` stands beside another outcome: only one can be")),
        (Some(_), None, true) => return Err(Wrong::new("unseen", "`unseen` stands beside a `response`: only one can be")),
    };
    let exchange = Exchange {
        number: wire.interaction,
        session: wire.session,
        actor: wire.by.map(|by| by.0).unwrap_or_default(),
        connection: wire.connection,
        at: wire.at.0,
        took: duration(wire.took),
        request,
        outcome,
        inferred: wire.inferred,
        answered: wire.answer.map(WireAnswer::into_model).transpose()?,
    };
    Ok(Entry::Interaction(Box::new(Interaction { exchange, kind: wire.kind.0 })))
}

fn request(wire: WireRequest) -> Result<Request, Wrong> {
    let WireRequest {
        method,
        url,
        http,
        headers,
        encoding,
        style,
        json,
        json_text,
        form,
        events,
        tail,
        text,
        base64,
        cut,
        ended,
        reason,
        trailers,
    } = wire;
    let parts = Parts { style, json, json_text, form, events, tail, text, base64 };
    let content = parts.content().map_err(|wrong| wrong.within("request"))?;
    let end = body::end(cut, ended, reason).map_err(|wrong| wrong.within("request"))?.unwrap_or_default();
    let version = http.map(|http| http.0).unwrap_or_default();
    Ok(Request {
        method,
        url,
        version,
        headers: fields(headers),
        body: Body { content, codings: codings(&encoding), end },
        trailers: fields(trailers),
    })
}

fn response(wire: WireResponse) -> Result<Response, Wrong> {
    let WireResponse { status, headers, encoding, style, json, json_text, form, events, tail, text, base64, cut, ended, reason, trailers } =
        wire;
    let parts = Parts { style, json, json_text, form, events, tail, text, base64 };
    let content = parts.content().map_err(|wrong| wrong.within("response"))?;
    let end = body::end(cut, ended, reason).map_err(|wrong| wrong.within("response"))?.unwrap_or_default();
    Ok(Response { status, headers: fields(headers), body: Body { content, codings: codings(&encoding), end }, trailers: fields(trailers) })
}

fn event(wire: WireConnectionEvent) -> ConnectionEvent {
    let WireConnectionEvent { event, session, connection, at, host, detail } = wire;
    ConnectionEvent { at: at.0, session, connection, trouble: event.0, host, detail }
}

fn more(wire: WireMore) -> Result<Entry, Wrong> {
    let WireMore { more, style, events, tail, took, cut, ended, reason, trailers } = wire;
    let style = body::sse_style(style)?;
    let end = body::end(cut, ended, reason)?;
    let closing = end.map(|end| Closing { took: duration(took), end, tail: tail.unwrap_or_default(), trailers: fields(trailers) });
    Ok(Entry::More(More { number: more, style, events: events.into_iter().map(|event| event.0).collect(), closing }))
}

fn duration(millis: Option<Millis>) -> Option<Duration> {
    millis.map(|millis| millis.0)
}

fn fields(pairs: Pairs) -> Headers {
    pairs.0.into_iter().collect()
}

fn codings(encoding: &[Encoding]) -> Vec<Coding> {
    encoding.iter().map(|encoding| encoding.0).collect()
}
