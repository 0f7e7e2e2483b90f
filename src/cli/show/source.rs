//! The file that is shown: found, loaded, and what is odd about it.

use super::header::{State, meaning};
use crate::cassette::{Cassette, Interaction, Warning, has_writer, part_path};
use crate::cli::{CliError, Exit, Terminal};
use crate::protocol::{Kind, classify_run};
use std::path::{Path, PathBuf};

/// How many differing kinds are named.
const NAMED: usize = 5;

/// A cassette that was loaded.
pub(super) struct Source {
    /// The path as the user gave it.
    pub given: PathBuf,
    /// What is in the file.
    pub cassette: Cassette,
    /// Whether it still grows.
    pub state: State,
    /// What the content says where that is not what was written: number and kind.
    derived: Vec<(u32, Kind)>,
}

impl Source {
    /// Reads `path`, or its part while only that is there.
    pub(super) fn load(path: &Path, terminal: &mut Terminal) -> Result<Self, CliError> {
        let part = part_path(path);
        let read = match (path.exists(), part.exists()) {
            (false, true) => {
                terminal.talk(format_args!("reading {}: the recording is not finished", shown(&part)));
                &part
            }
            (true, true) if has_writer(&part) => {
                terminal.talk(format_args!("a new recording is growing in {}; this is the one before", shown(&part)));
                path
            }
            _ => path,
        };
        let state = if has_writer(read) { State::Growing } else { State::Still };
        let cassette = Cassette::load(read).map_err(|error| CliError::cassette(&error))?;
        let derived = differing_kinds(&cassette);
        Ok(Self { given: path.to_owned(), cassette, state, derived })
    }

    /// The interaction of a number.
    pub(super) fn interaction(&self, number: u32) -> Result<&Interaction, CliError> {
        let interactions = &self.cassette.interactions;
        let found = interactions.binary_search_by_key(&number, |interaction| interaction.exchange.number);
        found.map(|index| &interactions[index]).map_err(|_| {
            let number_of = |interaction: &Interaction| interaction.exchange.number;
            let range = match (interactions.first().map(number_of), interactions.last().map(number_of)) {
                (Some(first), Some(last)) if first == last => format!("its only one is {first}"),
                (Some(first), Some(last)) => format!("they are numbered {first} to {last}"),
                _ => "it has none".to_owned(),
            };
            CliError::new(Exit::USAGE, format_args!("{} has no interaction {number}: {range}", self.given.display()))
        })
    }

    /// What the content of an interaction says, where that is not what was written.
    pub(super) fn derived_kind(&self, number: u32) -> Option<Kind> {
        let found = self.derived.binary_search_by_key(&number, |(number, _)| *number);
        found.ok().map(|index| self.derived[index].1)
    }

    /// Says what is odd: about all of the file, or about one interaction of it.
    pub(super) fn warn(&self, only: Option<u32>, shows_state: bool, terminal: &mut Terminal) {
        for warning in &self.cassette.warnings {
            match warning {
                Warning::Unfinished if shows_state => {}
                Warning::Unfinished => terminal.warning(format_args!("not finished: {}", meaning(self.state).replace('\n', " "))),
                // The document that is being written at this moment.
                Warning::Torn { .. } if self.state == State::Growing => {}
                other => terminal.warning(other),
            }
        }
        let derived: Vec<_> = self.derived.iter().filter(|(number, _)| only.is_none_or(|only| only == *number)).collect();
        for (number, kind) in derived.iter().take(NAMED) {
            let line = self.cassette.line_of(*number).unwrap_or_default();
            terminal
                .warning(format_args!("interaction {number} (line {line}) is written as {}, but reads as {kind}", self.written(*number)));
        }
        if derived.len() > NAMED {
            terminal.warning(format_args!("and {} more", derived.len() - NAMED));
        }
    }

    fn written(&self, number: u32) -> Kind {
        self.interaction(number).map_or(Kind::Other, |interaction| interaction.kind)
    }
}

fn differing_kinds(cassette: &Cassette) -> Vec<(u32, Kind)> {
    let (_, classified) = classify_run(cassette.interactions.iter().map(|interaction| &interaction.exchange));
    let pairs = cassette.interactions.iter().zip(classified);
    let differing = pairs.filter(|(interaction, classified)| interaction.kind != classified.kind);
    differing.map(|(interaction, classified)| (interaction.exchange.number, classified.kind)).collect()
}

fn shown(path: &Path) -> String {
    crate::cli::terminal::one_line(&path.to_string_lossy())
}
