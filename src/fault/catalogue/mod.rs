//! Every fault, by the part of a session that it strikes.

mod answers;
mod authorization;
mod discovery;
mod legacy;
mod modern;
mod refresh;
mod registration;
mod resource;
mod token;
mod wire;

use super::attributes::{Attributes, FaultError};
use super::spec::Spec;
use std::sync::LazyLock;
use std::time::Duration;

/// The faults, in the order of a session and within a part by name.
pub static ALL: LazyLock<Vec<&'static Spec>> = LazyLock::new(|| {
    let parts = [
        discovery::ALL,
        registration::ALL,
        authorization::ALL,
        token::ALL,
        refresh::ALL,
        resource::ALL,
        legacy::ALL,
        modern::ALL,
        wire::ALL,
    ];
    let mut all: Vec<_> = parts.into_iter().flatten().copied().collect();
    all.sort_by_key(|spec| (spec.group, spec.name));
    all
});

/// The fault of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    ALL.iter().copied().find(|spec| spec.name == name)
}

/// A duration in seconds, fractions allowed, at most an hour.
fn seconds(written: &Attributes, name: &str, default: f64) -> Result<Duration, FaultError> {
    let expected = "seconds, as in 2 or 0.5, at most 3600";
    let seconds: f64 = written.parsed(name, expected)?.unwrap_or(default);
    if !(0.0..=3600.0).contains(&seconds) {
        return Err(written.refuse(name, expected));
    }
    Ok(Duration::from_secs_f64(seconds))
}
