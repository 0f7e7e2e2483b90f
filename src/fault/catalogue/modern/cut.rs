//! A stream that ends before the response, and cannot be resumed.

use super::MODERN;
use crate::fault::catalogue::answers::{is_modern, strikes_call};
use crate::fault::deeds::edited;
use crate::fault::{Page, Spec};

pub(super) const SPEC: Spec = Spec {
    name: "modern-stream-cut",
    page: Page {
        title: "The stream of a call ends before the response",
        injects: "A tool call is answered with an event stream that holds one notification, with an id, and ends without the response.",
        reproduces: &["SEP-2575"],
        correct: "Sends the request again with a new JSON-RPC id, and never resumes.",
        source: "MCP 2026-07-28, Streamable HTTP (no resumability); SEP-2575",
        broken: "Send GET with Last-Event-ID, use the old id again, or wait for ever.",
    },
    make: |written| {
        let strikes = strikes_call(written);
        edited(move |scene, reply| {
            let is_cut = is_modern(scene) && strikes(scene) && reply.status == 200;
            if is_cut {
                reply.set_header("content-type", "text/event-stream");
                reply.set_body(CUT);
            }
            is_cut
        })
    },
    ..MODERN
};

const CUT: &str = "id: cut-1\n\
                   data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"working\"}}\n\n";
