//! What the newer era checks before the method: the version, and the headers that repeat the body.

use super::MODERN;
use crate::fault::catalogue::answers::{is_modern, rpc_error, strikes_call};
use crate::fault::deeds::answering;
use crate::fault::{Page, Spec};
use serde_json::json;

pub(super) const VERSION: Spec = Spec {
    name: "modern-version-unsupported",
    page: Page {
        title: "The protocol version is refused",
        injects: "A request is answered 400 with the JSON-RPC error -32022, and the versions that the server speaks in data.supported.",
        reproduces: &["modelcontextprotocol/rust-sdk#1088"],
        correct: "Repeats the request with a version of that list; initialize only where the list holds older versions alone.",
        source: "MCP 2026-07-28, Version Negotiation",
        broken: "Fall back to initialize without a look at the list.",
    },
    make: |_| {
        answering(|scene, model| {
            let server = scene.server.filter(|_| is_modern(scene))?;
            let requested = scene.request.headers.first("mcp-protocol-version").unwrap_or_default();
            let data = json!({"supported": model.server(server).policy.versions, "requested": requested});
            Some(rpc_error(scene, 400, -32022, "Unsupported protocol version", Some(data)))
        })
    },
    ..MODERN
};

pub(super) const HEADERS: Spec = Spec {
    name: "modern-header-mismatch",
    page: Page {
        title: "The headers of a tool call are refused",
        injects: "A tool call is answered 400 with the JSON-RPC error -32020, as by a server whose tool has come to want headers of its own.",
        reproduces: &["SEP-2243"],
        correct: "Lists the tools again and repeats the call once, with the headers that the schema asks for.",
        source: "MCP 2026-07-28, Streamable HTTP, Header Validation; SEP-2243",
        broken: "Repeat the same call again and again, or fall back to initialize.",
    },
    make: |written| {
        let strikes = strikes_call(written);
        answering(move |scene, _| {
            let refused = || rpc_error(scene, 400, -32020, "Header mismatch: a header that the tool's schema asks for is missing", None);
            (is_modern(scene) && strikes(scene)).then(refused)
        })
    },
    ..MODERN
};
