//! The person says no.

use super::ENDPOINT;
use crate::fault::deeds::momentary;
use crate::fault::{Page, Spec};
use crate::model::Decided;
use crate::model::policy::Consent;

pub(super) const SPEC: Spec = Spec {
    name: "callback-access-denied",
    page: Page {
        title: "The person says no",
        injects: "The authorization endpoint redirects back with error=access_denied and the client's state; no code is issued.",
        reproduces: &["microsoft/vscode#252651"],
        correct: "Stops, says that the authorization was refused, and asks again only when a person wants it.",
        source: "RFC 6749 §4.1.2.1",
        broken: "Open the browser again and again.",
    },
    make: |_| {
        momentary(
            |policy| policy.consent = Consent::Denied,
            |scene| matches!(scene.decided, Some(Decided::Refused { error: "access_denied", .. })),
        )
    },
    ..ENDPOINT
};
