//! Token answers of another shape than the client hoped for.

use super::EXCHANGE;
use crate::fault::deeds::{altered, edited, instead, stricter};
use crate::fault::{Attribute, Control, Life, Needs, Page, Scene, Spec};
use crate::model::policy::RefreshIssue;
use crate::model::{Decided, Model, Scope};
use crate::protocol::Kind;
use crate::reply::Reply;
use serde_json::{Value, json};

pub(super) const ERROR_IN_200: Spec = Spec {
    name: "token-error-in-200",
    page: Page {
        title: "An error with status 200",
        injects: "The code exchange is answered 200 {\"error\":\"bad_verification_code\"}.",
        reproduces: &["modelcontextprotocol/typescript-sdk#1342"],
        correct: "Takes an answer without access_token for an error, whatever its status, and says what the server said.",
        source: "RFC 6749 §5.1 (access_token is required), §5.2",
        broken: "Report a schema error, or store nothing as a token.",
    },
    make: |_| {
        let body = json!({
            "error": "bad_verification_code",
            "error_description": "The code passed is incorrect or expired.",
            "error_uri": "https://docs.example.test/errors",
        });
        instead(move |_| Reply::json(200, &body))
    },
    ..EXCHANGE
};

pub(super) const NO_REFRESH_TOKEN: Spec = Spec {
    name: "token-no-refresh-token",
    page: Page {
        title: "No refresh token is issued",
        injects: "The authorization server issues access tokens only.",
        reproduces: &["jlowin/fastmcp#1356", "anthropics/claude-code#7744"],
        correct: "Never tries to refresh; asks for authorization once when the access token has ended.",
        source: "RFC 6749 §5.1 (refresh_token is optional)",
        broken: "Send a refresh request without a token, or ask again and again.",
    },
    life: Life::Forever,
    excludes: &["refresh-invalid-grant", "refresh-5xx"],
    make: |_| {
        stricter(
            |stage| {
                for id in &stage.issuers {
                    stage.model.issuer_mut(*id).policy.refresh_issue = RefreshIssue::Never;
                }
                Ok(())
            },
            |scene, _| matches!(scene.decided, Some(Decided::Issued { .. })),
        )
    },
    ..EXCHANGE
};

pub(super) const NARROW_SCOPE: Spec = Spec {
    name: "token-narrow-scope",
    page: Page {
        title: "Less scope than was asked for",
        injects: "The code exchange says that the scope granted is scope, and the access token holds no more than that.",
        reproduces: &["a consent screen on which a person unchecks a box"],
        correct: "Keeps the token, works with what it has, and asks for more when a request is refused for want of scope.",
        source: "RFC 6749 §3.3, §5.1",
        broken: "Assume that everything was granted.",
    },
    attributes: &[Attribute { name: "scope", values: "TEXT", default: "openid", about: "what is granted" }],
    make: |written| {
        let scope = written.text("scope").unwrap_or("openid").to_owned();
        altered(move |scene, reply, model| narrow(scene, reply, model, &scope))
    },
    ..EXCHANGE
};

pub(super) const NULL_MEMBERS: Spec = Spec {
    name: "null-members",
    page: Page {
        title: "Optional members are null",
        injects: "Optional members that token and registration answers lack are there with the value null: refresh_token, scope, id_token, \
                  client_secret, client_uri, logo_uri, contacts.",
        reproduces: &["modelcontextprotocol/typescript-sdk#2462"],
        correct: "Reads null as absent. The server should leave such members out.",
        source: "RFC 6749 §5.1; RFC 7591 §3.2.1; RFC 8259 §3",
        broken: "Fail to read the answer.",
    },
    aims_at: &[Kind::TokenCode, Kind::TokenRefresh, Kind::DcrCreate],
    life: Life::Forever,
    control: Control::Positive,
    needs: Needs::Login,
    make: |_| {
        edited(|scene, reply| {
            let names: &[&str] = match scene.kind {
                Kind::DcrCreate => &["client_secret", "client_uri", "logo_uri", "contacts", "tos_uri"],
                _ => &["refresh_token", "scope", "id_token"],
            };
            reply.status < 300
                && reply.edit_json(|body| {
                    let Some(body) = body.as_object_mut() else { return };
                    for name in names {
                        body.entry(*name).or_insert(Value::Null);
                    }
                })
        })
    },
    ..EXCHANGE
};

/// Lets the access token of an answer hold this scope only.
fn narrow(scene: &Scene<'_>, reply: &mut Reply, model: &mut Model, scope: &str) -> bool {
    let Some(issuer) = scene.issuer.filter(|_| reply.status == 200) else { return false };
    let access = reply.json_body().and_then(|body| body["access_token"].as_str().map(str::to_owned)).unwrap_or_default();
    let Some(token) = model.issuer_mut(issuer).issued.access_mut(&access) else { return false };
    token.scope = Scope::parse(scope);
    reply.edit_json(|body| body["scope"] = json!(scope))
}
