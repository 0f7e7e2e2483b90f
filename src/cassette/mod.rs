//! Layer 2: cassettes. Knows what a cassette holds ([`Header`], [`Interaction`], [`Entry`]), how it is written as YAML
//! (`format`) and how such files grow, are finished and are read (`file`). Does not know what an exchange means: the kind is
//! kept as it was written.

mod error;
mod file;
mod format;
mod header;

pub use error::{Broken, CassetteError};
pub use file::{
    Cassette, Document, Documents, Existing, Follower, Happening, PartFile, Summary, Sweep, Untouched, Warning, has_writer, part_path,
};
pub use format::{VERSION, document_of, ending_name, stage_name, trouble_name};
pub use header::{Elsewhere, Header, Missed, Passed, Policies, Recorded, Replayed, Scrubbed, Session, Tool};

use crate::exchange::{ConnectionEvent, Content, End, Event, Exchange, Headers, SseStyle};
use crate::protocol::Kind;
use std::fmt;
use std::time::Duration;

/// An exchange in a cassette.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// What went over the wire.
    pub exchange: Exchange,
    /// What it was for, as it was classified when it was recorded.
    pub kind: Kind,
}

/// One document of a cassette after its header.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// An exchange; while its stream is open (`End::Open`), [`Entry::More`] adds to it.
    Interaction(Box<Interaction>),
    /// Something that happened on a connection.
    Event(ConnectionEvent),
    /// More of an open stream. Only in files that are not finished.
    More(More),
}

/// More of the event stream that is the response body of an earlier interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct More {
    /// The number of the interaction.
    pub number: u32,
    /// The spelling of the stream, once known.
    pub style: SseStyle,
    /// The events that came since.
    pub events: Vec<Event>,
    /// How it ended, if it did.
    pub closing: Option<Closing>,
}

/// The end of a stream that was written in parts.
#[derive(Clone, PartialEq)]
pub struct Closing {
    /// See [`Exchange::took`].
    pub took: Option<Duration>,
    /// How the body ended.
    pub end: End,
    /// What came after the last finished event.
    pub tail: String,
    /// The trailers of the response.
    pub trailers: Headers,
}

impl Interaction {
    /// Adds more of its stream. Without a response nothing happens.
    pub fn join(&mut self, more: More) {
        let More { number: _, style, events, closing } = more;
        let took = self.exchange.took;
        let Some(response) = self.exchange.response_mut() else { return };
        if response.body.content.is_empty() {
            response.body.content = Content::Events(Default::default());
        }
        let Content::Events(stream) = &mut response.body.content else { return };
        if !events.is_empty() {
            stream.style = style;
        }
        stream.events.extend(events);
        if let Some(closing) = closing {
            stream.tail = closing.tail;
            response.body.end = closing.end;
            response.trailers = closing.trailers;
            self.exchange.took = closing.took.or(took);
        }
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { took, end, tail, trailers } = self;
        let tail = tail.len();
        f.debug_struct("Closing").field("took", took).field("end", end).field("tail", &tail).field("trailers", trailers).finish()
    }
}
