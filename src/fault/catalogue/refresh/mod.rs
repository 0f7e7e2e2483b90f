//! Faults of refresh and revocation.

mod refreshed;
mod refusals;
mod resource;
mod revoke;
mod rotation;
mod strict_rotation;
mod unreachable;

use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Spec, Trigger};
use crate::protocol::Kind;

pub(super) const ALL: &[&Spec] = &[
    &refreshed::NEEDS_SCOPE,
    &refreshed::REFRESHED_401,
    &refusals::DEAD_OTHER_CODE,
    &refusals::INVALID_CLIENT,
    &refusals::INVALID_GRANT,
    &refusals::TOO_MANY,
    &refusals::UNAVAILABLE,
    &refusals::VENDOR_400,
    &resource::NEEDED,
    &resource::REJECTED,
    &resource::STRICT,
    &revoke::SPEC,
    &rotation::GRACE,
    &rotation::NO_NEW_TOKEN,
    &rotation::RESPONSE_LOST,
    &strict_rotation::SPEC,
    &unreachable::SLOW,
    &unreachable::UNREACHABLE,
    &unreachable::WALL,
];

/// What faults of a refresh have in common.
const REFRESH: Spec = Spec {
    name: "",
    group: Group::Refresh,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Refresh,
    aims_at: &[Kind::TokenRefresh],
    life: Life::UntilCode,
    trigger: Trigger::Refresh,
    control: Control::Negative,
    excludes: &["token-no-refresh-token"],
    make: |_| Err(FaultError::Contradiction(String::new())),
};
