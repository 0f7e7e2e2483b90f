//! A client that registers again is another client: what the old one holds is out of its reach.

use crate::fault::deeds::stricter;
use crate::fault::{Attribute, Control, Group, Life, Needs, Page, Spec, Trigger};
use crate::model::Decided;
use crate::model::policy::Reregistration;
use crate::protocol::Kind;

pub(super) const SPEC: Spec = Spec {
    name: "dcr-duplicate",
    group: Group::Registration,
    page: Page {
        title: "Each registration gives a new client id",
        injects: "Each registration is a client of its own. Refresh tokens stay bound to the client that they were issued to (mode=orphan), \
                  or the earlier client and its grants end with the next registration (mode=supersede).",
        reproduces: &["anthropics/claude-code#59460", "anthropics/claude-code#58607"],
        correct: "Registers once for each authorization server, keeps the client id with its tokens, and uses both again at the next start.",
        source: "RFC 7591 §3.2.1; RFC 6749 §6 (a refresh token is bound to its client)",
        broken: "Register at each start and present the refresh token of the old client: invalid_grant, and another consent.",
    },
    attributes: &[Attribute {
        name: "mode",
        values: "orphan|supersede",
        default: "orphan",
        about: "what becomes of the earlier client of the same name",
    }],
    needs: Needs::Registration,
    aims_at: &[Kind::DcrCreate],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |written| {
        let mode = match written.word("mode", &["orphan", "supersede"])? {
            "supersede" => Reregistration::Supersede,
            _ => Reregistration::Orphan,
        };
        stricter(
            move |stage| {
                for id in &stage.issuers {
                    stage.model.issuer_mut(*id).policy.reregistration = mode;
                }
                Ok(())
            },
            |scene, _| scene.decided == Some(&Decided::Registered),
        )
    },
};
