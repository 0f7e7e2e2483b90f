//! Faults of the code exchange and of the shape of tokens.

mod exchange;
mod lifetime;
mod shape;

use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Spec, Trigger};
use crate::protocol::Kind;

pub(super) const ALL: &[&Spec] = &[
    &exchange::CODE_EXPIRED,
    &exchange::PKCE_REJECTED,
    &exchange::SLOW,
    &exchange::UNAVAILABLE,
    &lifetime::NO_EXPIRES_IN,
    &lifetime::ODD_EXPIRES_IN,
    &shape::ERROR_IN_200,
    &shape::NARROW_SCOPE,
    &shape::NO_REFRESH_TOKEN,
    &shape::NULL_MEMBERS,
];

/// What faults of the code exchange have in common.
const EXCHANGE: Spec = Spec {
    name: "",
    group: Group::Token,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Login,
    aims_at: &[Kind::TokenCode],
    life: Life::Times(1),
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| Err(FaultError::Contradiction(String::new())),
};
