//! The last pass over a recording: an index of the part file, then each document in order, as it stands where nothing changes
//! and parsed only where parts are joined or the sweep asks for it.

use super::documents::{Document, Documents, Span};
use super::entry_of;
use super::part::At;
use crate::cassette::{CassetteError, Entry, Header, Interaction, format};
use crate::exchange::ConnectionEvent;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A last change to documents, made with what was learned after they were written.
pub trait Sweep {
    /// True when the document must be parsed and changed; a cheap look at its text.
    fn touches(&mut self, document: &[u8]) -> bool;
    /// Changes an interaction.
    fn interaction(&mut self, interaction: &mut Interaction);
    /// Changes a connection event.
    fn event(&mut self, event: &mut ConnectionEvent);
}

/// A sweep that changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Untouched;

impl Sweep for Untouched {
    fn touches(&mut self, _: &[u8]) -> bool {
        false
    }

    fn interaction(&mut self, _: &mut Interaction) {}

    fn event(&mut self, _: &mut ConnectionEvent) {}
}

/// What a finished cassette holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its interactions.
    pub interactions: u32,
    /// Its connection events.
    pub events: u32,
    /// Documents that the sweep looked into.
    pub swept: u32,
    /// Stream parts that were dropped because their interaction is not there.
    pub orphans: u32,
}

/// A document that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Interaction(usize),
    Event(usize),
}

/// Events stand before the first interaction that began later. Times are in milliseconds, as in the file.
pub(super) fn in_order<T: PartialOrd>(interactions: Vec<T>, events: Vec<T>) -> impl Iterator<Item = Place> {
    let (mut interaction, mut event) = (0, 0);
    std::iter::from_fn(move || {
        let take_event = match (interactions.get(interaction), events.get(event)) {
            (None, None) => return None,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (Some(interaction), Some(event)) => event < interaction,
        };
        let next = if take_event { &mut event } else { &mut interaction };
        *next += 1;
        Some(if take_event { Place::Event(event - 1) } else { Place::Interaction(interaction - 1) })
    })
}

/// Writes the finished cassette to `out`.
pub(super) fn finish(
    file: &File,
    path: &Path,
    target: &Path,
    header: &Header,
    sweep: &mut dyn Sweep,
    out: &mut impl Write,
) -> Result<Summary, CassetteError> {
    let index = Index::of(file, path)?;
    let mut pass = Pass { file, path, sweep, document: Vec::new(), text: String::new(), summary: Summary::default() };
    format::write_header(header, &mut pass.text);
    let times = |slots: &[Slot]| slots.iter().map(|slot| slot.at).collect::<Vec<_>>();
    for place in in_order(times(&index.interactions), times(&index.events)) {
        pass.text.push_str("---\n");
        match place {
            Place::Interaction(at) => pass.interaction(&index.interactions[at], &index.parts)?,
            Place::Event(at) => pass.event(&index.events[at])?,
        }
        out.write_all(pass.text.as_bytes()).map_err(CassetteError::io("write", target))?;
        pass.text.clear();
    }
    out.write_all(pass.text.as_bytes()).map_err(CassetteError::io("write", target))?;
    pass.summary.orphans = index.orphans;
    Ok(pass.summary)
}

/// Where the documents of a part file are.
#[derive(Default)]
struct Index {
    interactions: Vec<Slot>,
    events: Vec<Slot>,
    /// Parts of streams whose interaction is not there.
    orphans: u32,
    /// Parts of streams by the number of their interaction, in order.
    parts: HashMap<u32, Vec<Slot>>,
}

#[derive(Clone, Copy)]
struct Slot {
    number: u32,
    at: u64,
    line: u64,
    offset: u64,
    length: usize,
}

impl Index {
    fn of(file: &File, path: &Path) -> Result<Self, CassetteError> {
        let mut documents = Documents::new(path, BufReader::with_capacity(1 << 18, At { file, offset: 0 }));
        let mut held = Vec::new();
        let mut index = Self::default();
        documents.next_span(&mut held)?;
        while let Some(span) = documents.next_span(&mut held)? {
            index.add(span, &held);
        }
        index.interactions.sort_by_key(|slot| slot.number);
        index.orphans = index.count_orphans();
        // What was concluded later than it happened has a number of that earlier time and begins later.
        index.interactions.sort_by_key(|slot| (slot.at, slot.number));
        index.events.sort_by_key(|slot| slot.at);
        Ok(index)
    }

