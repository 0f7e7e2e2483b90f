//! Layer 5: what the proxy captured becomes scrubbed documents. Knows what is stored, what waits, what is only counted, and
//! how an open stream is written in parts. Does not know files or sockets; the clock is an argument.

mod body;
mod browser;
mod finishing;
mod held;
mod infer;
mod llm;
mod passed;
mod stream;

pub use finishing::Finishing;
pub use infer::OpenedUrl;
pub use passed::Passed;

use crate::cassette::{Closing, Entry, Header, Interaction, More, Replayed};
use crate::exchange::{Actor, Body, Captured, ConnectionEvent, Content, End, Exchange, Frame, Headers, Outcome, RawExchange, Stage};
use crate::protocol::{Kind, Learned, RoleMap};
use crate::scrub::{Counts, Scrubber};
use held::Held;
use infer::Inferred;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use stream::Stream;

/// How long an open stream may keep to itself what came. A stream that ends earlier becomes one document.
const PATIENCE: Duration = Duration::from_millis(250);
/// How many decoded bytes a stream may keep to itself.
const STREAM_BYTES: usize = 256 << 10;

/// Turns captured exchanges into entries of a cassette, in the order in which they are over.
pub struct Recorder {
    roles: RoleMap,
    scrubber: Scrubber,
    streams: HashMap<u32, Open>,
    held: Held,
    inferred: Inferred,
    tally: Tally,
}

/// What a recording saw, for the header and for the last screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Stored interactions by session and kind.
    pub stored: BTreeMap<u32, BTreeMap<Kind, u64>>,
    /// What was forwarded and not stored.
    pub passed: Passed,
    /// The first connection events.
    pub events: Vec<ConnectionEvent>,
    /// All of them.
    pub event_count: u64,
    /// The version that the client gave with its first MCP request.
    pub client_version: Option<String>,
    /// Bodies of which only the beginning is stored, for want of room.
    pub cut: u64,
    /// Requests that no server answered, by host and reason.
    pub failed: BTreeMap<(String, String), u64>,
}

/// How many connection events are kept for the last screen.
const EVENTS: usize = 16;
/// How many hosts and reasons of failure are told apart.
const FAILURES: usize = 64;

impl Tally {
    /// Keeps the version that a client gives of itself: `clientInfo` of `initialize` (MCP 2025-11-25, Lifecycle) or of `_meta`
    /// (2026-07-28).
    fn note_version(&mut self, exchange: &Exchange, kind: Kind) {
        if self.client_version.is_some() || kind != Kind::McpRequest || exchange.actor != Actor::Client {
            return;
        }
        let Content::Json(body) = &exchange.request.body.content else { return };
        let parameters = &body.value["params"];
        let modern = &parameters["_meta"]["io.modelcontextprotocol/clientInfo"];
        let version = parameters["clientInfo"]["version"].as_str().or(modern["version"].as_str());
        self.client_version = version.filter(|version| is_version(version)).map(str::to_owned);
    }

    /// Counts the bodies of which only the beginning is stored.
    fn note_cut(&mut self, exchange: &Exchange) {
        let is_cut = |body: &Body| matches!(body.end, End::Cut { .. });
        self.cut += u64::from(is_cut(&exchange.request.body)) + u64::from(exchange.response().is_some_and(|own| is_cut(&own.body)));
    }

    /// Counts a request that no server answered; the reason is scrubbed.
    fn note_failure(&mut self, exchange: &Exchange, reason: String) {
        let key = (passed::host_of(&exchange.request.url).to_owned(), reason);
        if self.failed.len() < FAILURES || self.failed.contains_key(&key) {
            *self.failed.entry(key).or_default() += 1;
        }
    }

    /// Everything that came through, stored or not.
    pub fn exchanges(&self) -> u64 {
        self.stored.values().flat_map(BTreeMap::values).sum::<u64>() + self.passed.total()
    }
}

/// A version is short and plain; anything else may be anything.
fn is_version(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b))
}

/// A stream and what the file has of it.
struct Open {
    stream: Stream,
    /// When something first waited that the file has not.
    since: Duration,
    /// The first event of the HTTP+SSE transport names the URL for messages (2024-11-05).
    looked_at_first: bool,
    /// Set once the head was written.
    written: Option<Kind>,
}

