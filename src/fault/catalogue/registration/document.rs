//! A client id metadata document that the server cannot get.

use super::REGISTRATION;
use crate::fault::deeds::perhaps;
use crate::fault::{Attribute, Life, Needs, Page, Spec};
use crate::protocol::{Kind, request_parameters};
use crate::reply::Reply;
use serde_json::json;

pub(super) const SPEC: Spec = Spec {
    name: "cimd-unresolvable",
    page: Page {
        title: "The client id metadata document is out of reach",
        injects: "An authorization request whose client id is a URL is answered with status (400) and {\"error\":\"invalid_client\"}, without \
                  a redirect: the server could not fetch the document.",
        reproduces: &["cloudflare/workers-oauth-provider#156", "anthropics/claude-code#42301"],
        correct: "Says so; may register dynamically where the server offers it.",
        source: "MCP 2025-11-25, Authorization, Client ID Metadata Documents; RFC 6749 §4.1.2.1",
        broken: "Wait without a word.",
    },
    attributes: &[Attribute { name: "status", values: "400..599", default: "400", about: "the status of the answer" }],
    needs: Needs::Login,
    aims_at: &[Kind::Authorize],
    life: Life::Forever,
    make: |written| {
        let status: u16 = written.parsed("status", "a status from 400 to 599")?.unwrap_or(400);
        if !(400..600).contains(&status) {
            return Err(written.refuse("status", "a status from 400 to 599"));
        }
        let body = json!({"error": "invalid_client", "error_description": "the client metadata document cannot be fetched"});
        perhaps(move |scene, _| {
            let parameters = request_parameters(scene.request);
            let is_url = parameters.text("client_id").is_some_and(|id| id.starts_with("https://"));
            is_url.then(|| Reply::json(status, &body))
        })
    },
    ..REGISTRATION
};
