//! Bearers that are never taken: at all, or for the GET stream.

use super::RESOURCE;
use crate::fault::catalogue::answers::invalid_token;
use crate::fault::deeds::answering;
use crate::fault::{Needs, Page, Spec};
use crate::protocol::{Bearer, Kind};

pub(super) const SPEC: Spec = Spec {
    name: "persistent-401",
    page: Page {
        title: "Every bearer is refused",
        injects: "Each request to the MCP server that carries a bearer is answered 401 invalid_token, however new the bearer is.",
        reproduces: &["modelcontextprotocol/typescript-sdk#945", "gbrain#5222", "geelen/mcp-remote#91"],
        correct: "Refreshes once, asks for authorization once, then gives up and says so.",
        source: "RFC 6750 §3.1; MCP 2025-11-25, Authorization, Error Handling",
        broken: "Ask for authorization again with each request.",
    },
    excludes: &["early-401"],
    make: |_| answering(|scene, model| Bearer::of(scene.request).and(scene.server).map(|server| invalid_token(model, server))),
    ..RESOURCE
};

pub(super) const GET_ONLY: Spec = Spec {
    name: "401-on-get-only",
    page: Page {
        title: "POST is answered, GET is refused with 401",
        injects: "Each GET for a stream that carries a bearer is answered 401 invalid_token; the same bearer is good for POST.",
        reproduces: &["coinstats-mcp#29"],
        correct: "Refreshes once at most, then lives without the stream.",
        source: "MCP 2025-11-25, Listening for Messages from the Server (the stream is optional)",
        broken: "Start an OAuth flow for a stream that nobody needs.",
    },
    needs: Needs::GetStream,
    aims_at: &[Kind::McpGetStream],
    make: |_| answering(|scene, model| Bearer::of(scene.request).and(scene.server).map(|server| invalid_token(model, server))),
    ..RESOURCE
};
