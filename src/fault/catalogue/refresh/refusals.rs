//! A refresh that is refused: one deed, and a name for each answer that people have met.

use crate::fault::catalogue::seconds;
use crate::fault::deeds::{Made, instead};
use crate::fault::{Attribute, Attributes, FaultError, Life, Page, Spec};
use crate::reply::Reply;
use serde_json::json;

pub(super) const INVALID_GRANT: Spec = Spec {
    name: "refresh-invalid-grant",
    page: Page {
        title: "A refresh is answered 400 invalid_grant",
        injects: "Each refresh is answered 400 {\"error\":\"invalid_grant\"} until the client has logged in again.",
        reproduces: &["anthropics/claude-code#54443", "openai/codex#39054", "openai/codex#14144", "openai/codex#46028"],
        correct: "Gives the refresh token up and asks for authorization once.",
        source: "RFC 6749 §5.2, §6",
        broken: "Present the dead refresh token again and again (codex: 189 times), or lose the client id with it.",
    },
    make: invalid_grant,
    ..super::REFRESH
};

pub(super) const INVALID_CLIENT: Spec = Spec {
    name: "refresh-invalid-client",
    page: Page {
        title: "A refresh is answered 401 invalid_client",
        injects: "Each refresh is answered 401 {\"error\":\"invalid_client\"} until the client has logged in again.",
        reproduces: &["openai/codex#29630", "cloudflare/workers-oauth-provider#201"],
        correct: "Gives its registration up, registers once, asks for authorization once.",
        source: "RFC 6749 §5.2; RFC 7591 §3",
        broken: "Ask for authorization with the client id that is dead.",
    },
    make: |_| {
        let body = json!({"error": "invalid_client", "error_description": "unknown client"});
        instead(move |_| Reply::json(401, &body))
    },
    ..super::REFRESH
};

pub(super) const TOO_MANY: Spec = Spec {
    name: "refresh-429",
    page: Page {
        title: "A refresh is answered 429",
        injects: "A refresh is answered 429 with Retry-After: seconds (1).",
        reproduces: &["jeongwookie/WhereMyTokens#10"],
        correct: "Keeps the refresh token, waits as long as it was told, tries again.",
        source: "RFC 6585 §4; RFC 9110 §10.2.3",
        broken: "Send a storm of refreshes, or ask for authorization.",
    },
    attributes: &[Attribute { name: "seconds", values: "SECONDS", default: "1", about: "what Retry-After says, whole seconds" }],
    life: Life::Times(1),
    make: |written| {
        let wait = seconds(written, "seconds", 1.0)?.as_secs();
        instead(move |_| {
            let mut reply = Reply::json(429, &json!({"error": "temporarily_unavailable"}));
            reply.headers.push("retry-after", wait.to_string());
            reply
        })
    },
    ..super::REFRESH
};

pub(super) const DEAD_OTHER_CODE: Spec = Spec {
    name: "refresh-dead-other-code",
    page: Page {
        title: "A dead refresh token is refused with another code",
        injects: "Each refresh is answered 400 {\"error\":\"invalid_request\"} or 401 {\"error\":\"unauthorized_client\"} until the client has \
                  logged in again.",
        reproduces: &["anthropics/claude-code#27933"],
        correct: "Keeps the refresh token once; when it is refused the same way in two separate attempts, asks for authorization once.",
        source: "RFC 6749 §5.2 (invalid_grant would be the server's duty)",
        broken: "Present the same refresh token at every start, for ever.",
    },
    attributes: &[Attribute {
        name: "code",
        values: "invalid_request|unauthorized_client",
        default: "invalid_request",
        about: "the error of the answer",
    }],
    make: |written| {
        let code = written.word("code", &["invalid_request", "unauthorized_client"])?;
        let status = if code == "invalid_request" { 400 } else { 401 };
        let body = json!({"error": code});
        instead(move |_| Reply::json(status, &body))
    },
    ..super::REFRESH
};

pub(super) const VENDOR_400: Spec = Spec {
    name: "refresh-400-vendor",
    page: Page {
        title: "A refresh is answered 400 with a body of the vendor's own",
        injects: "Each refresh is answered with status (400) and a JSON body that is not the one of RFC 6749: \
                  {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",…}}.",
        reproduces: &["anthropics/claude-code#54443", "anthropics/claude-code#27933"],
        correct: "Takes it for an unknown failure: keeps its credentials, says what it got, tries again later; when the same refresh token is \
                  refused the same way in two separate attempts, asks for authorization once.",
        source: "RFC 6749 §5.2 (only invalid_grant says that the token is dead)",
        broken: "Delete their tokens, or open a browser at once.",
    },
    attributes: &[Attribute { name: "status", values: "400..499", default: "400", about: "the status of the answer" }],
    make: vendor,
    ..super::REFRESH
};

pub(super) const UNAVAILABLE: Spec = Spec {
    name: "refresh-5xx",
    page: Page {
        title: "A refresh is answered 503",
        injects: "A refresh is answered with status (503) and a short text.",
        reproduces: &["google-gemini/gemini-cli#29048", "modelcontextprotocol/typescript-sdk#2034"],
        correct: "Keeps the refresh token, waits, tries again.",
        source: "RFC 9110 §15.6.4; RFC 6749 §5.2",
        broken: "Ask for a full authorization at once.",
    },
    attributes: &[Attribute { name: "status", values: "500..599", default: "503", about: "the status of the answer" }],
    life: Life::Times(1),
    make: unavailable,
    ..super::REFRESH
};

fn invalid_grant(_: &Attributes) -> Made {
    let body = json!({"error": "invalid_grant", "error_description": "the refresh token is not valid"});
    instead(move |_| Reply::json(400, &body))
}

fn vendor(written: &Attributes) -> Made {
    let status = status(written, 400..500)?.unwrap_or(400);
    let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "Invalid request"}});
    instead(move |_| Reply::json(status, &body))
}

fn unavailable(written: &Attributes) -> Made {
    let status = status(written, 500..600)?.unwrap_or(503);
    instead(move |_| Reply::text(status, "text/plain", "upstream connect error or disconnect"))
}

fn status(written: &Attributes, range: std::ops::Range<u16>) -> Result<Option<u16>, FaultError> {
    let expected = format!("a status from {} to {}", range.start, range.end - 1);
    let status: Option<u16> = written.parsed("status", &expected)?;
    if status.is_some_and(|status| !range.contains(&status)) {
        return Err(written.refuse("status", expected));
    }
    Ok(status)
}
