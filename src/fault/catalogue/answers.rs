//! Answers of MCP servers that several faults give in place of the servers, and whom a bearer belongs to.

use crate::fault::{Attributes, FaultError, Scene};
use crate::model::{Access, Model, Scope, ServerId};
use crate::protocol::MODERN_SINCE;
use crate::reply::Reply;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// A JSON-RPC error as the answer to a request.
pub(super) fn rpc_error(scene: &Scene<'_>, status: u16, code: i64, message: &str, data: Option<Value>) -> Reply {
    let mut error = json!({"code": code, "message": message});
    if let Some(data) = data {
        error["data"] = data;
    }
    Reply::json(status, &json!({"jsonrpc": "2.0", "id": id_of(scene), "error": error}))
}

/// A JSON-RPC result as the answer to a request.
pub(super) fn rpc_result(scene: &Scene<'_>, mut result: Value) -> Reply {
    if is_modern(scene) {
        result["resultType"] = json!("complete");
    }
    Reply::json(200, &json!({"jsonrpc": "2.0", "id": id_of(scene), "result": result}))
}

/// The refusal of the gate, as this server writes it (RFC 6750 §3.1).
pub(super) fn challenge(model: &Model, server: ServerId, status: u16, error: (&str, &str), scope: &Scope) -> Reply {
    Reply::whole(&model.server(server).challenged(status, Some(error), scope))
}

/// 401 invalid_token.
pub(super) fn invalid_token(model: &Model, server: ServerId) -> Reply {
    let scope = model.server(server).policy.scope.clone();
    challenge(model, server, 401, ("invalid_token", "the access token is not valid"), &scope)
}

/// The MCP server that the request goes to and whose bearer it carries, where the server would let it through.
pub(super) fn admitted(scene: &Scene<'_>, model: &Model) -> Option<(ServerId, Access)> {
    let server = scene.server?;
    let access = model.admit(server, scene.request, scene.now).ok()?;
    access.source.is_some().then_some((server, access))
}

/// True for a request of MCP 2026-07-28.
pub(super) fn is_modern(scene: &Scene<'_>) -> bool {
    let says = scene.request.headers.first("mcp-protocol-version").is_some_and(|version| version >= MODERN_SINCE);
    says || method(scene) == "server/discover"
}

/// The JSON-RPC method of the request; empty without one.
pub(super) fn method<'a>(scene: &Scene<'a>) -> &'a str {
    scene.rpc.map(|rpc| rpc.method).unwrap_or_default()
}

/// Which requests a fault of tool calls strikes: those, unless a method was chosen.
pub(super) fn strikes_call(written: &Attributes) -> impl Fn(&Scene<'_>) -> bool + Send + use<> {
    let is_chosen = written.text("method").is_some();
    move |scene| is_chosen || method(scene) == "tools/call"
}

/// The status that was written.
pub(super) fn status(written: &Attributes, range: RangeInclusive<u16>, default: u16) -> Result<u16, FaultError> {
    let expected = format!("a status from {} to {}", range.start(), range.end());
    let status = written.parsed("status", &expected)?.unwrap_or(default);
    if range.contains(&status) { Ok(status) } else { Err(written.refuse("status", expected)) }
}

fn id_of<'a>(scene: &Scene<'a>) -> &'a Value {
    scene.rpc.map_or(&Value::Null, |rpc| rpc.id)
}
