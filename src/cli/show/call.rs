//! What a request calls: the JSON-RPC method and what it names.

use crate::exchange::Content;
use crate::protocol::rpc::Message;
use serde_json::Value;

/// A call of JSON-RPC.
pub(super) struct Call {
    /// The method; those of a batch separated by commas.
    pub method: String,
    /// The tool, prompt or resource.
    pub target: Option<String>,
}

impl Call {
    /// Reads a request's body; `None` when it calls nothing.
    pub(super) fn of(content: &Content) -> Option<Self> {
        let value = content.json()?;
        let message = Message::of(&value)?;
        let methods: Vec<&str> = message.each().iter().filter_map(Message::method).collect();
        if methods.is_empty() {
            return None;
        }
        Some(Self { method: methods.join(", "), target: target(&value) })
    }
}

/// `method` is no key here: a name is a name, whichever method has it.
fn target(message: &Value) -> Option<String> {
    let params = message.get("params")?;
    let named = match message.get("method")?.as_str()? {
        "tools/call" | "prompts/get" => params.get("name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => params.get("uri"),
        _ => None,
    };
    named?.as_str().map(str::to_owned)
}
