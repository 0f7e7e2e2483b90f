//! Layer 1: what is to be performed towards a client, as plain data. Knows heads and steps; does not know who decided them, and
//! performs nothing.

use crate::exchange::{Content, EventStream, Headers, Response};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// An answer to be given.
#[derive(Clone, PartialEq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields; those that only frame the body are added when it is sent.
    pub headers: Headers,
    /// The body, in order.
    pub steps: Vec<Step>,
    /// What follows the last step.
    pub ending: Ending,
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
}

impl Reply {
    /// A whole response at once.
    pub fn whole(response: &Response) -> Self {
        Self::complete(response.status, response.headers.clone(), &response.body.content)
    }

    /// A whole response at once, from its parts.
    pub fn complete(status: u16, headers: Headers, content: &Content) -> Self {
        let bytes = Bytes::from(content.to_bytes().into_owned());
        let steps = if bytes.is_empty() { Vec::new() } else { vec![Step::Send(bytes)] };
        Self { status, headers, steps, ending: Ending::Complete }
    }

    /// A stream of events: their order is kept, a gap between two of them is at most `longest`. Before the first there is none.
    pub fn events(status: u16, headers: Headers, stream: &EventStream, longest: Duration, ending: Ending) -> Self {
        let mut steps = Vec::new();
        let mut before = stream.events.first().map(|event| event.at);
        for event in &stream.events {
            let gap = event.at.saturating_sub(before.unwrap_or_default()).min(longest);
            before = Some(event.at);
            if !gap.is_zero() {
                steps.push(Step::Wait(gap));
            }
            steps.push(Step::Send(Bytes::from(event.to_text(stream.style))));
        }
        if !stream.tail.is_empty() && ending == Ending::Complete {
            steps.push(Step::Send(Bytes::from(stream.tail.clone())));
        }
        Self { status, headers, steps, ending }
    }

    /// The bytes of the body, waits left out.
    pub fn body(&self) -> Vec<u8> {
        let sent = self.steps.iter().filter_map(|step| if let Step::Send(bytes) = step { Some(bytes) } else { None });
        sent.flatten().copied().collect()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("steps", &self.steps)
            .field("ending", &self.ending)
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
    fn gaps_between_events_are_capped_and_the_first_one_comes_at_once() {
        let event = |at, text: &str| Event { at: Duration::from_millis(at), fields: vec![Field::Data(text.to_owned())] };
        let stream = EventStream { events: vec![event(900, "a"), event(930, "b"), event(9000, "c")], ..EventStream::default() };
        let reply = Reply::events(200, Headers::new(), &stream, Duration::from_millis(100), Ending::Open);
        let waits: Vec<_> =
            reply.steps.iter().filter_map(|step| if let Step::Wait(time) = step { Some(time.as_millis()) } else { None }).collect();
        assert_eq!((waits, reply.body().as_slice()), (vec![30, 100], b"data: a\n\ndata: b\n\ndata: c\n\n".as_slice()));
    }
}
