//! Faults of the transport of MCP 2025-11-25 and earlier: sessions, the GET stream, streams that are resumed.

mod busy;
mod cut;
mod get_stream;
mod session;
mod sticky;

use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Spec, Trigger};

pub(super) const ALL: &[&Spec] = &[
    &busy::SPEC,
    &cut::SPEC,
    &get_stream::NOT_ALLOWED,
    &get_stream::EMPTY,
    &get_stream::SILENT,
    &get_stream::STATUS,
    &session::GONE,
    &session::LOST,
    &sticky::SPEC,
];

/// What faults of the older transport have in common.
const LEGACY: Spec = Spec {
    name: "",
    group: Group::Legacy,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Legacy,
    aims_at: &[],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| Err(FaultError::Contradiction(String::new())),
};
