//! The redirect comes back with other parameters than the server sent.

use super::CALLBACK;
use crate::fault::deeds::astray;
use crate::fault::{Attribute, Attributes, Page, Spec};
use crate::reply::Delivery;
use url::Url;

pub(super) const WRONG_STATE: Spec = Spec {
    name: "callback-wrong-state",
    page: Page {
        title: "The callback comes with another state",
        injects: "The state in the redirect is another one (how=altered), or there is none (how=missing). The code is good.",
        reproduces: &["anthropics/claude-code#17733", "anthropics/claude-code#78422", "smart-mcp-proxy/mcpproxy-go#1067"],
        correct: "Throws the answer away, sends no token request, and says so to the person.",
        source: "RFC 6749 §10.12; MCP 2025-11-25, Authorization, Open Redirection",
        broken: "Exchange the code, or show a page of success.",
    },
    attributes: &[Attribute { name: "how", values: "altered|missing", default: "altered", about: "what becomes of the state" }],
    make: |written| {
        let is_missing = written.word("how", &["altered", "missing"])? == "missing";
        let altered = move |state: Option<&str>| (!is_missing).then(|| format!("{}-altered", state.unwrap_or_default()));
        astray(move |delivery| each(delivery, "state", altered))
    },
    ..CALLBACK
};

pub(super) const ISS_WRONG: Spec = Spec {
    name: "callback-iss-wrong",
    page: Page {
        title: "The callback names another issuer",
        injects: "The redirect carries iss with value, an authorization server that the client never asked. Code and state are good.",
        reproduces: &["modelcontextprotocol/conformance, scenarios iss-*", "SEP-2468"],
        correct: "Throws the answer away before any token request.",
        source: "RFC 9207 §2.4",
        broken: "Send the code to a server that another one may control (mix-up).",
    },
    attributes: &[Attribute { name: "value", values: "TEXT", default: OTHER, about: "the issuer that is named" }],
    excludes: &["callback-iss-missing"],
    make: |written| {
        let other = written.text("value").unwrap_or(OTHER).to_owned();
        astray(move |delivery| each(delivery, "iss", |_| Some(other.clone())))
    },
    ..CALLBACK
};

pub(super) const ISS_MISSING: Spec = Spec {
    name: "callback-iss-missing",
    page: Page {
        title: "The callback lacks the issuer that was promised",
        injects: "The redirect comes without iss, although the metadata says authorization_response_iss_parameter_supported. Fires only \
                  where the server sent it; as-advertises-iss brings it about.",
        reproduces: &["modelcontextprotocol/conformance, scenarios iss-*", "SEP-2468"],
        correct: "Throws the answer away before any token request.",
        source: "RFC 9207 §2.4",
        broken: "Go on as if nothing had been promised.",
    },
    excludes: &["callback-iss-wrong"],
    make: |_: &Attributes| astray(|delivery| each(delivery, "iss", |_| None)),
    ..CALLBACK
};

const OTHER: &str = "https://other-issuer.example.test";

/// Puts another value in place of a parameter of each arrival; `None` takes it out. True when anything changed.
fn each(delivery: &mut Delivery, name: &str, value: impl Fn(Option<&str>) -> Option<String>) -> bool {
    let mut has_changed = false;
    for arrival in &mut delivery.arrivals {
        let Ok(mut url) = Url::parse(&arrival.url) else { continue };
        let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let before = pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let after = value(before.as_deref());
        if before == after {
            continue;
        }
        pairs.retain(|(own, _)| own != name);
        pairs.extend(after.map(|after| (name.to_owned(), after)));
        url.query_pairs_mut().clear().extend_pairs(pairs);
        arrival.url = url.into();
        has_changed = true;
    }
    has_changed
}
