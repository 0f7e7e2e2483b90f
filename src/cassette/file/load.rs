//! Reads a whole cassette, finished or not, and writes one.

use super::documents::{Document, Documents};
use super::finish::{Place, in_order};
use super::replace::{Privacy, replace};
use super::{Existing, empty, entry_of, header_of};
use crate::cassette::{CassetteError, Entry, Header, Interaction, More, format};
use crate::exchange::ConnectionEvent;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

/// How many documents are parsed together, and of how many bytes.
const BATCH: usize = 2048;
const BATCH_BYTES: usize = 8 << 20;

/// A whole cassette in memory.
#[derive(Clone, Debug)]
pub struct Cassette {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// Its interactions, in order of their numbers.
    pub interactions: Vec<Interaction>,
    /// Its connection events, in order of time.
    pub events: Vec<ConnectionEvent>,
    /// What is odd about the file without making it unreadable.
    pub warnings: Vec<Warning>,
    lines: HashMap<u32, u64>,
}

/// A part of a run.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'c> {
    /// An exchange.
    Interaction(&'c Interaction),
    /// Something on a connection.
    Event(&'c ConnectionEvent),
}

/// What is odd about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The header says `finished: false`: the recording is still running or was killed, and values learned late may still be in it.
    Unfinished,
    /// The last document lost its end and was left out.
    Torn {
        /// Where it begins.
        line: u64,
    },
    /// A stream part whose interaction is not in the file was left out.
    Orphan {
        /// Where it begins.
        line: u64,
        /// The number of the missing interaction.
        number: u32,
    },
}

impl Cassette {
    /// Reads a cassette. Stream parts are joined; numbers stay as they are in the file.
    ///
    /// # Errors
    /// The file cannot be read, is no cassette, is newer than [`format::VERSION`], or a document of it is broken.
    pub fn load(path: &Path) -> Result<Self, CassetteError> {
        let mut documents = Documents::open(path)?;
        let first = documents.next().unwrap_or_else(|| Err(empty(path)))?;
        let mut loader = Loader::new(path, header_of(&first, path)?);
        loop {
            let batch = batch(&mut documents)?;
            if batch.is_empty() {
                return Ok(loader.finish());
            }
            let entries = parse(&batch, path);
            for (document, entry) in batch.iter().zip(entries) {
                loader.take(document, entry)?;
            }
        }
    }

    /// The line of the file on which an interaction begins.
    pub fn line_of(&self, number: u32) -> Option<u64> {
        self.lines.get(&number).copied()
    }

    /// Everything that happened, in order of time: an event stands before the first interaction that began later.
    pub fn happenings(&self) -> impl Iterator<Item = Happening<'_>> {
        let at = |at: std::time::Duration| at.as_millis();
        let interactions: Vec<_> = self.interactions.iter().map(|interaction| at(interaction.exchange.at)).collect();
        let events: Vec<_> = self.events.iter().map(|event| at(event.at)).collect();
        in_order(interactions, events).map(|place| match place {
            Place::Interaction(index) => Happening::Interaction(&self.interactions[index]),
            Place::Event(index) => Happening::Event(&self.events[index]),
        })
    }

    /// Writes the cassette as a file: all of it or nothing. A file loaded from what this wrote is saved as the same bytes.
    ///
    /// # Errors
    /// The file exists and `existing` refuses that, or the system refuses.
    pub fn save(&self, path: &Path, existing: Existing) -> Result<(), CassetteError> {
        let privacy = if self.header.raw { Privacy::Private } else { Privacy::Shared };
        replace(path, privacy, existing, |out| self.write(out).map_err(CassetteError::io("write", path)))
    }

    /// Writes the text of the cassette.
    ///
    /// # Errors
    /// What `out` refuses.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut text = String::new();
        format::write_header(&self.header, &mut text);
        for happening in self.happenings() {
            text.push_str("---\n");
            match happening {
                Happening::Interaction(interaction) => format::write_interaction(interaction, &mut text),
                Happening::Event(event) => format::write_event(event, &mut text),
            }
            if text.len() > 1 << 16 {
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        if !self.header.finished {
            text.push_str("---\n");
        }
        out.write_all(text.as_bytes())
    }
}

