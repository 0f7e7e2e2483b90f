//! Layer 3: scrubbing. Before the first byte of an exchange is written, every sensitive position is replaced by a
//! placeholder, and every value learned so far is replaced wherever else it stands, in any encoding. Equal values stay equal,
//! a PKCE pair that matched matches, JWTs still parse, bodies keep all other bytes.
//!
//! Knows the symbol table of a run, the grammar of placeholders, positions and looks of secrets. Does not know files, the
//! cassette, time or chance: the seed of its hashes is an argument. It keeps hashes of the values it learned, not the values.
//!
//! Policies for personal data in content, and the audit, come with `share`.

mod body;
mod entropy;
mod format;
mod ground;
mod hash;
mod header;
mod html;
mod jose;
mod json_text;
mod needle;
mod placeholder;
mod structure;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod unescape;
mod value;
mod visit;

pub use placeholder::{challenge_number, is_placeholder};

use crate::exchange::{AnsweredBy, ConnectionEvent, Event, Exchange, Headers, Outcome};
use crate::protocol::Kind;
use ground::{Ground, Side};
use std::fmt;
use sweep::Thoroughness;
use table::Table;

/// The version of the policy, for the header of a cassette.
pub const POLICY: u32 = 1;

/// What a scrubber does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Secrets, linking values and, where a field names them, personal values are replaced.
    Recording,
    /// Everything stays (`--raw`).
    Raw,
}

/// How many values were replaced, for the header of a cassette.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The version of the policy; 0 when nothing is scrubbed.
    pub policy: u32,
    /// Distinct secret and linking values.
    pub secrets: u32,
    /// Distinct personal values.
    pub personal: u32,
}

/// A moment in the growth of a symbol table: a document written now was swept for every value learned before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(u32);

/// Replaces what must not be written down; one for all exchanges of a run.
pub struct Scrubber {
    policy: Policy,
    table: Table,
}

impl Scrubber {
    /// A scrubber with an empty table. The seed should be random; it keys the hashes and changes no placeholder.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self { policy, table: Table::new(seed) }
    }

    /// Scrubs an exchange as it came over the wire, and learns its values.
    ///
    /// May be called with [`Kind::Other`] while the kind is not known (see [`Scrubber::reclassified`]), but only once for an
    /// exchange: what looks like a placeholder counts as a value of the wire here, and must not pass for one of ours. Of an `llm-api` exchange pass only the head.
    pub fn exchange(&mut self, exchange: &mut Exchange, kind: Kind) {
        self.pass(exchange, kind, |ground| ground);
    }

    /// Scrubs an exchange that was scrubbed while its kind was not known. Placeholders stay.
    pub fn reclassified(&mut self, exchange: &mut Exchange, kind: Kind) {
        self.pass(exchange, kind, Ground::again);
    }

    fn pass(&mut self, exchange: &mut Exchange, kind: Kind, place: fn(Ground) -> Ground) {
        if self.policy == Policy::Raw {
            return;
        }
        let before = self.mark();
        let (asked, answered) = (place(Ground::head(Side::Request)), place(Ground::head(Side::Response)));
        let request = &mut exchange.request;
        let url = value::free(&mut self.table, &request.url, asked);
        body::replace(&mut request.url, url);
        body::headers(&mut self.table, &mut request.headers, asked);
        body::scrub(&mut self.table, &mut request.body, place(Ground::of(kind, Side::Request)));
        body::headers(&mut self.table, &mut request.trailers, asked);
        for text in exchange.answered.iter_mut().flat_map(AnsweredBy::texts_mut) {
            let reason = value::free(&mut self.table, text, answered);
            body::replace(text, reason);
        }
        match &mut exchange.outcome {
            Outcome::Unseen => {}
            Outcome::Failed(failure) => {
                let reason = value::free(&mut self.table, &failure.reason, answered);
                body::replace(&mut failure.reason, reason);
            }
            Outcome::Response(response) => {
                body::headers(&mut self.table, &mut response.headers, answered);
                body::scrub(&mut self.table, &mut response.body, place(Ground::of(kind, Side::Response)));
                body::headers(&mut self.table, &mut response.trailers, answered);
            }
        }
        if self.mark() != before {
            self.sweep_since(exchange, before);
        }
    }

    /// Scrubs events of a stream that go to the file before its exchange is over.
    pub fn events(&mut self, events: &mut [Event], kind: Kind) {
        if self.policy == Policy::Raw {
            return;
        }
        let before = self.mark();
        body::events(&mut self.table, events, Ground::of(kind, Side::Response));
        if self.mark() != before {
            let table = &mut self.table;
            visit::events(events, &mut |text, how| sweep::sweep(table, text, before.0, how));
        }
    }

    /// Scrubs trailer fields that come after their exchange.
    pub fn trailers(&mut self, trailers: &mut Headers) {
        if self.policy == Policy::Recording {
            body::headers(&mut self.table, trailers, Ground::head(Side::Response));
        }
    }

    /// Scrubs an event of a connection.
    pub fn connection_event(&mut self, event: &mut ConnectionEvent) {
        self.text(&mut event.detail);
    }

    /// Scrubs free text of foreign origin, such as an error message.
    pub fn text(&mut self, text: &mut String) {
        if self.policy == Policy::Recording {
            let new = value::free(&mut self.table, text, Ground::head(Side::Response));
            body::replace(text, new);
        }
    }

    /// Where the table stands now.
    pub fn mark(&self) -> Mark {
        Mark(self.table.symbols.len() as u32)
    }

    /// True when a raw document holds a value that was learned after the mark, in any encoding, YAML's included. Costs
    /// a few nanoseconds a byte, however many values there are.
    pub fn touches(&self, document: &[u8], learned_before: Mark) -> bool {
        self.policy == Policy::Recording && sweep::touches(&self.table, document, learned_before.0)
    }

    /// Replaces every value learned so far in an exchange that was scrubbed before; true when it held one. Learns nothing new
    /// but texts that cannot be taken apart.
    pub fn sweep(&mut self, exchange: &mut Exchange) -> bool {
        self.policy == Policy::Recording && self.sweep_since(exchange, Mark(0))
    }

    /// As [`Scrubber::sweep`], for a text.
    pub fn sweep_text(&mut self, text: &mut String) -> bool {
        let swept = (self.policy == Policy::Recording).then(|| sweep::sweep(&mut self.table, text, 0, Thoroughness::All)).flatten();
        let changed = swept.is_some();
        body::replace(text, swept);
        changed
    }

    /// What was replaced so far.
    pub fn counts(&self) -> Counts {
        match self.policy {
            Policy::Raw => Counts::default(),
            Policy::Recording => Counts { policy: POLICY, secrets: self.table.secrets, personal: self.table.personal },
        }
    }

    fn sweep_since(&mut self, exchange: &mut Exchange, since: Mark) -> bool {
        let table = &mut self.table;
        visit::strings(exchange, &mut |text, how| sweep::sweep(table, text, since.0, how))
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").field("policy", &self.policy).field("counts", &self.counts()).finish_non_exhaustive()
    }
}
