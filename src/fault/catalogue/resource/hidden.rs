//! A refusal that looks like success.

use super::RESOURCE;
use crate::fault::catalogue::answers::{method, rpc_error, rpc_result, strikes_call};
use crate::fault::deeds::{Made, answering};
use crate::fault::{Attribute, Attributes, Needs, Page, Spec};
use crate::protocol::Kind;
use serde_json::json;

pub(super) const SPEC: Spec = Spec {
    name: "auth-error-in-200",
    page: Page {
        title: "A tool says \"authentication required\" with status 200",
        injects: "Each tool call is answered 200 with a result that is an error of the tool and says that authentication is required; with \
                  form=rpc with a JSON-RPC error. There is no challenge.",
        reproduces: &["anthropics/claude-code#19481"],
        correct: "Shows what it got: it cannot know that its login has ended. The server is at fault, which owes a 401.",
        source: "MCP 2025-11-25, Authorization, Token Handling; RFC 6750 §3.1",
        broken: "Say that they are connected and authenticated.",
    },
    attributes: &[Attribute { name: "form", values: "tool|rpc", default: "tool", about: "a result of the tool, or a JSON-RPC error" }],
    needs: Needs::Server,
    aims_at: &[Kind::McpRequest],
    make: hidden,
    ..RESOURCE
};

const TEXT: &str = "Authentication required: please reconnect your account";

fn hidden(written: &Attributes) -> Made {
    let is_rpc = written.word("form", &["tool", "rpc"])? == "rpc";
    let strikes = strikes_call(written);
    answering(move |scene, _| {
        let reply = || match is_rpc || method(scene) != "tools/call" {
            true => rpc_error(scene, 200, -32001, TEXT, None),
            false => rpc_result(scene, json!({"content": [{"type": "text", "text": TEXT}], "isError": true})),
        };
        (strikes(scene) && scene.request.headers.has("authorization")).then(reply)
    })
}