impl Recorder {
    /// A recorder with an empty role map.
    pub fn new(scrubber: Scrubber) -> Self {
        Self {
            roles: RoleMap::default(),
            scrubber,
            streams: HashMap::new(),
            held: Held::default(),
            inferred: Inferred::default(),
            tally: Tally::default(),
        }
    }

    /// What was seen so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many values were replaced so far.
    pub fn counts(&self) -> Counts {
        self.scrubber.counts()
    }

    /// Scrubs what the header says of a replay.
    pub fn scrub_header(&mut self, header: &mut Header) {
        for text in header.replayed.iter_mut().flat_map(Replayed::texts_mut) {
            self.scrubber.text(text);
            self.scrubber.sweep_text(text);
        }
    }

    /// Takes one message of the proxy; what is ready for the file goes to `out`.
    pub fn take(&mut self, captured: Captured, out: &mut Vec<Entry>) {
        match captured {
            Captured::Exchange(raw) => self.complete(raw.into_exchange(), out),
            Captured::Opened(raw) => self.open(*raw),
            Captured::Frames { number, frames } => self.push(number, &frames, out),
            Captured::Closed { number, took, end, trailers } => self.close(number, Some(took), end, trailers, out),
            Captured::Event(mut event) => {
                self.scrubber.connection_event(&mut event);
                self.tally.event_count += 1;
                if self.tally.events.len() < EVENTS {
                    self.tally.events.push(event.clone());
                }
                out.push(Entry::Event(event));
            }
        }
    }

    /// Takes a URL that the client asked a browser to open which authtape does not drive.
    pub fn opened_url(&mut self, opened: &OpenedUrl, out: &mut Vec<Entry>) {
        if let Some(exchange) = self.inferred.authorize(opened) {
            self.learn(&exchange, Kind::Authorize, out);
            self.store(exchange, Kind::Authorize, out);
        }
    }

    /// Writes what open streams have kept to themselves for longer than a quarter of a second.
    pub fn flush(&mut self, now: Duration, out: &mut Vec<Entry>) {
        let ripe = |open: &Open| (open.written.is_none() || open.stream.waiting() > 0) && now.saturating_sub(open.since) >= PATIENCE;
        let numbers: Vec<u32> = self.streams.iter().filter(|(_, open)| ripe(open)).map(|(number, _)| *number).collect();
        for number in numbers {
            self.write_part(number, out);
        }
    }

