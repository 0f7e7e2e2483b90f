//! Faults of client registration.

mod dcr_duplicate;

use crate::fault::Spec;

pub(super) const ALL: &[&Spec] = &[&dcr_duplicate::SPEC];
