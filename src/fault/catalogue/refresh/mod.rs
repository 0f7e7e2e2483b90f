//! Faults of refresh and revocation.

mod refusals;
mod strict_rotation;

use crate::fault::Spec;

pub(super) const ALL: &[&Spec] = &[&refusals::INVALID_GRANT, &refusals::VENDOR_400, &refusals::UNAVAILABLE, &strict_rotation::SPEC];
