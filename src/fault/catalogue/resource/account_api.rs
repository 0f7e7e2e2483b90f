//! A vendor's account endpoints refuse a token that is good elsewhere.

use super::RESOURCE;
use crate::fault::catalogue::answers::status;
use crate::fault::deeds::instead;
use crate::fault::{Attribute, Needs, Page, Spec};
use crate::protocol::Kind;
use crate::reply::Reply;
use serde_json::json;

pub(super) const SPEC: Spec = Spec {
    name: "account-api-rejects",
    page: Page {
        title: "The account endpoints of a vendor refuse the token",
        injects: "Each request to an endpoint that the vendor's login asks about the account (profile, roles, settings, organizations) is \
                  answered with status (403) and a body of the vendor's own; the token is good everywhere else.",
        reproduces: &["anthropics/claude-code#11464", "anthropics/claude-code#92071"],
        correct: "Does not call the login a success, says which endpoint refused, and does not ask to log in again.",
        source: "RFC 6750 §3.1",
        broken: "Ask for a login again and again, or fail without a word.",
    },
    attributes: &[Attribute { name: "status", values: "401|403", default: "403", about: "the status of the answer" }],
    needs: Needs::AccountApi,
    aims_at: &[Kind::AccountApi],
    make: |written| {
        let status = status(written, 401..=403, 403)?;
        let sort = if status == 401 { "authentication_error" } else { "permission_error" };
        let body = json!({"type": "error", "error": {"type": sort, "message": "The token may not read this account"}});
        instead(move |_| Reply::json(status, &body))
    },
    ..RESOURCE
};
