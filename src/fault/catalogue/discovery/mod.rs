//! Faults of the first challenge and of metadata.

mod candidates;
mod challenge_missing;
mod documents;
mod doors;
mod relocated;

use crate::fault::Spec;
use crate::reply::Reply;

pub(super) const ALL: &[&Spec] = &[
    &candidates::BUSY,
    &candidates::JUNK,
    &candidates::MISSING,
    &candidates::OIDC_ONLY,
    &challenge_missing::SPEC,
    &documents::ADVERTISES_ISS,
    &documents::CORS_MISSING,
    &documents::ISSUER_MISMATCH,
    &documents::MIGRATED,
    &documents::NO_PKCE,
    &documents::NO_REGISTRATION,
    &documents::WRONG_RESOURCE,
    &doors::LAZY_AUTH,
    &doors::REDIRECT_CROSS_ORIGIN,
    &doors::REDIRECT_SLASH,
    &doors::UNAUTHENTICATED_STATUS,
    &relocated::CUSTOM_LOCATION,
    &relocated::HTML_200,
    &relocated::RESOURCE_SLASH,
];

/// A page where something else was expected.
fn html(status: u16) -> Reply {
    Reply::text(status, "text/html; charset=utf-8", "<!doctype html><title>Sign in</title><p>Sign in to go on.</p>")
}

fn not_found() -> Reply {
    Reply::text(404, "text/plain", "Not Found")
}
