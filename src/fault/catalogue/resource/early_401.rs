//! A bearer is refused before its time.

use crate::fault::deeds::earlier;
use crate::fault::{Control, Group, Life, Needs, Page, Scene, Spec, Trigger};
use crate::model::Model;

pub(super) const SPEC: Spec = Spec {
    name: "early-401",
    group: Group::Resource,
    page: Page {
        title: "A valid bearer is refused before it expires",
        injects: "The first valid bearer of the last session is revoked when it comes: 401 invalid_token, though expires_in has not passed. \
                  Its refresh token stays good. It is expiry that the client does not know of.",
        reproduces: &["anthropics/claude-code#54443", "anthropics/claude-code#52202", "anthropics/claude-code#58066"],
        correct: "Refreshes once and repeats the request.",
        source: "RFC 6750 §3.1; RFC 6749 §5.1 (expires_in is a recommendation)",
        broken: "Log in anew without a refresh, or keep the bearer.",
    },
    attributes: &[],
    needs: Needs::Protected,
    aims_at: &[],
    life: Life::Times(1),
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &["persistent-401"],
    make: |_| earlier(revoke),
};

/// Revokes the bearer of a request of the last session, if it would be taken.
fn revoke(scene: &Scene<'_>, model: &mut Model) -> bool {
    let Some(server) = scene.server.filter(|_| scene.is_last()) else { return false };
    let Ok(access) = model.admit(server, scene.request, scene.now) else { return false };
    let Some((issuer, grant)) = access.source else { return false };
    model.issuer_mut(issuer).revoke_access(grant);
    true
}
