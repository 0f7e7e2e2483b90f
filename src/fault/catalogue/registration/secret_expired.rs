//! A client secret that has ended.

use super::REGISTRATION;
use super::response::{confidential, registered};
use crate::fault::deeds::altered;
use crate::fault::{Page, Spec};
use crate::model::Moment;
use crate::model::policy::AuthMethod;
use serde_json::json;

pub(super) const SPEC: Spec = Spec {
    name: "dcr-secret-expired",
    page: Page {
        title: "The client secret has ended",
        injects: "A registration is answered with a client_secret (one that asked for none gets client_secret_post) whose \
                  client_secret_expires_at is a second past; the token endpoint answers that client 401 invalid_client.",
        reproduces: &["openid/AppAuth-Android#40"],
        correct: "Reads client_secret_expires_at, does not present a secret that has ended, and registers again once.",
        source: "RFC 7591 §3.2.1",
        broken: "Present the dead secret for ever.",
    },
    make: |_| {
        altered(|scene, reply, model| {
            let end = scene.now.seconds().saturating_sub(1);
            registered(scene, reply, model, |client, body| {
                let method = if client.auth == AuthMethod::None { AuthMethod::Post } else { client.auth };
                confidential(client, body, method);
                client.secret_expires = Some(Moment::since_epoch(std::time::Duration::from_secs(end)));
                body["client_secret_expires_at"] = json!(end);
            })
        })
    },
    ..REGISTRATION
};
