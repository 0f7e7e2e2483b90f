//! A cassette as a table: a sentence about the file, a row an interaction and event, a line of counts.

use super::header::{sentence, wrapped};
use super::layout::Layout;
use super::row::{Mood, Row};
use super::source::Source;
use super::{counted, quoted};
use crate::cassette::{Cassette, Happening, Header};
use crate::cli::terminal::DIM;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The rows of a cassette under the names of their columns, for a terminal of that width.
pub(in crate::cli) fn of(cassette: &Cassette, width: usize) -> String {
    let rows = rows(cassette);
    let layout = Layout::fitting(&rows, width);
    rows.iter().fold(layout.heading(), |text, row| text + &layout.row(row))
}

/// All that `show FILE` prints.
pub(super) fn page(source: &Source, width: usize) -> String {
    let cassette = &source.cassette;
    let mut page = sentence(&cassette.header, source.state, width);
    page.push('\n');
    if !cassette.interactions.is_empty() || !cassette.events.is_empty() {
        page.push_str(&of(cassette, width));
        page.push('\n');
    }
    page.push_str(&wrapped(&counts(cassette), width));
    if let Some(number) = worth_a_look(cassette) {
        let _ = writeln!(page, "{DIM}one in full:{DIM:#} authtape show {} {number}", quoted(&source.given));
    }
    page
}

fn rows(cassette: &Cassette) -> Vec<Row> {
    let row = |happening| match happening {
        Happening::Interaction(interaction) => Row::of(interaction),
        Happening::Event(event) => Row::of_event(event),
    };
    cassette.happenings().map(row).collect()
}

fn counts(cassette: &Cassette) -> Vec<String> {
    let sessions: BTreeSet<u32> = cassette.interactions.iter().map(|interaction| interaction.exchange.session).collect();
    let (interactions, events) = (cassette.interactions.len() as u64, cassette.events.len() as u64);
    let passed = not_stored(&cassette.header);
    let mut counts = match interactions {
        0 => vec!["no interactions".to_owned()],
        _ => vec![counted(interactions, "interaction"), counted(sessions.len() as u64, "session") + " (s)"],
    };
    if events > 0 {
        counts.push(counted(events, "connection event") + " (!)");
    }
    if let Some(replayed) = &cassette.header.replayed {
        let misses = if replayed.missed == 1 { "1 miss".to_owned() } else { format!("{} misses", replayed.missed) };
        counts.push(misses);
        counts.extend(replayed.upstream_connections.map(|count| format!("upstream connections: {count}")));
    }
    if passed > 0 {
        counts.push(counted(passed, "request") + " not stored");
    }
    counts
}

fn not_stored(header: &Header) -> u64 {
    let passed = header.passed.iter().map(|passed| passed.requests);
    passed.chain(header.tools.iter().map(|tool| tool.requests)).fold(0, u64::saturating_add)
}

/// The first interaction where something broke, else where a server said no, else the last one.
fn worth_a_look(cassette: &Cassette) -> Option<u32> {
    let numbered = || cassette.interactions.iter().map(|interaction| (interaction.exchange.number, Row::of(interaction)));
    let first = |test: fn(&Row) -> bool| numbered().find(|(_, row)| test(row)).map(|(number, _)| number);
    let last = || cassette.interactions.last().map(|interaction| interaction.exchange.number);
    first(|row| row.mood == Mood::Bad).or_else(|| first(|row| row.mood == Mood::Odd && row.note.is_some())).or_else(last)
}
