//! A server that is busy for a moment.

use super::LEGACY;
use crate::fault::catalogue::answers::rpc_error;
use crate::fault::deeds::instead;
use crate::fault::{Attribute, Life, Needs, Page, Spec};
use crate::protocol::Kind;

pub(super) const SPEC: Spec = Spec {
    name: "rpc-429",
    page: Page {
        title: "A request is answered 429",
        injects: "A JSON-RPC request is answered 429 with Retry-After: seconds (1). Strikes both eras.",
        reproduces: &["geelen/mcp-remote#91"],
        correct: "Waits as long as it is told, then sends the request again.",
        source: "RFC 6585 §4; RFC 9110 §10.2.3",
        broken: "Send a burst of requests, or log in anew.",
    },
    attributes: &[Attribute { name: "seconds", values: "N", default: "1", about: "the Retry-After field, whole seconds" }],
    needs: Needs::Server,
    aims_at: &[Kind::McpRequest],
    life: Life::Times(1),
    make: |written| {
        let seconds: u32 = written.parsed("seconds", "whole seconds")?.unwrap_or(1);
        instead(move |scene| {
            let mut reply = rpc_error(scene, 429, -32000, "Too many requests", None);
            reply.set_header("retry-after", &seconds.to_string());
            reply
        })
    },
    ..LEGACY
};
