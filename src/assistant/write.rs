//! A message of the model as the Messages API writes it: whole, or as events.

use super::json_reply;
use super::request::Asked;
use crate::exchange::Headers;
use crate::reply::{Ending, Reply, Step};
use serde_json::{Value, json};

/// A message.
pub(super) struct Message<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) blocks: Vec<Block>,
}

/// A part of a message.
pub(super) enum Block {
    /// Words.
    Text(String),
    /// A tool call.
    Call {
        /// Its id.
        id: String,
        /// The client's name of the tool.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
}

impl Message<'_> {
    /// In the form that was asked for.
    pub(super) fn reply(&self) -> Reply {
        if !self.asked.streams {
            let content: Vec<Value> = self.blocks.iter().map(Block::whole).collect();
            return json_reply(200, &self.head(&content, Some(self.stop_reason())));
        }
        let headers = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"), ("request-id", "req_authtape")];
        let headers: Headers = headers.into_iter().collect();
        let steps = self.events().into_iter().map(|event| {
            let name = event["type"].as_str().unwrap_or_default().to_owned();
            Step::Send(format!("event: {name}\ndata: {event}\n\n").into())
        });
        Reply::of(200, headers, steps.collect(), Ending::Complete)
    }

    fn events(&self) -> Vec<Value> {
        let mut events = vec![json!({"type": "message_start", "message": self.head(&[], None)})];
        for (index, block) in self.blocks.iter().enumerate() {
            let (start, delta) = block.parts();
            events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        let delta = json!({"stop_reason": self.stop_reason(), "stop_sequence": null});
        events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}));
        events.push(json!({"type": "message_stop"}));
        events
    }

    fn head(&self, content: &[Value], stop_reason: Option<&str>) -> Value {
        let Asked { turn, model, outcomes, .. } = self.asked;
        json!({
            "id": format!("msg_authtape_{turn}_{}", outcomes.len()), "type": "message", "role": "assistant", "model": model,
            "content": content, "stop_reason": stop_reason, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1},
        })
    }

    fn stop_reason(&self) -> &'static str {
        let calls = self.blocks.iter().any(|block| matches!(block, Block::Call { .. }));
        if calls { "tool_use" } else { "end_turn" }
    }
}

impl Block {
    fn whole(&self) -> Value {
        match self {
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::Call { id, name, arguments } => json!({"type": "tool_use", "id": id, "name": name, "input": arguments}),
        }
    }

    /// Its beginning, and all the rest in one piece.
    fn parts(&self) -> (Value, Value) {
        match self {
            Self::Text(text) => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text})),
            Self::Call { id, name, arguments } => (
                json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
                json!({"type": "input_json_delta", "partial_json": arguments.to_string()}),
            ),
        }
    }
}
