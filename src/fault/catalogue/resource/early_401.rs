//! A bearer is refused before its time; alone, and with a refresh that is refused, too.

use super::RESOURCE;
use crate::fault::deeds::Made;
use crate::fault::{Attribute, Attributes, Before, Deed, Life, Needs, Page, Scene, Spec, Stage};
use crate::model::{IssuerId, Model};
use crate::protocol::{Bearer, Kind};
use crate::reply::Reply;
use serde_json::{Value, json};

pub(super) const SPEC: Spec = Spec {
    name: "early-401",
    page: Page {
        title: "A valid bearer is refused before it expires",
        injects: "The first valid bearer of the last session is revoked when it comes: 401 invalid_token, though expires_in has not passed. \
                  Its refresh token stays good. It is expiry that the client does not know of.",
        reproduces: &["anthropics/claude-code#54443", "anthropics/claude-code#52202", "anthropics/claude-code#58066"],
        correct: "Refreshes once and repeats the request.",
        source: "RFC 6750 §3.1; RFC 6749 §5.1 (expires_in is a recommendation)",
        broken: "Log in anew without a refresh, or keep the bearer.",
    },
    needs: Needs::Login,
    life: Life::Times(1),
    excludes: &["persistent-401", "early-401-refresh-400"],
    make: |_| Ok(Box::new(Early { issuers: Vec::new(), refusal: None, is_revoked: false })),
    ..RESOURCE
};

pub(super) const REFRESH_400: Spec = Spec {
    name: "early-401-refresh-400",
    page: Page {
        title: "A bearer is refused early, and then its refresh",
        injects: "The first valid bearer of the last session is revoked when it comes (401 invalid_token), and each refresh after that is \
                  answered 400 until the client has logged in again: invalid_grant, or with body=vendor a body that is not the one of \
                  RFC 6749. It is expiry that the client does not know of. The bearer may also be that of a vendor's own API.",
        reproduces: &["anthropics/claude-code#54443"],
        correct: "After invalid_grant asks for authorization once; other processes read the store again before they do anything. After a \
                  body of the vendor's own it keeps its credentials and says what it got.",
        source: "RFC 6749 §5.2; RFC 6750 §3.1",
        broken: "Ask for /login in a loop, or in every process.",
    },
    attributes: &[Attribute { name: "body", values: "invalid-grant|vendor", default: "invalid-grant", about: "what the refusal says" }],
    needs: Needs::Refresh,
    life: Life::UntilCode,
    excludes: &["persistent-401", "early-401", "refresh-invalid-grant", "refresh-400-vendor"],
    make: early_and_refused,
    ..RESOURCE
};

fn early_and_refused(written: &Attributes) -> Made {
    let refusal = match written.word("body", &["invalid-grant", "vendor"])? {
        "vendor" => json!({"type": "error", "error": {"type": "invalid_request_error", "message": "Invalid request"}}),
        _ => json!({"error": "invalid_grant", "error_description": "the refresh token is not valid"}),
    };
    Ok(Box::new(Early { issuers: Vec::new(), refusal: Some(refusal), is_revoked: false }))
}

struct Early {
    /// The authorization servers whose bearers may go to a vendor's own API.
    issuers: Vec<IssuerId>,
    /// What a refresh is answered from then on.
    refusal: Option<Value>,
    is_revoked: bool,
}

impl Deed for Early {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        // Where there are MCP servers, theirs is the bearer that is meant, and not that of a client's vendor.
        self.issuers = if stage.servers.is_empty() { stage.issuers.clone() } else { Vec::new() };
        Ok(())
    }

    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        if let Some(body) = self.refusal.as_ref().filter(|_| self.is_revoked) {
            return match scene.kind {
                Kind::TokenRefresh => Before::Answer(Box::new(Reply::json(400, body))),
                _ => Before::Nothing,
            };
        }
        let is_due = scene.is_last() && self.revoke(scene, model);
        self.is_revoked |= is_due;
        if is_due { Before::Acted } else { Before::Nothing }
    }
}

impl Early {
    /// Revokes the bearer of a request, if it would be taken.
    fn revoke(&self, scene: &Scene<'_>, model: &mut Model) -> bool {
        let source = match scene.server {
            Some(server) => model.admit(server, scene.request, scene.now).ok().and_then(|access| access.source),
            // The API of a vendor, or one of its account endpoints.
            None => Bearer::of(scene.request).and_then(|bearer| {
                let own = |id: &IssuerId| Some((*id, model.issuer(*id).valid_access(&bearer.token, scene.now)?.grant));
                self.issuers.iter().find_map(own)
            }),
        };
        let Some((issuer, grant)) = source else { return false };
        model.issuer_mut(issuer).revoke_access(grant);
        true
    }
}
