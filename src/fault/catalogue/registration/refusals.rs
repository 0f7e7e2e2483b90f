//! A registration that is refused: one deed, and a name for each answer that people have met.

use super::REGISTRATION;
use crate::fault::deeds::instead;
use crate::fault::{Attribute, Life, Page, Spec};
use crate::reply::Reply;
use serde_json::json;

pub(super) const REJECTED: Spec = Spec {
    name: "dcr-rejected-403",
    page: Page {
        title: "Registration is refused with 403",
        injects: "Each registration is answered 403 with the text Forbidden, as by a server that lets in clients of a list only.",
        reproduces: &["steipete/mcporter#115", "apify/mcpc#298"],
        correct: "Stops and says so, before any browser opens; tells how a client id can be given.",
        source: "MCP 2026-07-28, Authorization, Client Registration; RFC 7591 §3.2.2",
        broken: "Wait one or two minutes for a callback that cannot come.",
    },
    life: Life::Forever,
    make: |_| instead(|_| Reply::text(403, "text/plain", "Forbidden")),
    ..REGISTRATION
};

pub(super) const INVALID_REDIRECT_URI: Spec = Spec {
    name: "dcr-invalid-redirect-uri",
    page: Page {
        title: "Registration is refused: invalid_redirect_uri",
        injects: "Each registration is answered 400 {\"error\":\"invalid_redirect_uri\"}.",
        reproduces: &["RhysSullivan/executor#1121", "TransformerOptimus/SuperAgent#923"],
        correct: "May try once more with another redirect URI or application_type; otherwise says so and stops.",
        source: "RFC 7591 §3.2.2",
        broken: "Register again and again.",
    },
    life: Life::Forever,
    make: |_| {
        let body = json!({"error": "invalid_redirect_uri", "error_description": "this redirect URI is not allowed"});
        instead(move |_| Reply::json(400, &body))
    },
    ..REGISTRATION
};

pub(super) const RATE_LIMITED: Spec = Spec {
    name: "dcr-rate-limited",
    page: Page {
        title: "Registration is refused with 429",
        injects: "A registration is answered 429 with Retry-After: seconds.",
        reproduces: &["geelen/mcp-remote#91"],
        correct: "Waits for as long as it is told, tries again a few times, then says so.",
        source: "RFC 6585 §4; RFC 9110 §10.2.3",
        broken: "Repeat at once, again and again.",
    },
    attributes: &[Attribute { name: "seconds", values: "N", default: "1", about: "what Retry-After says, in whole seconds" }],
    make: |written| {
        let seconds: u32 = written.parsed("seconds", "whole seconds")?.unwrap_or(1);
        let body = json!({"error": "too_many_requests", "error_description": "too many registrations"});
        instead(move |_| {
            let mut reply = Reply::json(429, &body);
            reply.set_header("retry-after", &seconds.to_string());
            reply
        })
    },
    ..REGISTRATION
};
