//! A code that is not exchanged: refused, delayed, or met by a server that is down.

use super::EXCHANGE;
use crate::fault::catalogue::seconds;
use crate::fault::deeds::{edited, instead};
use crate::fault::{Attribute, Page, Spec};
use crate::reply::Reply;
use serde_json::json;

pub(super) const CODE_EXPIRED: Spec = Spec {
    name: "code-expired",
    page: Page {
        title: "The code has expired",
        injects: "The code exchange is answered 400 {\"error\":\"invalid_grant\"}: the authorization code has expired.",
        reproduces: &["geelen/mcp-remote#256"],
        correct: "Begins the authorization anew, with another state and another PKCE pair; never sends the code again.",
        source: "RFC 6749 §4.1.2, §5.2",
        broken: "Send the same code again.",
    },
    make: |_| {
        let body = json!({"error": "invalid_grant", "error_description": "the authorization code has expired"});
        instead(move |_| Reply::json(400, &body))
    },
    ..EXCHANGE
};

pub(super) const PKCE_REJECTED: Spec = Spec {
    name: "pkce-rejected",
    page: Page {
        title: "The code verifier is refused",
        injects: "The code exchange is answered 400 {\"error\":\"invalid_grant\"}: code_verifier does not match.",
        reproduces: &["anthropics/claude-code#85705", "Kilo-Org/kilocode#14196"],
        correct: "Begins the authorization anew with a fresh verifier and the challenge that belongs to it.",
        source: "RFC 7636 §4.6",
        broken: "Present the verifier of another attempt, again and again.",
    },
    make: |_| {
        let body = json!({"error": "invalid_grant", "error_description": "code_verifier does not match the code_challenge"});
        instead(move |_| Reply::json(400, &body))
    },
    ..EXCHANGE
};

pub(super) const UNAVAILABLE: Spec = Spec {
    name: "code-exchange-5xx",
    page: Page {
        title: "The code exchange is answered 503",
        injects: "The code exchange is answered with status (503); the server has not used the code up.",
        reproduces: &["a login that is lost without a word"],
        correct: "Tries once more at most, then begins the authorization anew; says what happened.",
        source: "RFC 9110 §15.6.4; RFC 6749 §4.1.2",
        broken: "Lose the login silently.",
    },
    attributes: &[Attribute { name: "status", values: "500..599", default: "503", about: "the status of the answer" }],
    make: |written| {
        let status: u16 = written.parsed("status", "a status from 500 to 599")?.unwrap_or(503);
        if !(500..600).contains(&status) {
            return Err(written.refuse("status", "a status from 500 to 599"));
        }
        instead(move |_| Reply::text(status, "text/plain", "Service Unavailable"))
    },
    ..EXCHANGE
};

pub(super) const SLOW: Spec = Spec {
    name: "code-exchange-slow",
    page: Page {
        title: "The code exchange takes its time",
        injects: "The server exchanges the code at once and answers after so many seconds. `slow` does the same to any kind.",
        reproduces: &["anthropics/claude-code#55194"],
        correct: "Waits for at least a minute; after that begins anew with another code.",
        source: "RFC 6749 §4.1.2 (a code lives up to ten minutes)",
        broken: "Give up after a few seconds, when the code is already used.",
    },
    attributes: &[Attribute { name: "seconds", values: "SECONDS", default: "1", about: "how long it takes" }],
    make: |written| {
        let wait = seconds(written, "seconds", 1.0)?;
        edited(move |_, reply| {
            reply.delay += wait;
            true
        })
    },
    ..EXCHANGE
};
