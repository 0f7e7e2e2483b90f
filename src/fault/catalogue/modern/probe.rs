//! The probe of a newer client, answered as it should not be.

use super::MODERN;
use crate::fault::catalogue::answers::{admitted, challenge, invalid_token, method, status};
use crate::fault::deeds::{Made, answering};
use crate::fault::{Attribute, Attributes, Life, Needs, Page, Spec};
use crate::reply::Reply;

pub(super) const PLAIN_400: Spec = Spec {
    name: "modern-plain-400",
    page: Page {
        title: "The probe of a newer client is answered with a plain 400",
        injects: "server/discover is answered 400 with a line of text that is no JSON-RPC error, as by a server of an older era.",
        reproduces: &["modelcontextprotocol/python-sdk#3257"],
        correct: "Falls back to initialize.",
        source: "MCP 2026-07-28, Version Negotiation, Backward Compatibility",
        broken: "Give up, or try the newer era again and again.",
    },
    needs: Needs::Legacy,
    life: Life::Forever,
    excludes: &["modern-discover-401"],
    make: |_| answering(|scene, _| (method(scene) == "server/discover").then(|| Reply::text(400, "text/plain", "Bad Request"))),
    ..MODERN
};

pub(super) const REFUSED: Spec = Spec {
    name: "modern-discover-401",
    page: Page {
        title: "The probe of a newer client is refused, initialize is not",
        injects: "server/discover with a good bearer is answered with status (401); initialize with the same bearer succeeds.",
        reproduces: &["QwenPaw#7627"],
        correct: "Tries initialize with the credential it has before it gives up. What the specification wants here is debatable: to be \
                  reported, not to be failed.",
        source: "MCP 2026-07-28, Version Negotiation, Backward Compatibility",
        broken: "Log in again and again.",
    },
    attributes: &[Attribute { name: "status", values: "401|403", default: "401", about: "the status of the answer" }],
    needs: Needs::Legacy,
    life: Life::Forever,
    make: discover_refused,
    ..MODERN
};

fn discover_refused(written: &Attributes) -> Made {
    let status = status(written, 401..=403, 401)?;
    answering(move |scene, model| {
        let (server, access) = admitted(scene, model).filter(|_| method(scene) == "server/discover")?;
        Some(match status {
            401 => invalid_token(model, server),
            _ => challenge(model, server, status, ("access_denied", "this method is not allowed"), &access.scope),
        })
    })
}
