//! Faults of the MCP server as a resource server, and of a vendor's account endpoints.

mod account_api;
mod audience;
mod early_401;
mod expired;
mod hidden;
mod persistent;
mod scope;

use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Spec, Trigger};

pub(super) const ALL: &[&Spec] = &[
    &account_api::SPEC,
    &audience::SPEC,
    &early_401::SPEC,
    &early_401::REFRESH_400,
    &expired::SPEC,
    &hidden::SPEC,
    &persistent::SPEC,
    &persistent::GET_ONLY,
    &scope::LACKING,
    &scope::FOREVER,
    &scope::PER_TOOL,
];

/// What faults of a resource server have in common.
const RESOURCE: Spec = Spec {
    name: "",
    group: Group::Resource,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Protected,
    aims_at: &[],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| Err(FaultError::Contradiction(String::new())),
};
