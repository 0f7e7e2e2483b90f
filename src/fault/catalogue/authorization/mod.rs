//! Faults of the authorization endpoint and of the way back to the client.

mod callback_dropped;

use crate::fault::Spec;

pub(super) const ALL: &[&Spec] = &[&callback_dropped::SPEC];
