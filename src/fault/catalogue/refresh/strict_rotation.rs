//! Rotation without grace: a refresh token that was replaced ends its whole family.

use crate::fault::deeds::stricter;
use crate::fault::{Control, Group, Life, Needs, Page, Spec, Trigger};
use crate::model::policy::{Reuse, Rotation};
use crate::protocol::Kind;
use std::time::Duration;

pub(super) const SPEC: Spec = Spec {
    name: "refresh-strict-rotation",
    group: Group::Refresh,
    page: Page {
        title: "Rotation without grace, and reuse ends the family",
        injects: "Each refresh replaces the refresh token at once; presenting one that was replaced revokes every token of its grant.",
        reproduces: &[
            "anthropics/claude-code#24317",
            "anthropics/claude-code#66210",
            "anthropics/claude-code#84440",
            "anthropics/claude-code#85236",
            "anthropics/claude-code#88583",
            "anthropics/claude-code#91641",
            "openai/codex#46028",
        ],
        correct: "Refreshes once for all of its processes, and reads its store again before it presents a refresh token.",
        source: "RFC 9700 §4.14.2; RFC 6749 §10.4",
        broken: "Refresh in several processes at once with one token, and log every one of them out.",
    },
    attributes: &[],
    needs: Needs::Refresh,
    aims_at: &[Kind::TokenRefresh],
    life: Life::Forever,
    trigger: Trigger::Refresh,
    control: Control::Negative,
    excludes: &["refresh-grace", "token-no-refresh-token"],
    make: |_| {
        stricter(
            |stage| {
                for id in &stage.issuers {
                    let policy = &mut stage.model.issuer_mut(*id).policy;
                    (policy.rotation, policy.reuse, policy.grace) = (Rotation::Strict, Reuse::RevokeFamily, Duration::ZERO);
                }
                Ok(())
            },
            // Its condition is met when somebody refreshes.
            |scene, _| scene.decided.is_some(),
        )
    },
};
