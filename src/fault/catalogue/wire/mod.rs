//! Faults of connections and bytes. They strike every kind of exchange; `kind`, `host` and the other selectors narrow them down.

mod body;
mod broken;
mod pace;
mod status;
mod tls;

use crate::fault::Spec;
use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Trigger};

pub(super) const ALL: &[&Spec] = &[
    &body::GARBAGE,
    &body::TRUNCATE,
    &body::WRONG_TYPE,
    &broken::CLOSE,
    &broken::RESET,
    &broken::STALL,
    &pace::SLOW,
    &pace::SLOW_BODY,
    &pace::THROTTLE,
    &status::SPEC,
    &tls::EXPIRED,
    &tls::FAILURE,
    &tls::UNTRUSTED,
    &tls::WRONG_HOST,
];

/// What faults of the wire have in common.
const WIRE: Spec = Spec {
    name: "",
    group: Group::Wire,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Nothing,
    aims_at: &[],
    life: Life::Times(1),
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| Err(FaultError::Contradiction(String::new())),
};
