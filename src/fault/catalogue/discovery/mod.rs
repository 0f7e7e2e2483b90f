//! Faults of the first challenge and of metadata.

mod challenge_missing;

use crate::fault::Spec;

pub(super) const ALL: &[&Spec] = &[&challenge_missing::SPEC];
