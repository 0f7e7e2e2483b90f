//! The tools of the model's own MCP server: enough for a demonstration and for tests.

use super::Access;
use serde_json::{Value, json};

/// The tool list of a `tools/list` result.
pub(super) fn list() -> Value {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| json!({"name": name, "description": description, "inputSchema": {"type": "object", "properties": properties, "required": required}});
    json!([
        tool("echo", "Gives the text back", json!({"text": {"type": "string"}}), &["text"]),
        tool("add", "Adds two numbers", json!({"a": {"type": "number"}, "b": {"type": "number"}}), &["a", "b"]),
        tool("whoami", "Says who is logged in, and with which scope", json!({}), &[]),
    ])
}

/// Calls a tool; the error is JSON-RPC's code and message.
pub(super) fn call(params: &Value, access: &Access) -> Result<Value, (i64, &'static str)> {
    let arguments = &params["arguments"];
    let text = match params["name"].as_str() {
        Some("echo") => arguments["text"].as_str().map(str::to_owned),
        Some("add") => sum(&arguments["a"], &arguments["b"]),
        Some("whoami") => Some(format!("{} with scope \"{}\"", access.subject, access.scope)),
        _ => return Err((-32602, "Unknown tool")),
    };
    Ok(match text {
        Some(text) => json!({"content": [{"type": "text", "text": text}], "isError": false}),
        None => json!({"content": [{"type": "text", "text": "wrong arguments"}], "isError": true}),
    })
}

fn sum(a: &Value, b: &Value) -> Option<String> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.checked_add(b).map(|sum| sum.to_string()),
        _ => Some((a.as_f64()? + b.as_f64()?).to_string()),
    }
}
