//! What clients ask their vendor beside the model's API, and what they are told, one row a call. Measured with Claude Code 2.1.329:
//! it starts with no other answers than these, in half a second. No endpoint of a login stands here: tokens come from a tape.

use super::{Answer, Did, json_reply};
use crate::exchange::Request;
use crate::protocol::Endpoint;
use serde_json::{Value, json};

/// The host of the model's API.
pub(super) const MODEL_API: &str = "api.anthropic.com";

/// A call and its answer.
struct Row {
    /// Whose call it is.
    client: &'static str,
    method: &'static str,
    host: &'static str,
    /// The path; with a `*` at the end, every path that begins so.
    path: &'static str,
    answer: Told,
}

/// What is answered.
#[derive(Clone, Copy)]
enum Told {
    /// 404: there is nothing, which the client takes for its default.
    Nothing,
    /// 200 with this JSON.
    Json(&'static str),
}

const CLAUDE_CODE: &str = "Claude Code";

const fn row(method: &'static str, host: &'static str, path: &'static str, answer: Told) -> Row {
    Row { client: CLAUDE_CODE, method, host, path, answer }
}

const TABLE: &[Row] = &[
    // Its first start ends without these two.
    row("GET", MODEL_API, "/api/hello", Told::Json(r#"{"message":"hello"}"#)),
    row("GET", "platform.claude.com", "/v1/oauth/hello", Told::Json(r#"{"message":"hello"}"#)),
    // What is refused it keeps in its home, to be sent again.
    row("POST", MODEL_API, "/api/event_logging/v2/batch", Told::Json("{}")),
    row("POST", MODEL_API, "/api/event_logging/batch", Told::Json("{}")),
    row("GET", MODEL_API, "/api/claude_code/settings", Told::Nothing),
    row("GET", MODEL_API, "/api/claude_code/policy_limits", Told::Nothing),
    row("GET", MODEL_API, "/api/claude_code/organizations/metrics_enabled", Told::Nothing),
    row("POST", MODEL_API, "/api/eval/*", Told::Nothing),
    row("GET", MODEL_API, "/api/claude_cli/bootstrap", Told::Nothing),
    row("GET", MODEL_API, "/api/claude_code_penguin_mode", Told::Nothing),
    row("GET", MODEL_API, "/api/claude_code_grove", Told::Nothing),
    row("GET", MODEL_API, "/api/directory/server-urls", Told::Nothing),
    // The connectors of the account: without an answer it asks on.
    row("GET", MODEL_API, "/v1/mcp_servers", Told::Json(r#"{"data":[],"has_more":false}"#)),
    row("GET", MODEL_API, "/api/organization/claude_code_first_token_date", Told::Nothing),
    row("GET", MODEL_API, "/api/oauth/organizations/*", Told::Nothing),
    row("GET", "downloads.claude.ai", "/*", Told::Nothing),
    row("GET", "raw.githubusercontent.com", "/anthropics/claude-code/*", Told::Nothing),
    row("GET", "github.com", "/anthropics/claude-plugins-official.git/*", Told::Nothing),
];

impl Row {
    fn is(&self, request: &Request, endpoint: &Endpoint) -> bool {
        let path = match self.path.strip_suffix('*') {
            Some(beginning) => endpoint.path().starts_with(beginning),
            None => endpoint.path() == self.path,
        };
        path && self.host == endpoint.host() && self.method == request.method
    }
}

/// The answer to a call of the table.
pub fn startup(request: &Request, endpoint: &Endpoint) -> Option<Answer> {
    let row = TABLE.iter().find(|row| row.is(request, endpoint))?;
    let (status, body) = match row.answer {
        Told::Nothing => {
            let message = format!("authtape answers this call of {} with nothing", row.client);
            (404, json!({"type": "error", "error": {"type": "not_found_error", "message": message}}))
        }
        Told::Json(text) => (200, serde_json::from_str(text).unwrap_or(Value::Null)),
    };
    Some(Answer { reply: json_reply(status, &body), did: Did::StartUp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_json_and_none_is_of_a_login() {
        for row in TABLE {
            assert!(!row.path.contains("token") || row.path.ends_with("first_token_date"), "{}", row.path);
            assert!(!row.path.contains("authorize") && row.method != "POST" || row.host == MODEL_API);
            if let Told::Json(text) = row.answer {
                assert!(serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()), "{text}");
            }
        }
    }
}
