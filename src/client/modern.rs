//! MCP 2026-07-28: `server/discover`, then self-contained requests. Each says its version in a header and in `_meta`, its
//! method and its name in headers (SEP-2243).

use super::http::Call;
use super::rpc::{self, Heard};
use super::transport::Transport;
use super::{ClientError, ServerInfo};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A header is missing or differs from the body.
pub(super) const HEADER_MISMATCH: i64 = -32020;

/// The server does not speak the version of the request.
const UNSUPPORTED_VERSION: i64 = -32022;

/// The version this module speaks.
pub(super) const VERSION: &str = "2026-07-28";

/// What the probe found.
pub(super) enum Probe {
    /// A server of this era.
    Modern(ServerInfo),
    /// A server that wants `initialize`.
    Legacy,
}

/// Asks the server what it speaks.
pub(super) async fn probe(transport: &mut Transport) -> Result<Probe, ClientError> {
    let result = match request(transport, "server/discover", json!({}), &[]).await {
        Ok(result) => result,
        // A modern server that speaks other versions, or one that sees a fault in the request.
        Err(ClientError::Rpc { code: UNSUPPORTED_VERSION, data, .. }) => return choose(&data["supported"]),
        Err(error @ ClientError::Rpc { code: HEADER_MISMATCH | -32021, .. }) => return Err(error),
        // Any other answer below 500 is that of a server which does not know the method.
        Err(ClientError::Rpc { .. } | ClientError::Status { status: 400..500, .. } | ClientError::NoAnswer) => return Ok(Probe::Legacy),
        // Some servers take for `initialize` a bearer that they refuse here. Where it is bad, that is refused, too.
        Err(ClientError::TokenRefused(_)) => return Ok(Probe::Legacy),
        Err(error) => return Err(error),
    };
    let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    let supported = &result["supportedVersions"];
    if speaks(supported) {
        return Ok(Probe::Modern(ServerInfo::of(info, VERSION)));
    }
    choose(supported)
}

/// True when our version is in the server's list.
fn speaks(supported: &Value) -> bool {
    supported.as_array().is_some_and(|versions| versions.iter().any(|version| version == VERSION))
}

/// A server that knows discovery but not our newest version may speak an older one.
fn choose(supported: &Value) -> Result<Probe, ClientError> {
    let versions: Vec<_> = supported.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if versions.is_empty() || versions.iter().any(|version| super::legacy::VERSIONS.contains(version)) {
        return Ok(Probe::Legacy);
    }
    Err(ClientError::NoCommonVersion(versions.join(", ")))
}

/// Sends a request and waits for its answer; once more, with a new id, where its stream ended without one (SEP-2575: this era
/// resumes nothing) or where the server does speak the version that it refused.
pub(super) async fn request(
    transport: &mut Transport,
    method: &str,
    params: Value,
    headers: &[(String, String)],
) -> Result<Value, ClientError> {
    match request_once(transport, method, params.clone(), headers).await {
        Err(ClientError::NoAnswer) => request_once(transport, method, params, headers).await,
        Err(ClientError::Rpc { code: UNSUPPORTED_VERSION, data, .. }) if speaks(&data["supported"]) => {
            request_once(transport, method, params, headers).await
        }
        outcome => outcome,
    }
}

async fn request_once(transport: &mut Transport, method: &str, params: Value, headers: &[(String, String)]) -> Result<Value, ClientError> {
    let id = transport.next_id();
    let call = headers.iter().fold(call(transport, id, method, params), |call, (name, value)| call.with(name, header_value(value)));
    let open = transport.send(&call).await?;
    let status = open.status;
    let mut messages = transport.messages(open);
    while let Some(message) = messages.next().await? {
        if let Heard::Answer(answer) = rpc::heard(&message, id) {
            return answer;
        }
    }
    Err(if status == 200 { ClientError::NoAnswer } else { ClientError::Status { status, method: method.to_owned() } })
}

fn call(transport: &Transport, id: u64, method: &str, mut params: Value) -> Call {
    let name = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => None,
    };
    let name = name.map(header_value);
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": super::client_info(),
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let call = transport.post(&rpc::request(id, method, params)).with("mcp-protocol-version", VERSION).with("mcp-method", method);
    match name {
        Some(name) => call.with("mcp-name", name),
        None => call,
    }
}

/// The value as a header can carry it (SEP-2243, Value Encoding).
fn header_value(value: &str) -> String {
    let is_plain = value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) && value.trim_matches(' ') == value;
    let is_marked = value.starts_with("=?base64?") && value.ends_with("?=");
    if is_plain && !is_marked { value.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_header_can_carry_is_encoded() {
        assert_eq!(header_value("echo"), "echo");
        assert_eq!(header_value("é"), "=?base64?w6k=?=");
        assert_eq!(header_value(" x"), "=?base64?IHg=?=");
    }

    #[test]
    fn an_older_version_is_a_legacy_server_and_an_unknown_one_is_none() {
        assert!(matches!(choose(&json!(["2025-11-25"])), Ok(Probe::Legacy)));
        assert!(matches!(choose(&Value::Null), Ok(Probe::Legacy)));
        assert!(matches!(choose(&json!(["2027-01-01"])), Err(ClientError::NoCommonVersion(_))));
    }
}