    /// Our own documents say in their first lines what they are.
    fn add(&mut self, span: Span, document: &[u8]) {
        let Span { line, offset, length, .. } = span;
        let number = |name: &str| first_number(document, name);
        let at = first_number(document, "\nat").unwrap_or_default();
        let slot = |number: u64| Slot { number: u32::try_from(number).unwrap_or(u32::MAX), at, line, offset, length };
        if let Some(number) = number("interaction") {
            self.interactions.push(slot(number));
        } else if let Some(number) = number("more") {
            self.parts.entry(slot(number).number).or_default().push(slot(number));
        } else {
            self.events.push(slot(0));
        }
    }

    fn count_orphans(&self) -> u32 {
        let known = |number: &u32| self.interactions.binary_search_by_key(number, |slot| slot.number).is_ok();
        let orphans = self.parts.iter().filter(|(number, _)| !known(number)).map(|(_, parts)| parts.len());
        u32::try_from(orphans.sum::<usize>()).unwrap_or(u32::MAX)
    }
}

/// The digits after `name: `, where `name` begins the document or, with a line feed, one of its first lines.
fn first_number(document: &[u8], name: &str) -> Option<u64> {
    let head = &document[..document.len().min(256)];
    let start = if name.starts_with('\n') { memchr::memmem::find(head, name.as_bytes())? } else { 0 };
    let rest = head[start..].strip_prefix(name.as_bytes())?.strip_prefix(b": ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// The state of the pass.
struct Pass<'a> {
    file: &'a File,
    path: &'a Path,
    sweep: &'a mut dyn Sweep,
    /// The document at hand, as it stands in the part file.
    document: Vec<u8>,
    /// What will be written next.
    text: String,
    summary: Summary,
}

impl Pass<'_> {
    fn interaction(&mut self, slot: &Slot, parts: &HashMap<u32, Vec<Slot>>) -> Result<(), CassetteError> {
        self.summary.interactions += 1;
        let number = self.summary.interactions;
        self.read(slot)?;
        let parts = parts.get(&slot.number).map_or(&[][..], Vec::as_slice);
        let touched = self.sweep.touches(&self.document);
        if parts.is_empty() && !touched && self.copy(number) {
            return Ok(());
        }
        let Entry::Interaction(mut interaction) = self.parse(slot)? else { return Ok(()) };
        let mut touched = touched;
        for part in parts {
            self.read(part)?;
            touched |= self.sweep.touches(&self.document);
            if let Entry::More(more) = self.parse(part)? {
                interaction.join(more);
            }
        }
        if touched || !parts.is_empty() {
            self.summary.swept += u32::from(touched);
            self.sweep.interaction(&mut interaction);
        }
        interaction.exchange.number = number;
        format::write_interaction(&interaction, &mut self.text);
        Ok(())
    }

    fn event(&mut self, slot: &Slot) -> Result<(), CassetteError> {
        self.summary.events += 1;
        self.read(slot)?;
        let touched = self.sweep.touches(&self.document);
        let Entry::Event(mut event) = self.parse(slot)? else { return Ok(()) };
        if touched {
            self.summary.swept += 1;
            self.sweep.event(&mut event);
        }
        format::write_event(&event, &mut self.text);
        Ok(())
    }

    /// Takes the document as it stands, with another number on its first line.
    fn copy(&mut self, number: u32) -> bool {
        let Ok(text) = std::str::from_utf8(&self.document) else { return false };
        let Some((_, rest)) = text.split_once('\n') else { return false };
        self.text.push_str("interaction: ");
        self.text.push_str(&number.to_string());
        self.text.push('\n');
        self.text.push_str(rest);
        true
    }

    fn read(&mut self, slot: &Slot) -> Result<(), CassetteError> {
        self.document.resize(slot.length, 0);
        self.file.read_exact_at(&mut self.document, slot.offset).map_err(CassetteError::io("read", self.path))
    }

    fn parse(&self, slot: &Slot) -> Result<Entry, CassetteError> {
        let text = String::from_utf8_lossy(&self.document).into_owned();
        entry_of(&Document { line: slot.line, text, is_closed: true }, self.path)
    }
}