    /// Ends the recording: open streams stay open in the file, what waited for a role is counted.
    pub fn finish(&mut self, out: &mut Vec<Entry>) {
        let mut numbers: Vec<u32> = self.streams.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            self.close(number, None, End::Open, Headers::new(), out);
        }
        for exchange in self.held.take(|_| true) {
            self.tally.passed.count(&exchange, Kind::Other);
        }
    }

    fn open(&mut self, raw: RawExchange) {
        let (number, since) = (raw.number, raw.at);
        let stream = Stream::open(raw.into_exchange());
        self.streams.insert(number, Open { stream, since, looked_at_first: false, written: None });
    }

    fn push(&mut self, number: u32, frames: &[Frame], out: &mut Vec<Entry>) {
        let Some(open) = self.streams.get_mut(&number) else { return };
        if open.stream.waiting() == 0
            && let Some(first) = frames.first()
        {
            open.since = first.at;
        }
        open.stream.push(frames);
        let is_full = open.stream.held() > STREAM_BYTES;
        if !open.looked_at_first
            && let Some(first) = open.stream.first_event()
        {
            open.looked_at_first = true;
            if self.roles.learn_event(&open.stream.exchange.request.url, first) == Learned::Roles {
                self.name_held(out);
            }
        }
        if is_full {
            self.write_part(number, out);
        }
    }

    /// Writes what a stream holds: its head at first, then more of it.
    fn write_part(&mut self, number: u32, out: &mut Vec<Entry>) {
        let Some(open) = self.streams.get_mut(&number) else { return };
        if let Some(kind) = open.written {
            let stream = open.stream.take_events();
            if kind.is_stored() {
                let mut more = More { number, style: stream.style, events: stream.events, closing: None };
                self.scrubber.events(&mut more.events, kind);
                out.push(Entry::More(more));
            }
            return;
        }
        let kind = browser::kind_of(&self.roles, &open.stream.exchange);
        if kind == Kind::LlmApi {
            // Its head is written when it is over; what streams by is nobody's business.
            open.stream.take_events();
            return;
        }
        open.written = Some(kind);
        if !kind.is_stored() {
            open.stream.take_events();
            return;
        }
        let mut head = open.stream.exchange.clone();
        open.stream.take_events();
        if let Some(response) = head.response_mut() {
            response.body.end = End::Open;
        }
        self.learn(&head, kind, out);
        self.store(head, kind, out);
    }

    fn close(&mut self, number: u32, took: Option<Duration>, end: End, trailers: Headers, out: &mut Vec<Entry>) {
        let Some(open) = self.streams.remove(&number) else { return };
        let written = open.written;
        let mut exchange = open.stream.close(took, end, trailers);
        let Some(kind) = written else { return self.complete(exchange, out) };
        if !kind.is_stored() {
            self.tally.passed.count(&exchange, kind);
            return;
        }
        let Some(response) = exchange.response_mut() else { return };
        let stream = match std::mem::take(&mut response.body.content) {
            Content::Events(stream) => stream,
            _ => Default::default(),
        };
        self.tally.cut += u64::from(matches!(response.body.end, End::Cut { .. }));
        let mut closing =
            Closing { took, end: response.body.end.clone(), tail: stream.tail, trailers: std::mem::take(&mut response.trailers) };
        let mut events = stream.events;
        self.scrubber.events(&mut events, kind);
        self.scrubber.text(&mut closing.tail);
        self.scrubber.trailers(&mut closing.trailers);
        out.push(Entry::More(More { number, style: stream.style, events, closing: Some(closing) }));
    }

    /// Takes an exchange that is over.
    fn complete(&mut self, mut exchange: Exchange, out: &mut Vec<Entry>) {
        let kind = browser::kind_of(&self.roles, &exchange);
        if let Outcome::Failed(failure) = &exchange.outcome
            && failure.stage != Stage::ClientGone
        {
            let mut reason = failure.reason.clone();
            self.scrubber.text(&mut reason);
            self.tally.note_failure(&exchange, reason);
        }
        self.learn(&exchange, kind, out);
        if kind.is_stored() {
            return self.store(exchange, kind, out);
        }
        if kind == Kind::Other && exchange.actor == Actor::Client && RoleMap::may_be_named(&exchange) {
            self.scrubber.exchange(&mut exchange, kind);
            for leaving in self.held.keep(exchange) {
                self.tally.passed.count(&leaving, Kind::Other);
            }
            return;
        }
        self.tally.passed.count(&exchange, kind);
    }

    /// Learns roles; a new role may name exchanges that waited.
    fn learn(&mut self, exchange: &Exchange, kind: Kind, out: &mut Vec<Entry>) {
        if exchange.actor == Actor::UserAgent && !kind.is_stored() {
            return;
        }
        if self.roles.learn(exchange, kind) == Learned::Roles {
            self.name_held(out);
        }
    }

    /// Looks again at what waited for a role.
    fn name_held(&mut self, out: &mut Vec<Entry>) {
        let roles = &self.roles;
        for mut named in self.held.take(|held| roles.classify(held).kind.is_stored()) {
            let kind = self.roles.classify(&named).kind;
            if kind == Kind::LlmApi {
                llm::reduce_to_head(&mut named);
            }
            self.scrubber.reclassified(&mut named, kind);
            self.emit(named, kind, out);
        }
    }

    fn store(&mut self, mut exchange: Exchange, kind: Kind, out: &mut Vec<Entry>) {
        match kind {
            Kind::Callback if !exchange.inferred => self.inferred.seen(&exchange),
            Kind::TokenCode => {
                if let Some(callback) = self.inferred.callback(&exchange) {
                    self.store(callback, Kind::Callback, out);
                }
            }
            Kind::LlmApi => llm::reduce_to_head(&mut exchange),
            _ => {}
        }
        self.tally.note_version(&exchange, kind);
        // What is left out on purpose is not cut.
        if kind != Kind::LlmApi && exchange.actor == Actor::Client {
            self.tally.note_cut(&exchange);
        }
        browser::reduce(&mut exchange);
        self.scrubber.exchange(&mut exchange, kind);
        self.emit(exchange, kind, out);
    }

    /// Counts a scrubbed exchange and hands it on.
    fn emit(&mut self, mut exchange: Exchange, kind: Kind, out: &mut Vec<Entry>) {
        body::take_best_view(&mut exchange);
        *self.tally.stored.entry(exchange.session).or_default().entry(kind).or_default() += 1;
        out.push(Entry::Interaction(Box::new(Interaction { exchange, kind })));
    }
}
