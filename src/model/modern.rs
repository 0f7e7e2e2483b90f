//! MCP 2026-07-28 over HTTP: stateless, one POST a request (reference: state-model §6.6, step 6M).

use super::respond::{json, rpc_error, rpc_result};
use super::server::{Message, Passed, parse_error};
use super::{Access, Server, tools};
use crate::exchange::{Request, Response};
use crate::protocol::Era;
use serde_json::{Value, json};

/// A header is missing or differs from the body.
const HEADER_MISMATCH: i64 = -32020;
/// A client capability is missing.
const MISSING_CAPABILITY: i64 = -32021;
/// The protocol version is not spoken here.
const UNSUPPORTED_VERSION: i64 = -32022;

impl Server {
    /// Answers a POST of the modern era.
    pub(super) fn modern(&self, request: &Request, message: Option<&Message<'_>>, access: &Access) -> Response {
        let Some(message) = message else { return parse_error() };
        match self.modern_pass(request, message) {
            Ok(Passed::Request { .. }) => self.modern_result(message, message.id.unwrap_or(&Value::Null), access),
            Ok(_) => Message::accepted(),
            Err(response) => *response,
        }
    }

    /// Everything that is checked before the content of an answer matters.
    pub(super) fn modern_pass(&self, request: &Request, message: &Message<'_>) -> Result<Passed, Box<Response>> {
        let id = message.id.unwrap_or(&Value::Null);
        if let Err(reason) = headers_fit(request, message) {
            return Err(Box::new(rpc_error(400, id, HEADER_MISMATCH, &reason)));
        }
        let Some(requested) = message.version() else {
            return Err(Box::new(rpc_error(400, id, -32602, "Invalid params: protocolVersion is missing in _meta")));
        };
        if !self.policy.versions.iter().any(|version| version == requested) {
            let data = json!({"supported": self.policy.versions, "requested": requested});
            return Err(Box::new(error_with_data(id, UNSUPPORTED_VERSION, "Unsupported protocol version", &data)));
        }
        let own = &message.params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        if let Some(missing) = self.policy.required_capabilities.iter().find(|name| own.get(name.as_str()).is_none()) {
            let data = json!({"requiredCapabilities": {missing: {}}});
            return Err(Box::new(error_with_data(id, MISSING_CAPABILITY, "Missing required client capability", &data)));
        }
        let is_request = message.id.is_some();
        Ok(if is_request { Passed::Request { era: Era::Modern, session: None } } else { Passed::Accepted })
    }

    fn modern_result(&self, message: &Message<'_>, id: &Value, access: &Access) -> Response {
        let cached = |mut result: Value| {
            result["ttlMs"] = json!(0);
            result["cacheScope"] = json!("private");
            result
        };
        let mut result = match message.method {
            "server/discover" => cached(json!({
                "supportedVersions": self.policy.versions,
                "capabilities": {"tools": {}},
                "_meta": {"io.modelcontextprotocol/serverInfo": server_info()},
            })),
            "tools/list" => cached(json!({"tools": tools::list()})),
            "ping" => json!({}),
            "tools/call" => match tools::call(message.params, access) {
                Ok(result) => result,
                Err((code, text)) => return rpc_error(200, id, code, text),
            },
            _ => return rpc_error(404, id, -32601, "Method not found"),
        };
        result["resultType"] = json!("complete");
        rpc_result(id, &result)
    }
}

/// Who the server says it is.
pub(super) fn server_info() -> Value {
    json!({"name": "authtape-model", "version": env!("CARGO_PKG_VERSION")})
}

/// The standard headers repeat the body (SEP-2243).
fn headers_fit(request: &Request, message: &Message<'_>) -> Result<(), String> {
    let version = request.headers.first("mcp-protocol-version").ok_or("missing required MCP-Protocol-Version header")?;
    if message.version().is_some_and(|own| own != version) {
        return Err("MCP-Protocol-Version header does not match the body".to_owned());
    }
    if message.method.is_empty() {
        return Ok(());
    }
    match request.headers.first("mcp-method") {
        Some(method) if method == message.method => {}
        Some(_) => return Err("Mcp-Method header does not match the body".to_owned()),
        None => return Err("missing required Mcp-Method header".to_owned()),
    }
    let named = match message.method {
        "tools/call" | "prompts/get" => message.params["name"].as_str(),
        "resources/read" => message.params["uri"].as_str(),
        _ => return Ok(()),
    };
    match (request.headers.first("mcp-name"), named) {
        (Some(header), Some(name)) if plain(header).as_deref() == Some(name) => Ok(()),
        (None, None) => Ok(()),
        (Some(_), _) => Err("Mcp-Name header does not match the body".to_owned()),
        (None, Some(_)) => Err("missing required Mcp-Name header".to_owned()),
    }
}

/// A header value, `=?base64?…?=` undone.
fn plain(header: &str) -> Option<String> {
    use base64::Engine as _;
    let Some(encoded) = header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else { return Some(header.to_owned()) };
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?).ok()
}

fn error_with_data(id: &Value, code: i64, message: &str, data: &Value) -> Response {
    json(400, json!({"jsonrpc": "2.0", "error": {"code": code, "message": message, "data": data}, "id": id}))
}
