//! The head of a model API's exchange: method, path, status, the bearer and the `mcp__*` names of `tools[]`. No other byte
//! of a body or header is kept: a prompt is none of our business.

use crate::exchange::{Body, Content, End, Exchange, Headers, Json, JsonStyle, Outcome};
use serde_json::{Map, Value, json};

/// The request headers that carry a credential, and the response header that says why it was refused.
const KEPT: &[&str] = &["authorization", "x-api-key", "www-authenticate"];

/// How many tool names are kept, and how long one may be.
const NAMES: usize = 1024;
const NAME_BYTES: usize = 256;

/// Reduces an exchange of kind `llm-api` to its head.
pub(super) fn reduce_to_head(exchange: &mut Exchange) {
    let request = &mut exchange.request;
    let content = tool_names(&request.body.content).map_or(Content::Empty, |names| {
        let mut members = Map::new();
        members.insert("tools".to_owned(), names);
        Content::Json(Json { value: Value::Object(members), style: JsonStyle::Compact })
    });
    let size = request.body.content.to_bytes().len() as u64;
    request.body = head_of(content, size);
    request.headers.retain(|name, _| is_kept(name));
    request.trailers = Headers::new();
    if let Some(end) = request.url.find('?') {
        request.url.truncate(end);
    }
    if let Outcome::Response(response) = &mut exchange.outcome {
        response.headers.retain(|name, _| is_kept(name));
        response.trailers = Headers::new();
        response.body = head_of(Content::Empty, response.body.content.to_bytes().len() as u64);
    }
}

fn head_of(content: Content, size: u64) -> Body {
    let end = if size == 0 { End::Complete } else { End::Cut { of: size } };
    Body { content, codings: Vec::new(), end }
}

fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name))
}

fn tool_names(content: &Content) -> Option<Value> {
    let body = content.json()?;
    let names = body.get("tools")?.as_array()?.iter().filter_map(|tool| tool.get("name")?.as_str());
    let names = names.filter(|name| name.starts_with("mcp__") && name.len() <= NAME_BYTES).take(NAMES);
    let names: Vec<Value> = names.map(|name| json!({ "name": name })).collect();
    (!names.is_empty()).then_some(Value::Array(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Actor, Request, Response, Version};
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn only_the_head_and_the_names_of_mcp_tools_stay() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"my prompt"}],"tools":[{"name":"Bash"},{"name":"mcp__lab__echo","description":"d"}]}"#;
        let headers: Headers =
            [("authorization", "Bearer b"), ("user-agent", "x"), ("content-type", "application/json")].into_iter().collect();
        let content = Content::of(Bytes::from_static(body.as_bytes()), &headers);
        let request = Request {
            method: "POST".into(),
            url: "https://api.anthropic.com/v1/messages?beta=true".into(),
            version: Version::Http11,
            headers,
            body: Body { content, ..Body::default() },
            trailers: Headers::new(),
        };
        let response = Response {
            status: 200,
            headers: [("content-type", "text/event-stream"), ("request-id", "r")].into_iter().collect(),
            body: Body { content: Content::Text("answer".into()), ..Body::default() },
            trailers: Headers::new(),
        };
        let mut exchange = Exchange {
            number: 1,
            session: 1,
            actor: Actor::Client,
            connection: 1,
            at: Duration::ZERO,
            took: None,
            request,
            outcome: Outcome::Response(response),
            inferred: false,
            answered: None,
        };
        reduce_to_head(&mut exchange);
        assert_eq!(exchange.request.url, "https://api.anthropic.com/v1/messages");
        assert_eq!(exchange.request.body.content.to_bytes(), br#"{"tools":[{"name":"mcp__lab__echo"}]}"#.as_slice());
        assert_eq!(exchange.request.headers.iter().collect::<Vec<_>>(), [("authorization", "Bearer b")]);
        let response = exchange.response().unwrap();
        assert!(response.headers.is_empty() && response.body.content.is_empty());
        assert_eq!(response.body.end, End::Cut { of: 6 });
    }
}
