//! What a cassette says about itself, in a sentence of pieces.

use super::counted;
use crate::cassette::Header;
use crate::cli::terminal::{NAME, WARN, one_line};
use unicode_width::UnicodeWidthStr;

/// Whether the file still grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The recording runs.
    Growing,
    /// Nobody writes into it.
    Still,
}

/// Client, time, program, what was replaced, and whether the last pass is done.
pub(super) fn sentence(header: &Header, state: State, width: usize) -> String {
    let recorded = &header.recorded;
    let mut client = recorded.client.join(" ");
    if client.is_empty() {
        client.push_str("clients started elsewhere");
    }
    if let Some(version) = &recorded.client_version {
        client.push(' ');
        client.push_str(version);
    }
    let mut pieces = vec![
        format!("{NAME}{}{NAME:#}", one_line(&client)),
        format!("recorded {}", recorded.at.strftime("%Y-%m-%d %H:%M:%S UTC")),
        format!("with {}", one_line(&recorded.with)),
    ];
    if let Some(replayed) = &header.replayed {
        pieces.insert(1, format!("replay of {}", one_line(&replayed.cassette)));
    }
    if let Some(scrubbed) = header.scrubbed {
        pieces.push(format!("{} replaced", counted(scrubbed.secrets.into(), "secret")));
        if scrubbed.personal > 0 {
            pieces.push(format!("{} replaced", counted(scrubbed.personal.into(), "personal value")));
        }
    }
    if header.finished {
        pieces.push("finished".to_owned());
    }
    let mut text = wrapped(&pieces, width);
    if header.raw {
        text.push_str(&format!("{WARN}raw{WARN:#}: it keeps its secrets and is for your eyes only\n"));
    }
    if !header.finished {
        text.push_str(&format!("{WARN}not finished{WARN:#}: {}\n", meaning(state)));
    }
    text
}

/// What `finished: false` means.
pub(super) fn meaning(state: State) -> &'static str {
    match state {
        State::Growing => "it is still being recorded; until the last pass is done, free\ntext may hold secrets that are learned late",
        State::Still => {
            "the recording ended before its last pass, so free text may hold\nsecrets that were learned late; do not share this file as it is"
        }
    }
}

/// The pieces with commas between them, on as many lines as they need.
pub(super) fn wrapped(pieces: &[String], width: usize) -> String {
    let mut text = String::new();
    let mut used = 0;
    for piece in pieces {
        let columns = anstream::adapter::strip_str(piece).to_string().width();
        if used > 0 {
            let fits = used + columns + 3 <= width;
            text.push_str(if fits { ", " } else { ",\n" });
            used = if fits { used + 2 } else { 0 };
        }
        used += columns;
        text.push_str(piece);
    }
    text.push('\n');
    text
}
