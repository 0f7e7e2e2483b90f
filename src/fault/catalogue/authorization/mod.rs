//! Faults of the authorization endpoint and of the way back to the client.

mod access_denied;
mod answer;
mod arrival;
mod callback_dropped;
mod needs_state;
mod redirect_strict;
mod scope_rule;
mod unknown_client;
mod url_cut;

use crate::exchange::Request;
use crate::fault::{Control, FaultError, Group, Life, Needs, Page, Scene, Spec, Trigger};
use crate::model::Model;
use crate::protocol::{Kind, request_parameters};
use crate::reply::Reply;
use url::Url;

pub(super) const ALL: &[&Spec] = &[
    &access_denied::SPEC,
    &answer::ISS_MISSING,
    &answer::ISS_WRONG,
    &answer::WRONG_STATE,
    &arrival::ADDRESS_FAMILY,
    &arrival::DUPLICATED,
    &arrival::LATE,
    &arrival::WRONG_PORT,
    &callback_dropped::SPEC,
    &needs_state::SPEC,
    &redirect_strict::SPEC,
    &scope_rule::SPEC,
    &unknown_client::SPEC,
    &url_cut::SPEC,
];

/// What faults of the way back have in common.
const CALLBACK: Spec = Spec {
    name: "",
    group: Group::Authorization,
    page: Page { title: "", injects: "", reproduces: &[], correct: "", source: "", broken: "" },
    attributes: &[],
    needs: Needs::Login,
    aims_at: &[Kind::Callback],
    life: Life::Times(1),
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| Err(FaultError::Contradiction(String::new())),
};

/// What faults of the authorization endpoint have in common.
const ENDPOINT: Spec = Spec { aims_at: &[Kind::Authorize], ..CALLBACK };

/// A parameter of an authorization request; an empty one is none.
fn asked(request: &Request, name: &str) -> Option<String> {
    request_parameters(request).text(name).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The endpoint's own page, where there is nobody to redirect to (RFC 6749 §4.1.2.1).
fn page(status: u16, text: &str) -> Reply {
    Reply::text(status, "text/html; charset=utf-8", format!("<!doctype html><title>Error</title><p>{text}</p>\n"))
}

/// A redirect with an error back to the client (RFC 6749 §4.1.2.1), or a page where the request names no place to go back to.
fn redirected_error(scene: &Scene<'_>, model: &Model, error: &str, description: &str) -> Reply {
    let target = asked(scene.request, "redirect_uri").and_then(|uri| Url::parse(&uri).ok());
    let Some(mut target) = target else { return page(400, description) };
    {
        let mut query = target.query_pairs_mut();
        query.append_pair("error", error).append_pair("error_description", description);
        if let Some(state) = asked(scene.request, "state") {
            query.append_pair("state", &state);
        }
        if let Some(issuer) = scene.issuer.map(|id| model.issuer(id)).filter(|issuer| issuer.policy.send_iss) {
            query.append_pair("iss", &issuer.identifier);
        }
    }
    let mut reply = Reply { status: 302, ..Reply::default() };
    reply.set_header("location", target.as_str());
    reply
}
