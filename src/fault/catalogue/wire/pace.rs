//! Answers that take their time.

use super::WIRE;
use crate::fault::catalogue::seconds;
use crate::fault::deeds::edited;
use crate::fault::{Attribute, Page, Spec};
use crate::reply::{Reply, Step};
use std::time::Duration;

const SECONDS: Attribute = Attribute { name: "seconds", values: "SECONDS", default: "1", about: "how long it takes" };

pub(super) const SLOW: Spec = Spec {
    name: "slow",
    page: Page {
        title: "The answer comes late",
        injects: "The server does its work at once and answers after so many seconds.",
        reproduces: &["anthropics/claude-code#55194"],
        correct: "Waits, and does not begin the same thing a second time meanwhile.",
        source: "RFC 9110 §9.2.2; MCP 2025-11-25, Lifecycle, Timeouts",
        broken: "Send the request again, or give up on a login that succeeded.",
    },
    attributes: &[SECONDS],
    make: |written| {
        let wait = seconds(written, "seconds", 1.0)?;
        edited(move |_, reply| {
            reply.delay += wait;
            true
        })
    },
    ..WIRE
};

pub(super) const SLOW_BODY: Spec = Spec {
    name: "slow-body",
    page: Page {
        title: "The head comes at once, the body late",
        injects: "The head is sent at once; before the first byte of the body so many seconds pass.",
        reproduces: &[],
        correct: "Waits for the body as it would for the head.",
        source: "MCP 2025-11-25, Lifecycle, Timeouts",
        broken: "Stop their clock when the head is there, and hang.",
    },
    attributes: &[SECONDS],
    make: |written| {
        let wait = seconds(written, "seconds", 1.0)?;
        edited(move |_, reply| {
            reply.steps.insert(0, Step::Wait(wait));
            true
        })
    },
    ..WIRE
};

pub(super) const THROTTLE: Spec = Spec {
    name: "throttle",
    page: Page {
        title: "The body comes in drops",
        injects: "The body is sent in pieces of so many bytes (16) with a pause of so many seconds (0.05) before each.",
        reproduces: &[],
        correct: "Reads to the end, wherever the pieces are cut.",
        source: "RFC 9112 §7.1; WHATWG HTML, Server-sent events, parsing",
        broken: "Parse a piece as if it were the whole.",
    },
    attributes: &[
        Attribute { name: "bytes", values: "N", default: "16", about: "how large a piece is" },
        Attribute { name: "seconds", values: "SECONDS", default: "0.05", about: "how long the pause before each piece is" },
    ],
    make: |written| {
        let pause = seconds(written, "seconds", 0.05)?;
        let size: usize = written.parsed("bytes", "a number of bytes from 1")?.unwrap_or(16);
        if size == 0 {
            return Err(written.refuse("bytes", "a number of bytes from 1"));
        }
        edited(move |_, reply| in_drops(reply, size, pause))
    },
    ..WIRE
};

fn in_drops(reply: &mut Reply, size: usize, pause: Duration) -> bool {
    let steps = std::mem::take(&mut reply.steps);
    for step in steps {
        let Step::Send(mut bytes) = step else {
            reply.steps.push(step);
            continue;
        };
        while !bytes.is_empty() {
            let piece = bytes.split_to(size.min(bytes.len()));
            reply.steps.extend([Step::Wait(pause), Step::Send(piece)]);
        }
    }
    !reply.steps.is_empty()
}
