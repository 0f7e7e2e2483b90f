//! The server registers something else than was asked for.

use super::REGISTRATION;
use crate::fault::deeds::altered;
use crate::fault::{Attribute, Control, Life, Page, Scene, Spec};
use crate::model::policy::AuthMethod;
use crate::model::{Client, Decided, Model, Scope};
use crate::reply::Reply;
use serde_json::{Value, json};

pub(super) const AUTH_METHOD_CHANGED: Spec = Spec {
    name: "dcr-auth-method-changed",
    page: Page {
        title: "Another authentication method is registered",
        injects: "A registration is answered with token_endpoint_auth_method: client_secret_<auth> and a client_secret, whatever was asked for; the token \
                  endpoint takes that method only.",
        reproduces: &["openai/codex#40928", "archestra-ai/archestra#7977", "metatool-ai/metamcp#342", "upstash/context7#2970"],
        correct: "Proves itself as the answer says, in that one way.",
        source: "RFC 7591 §3.2.1 (the server may replace values); RFC 6749 §2.3",
        broken: "Stay with the method they asked for, or use Basic because there is a secret.",
    },
    attributes: &[Attribute { name: "auth", values: "post|basic", default: "post", about: "what is registered" }],
    life: Life::Forever,
    control: Control::Positive,
    excludes: &["token-auth-method-only"],
    make: |written| {
        let method = match written.word("auth", &["post", "basic"])? {
            "basic" => AuthMethod::Basic,
            _ => AuthMethod::Post,
        };
        altered(move |scene, reply, model| registered(scene, reply, model, |client, body| confidential(client, body, method)))
    },
    ..REGISTRATION
};

pub(super) const DIFFERS: Spec = Spec {
    name: "dcr-response-differs",
    page: Page {
        title: "Something else is registered than was asked for",
        injects: "A registration is answered 201 with another what than was asked for: redirect_uris (only one that is not the client's), \
                  grant_types (without refresh_token), scope (openid only) or client_name. The server acts on what it answered.",
        reproduces: &["tableau/tableau-mcp#866"],
        correct: "Goes by the answer: does not use a redirect URI that was not registered, expects no refresh token; or stops and says so.",
        source: "RFC 7591 §3.2.1",
        broken: "Go by what they asked for, and wait for a callback that cannot come.",
    },
    attributes: &[Attribute {
        name: "what",
        values: "redirect_uris|grant_types|scope|client_name",
        default: "redirect_uris",
        about: "what differs",
    }],
    life: Life::Forever,
    make: |written| {
        let what = written.word("what", &["redirect_uris", "grant_types", "scope", "client_name"])?;
        altered(move |scene, reply, model| registered(scene, reply, model, |client, body| differ(client, body, what)))
    },
    ..REGISTRATION
};

/// Changes a registration in the answer and in the server's records. False where nothing was registered or changed.
pub(super) fn registered(scene: &Scene<'_>, reply: &mut Reply, model: &mut Model, change: impl FnOnce(&mut Client, &mut Value)) -> bool {
    let Some(issuer) = scene.issuer.filter(|_| scene.decided == Some(&Decided::Registered)) else { return false };
    let id = reply.json_body().and_then(|body| body["client_id"].as_str().map(str::to_owned)).unwrap_or_default();
    let Some(client) = model.issuer_mut(issuer).client_mut(&id) else { return false };
    reply.edit_json(|body| change(client, body))
}

/// Gives a client a secret, where it has none, and this way of presenting it.
pub(super) fn confidential(client: &mut Client, body: &mut Value, method: AuthMethod) {
    // As hard to guess as the id, which is minted.
    let secret = client.secret.clone().unwrap_or_else(|| client.id.replacen("client_", "secret_", 1));
    (client.auth, client.any_auth) = (method, false);
    body["token_endpoint_auth_method"] = json!(method.name());
    body["client_secret"] = json!(secret);
    if body["client_secret_expires_at"].is_null() {
        body["client_secret_expires_at"] = json!(0);
    }
    client.secret = Some(secret);
}

fn differ(client: &mut Client, body: &mut Value, what: &str) {
    match what {
        "grant_types" => {
            client.grant_types.retain(|own| own != "refresh_token");
            body["grant_types"] = json!(client.grant_types);
        }
        "scope" => {
            client.scope = Scope::parse("openid");
            body["scope"] = json!("openid");
        }
        "client_name" => {
            client.name = Some("Another Client".to_owned());
            body["client_name"] = json!(client.name);
        }
        _ => {
            client.redirect_uris = vec!["https://other-client.example.test/callback".to_owned()];
            body["redirect_uris"] = json!(client.redirect_uris);
        }
    }
}
