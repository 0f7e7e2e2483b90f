//! Every fault, by the part of a session that it strikes.

mod authorization;
mod discovery;
mod refresh;
mod registration;
mod resource;
mod wire;

use super::spec::Spec;
use std::sync::LazyLock;

/// The faults, in the order of a session and within a part by name.
pub static ALL: LazyLock<Vec<&'static Spec>> = LazyLock::new(|| {
    let parts = [discovery::ALL, registration::ALL, authorization::ALL, refresh::ALL, resource::ALL, wire::ALL];
    let mut all: Vec<_> = parts.into_iter().flatten().copied().collect();
    all.sort_by_key(|spec| (spec.group, spec.name));
    all
});

/// The fault of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    ALL.iter().copied().find(|spec| spec.name == name)
}
