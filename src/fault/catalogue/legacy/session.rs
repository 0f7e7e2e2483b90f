//! A session that the server has forgotten: said as the specification wants it, and otherwise.

use super::LEGACY;
use crate::fault::catalogue::answers::rpc_error;
use crate::fault::deeds::{answering, earlier};
use crate::fault::{Life, Needs, Page, Scene, Spec};
use crate::model::Model;
use crate::protocol::Kind;

pub(super) const GONE: Spec = Spec {
    name: "session-404",
    page: Page {
        title: "The server has forgotten a session: 404",
        injects: "The session of a request ends when the request comes: 404 with the JSON-RPC error -32001, for this and for every later \
                  request with its id.",
        reproduces: &[
            "modelcontextprotocol/typescript-sdk#1708",
            "modelcontextprotocol/python-sdk#3556",
            "modelcontextprotocol/rust-sdk#733",
            "langchain4j/langchain4j#3802",
        ],
        correct: "Sends initialize without a session id, and repeats the request in the new session.",
        source: "MCP 2025-11-25, Session Management, 4",
        broken: "Go on with the dead session id, or stop.",
    },
    needs: Needs::Sessions,
    aims_at: &[Kind::McpRequest],
    life: Life::Times(1),
    excludes: &["session-lost-200"],
    make: |_| earlier(|scene, model| live_session(scene, model).is_some_and(|(server, id)| model.server_mut(server).end_session(&id))),
    ..LEGACY
};

pub(super) const LOST: Spec = Spec {
    name: "session-lost-200",
    page: Page {
        title: "The server has forgotten a session: an error with 200",
        injects: "From one request on, those with the id of its session are answered 200 with the JSON-RPC error -32001 in place of 404.",
        reproduces: &["keryx#503"],
        correct: "Shows the error. No specification gives this answer a meaning; to begin a new session once does no harm.",
        source: "MCP 2025-11-25, Session Management, 3 (the server owes a 404)",
        broken: "Show a raw error for ever.",
    },
    needs: Needs::Sessions,
    aims_at: &[Kind::McpRequest],
    make: |_| {
        let mut lost: Option<String> = None;
        answering(move |scene, model| {
            let id = scene.request.headers.first("mcp-session-id")?;
            let is_live = lost.is_some() || live_session(scene, model).is_some();
            let is_lost = is_live && *lost.get_or_insert_with(|| id.to_owned()) == id;
            is_lost.then(|| rpc_error(scene, 200, -32001, "Session not found", None))
        })
    },
    ..LEGACY
};

/// The server and the session of a request that may use it.
fn live_session(scene: &Scene<'_>, model: &Model) -> Option<(crate::model::ServerId, String)> {
    let server = scene.server?;
    let access = model.admit(server, scene.request, scene.now).ok()?;
    let session = model.session_of(server, scene.request, &access).ok()??;
    Some((server, session))
}
