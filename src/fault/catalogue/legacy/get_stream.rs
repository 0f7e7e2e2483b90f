//! The GET stream: refused, closed at once, or silent.

use super::LEGACY;
use crate::fault::catalogue::answers::{rpc_error, status};
use crate::fault::catalogue::seconds;
use crate::fault::deeds::{Made, edited, instead};
use crate::fault::{Attribute, Attributes, Needs, Page, Spec};
use crate::protocol::Kind;
use crate::reply::{Reply, Step};

pub(super) const NOT_ALLOWED: Spec = Spec {
    name: "get-stream-405",
    page: Page {
        title: "The server offers no GET stream: 405",
        injects: "Each GET for a stream is answered 405.",
        reproduces: &["modelcontextprotocol/python-sdk#3420"],
        correct: "Accepts that there is no stream and does not ask again.",
        source: "MCP 2025-11-25, Listening for Messages from the Server, 3",
        broken: "Ask again and again.",
    },
    aims_at: &[Kind::McpGetStream],
    excludes: &["get-stream-200-empty", "get-stream-status", "get-stream-silent", "401-on-get-only"],
    make: |_| {
        instead(|scene| {
            let mut reply = rpc_error(scene, 405, -32000, "Method not allowed", None);
            reply.set_header("allow", "POST, DELETE");
            reply
        })
    },
    ..LEGACY
};

pub(super) const STATUS: Spec = Spec {
    name: "get-stream-status",
    page: Page {
        title: "The GET stream is refused with another status than 405",
        injects: "Each GET for a stream is answered with status (409).",
        reproduces: &["mcp-sap-docs#75"],
        correct: "Comes back a few times at most, with growing waits; 409 means that its own stream is still open.",
        source: "MCP 2025-11-25, Listening for Messages from the Server",
        broken: "Ask again at once, or give the whole server up.",
    },
    attributes: &[Attribute { name: "status", values: "400..599", default: "409", about: "the status of the answer" }],
    excludes: &["get-stream-200-empty", "get-stream-silent", "401-on-get-only"],
    make: refused,
    ..NOT_ALLOWED
};

pub(super) const EMPTY: Spec = Spec {
    name: "get-stream-200-empty",
    page: Page {
        title: "The GET stream ends at once",
        injects: "Each GET for a stream is answered 200 with an event stream that ends before its first event.",
        reproduces: &["coinstats-mcp#29", "modelcontextprotocol/python-sdk#3257", "prompts.chat#1117", "malloyyo#134"],
        correct: "Comes back a few times at most, with growing waits, and lives without the stream.",
        source: "MCP 2025-11-25, Listening for Messages from the Server; WHATWG HTML §9.2.3 (reconnection time)",
        broken: "Come back several times a second without end (3.6 million requests a day).",
    },
    excludes: &["get-stream-silent", "401-on-get-only"],
    make: |_| {
        instead(|_| {
            let mut reply = Reply::text(200, "text/event-stream", "");
            reply.steps.clear();
            reply
        })
    },
    ..NOT_ALLOWED
};

pub(super) const SILENT: Spec = Spec {
    name: "get-stream-silent",
    page: Page {
        title: "The GET stream is accepted and says nothing",
        injects: "The head of each answer to a GET for a stream comes seconds (1) late, with withhold=body at once and its first byte so late.",
        reproduces: &["mcp-sap-docs#75", "geelen/mcp-remote#226"],
        correct: "Does not wait for it: sends its requests meanwhile.",
        source: "MCP 2025-11-25, Listening for Messages from the Server (the stream is optional)",
        broken: "Send nothing until the head of the stream has come.",
    },
    attributes: &[
        Attribute { name: "seconds", values: "SECONDS", default: "1", about: "how late it comes" },
        Attribute { name: "withhold", values: "head|body", default: "head", about: "what comes late" },
    ],
    needs: Needs::GetStream,
    excludes: &["401-on-get-only"],
    make: silent,
    ..NOT_ALLOWED
};

fn refused(written: &Attributes) -> Made {
    let status = status(written, 400..=599, 409)?;
    instead(move |scene| rpc_error(scene, status, -32000, "The stream cannot be opened", None))
}

fn silent(written: &Attributes) -> Made {
    let late = seconds(written, "seconds", 1.0)?;
    let is_head = written.word("withhold", &["head", "body"])? == "head";
    edited(move |_, reply| {
        let is_stream = reply.status == 200;
        match is_head {
            _ if !is_stream => {}
            true => reply.delay += late,
            false => reply.steps.insert(0, Step::Wait(late)),
        }
        is_stream
    })
}
