//! The authorization server forgets a client.

use super::REGISTRATION;
use crate::fault::deeds::earlier;
use crate::fault::{Needs, Page, Scene, Spec};
use crate::model::{ClientStatus, Model};
use crate::protocol::{ClientCredentials, Kind, request_parameters};

pub(super) const SPEC: Spec = Spec {
    name: "dcr-client-pruned",
    page: Page {
        title: "The server forgets the client",
        injects: "When a client presents its refresh token, the server forgets that client with all it was given: this request and each \
                  later one with that client id is refused, at the token endpoint 401 invalid_client, at the authorization endpoint 400 \
                  without a redirect. With kind=authorize it is forgotten when it asks for authorization.",
        reproduces: &[
            "anthropics/claude-code#84614",
            "anthropics/claude-code#79505",
            "anthropics/claude-code#9720",
            "supabase-community/supabase-mcp#355",
            "openai/codex#29630",
            "MoonshotAI/kimi-code#2606",
            "jlowin/fastmcp#1762",
            "geelen/mcp-remote#36",
        ],
        correct: "Drops its registration, registers again once, and asks for authorization once.",
        source: "RFC 6749 §5.2 (invalid_client), §4.1.2.1; RFC 7591 §3.2.1",
        broken: "Present the dead client id for ever (Python SDK).",
    },
    needs: Needs::Login,
    aims_at: &[Kind::TokenRefresh],
    make: |_| earlier(forget),
    ..REGISTRATION
};

fn forget(scene: &Scene<'_>, model: &mut Model) -> bool {
    let Some(issuer) = scene.issuer.map(|id| model.issuer_mut(id)) else { return false };
    let credentials = ClientCredentials::of(scene.request);
    let proven = credentials.as_ref().and_then(ClientCredentials::id).map(|id| id.into_owned());
    let Some(id) = proven.or_else(|| request_parameters(scene.request).text("client_id").map(str::to_owned)) else { return false };
    let is_known = issuer.client(&id).is_some_and(|client| client.status == ClientStatus::Active);
    if is_known {
        issuer.end_client(&id, ClientStatus::Pruned);
    }
    is_known
}
