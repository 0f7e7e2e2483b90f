//! Token answers whose lifetime is missing or odd.

use super::EXCHANGE;
use crate::fault::deeds::edited;
use crate::fault::{Attribute, Life, Page, Spec};
use crate::protocol::Kind;
use crate::reply::Reply;
use serde_json::{Value, json};

pub(super) const NO_EXPIRES_IN: Spec = Spec {
    name: "token-no-expires-in",
    page: Page {
        title: "Tokens without expires_in",
        injects: "Token answers lack expires_in. The server knows the lifetime of the access token, the client does not.",
        reproduces: &["danny-avila/LibreChat#13248", "BerriAI/litellm#30298"],
        correct: "Takes the lifetime for unknown and refreshes when it meets a 401.",
        source: "RFC 6749 §5.1",
        broken: "Assume an hour, or a year.",
    },
    aims_at: &[Kind::TokenCode, Kind::TokenRefresh],
    life: Life::Forever,
    excludes: &["token-expires-in-odd"],
    make: |_| edited(|_, reply| without(reply, "expires_in")),
    ..EXCHANGE
};

pub(super) const ODD_EXPIRES_IN: Spec = Spec {
    name: "token-expires-in-odd",
    page: Page {
        title: "Tokens with an odd expires_in",
        injects: "expires_in of token answers is value: 0, 1, or the lifetime as a text (\"3600\"). The access token lives as long as on the \
                  tape. It is expiry that the client knows of.",
        reproduces: &["QwenLM/qwen-code#5355"],
        correct: "Takes 0 for a token that has ended, and a number in quotes for that number.",
        source: "RFC 6749 §5.1 and appendix A.14 (digits)",
        broken: "Take 0 for a token without end, or fail to read the answer.",
    },
    attributes: &[Attribute { name: "value", values: "0|1|text", default: "0", about: "what expires_in is" }],
    aims_at: &[Kind::TokenCode, Kind::TokenRefresh],
    life: Life::Times(1),
    excludes: &["token-no-expires-in"],
    make: |written| {
        let value = written.word("value", &["0", "1", "text"])?;
        edited(move |_, reply| {
            let now = |own: &Value| match value {
                "text" => json!(own.as_u64().unwrap_or(3600).to_string()),
                digit => json!(digit.parse::<u64>().unwrap_or_default()),
            };
            reply.status == 200 && reply.edit_json(|body| body["expires_in"] = now(&body["expires_in"]))
        })
    },
    ..EXCHANGE
};

/// Takes a member out of a successful answer.
fn without(reply: &mut Reply, name: &str) -> bool {
    reply.status == 200
        && reply.edit_json(|body| {
            if let Some(body) = body.as_object_mut() {
                body.remove(name);
            }
        })
}
