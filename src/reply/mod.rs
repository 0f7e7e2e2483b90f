//! Layer 1: what is to be performed towards a client, as plain data: a reply with head and steps, a handshake, the delivery of a
//! callback. Does not know who decided them, and performs nothing.

mod delivery;
mod edit;
mod handshake;

pub use delivery::{Arrival, Delivery, Family};
pub use handshake::{Flaw, Handshake, Threshold};

use crate::exchange::{Content, EventStream, Headers, Response};
use bytes::Bytes;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// An answer to be given.
#[derive(Clone, PartialEq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields; those that only frame the body are added when it is sent.
    pub headers: Headers,
    /// How long its head waits.
    pub delay: Duration,
    /// The body, in order.
    pub steps: Vec<Step>,
    /// What follows the last step.
    pub ending: Ending,
    /// How the connection breaks in place of all of it, once the delay is over.
    pub broken: Option<Break>,
}

/// What becomes of recorded waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// They are skipped; between two events of a stream at most 100 ms of them stay, so that their order does.
    #[default]
    Skipped,
    /// They pass, so many times as fast as recorded.
    Times(NonZeroU32),
}

/// A piece of a body.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing for a while.
    Wait(Duration),
    /// These bytes.
    Send(Bytes),
}

/// What follows the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The body is complete.
    Complete,
    /// The body stays open until one side leaves.
    Open,
    /// The connection breaks in the middle of the body.
    Broken(Break),
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It is reset (TCP RST).
    Reset,
    /// It is closed, as if all had been said.
    Close,
    /// It stays open and silent.
    Stall,
}

impl Reply {
    /// These steps behind a head that comes at once.
    pub fn of(status: u16, headers: Headers, steps: Vec<Step>, ending: Ending) -> Self {
        Self { status, headers, steps, ending, ..Self::default() }
    }

    /// A whole response at once.
    pub fn whole(response: &Response) -> Self {
        Self::complete(response.status, response.headers.clone(), &response.body.content)
    }

    /// A whole response at once, from its parts.
    pub fn complete(status: u16, headers: Headers, content: &Content) -> Self {
        let bytes = Bytes::from(content.to_bytes().into_owned());
        let steps = if bytes.is_empty() { Vec::new() } else { vec![Step::Send(bytes)] };
        Self::of(status, headers, steps, Ending::Complete)
    }

    /// A stream of events: their order is kept, the gaps between them follow the pace.
    pub fn events(status: u16, headers: Headers, stream: &EventStream, pace: Pace, ending: Ending) -> Self {
        let mut steps = Vec::new();
        let mut before = None;
        for event in &stream.events {
            let gap = pace.gap(before, event.at);
            before = Some(event.at);
            if !gap.is_zero() {
                steps.push(Step::Wait(gap));
            }
            steps.push(Step::Send(Bytes::from(event.to_text(stream.style))));
        }
        if !stream.tail.is_empty() && ending == Ending::Complete {
            steps.push(Step::Send(Bytes::from(stream.tail.clone())));
        }
        Self::of(status, headers, steps, ending)
    }

    /// The bytes of the body, waits left out.
    pub fn body(&self) -> Vec<u8> {
        let sent = self.steps.iter().filter_map(|step| if let Step::Send(bytes) = step { Some(bytes) } else { None });
        sent.flatten().copied().collect()
    }
}

impl Default for Reply {
    fn default() -> Self {
        let headers = Headers::new();
        Self { status: 200, headers, steps: Vec::new(), ending: Ending::Complete, delay: Duration::ZERO, broken: None }
    }
}

impl Pace {
    /// The longest gap between two events where waits are skipped.
    const LONGEST_GAP: Duration = Duration::from_millis(100);

    /// What is left of a wait.
    pub fn wait(self, recorded: Duration) -> Duration {
        match self {
            Self::Skipped => Duration::ZERO,
            Self::Times(times) => recorded / times.get(),
        }
    }

    /// What is left of the gap before an event; `before` is the time of the one before it.
    fn gap(self, before: Option<Duration>, at: Duration) -> Duration {
        match (self, before) {
            (Self::Skipped, None) => Duration::ZERO,
            (Self::Skipped, Some(before)) => at.saturating_sub(before).min(Self::LONGEST_GAP),
            (Self::Times(_), before) => self.wait(at.saturating_sub(before.unwrap_or_default())),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("delay", &self.delay)
            .field("steps", &self.steps)
            .field("ending", &self.ending)
            .field("broken", &self.broken)
            .finish()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(time) => write!(f, "Wait({time:?})"),
            Self::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Event, Field};

    #[test]
    fn gaps_between_events_follow_the_pace_and_are_capped_where_waits_are_skipped() {
        let event = |at, text: &str| Event { at: Duration::from_millis(at), fields: vec![Field::Data(text.to_owned())] };
        let stream = EventStream { events: vec![event(900, "a"), event(930, "b"), event(9000, "c")], ..EventStream::default() };
        let waits = |pace| {
            let reply = Reply::events(200, Headers::new(), &stream, pace, Ending::Open);
            assert_eq!(reply.body().as_slice(), b"data: a\n\ndata: b\n\ndata: c\n\n");
            let wait = |step: &Step| if let Step::Wait(time) = step { Some(time.as_millis()) } else { None };
            reply.steps.iter().filter_map(wait).collect::<Vec<_>>()
        };
        assert_eq!(waits(Pace::Skipped), [30, 100]);
        assert_eq!(waits(Pace::Times(NonZeroU32::MIN)), [900, 30, 8070]);
        assert_eq!(waits(Pace::Times(NonZeroU32::new(10).unwrap())), [90, 3, 807]);
    }
}
