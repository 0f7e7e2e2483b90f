//! A stream that ends before the response, and can be resumed.

use super::LEGACY;
use crate::fault::catalogue::answers::strikes_call;
use crate::fault::deeds::{Made, altered};
use crate::fault::{Attributes, Life, Needs, Page, Spec};
use crate::protocol::Kind;
use crate::reply::Reply;

pub(super) const SPEC: Spec = Spec {
    name: "sse-cut-before-response",
    page: Page {
        title: "The stream of a call ends before the response",
        injects: "A tool call is answered with an event stream of one empty event, which has an id and a retry of 50 ms, and ends. The \
                  response comes to whoever resumes with that id in Last-Event-ID.",
        reproduces: &["modelcontextprotocol/php-sdk#327", "modelcontextprotocol/inspector#723"],
        correct: "Waits as long as retry says, then sends GET with Last-Event-ID.",
        source: "MCP 2025-11-25, Resumability and Redelivery; SEP-1699",
        broken: "Wait for ever, resume without Last-Event-ID, or send the call again.",
    },
    needs: Needs::Sessions,
    aims_at: &[Kind::McpRequest],
    life: Life::Times(1),
    make: cut,
    ..LEGACY
};

fn cut(written: &Attributes) -> Made {
    let strikes = strikes_call(written);
    altered(move |scene, reply, model| {
        let answer = || reply.answer_to(scene.rpc?.id);
        let mut held = || {
            let session = scene.request.headers.first("mcp-session-id")?;
            model.server_mut(scene.server?).hold_back(session, answer()?)
        };
        let held = if strikes(scene) && reply.status == 200 { held() } else { None };
        if let Some(response) = &held {
            *reply = Reply { delay: reply.delay, ..Reply::whole(response) };
        }
        held.is_some()
    })
}
