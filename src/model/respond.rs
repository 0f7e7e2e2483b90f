//! Responses as plain data: the headers and bodies that all endpoints share (reference: state-model §6.2).

use crate::exchange::{Body, Content, End, Headers, Json, JsonStyle, Response};
use serde_json::{Value, json};

/// A response with a JSON body.
pub(super) fn json(status: u16, value: Value) -> Response {
    let content = Content::Json(Json { value, style: JsonStyle::Compact });
    with_content(status, "application/json", content)
}

/// A response with a body of some type.
pub(super) fn with_content(status: u16, media_type: &str, content: Content) -> Response {
    let mut headers = Headers::new();
    headers.push("content-type", media_type);
    let body = Body { content, codings: Vec::new(), end: End::Complete };
    Response { status, headers, body, trailers: Headers::new() }
}

/// A response without a body.
pub(super) fn empty(status: u16) -> Response {
    Response { status, headers: Headers::new(), body: Body::default(), trailers: Headers::new() }
}

/// A response that no cache may keep (RFC 6749 §5.1).
pub(super) fn no_store(mut response: Response) -> Response {
    response.headers.push("cache-control", "no-store");
    response.headers.push("pragma", "no-cache");
    response
}

/// The response with one more header.
pub(super) fn with_header(mut response: Response, name: &str, value: impl Into<String>) -> Response {
    response.headers.push(name, value);
    response
}

/// An error of an OAuth endpoint (RFC 6749 §5.2).
pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Response {
    no_store(json(status, json!({"error": error, "error_description": description})))
}

/// The wrong method (RFC 9110 §15.5.6).
pub(super) fn method_not_allowed(allow: &str) -> Response {
    with_header(json(405, json!({"error": "method_not_allowed"})), "allow", allow)
}

/// Nothing is here.
pub(super) fn not_found() -> Response {
    json(404, json!({"error": "not_found"}))
}

/// A redirect of the user agent.
pub(super) fn redirect(location: String) -> Response {
    with_header(with_header(empty(302), "location", location), "cache-control", "no-store")
}

/// A JSON-RPC result.
pub(super) fn rpc_result(id: &Value, result: &Value) -> Response {
    json(200, rpc_result_value(id, result))
}

/// A JSON-RPC result as a value.
pub(super) fn rpc_result_value(id: &Value, result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// A JSON-RPC error with an HTTP status.
pub(super) fn rpc_error(status: u16, id: &Value, code: i64, message: &str) -> Response {
    json(status, json!({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id}))
}
