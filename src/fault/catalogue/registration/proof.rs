//! A token endpoint that takes one way of client authentication.

use super::REGISTRATION;
use crate::exchange::Request;
use crate::fault::deeds::perhaps;
use crate::fault::{Attribute, Life, Needs, Page, Spec};
use crate::model::policy::AuthMethod;
use crate::protocol::{Authorization, Kind, request_parameters};
use crate::reply::Reply;
use serde_json::json;

pub(super) const ONLY: Spec = Spec {
    name: "token-auth-method-only",
    page: Page {
        title: "The token endpoint takes one authentication method",
        injects: "A token request that proves the client in another way than auth is answered 401 {\"error\":\"invalid_client\"} \
                  (says=missing: 400 invalid_request, client_id is missing), whatever was registered or advertised.",
        reproduces: &[
            "anthropics/claude-ai-mcp#667",
            "springfall2008/batpred#4799",
            "giantswarm/mcp-oauth#70",
            "modelcontextprotocol/php-sdk#321",
        ],
        correct: "Uses the method it registered, or else one that the metadata names, and never two at once; when that is refused, says so \
                  and stops. The server is at fault.",
        source: "RFC 6749 §2.3.1, §2.3; RFC 7591 §3.2.1; RFC 8414 §2",
        broken: "Send the secret in two places, or begin the login again and again.",
    },
    attributes: &[
        Attribute { name: "auth", values: "basic|post|none", default: "basic", about: "the only way that is taken" },
        Attribute { name: "says", values: "invalid_client|missing", default: "invalid_client", about: "what the others are told" },
    ],
    needs: Needs::Login,
    aims_at: &[Kind::TokenCode, Kind::TokenRefresh],
    life: Life::Forever,
    make: |written| {
        let method = match written.word("auth", &["basic", "post", "none"])? {
            "post" => AuthMethod::Post,
            "none" => AuthMethod::None,
            _ => AuthMethod::Basic,
        };
        let is_missing = written.word("says", &["invalid_client", "missing"])? == "missing";
        perhaps(move |scene, _| (method_of(scene.request) != method).then(|| refusal(is_missing)))
    },
    ..REGISTRATION
};

fn refusal(is_missing: bool) -> Reply {
    if is_missing {
        return Reply::json(400, &json!({"error": "invalid_request", "error_description": "missing client_id"}));
    }
    Reply::json(401, &json!({"error": "invalid_client", "error_description": "client authentication failed"}))
}

/// How a token request proves its client.
fn method_of(request: &Request) -> AuthMethod {
    match Authorization::of(&request.headers) {
        Some(Authorization::Basic(_)) => AuthMethod::Basic,
        _ if request_parameters(request).has("client_secret") => AuthMethod::Post,
        _ => AuthMethod::None,
    }
}
