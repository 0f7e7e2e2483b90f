//! The redirect never comes back.

use crate::fault::deeds::astray;
use crate::fault::{Control, Group, Life, Needs, Page, Spec, Trigger};
use crate::protocol::Kind;

pub(super) const SPEC: Spec = Spec {
    name: "callback-dropped",
    group: Group::Authorization,
    page: Page {
        title: "The callback never reaches the client",
        injects: "The authorization endpoint answers as it should; the browser never goes to the client's redirect URI.",
        reproduces: &["anthropics/claude-code#22690", "callback not received within 120 s, three attempts"],
        correct: "Gives up after a stated time, closes its listener, says so, and can begin anew with another state and another PKCE pair.",
        source: "RFC 8252 §8.3; RFC 6749 §10.12; RFC 7636 §4.1",
        broken: "Wait for ever, keep the port, or begin again with the old state.",
    },
    attributes: &[],
    needs: Needs::Login,
    aims_at: &[Kind::Callback],
    life: Life::Times(1),
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &["callback-duplicated", "callback-late"],
    make: |_| {
        astray(|delivery| {
            let had = !delivery.arrivals.is_empty();
            delivery.arrivals.clear();
            had
        })
    },
};
