//! Refreshes that do not help, and refreshes that want more than they may.

use super::rotation::is_refreshed;
use crate::fault::deeds::altered;
use crate::fault::{Before, Deed, Life, Page, Scene, Spec};
use crate::model::Model;
use crate::protocol::request_parameters;
use crate::reply::Reply;
use serde_json::json;

pub(super) const REFRESHED_401: Spec = Spec {
    name: "refreshed-token-401",
    page: Page {
        title: "A refreshed token is refused",
        injects: "Access tokens of a refresh are good for nothing: the MCP server answers them with 401 invalid_token. Those of a code \
                  exchange are good.",
        reproduces: &["danny-avila/LibreChat#16075", "anthropics/claude-ai-mcp#299"],
        correct: "Refreshes once, tries once more, then asks for authorization once.",
        source: "RFC 6750 §3.1; RFC 8707 §2.2",
        broken: "Refresh and be refused, again and again.",
    },
    life: Life::UntilCode,
    make: |_| altered(refuse),
    ..super::REFRESH
};

pub(super) const NEEDS_SCOPE: Spec = Spec {
    name: "refresh-needs-scope",
    page: Page {
        title: "A refresh without scope is refused",
        injects: "A refresh without the scope parameter is answered 400 {\"error\":\"invalid_request\"}.",
        reproduces: &["modelcontextprotocol/rust-sdk#624", "modelcontextprotocol/typescript-sdk#941"],
        correct: "May send the scope that was granted. Without it, keeps its credentials and says what the server said: scope is optional, the \
                  server is at fault.",
        source: "RFC 6749 §6",
        broken: "Send more scope than was granted, or lose their credentials.",
    },
    life: Life::Forever,
    make: |_| Ok(Box::new(NeedsScope)),
    ..super::REFRESH
};

/// Ends the access token of a refresh as it is issued.
fn refuse(scene: &Scene<'_>, reply: &mut Reply, model: &mut Model) -> bool {
    let Some(issuer) = scene.issuer.filter(|_| is_refreshed(scene)) else { return false };
    let access = reply.json_body().and_then(|body| body["access_token"].as_str().map(str::to_owned)).unwrap_or_default();
    let token = model.issuer_mut(issuer).issued.access_mut(&access);
    token.map(|token| token.revoked = true).is_some()
}

/// Refuses a refresh without a scope; met by one with it too.
struct NeedsScope;

impl Deed for NeedsScope {
    fn before(&mut self, scene: &Scene<'_>, _: &mut Model) -> Before {
        if request_parameters(scene.request).text("scope").is_some() {
            return Before::Acted;
        }
        let body = json!({"error": "invalid_request", "error_description": "scope is missing"});
        Before::Answer(Box::new(Reply::json(400, &body)))
    }
}
