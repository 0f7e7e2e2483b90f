//! Connections that break: before the answer, or in the middle of its body.

use super::WIRE;
use crate::fault::deed::{Before, Deed, Scene};
use crate::fault::deeds::Made;
use crate::fault::{Attribute, Attributes, Page, Spec};
use crate::model::Model;
use crate::reply::{Break, Ending, Reply, Step};

const AT: Attribute = Attribute {
    name: "at",
    values: "request|head|body",
    default: "request",
    about: "before the server sees the request, after it has answered but before its head, or in the middle of its body",
};

pub(super) const RESET: Spec = Spec {
    name: "reset",
    page: Page {
        title: "The connection is reset",
        injects: "The client's connection is broken off with a TCP RST: before the server sees the request (at=request), when the server \
                  has done its work but not said so (at=head), or in the middle of the body (at=body).",
        reproduces: &["anthropics/claude-code#94855"],
        correct: "Keeps its credentials and tries again after a while; repeats by itself only what is safe to repeat.",
        source: "RFC 9110 §9.2.2 (automatic retries), RFC 9112 §9.5",
        broken: "Take it for a refusal and log in anew, or lose tokens that were issued meanwhile.",
    },
    attributes: &[AT],
    make: |written| broken(written, Break::Reset),
    ..WIRE
};

pub(super) const CLOSE: Spec = Spec {
    name: "close",
    page: Page {
        title: "The connection is closed",
        injects: "The client's connection is ended in order (TCP FIN), without a word of HTTP: see reset.",
        reproduces: &[],
        correct: "As with reset. A body that is cut short is no answer.",
        source: "RFC 9112 §8 (incomplete messages), §9.5",
        broken: "Take half a body for a whole one.",
    },
    attributes: &[AT],
    make: |written| broken(written, Break::Close),
    ..WIRE
};

pub(super) const STALL: Spec = Spec {
    name: "stall",
    page: Page {
        title: "Nothing more comes",
        injects: "The connection stays open and silent, for as long as the client waits.",
        reproduces: &["sap/mcp-sap-docs#75"],
        correct: "Gives up after a stated time, says so, keeps its credentials.",
        source: "MCP 2025-11-25, Lifecycle, Timeouts",
        broken: "Wait for ever.",
    },
    attributes: &[AT],
    make: |written| broken(written, Break::Stall),
    ..WIRE
};

/// Where in an exchange it breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Request,
    Head,
    Body,
}

struct Broken {
    how: Break,
    at: At,
}

fn broken(written: &Attributes, how: Break) -> Made {
    let at = match written.word("at", &["request", "head", "body"])? {
        "head" => At::Head,
        "body" => At::Body,
        _ => At::Request,
    };
    Ok(Box::new(Broken { how, at }))
}

impl Deed for Broken {
    fn before(&mut self, _: &Scene<'_>, _: &mut Model) -> Before {
        if self.at != At::Request {
            return Before::Nothing;
        }
        Before::Answer(Box::new(Reply { broken: Some(self.how), ..Reply::default() }))
    }

    fn edit(&mut self, _: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        match self.at {
            At::Request => return false,
            At::Head => reply.broken = Some(self.how),
            At::Body => {
                let body = reply.body();
                let half = body[..body.len().div_ceil(2)].to_vec();
                reply.steps = if half.is_empty() { Vec::new() } else { vec![Step::Send(half.into())] };
                reply.ending = Ending::Broken(self.how);
            }
        }
        true
    }
}
