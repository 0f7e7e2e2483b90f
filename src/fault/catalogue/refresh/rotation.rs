//! Rotation: refresh tokens that are replaced or kept, forgiven or not, and the answer that got lost on its way.

use crate::fault::catalogue::seconds;
use crate::fault::deeds::stricter;
use crate::fault::{Attribute, Control, Deed, Life, Page, Scene, Spec, Stage};
use crate::model::policy::{Reuse, Rotation};
use crate::model::{Decided, GrantType, Model};
use crate::reply::{Break, Reply};

pub(super) const NO_NEW_TOKEN: Spec = Spec {
    name: "refresh-no-new-token",
    page: Page {
        title: "A refresh gives no new refresh token",
        injects: "The answer to a refresh lacks refresh_token: the one presented stays good.",
        reproduces: &["modelcontextprotocol/rust-sdk#921", "modelcontextprotocol/python-sdk#2270"],
        correct: "Keeps the refresh token that it has.",
        source: "RFC 6749 §6",
        broken: "Store the answer as it is, and have no refresh token left.",
    },
    life: Life::Forever,
    excludes: &["refresh-strict-rotation", "refresh-grace", "refresh-response-lost", "token-no-refresh-token"],
    make: |_| {
        stricter(
            |stage| {
                rotate(stage, Rotation::Never);
                Ok(())
            },
            |scene, _| is_refreshed(scene),
        )
    },
    ..super::REFRESH
};

pub(super) const GRACE: Spec = Spec {
    name: "refresh-grace",
    page: Page {
        title: "A replaced refresh token is forgiven for a while",
        injects: "Each refresh replaces the refresh token; one that was replaced less than so many seconds ago is answered with the current \
                  pair, later its use ends the family.",
        reproduces: &["anthropics/claude-code#85236 (the servers that it compares)"],
        correct: "Takes what it is given.",
        source: "RFC 9700 §4.14.2 (how reuse is met is left to the server)",
        broken: "None: whoever fails here fails without it.",
    },
    attributes: &[Attribute { name: "seconds", values: "SECONDS", default: "1800", about: "how long it is forgiven" }],
    life: Life::Forever,
    control: Control::Positive,
    excludes: &["refresh-strict-rotation", "refresh-no-new-token", "token-no-refresh-token"],
    make: |written| {
        let grace = seconds(written, "seconds", 1800.0)?;
        stricter(
            move |stage| {
                rotate(stage, Rotation::Strict);
                for id in &stage.issuers {
                    let policy = &mut stage.model.issuer_mut(*id).policy;
                    (policy.reuse, policy.grace) = (Reuse::RevokeFamily, grace);
                }
                Ok(())
            },
            // Its condition is met when somebody refreshes.
            |scene, _| is_refreshed(scene),
        )
    },
    ..super::REFRESH
};

pub(super) const RESPONSE_LOST: Spec = Spec {
    name: "refresh-response-lost",
    page: Page {
        title: "The answer to a refresh is lost",
        injects: "The server replaces the refresh token, then the connection is reset before the answer.",
        reproduces: &["bluesky-social/atproto#5411", "jlowin/fastmcp#4264"],
        correct: "Tries once more with the token that it has; when that is refused with invalid_grant, asks for authorization once.",
        source: "RFC 6749 §5.2; RFC 9700 §4.14.2",
        broken: "Drop their credentials at the reset, or present the dead token for ever.",
    },
    life: Life::Times(1),
    excludes: &["refresh-no-new-token", "token-no-refresh-token"],
    make: |_| Ok(Box::new(Lost)),
    ..super::REFRESH
};

/// Loses an answer that changed what the servers know.
struct Lost;

impl Deed for Lost {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        rotate(stage, Rotation::Strict);
        Ok(())
    }

    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        if is_refreshed(scene) {
            reply.broken = Some(Break::Reset);
        }
        is_refreshed(scene)
    }
}

fn rotate(stage: &mut Stage<'_>, rotation: Rotation) {
    for id in &stage.issuers {
        stage.model.issuer_mut(*id).policy.rotation = rotation;
    }
}

/// True when the servers refreshed a token.
pub(super) fn is_refreshed(scene: &Scene<'_>) -> bool {
    matches!(scene.decided, Some(Decided::Issued { grant_type: GrantType::Refresh }))
}