/// The next documents: enough of them to be worth several threads, and not too much text.
fn batch(documents: &mut Documents<BufReader<File>>) -> Result<Vec<Document>, CassetteError> {
    let mut batch = Vec::new();
    let mut size = 0;
    while size < BATCH_BYTES && batch.len() < BATCH {
        let Some(document) = documents.next() else { break };
        let document = document?;
        size += document.text.len();
        batch.push(document);
    }
    Ok(batch)
}

/// Parses each document, on all cores where there are many.
fn parse(batch: &[Document], path: &Path) -> Vec<Result<Entry, CassetteError>> {
    let one = |documents: &[Document]| documents.iter().map(|document| entry_of(document, path)).collect::<Vec<_>>();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    if batch.len() < 64 || cores == 1 {
        return one(batch);
    }
    thread::scope(|scope| {
        let parts: Vec<_> = batch.chunks(batch.len().div_ceil(cores)).map(|part| scope.spawn(move || one(part))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("parsing does not panic")).collect()
    })
}

/// What has been read of a file so far.
struct Loader<'p> {
    path: &'p Path,
    cassette: Cassette,
    indices: HashMap<u32, usize>,
}

impl<'p> Loader<'p> {
    fn new(path: &'p Path, header: Header) -> Self {
        let warnings = if header.finished { Vec::new() } else { vec![Warning::Unfinished] };
        let cassette =
            Cassette { path: path.to_owned(), header, interactions: Vec::new(), events: Vec::new(), warnings, lines: HashMap::new() };
        Self { path, cassette, indices: HashMap::new() }
    }

    fn take(&mut self, document: &Document, entry: Result<Entry, CassetteError>) -> Result<(), CassetteError> {
        if !document.is_closed && !self.cassette.header.finished {
            self.cassette.warnings.push(Warning::Torn { line: document.line });
            return Ok(());
        }
        match entry? {
            Entry::Interaction(interaction) => self.take_interaction(*interaction, document)?,
            Entry::Event(event) => self.cassette.events.push(event),
            Entry::More(more) => self.take_more(more, document.line),
        }
        Ok(())
    }

    fn take_interaction(&mut self, interaction: Interaction, document: &Document) -> Result<(), CassetteError> {
        let number = interaction.exchange.number;
        match self.cassette.lines.entry(number) {
            Slot::Occupied(before) => {
                let message = format!("interaction {number} is there twice, first on line {}", before.get());
                let error = format::FormatError { line: 1, column: 1, message, hint: Some("each interaction has a number of its own") };
                return Err(super::broken(error, document, self.path));
            }
            Slot::Vacant(free) => free.insert(document.line),
        };
        self.indices.insert(number, self.cassette.interactions.len());
        self.cassette.interactions.push(interaction);
        Ok(())
    }

    fn take_more(&mut self, more: More, line: u64) {
        match self.indices.get(&more.number) {
            Some(index) => self.cassette.interactions[*index].join(more),
            None => self.cassette.warnings.push(Warning::Orphan { line, number: more.number }),
        }
    }

    fn finish(self) -> Cassette {
        let mut cassette = self.cassette;
        cassette.interactions.sort_by_key(|interaction| interaction.exchange.number);
        if !cassette.header.finished {
            cassette.interactions.sort_by_key(|interaction| interaction.exchange.at);
        }
        cassette.events.sort_by_key(|event| event.at);
        cassette
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished => {
                f.write_str("not finished: the recording is still running or was killed, and free text may hold what was learned late")
            }
            Self::Torn { line } => write!(f, "the document on line {line} lost its end and is left out"),
            Self::Orphan { line, number } => {
                write!(f, "the stream part on line {line} belongs to interaction {number}, which is not there")
            }
        }
    }
}
