//! A server that asks for a state.

use super::{ENDPOINT, asked, redirected_error};
use crate::fault::{Before, Control, Deed, Life, Page, Scene, Spec};
use crate::model::Model;

pub(super) const SPEC: Spec = Spec {
    name: "authorize-needs-state",
    page: Page {
        title: "The authorization endpoint asks for a state",
        injects: "An authorization request without state is redirected back with error=invalid_request; one with a state passes.",
        reproduces: &["apify/mcpc#214", "modelcontextprotocol/inspector#682", "nearai/ironclaw#1049"],
        correct: "Sends a fresh state that nobody can guess with each request.",
        source: "RFC 6749 §4.1.1, §10.12",
        broken: "Leave it out, because PKCE is there.",
    },
    life: Life::Forever,
    control: Control::Positive,
    make: |_| Ok(Box::new(NeedsState)),
    ..ENDPOINT
};

struct NeedsState;

impl Deed for NeedsState {
    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        match asked(scene.request, "state") {
            Some(_) => Before::Acted,
            None => Before::Answer(Box::new(redirected_error(scene, model, "invalid_request", "state is missing"))),
        }
    }
}
