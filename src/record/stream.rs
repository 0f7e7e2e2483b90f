//! An exchange whose response is an event stream that is still open: frames become events as they come. Knows how much of a
//! stream is kept; does not know what the events mean.

use crate::exchange::{BODY_LIMIT, Coding, Content, End, Event, EventStream, Exchange, Frame, Headers, Inflater, SseParser};
use std::time::Duration;

/// How many events of one stream are kept: readers of cassettes have a limit on the size of a document.
const EVENTS: usize = 100_000;

/// A stream between its head and its end.
pub(super) struct Stream {
    /// The head; its response body holds the events that were not taken yet.
    pub exchange: Exchange,
    parser: SseParser,
    inflater: Inflater,
    /// Bytes as transferred.
    received: u64,
    /// Decoded bytes that are kept.
    kept: usize,
    /// Events that were kept.
    seen: usize,
    /// Why the rest is not kept.
    broken: Option<End>,
}

impl Stream {
    /// Begins with the head of an exchange.
    pub fn open(exchange: Exchange) -> Self {
        let headers = exchange.response().map(|response| &response.headers);
        let codings = headers.map_or(Ok(Vec::new()), |headers| Coding::parse_list(headers.all("content-encoding")));
        let (codings, broken) = match codings {
            Ok(codings) => (codings, None),
            Err(unknown) => (Vec::new(), Some(End::Undecodable(format!("unknown coding {unknown}")))),
        };
        let inflater = Inflater::new(&codings, BODY_LIMIT);
        let mut stream = Self { exchange, parser: SseParser::default(), inflater, received: 0, kept: 0, seen: 0, broken };
        if let Some(response) = stream.exchange.response_mut() {
            response.body.codings = codings;
            response.body.end = End::Open;
        }
        stream
    }

    /// Takes what came. Past the limit the stream is only counted.
    pub fn push(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.received += frame.bytes.len() as u64;
            if self.broken.is_none() {
                self.decode(frame);
            }
        }
    }

    fn decode(&mut self, frame: &Frame) {
        let at = frame.at.saturating_sub(self.exchange.at);
        match self.inflater.push(&frame.bytes) {
            Ok(bytes) => {
                self.kept += bytes.len();
                let mut events = Vec::new();
                self.parser.push(at, &bytes, &mut events);
                self.seen += events.len();
                self.append(events);
            }
            Err(reason) => self.broken = Some(End::Undecodable(reason)),
        }
        if self.inflater.overflowed() || self.seen > EVENTS {
            self.broken = Some(End::Cut { of: 0 });
        }
    }

    fn append(&mut self, events: Vec<Event>) {
        let style = self.parser.style();
        let Some(response) = self.exchange.response_mut() else { return };
        match &mut response.body.content {
            Content::Events(stream) => stream.events.extend(events),
            content => *content = Content::Events(EventStream { style, events, tail: String::new() }),
        }
        if let Content::Events(stream) = &mut response.body.content {
            stream.style = style;
        }
    }

    /// How many finished events wait.
    pub fn waiting(&self) -> usize {
        self.events().len()
    }

    /// The first of the events that wait.
    pub fn first_event(&self) -> Option<&Event> {
        self.events().first()
    }

    fn events(&self) -> &[Event] {
        let stream = self.exchange.response().and_then(|response| response.body.content.events());
        stream.map_or(&[], |stream| stream.events.as_slice())
    }

    /// How many bytes this stream holds at most.
    pub fn held(&self) -> usize {
        self.kept
    }

    /// The waiting events, which leave the stream.
    pub fn take_events(&mut self) -> EventStream {
        let style = self.parser.style();
        let content = self.exchange.response_mut().map(|response| std::mem::take(&mut response.body.content));
        self.kept = self.parser.held();
        match content {
            Some(Content::Events(stream)) => stream,
            _ => EventStream { style, ..EventStream::default() },
        }
    }

    /// Ends the stream: the exchange with the events that still waited, its end, its duration.
    pub fn close(mut self, took: Option<Duration>, end: End, trailers: Headers) -> Exchange {
        let received = self.received;
        let end = match self.broken {
            Some(End::Cut { .. }) => End::Cut { of: received },
            Some(broken) => broken,
            None => end,
        };
        let tail = if matches!(end, End::Cut { .. }) { String::new() } else { self.parser.into_tail() };
        self.exchange.took = took;
        if let Some(response) = self.exchange.response_mut() {
            if !tail.is_empty() && response.body.content.is_empty() {
                response.body.content = Content::Events(EventStream::default());
            }
            if let Content::Events(stream) = &mut response.body.content {
                stream.tail = tail;
            }
            response.body.end = end;
            response.trailers = trailers;
        }
        self.exchange
    }
}
