//! What a row of the table says. Foreign text is harmless and on one line from here on; columns and colours are the layout's.

use super::call::Call;
use super::note::note_of;
use super::times::short;
use crate::cassette::{Interaction, trouble_name};
use crate::cli::terminal::{BAD, DIM, GOOD, WARN, one_line};
use crate::exchange::{AnsweredBy, ConnectionEvent, End, Exchange, Outcome};
use crate::protocol::is_loopback_host;
use anstyle::Style;

/// A row of the table.
pub(super) struct Row {
    /// The number of the interaction; `!` for an event of a connection.
    pub number: String,
    /// When it began.
    pub at: String,
    /// The session, where one is known.
    pub session: String,
    /// What it was for.
    pub what: String,
    /// The method; empty for events.
    pub method: String,
    /// Host and path, or `host:port`.
    pub address: String,
    /// The status code, or the word for none.
    pub status: String,
    /// How long it took.
    pub took: String,
    /// What answered it, in the run of a replay; else empty.
    pub answer: String,
    /// What a second line says.
    pub note: Option<String>,
    /// How much it asks for a look.
    pub mood: Mood,
}

/// How much a row asks for a look. Colour follows it, and is never the only sign of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mood {
    /// Nobody saw it.
    Faint,
    /// Neither good nor bad.
    Plain,
    /// It went well.
    Calm,
    /// The server said no.
    Odd,
    /// Something broke.
    Bad,
}

impl Mood {
    /// The mood of a status code.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            200..300 => Self::Calm,
            ..400 => Self::Plain,
            400..500 => Self::Odd,
            _ => Self::Bad,
        }
    }

    /// The colour.
    pub(super) fn style(self) -> Style {
        match self {
            Self::Faint => DIM,
            Self::Plain => Style::new(),
            Self::Calm => GOOD,
            Self::Odd => WARN,
            Self::Bad => BAD,
        }
    }
}

impl Row {
    /// The row of an interaction.
    pub(super) fn of(interaction: &Interaction) -> Self {
        let exchange = &interaction.exchange;
        let note = note_of(interaction).map(|note| one_line(&note));
        Self {
            number: exchange.number.to_string(),
            at: short(exchange.at),
            session: exchange.session.to_string(),
            what: what(interaction),
            method: one_line(&exchange.request.method),
            address: one_line(&address(&exchange.request.url)),
            status: status(exchange),
            took: took(exchange),
            answer: exchange.answered.as_ref().map(answer).unwrap_or_default(),
            mood: mood(exchange, note.is_some()),
            note,
        }
    }

    /// The row of an event of a connection.
    pub(super) fn of_event(event: &ConnectionEvent) -> Self {
        Self {
            number: "!".to_owned(),
            at: short(event.at),
            session: event.session.map(|session| session.to_string()).unwrap_or_default(),
            what: trouble_name(event.trouble).to_owned(),
            method: String::new(),
            address: one_line(event.host.as_deref().unwrap_or("unnamed host")),
            status: String::new(),
            took: String::new(),
            answer: String::new(),
            note: (!event.detail.is_empty()).then(|| one_line(&event.detail)),
            mood: Mood::Bad,
        }
    }
}

/// The kind with what is called: `mcp-request tools/call echo`.
pub(super) fn what(interaction: &Interaction) -> String {
    let mut what = interaction.kind.name().to_owned();
    if let Some(call) = Call::of(&interaction.exchange.request.body.content) {
        what.push(' ');
        what.push_str(&one_line(call.method.strip_prefix("notifications/").unwrap_or(&call.method)));
        if let Some(target) = call.target {
            what.push(' ');
            what.push_str(&one_line(&target));
        }
    }
    if interaction.exchange.inferred {
        what.push_str(" (inferred)");
    }
    what
}

/// Host and path. Plain http is named unless it stays on this machine; a query is only hinted at.
fn address(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (place, query) = rest.split_once('?').map_or((rest, ""), |(place, _)| (place, "?…"));
    let authority = place.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(authority, |(host, _)| host);
    let named = if scheme == "https" || scheme.is_empty() || is_loopback_host(host) { "" } else { "http://" };
    format!("{named}{place}{query}")
}

fn status(exchange: &Exchange) -> String {
    match &exchange.outcome {
        Outcome::Response(response) => response.status.to_string(),
        Outcome::Failed(_) => "failed".to_owned(),
        Outcome::Unseen => "unseen".to_owned(),
    }
}

fn took(exchange: &Exchange) -> String {
    let is_open = exchange.response().is_some_and(|response| response.body.end == End::Open);
    match exchange.took {
        Some(took) => short(took),
        None if is_open => "open".to_owned(),
        None => String::new(),
    }
}

/// Who answered, and with which interaction of the cassette: `=` is that one, `~` looks like it.
fn answer(answered: &AnsweredBy) -> String {
    match answered {
        AnsweredBy::Tape { interaction } => format!("tape ={interaction}"),
        AnsweredBy::Model { like: Some(like), .. } => format!("model ~{like}"),
        AnsweredBy::Model { like: None, .. } => "model".to_owned(),
        AnsweredBy::Assistant => "assistant".to_owned(),
        AnsweredBy::Fault => "FAULT".to_owned(),
        AnsweredBy::Elsewhere => "elsewhere".to_owned(),
        AnsweredBy::Miss { nearest: Some(nearest), .. } => format!("MISS ~{nearest}"),
        AnsweredBy::Miss { nearest: None, .. } => "MISS".to_owned(),
    }
}

fn mood(exchange: &Exchange, has_note: bool) -> Mood {
    if matches!(exchange.answered, Some(AnsweredBy::Miss { .. })) {
        return Mood::Bad;
    }
    match &exchange.outcome {
        Outcome::Failed(_) => Mood::Bad,
        Outcome::Unseen if has_note => Mood::Odd,
        Outcome::Unseen => Mood::Faint,
        Outcome::Response(response) => match (&response.body.end, Mood::of_status(response.status)) {
            (End::ServerGone(_) | End::Undecodable(_), _) => Mood::Bad,
            (_, mood) if has_note => mood.max(Mood::Odd),
            (_, mood) => mood,
        },
    }
}
