//! One interaction in full: `>` before what was asked, `<` before what came, `*` before what we say about it.

use super::body::{lines, pair};
use super::row::{Mood, what};
use crate::cassette::{Interaction, stage_name};
use crate::cli::terminal::{BAD, DIM, NAME, one_line};
use crate::exchange::{Actor, AnsweredBy, Exchange, Form, Headers, Outcome, Request, Response, Version};
use crate::protocol::query_of;
use std::fmt::Write;

/// All that `show FILE N` prints.
pub(super) fn page(interaction: &Interaction) -> String {
    let exchange = &interaction.exchange;
    let mut page = format!("{NAME}interaction {}{NAME:#}: {}\n", exchange.number, what(interaction));
    page.push_str(&circumstances(exchange));
    page.push('\n');
    page.push_str(&asked(&exchange.request));
    page.push('\n');
    match &exchange.outcome {
        Outcome::Response(response) => page.push_str(&came(response)),
        Outcome::Failed(failure) => {
            let stage = stage_name(failure.stage);
            let _ = writeln!(page, "< {BAD}no response{BAD:#}, failed at {stage}: {}", one_line(&failure.reason));
        }
        Outcome::Unseen => page.push_str("< what came of it was not seen\n"),
    }
    page
}

fn circumstances(exchange: &Exchange) -> String {
    let Exchange { session, connection, at, took, .. } = exchange;
    let mut line = format!("session {session}, connection {connection}, at {}ms", at.as_millis());
    if let Some(took) = took {
        let _ = write!(line, ", took {}ms", took.as_millis());
    }
    if exchange.actor == Actor::UserAgent {
        line.push_str(", made by the user agent");
    }
    if exchange.inferred {
        line.push_str(", inferred from other interactions");
    }
    line.push('\n');
    if let Some(answered) = &exchange.answered {
        line.push_str(&answer(answered));
    }
    line
}

/// What answered in place of the server. Interactions are those of the cassette.
fn answer(answered: &AnsweredBy) -> String {
    let (who, reasons) = match answered {
        AnsweredBy::Tape { interaction } => (format!("answered by the cassette, interaction {interaction}"), [].as_slice()),
        AnsweredBy::Model { like: Some(like), reasons } => {
            (format!("answered by the model, as interaction {like} looks"), reasons.as_slice())
        }
        AnsweredBy::Model { like: None, reasons } => ("answered by the model".to_owned(), reasons.as_slice()),
        AnsweredBy::Assistant => ("answered by the assistant".to_owned(), [].as_slice()),
        AnsweredBy::Fault => ("answered by a fault, in place of the servers".to_owned(), [].as_slice()),
        AnsweredBy::Elsewhere => ("its host is not in the cassette".to_owned(), [].as_slice()),
        AnsweredBy::Miss { nearest: Some(nearest), reasons } => {
            (format!("{BAD}a miss{BAD:#}: nothing in the cassette answers it; nearest is interaction {nearest}"), reasons.as_slice())
        }
        AnsweredBy::Miss { nearest: None, reasons } => {
            (format!("{BAD}a miss{BAD:#}: nothing in the cassette answers it"), reasons.as_slice())
        }
    };
    let reasons = reasons.iter().map(|reason| format!("  {}\n", one_line(reason)));
    format!("{DIM}*{DIM:#} {who}\n{}", reasons.collect::<String>())
}

fn asked(request: &Request) -> String {
    let version = version_name(request.version);
    let mut text = format!("> {NAME}{}{NAME:#} {} {DIM}{version}{DIM:#}\n", one_line(&request.method), one_line(&request.url));
    for (name, value) in Form::parse(query_of(&request.url)).iter().flat_map(Form::iter) {
        let _ = writeln!(text, "  {DIM}?{DIM:#} {NAME}{}{NAME:#}: {}", one_line(name), one_line(value));
    }
    fields(&request.headers, &mut text);
    text.push_str(&lines(&request.body));
    trailers(&request.trailers, &mut text);
    text
}

fn came(response: &Response) -> String {
    let style = Mood::of_status(response.status).style();
    let reason = http::StatusCode::from_u16(response.status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut text = format!("< {style}{}{style:#} {reason}", response.status);
    text.truncate(text.trim_end().len());
    text.push('\n');
    fields(&response.headers, &mut text);
    text.push_str(&lines(&response.body));
    trailers(&response.trailers, &mut text);
    text
}

fn fields(headers: &Headers, out: &mut String) {
    headers.iter().for_each(|(name, value)| pair(name, value, out));
}

fn trailers(trailers: &Headers, out: &mut String) {
    if !trailers.is_empty() {
        let _ = writeln!(out, "{DIM}*{DIM:#} trailers");
        fields(trailers, out);
    }
}

/// The version as in a start line.
pub(super) fn version_name(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2",
    }
}
