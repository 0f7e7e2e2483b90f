//! Faults of the transport of MCP 2026-07-28: versions, headers, streams.

mod cut;
mod probe;
mod refused;

use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Spec, Trigger};
use crate::protocol::Kind;

pub(super) const ALL: &[&Spec] = &[&cut::SPEC, &probe::PLAIN_400, &probe::REFUSED, &refused::HEADERS, &refused::VERSION];

/// What faults of the newer transport have in common.
const MODERN: Spec = Spec {
    name: "",
    group: Group::Modern,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Modern,
    aims_at: &[Kind::McpRequest],
    life: Life::Times(1),
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| Err(FaultError::Contradiction(String::new())),
};
