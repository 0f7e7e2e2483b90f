//! Faults of client registration.

mod client_pruned;
mod dcr_duplicate;
mod document;
mod proof;
mod refusals;
mod response;
mod secret_expired;

use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Spec, Trigger};
use crate::protocol::Kind;

pub(super) const ALL: &[&Spec] = &[
    &client_pruned::SPEC,
    &dcr_duplicate::SPEC,
    &document::SPEC,
    &proof::ONLY,
    &refusals::INVALID_REDIRECT_URI,
    &refusals::RATE_LIMITED,
    &refusals::REJECTED,
    &response::AUTH_METHOD_CHANGED,
    &response::DIFFERS,
    &secret_expired::SPEC,
];

/// What faults of the registration endpoint have in common.
const REGISTRATION: Spec = Spec {
    name: "",
    group: Group::Registration,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Registration,
    aims_at: &[Kind::DcrCreate],
    life: Life::Times(1),
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| Err(FaultError::Contradiction(String::new())),
};
