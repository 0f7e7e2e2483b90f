//! A revocation that the server does not carry out.

use crate::fault::deeds::instead;
use crate::fault::{Attribute, Life, Needs, Page, Spec, Trigger};
use crate::protocol::Kind;
use crate::reply::Reply;
use serde_json::json;

pub(super) const SPEC: Spec = Spec {
    name: "revoke-fails",
    page: Page {
        title: "A revocation fails",
        injects: "A revocation is answered 503, or 400 {\"error\":\"unsupported_token_type\"}; the token lives on.",
        reproduces: &["a logout after which the refresh token still works"],
        correct: "Tries again later after a 503; says that the token may still be good when it cannot be revoked.",
        source: "RFC 7009 §2.2.1",
        broken: "Call the logout done.",
    },
    attributes: &[Attribute { name: "status", values: "503|400", default: "503", about: "the status of the answer" }],
    needs: Needs::Login,
    aims_at: &[Kind::Revoke],
    life: Life::Times(1),
    trigger: Trigger::None,
    excludes: &[],
    make: |written| match written.word("status", &["503", "400"])? {
        "400" => instead(|_| Reply::json(400, &json!({"error": "unsupported_token_type"}))),
        _ => instead(|_| Reply::text(503, "text/plain", "Service Unavailable")),
    },
    ..super::REFRESH
};
