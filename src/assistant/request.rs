//! A request of the Messages API: what is offered, how far the conversation is, and whether it is the conversation at all. The ids
//! of our calls say which step they were.

use super::offer::Offer;
use super::write::Block;
use crate::exchange::Headers;
use serde_json::{Map, Value, json};

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) model: &'a str,
    /// Whether the answer is wanted as events.
    pub(super) streams: bool,
    pub(super) offer: Offer<'a>,
    /// Which turn of the conversation it is, from 0.
    pub(super) turn: usize,
    /// The calls of this turn that were made.
    pub(super) outcomes: Vec<Outcome>,
    /// True for what does not belong to the conversation.
    pub(super) is_aside: bool,
    body: &'a Value,
}

/// A call that was made, and what came of it.
pub(super) struct Outcome {
    pub(super) step: usize,
    pub(super) call: usize,
    pub(super) is_error: bool,
    text: String,
}

const ID: &str = "toolu_authtape";

/// How deep a schema is followed for an example of it.
const DEPTH: usize = 8;

/// The id of a call.
pub(super) fn id_of(turn: usize, step: usize, call: usize) -> String {
    format!("{ID}_{turn}_{step}_{call}")
}

fn place_of(id: &str) -> Option<(usize, usize)> {
    let mut parts = id.strip_prefix(ID)?.strip_prefix('_')?.split('_').skip(1);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl<'a> Asked<'a> {
    /// Reads a request; `None` without a model and messages.
    pub(super) fn of(body: &'a Value, headers: &Headers) -> Option<Self> {
        let model = body["model"].as_str()?;
        let messages = body["messages"].as_array()?;
        let is_claude_code = headers.first("user-agent").is_some_and(|agent| agent.starts_with("claude-cli/"));
        let offer = Offer::of(body, is_claude_code);
        let is_forced = body["tool_choice"]["type"] == "tool";
        let is_probe = body["max_tokens"].as_u64().is_some_and(|most| most <= 1);
        let is_aside = offer.is_empty() || is_forced || is_probe;
        let ends_turn = |message: &&Value| message["role"] == "assistant" && calls_of(message).next().is_none();
        let turn = messages.iter().filter(ends_turn).count();
        let begins = messages.iter().rposition(|message| ends_turn(&message)).map_or(0, |last| last + 1);
        let outcomes = outcomes(&messages[begins..]);
        Some(Self { model, streams: body["stream"] == true, offer, turn, outcomes, is_aside, body })
    }

    /// The answer to what does not belong to the conversation: these words, in the form that is demanded.
    pub(super) fn aside(&self, words: &str) -> Vec<Block> {
        if let (Some(name), "tool") =
            (self.body["tool_choice"]["name"].as_str(), self.body["tool_choice"]["type"].as_str().unwrap_or_default())
        {
            let schema = self.body["tools"].as_array().into_iter().flatten().find(|tool| tool["name"] == name);
            let arguments = schema.map(|tool| example(&tool["input_schema"], words, DEPTH)).filter(Value::is_object);
            let arguments = arguments.unwrap_or_else(|| json!({}));
            return vec![Block::Call { id: format!("{ID}_aside_{}", self.turn), name: name.to_owned(), arguments }];
        }
        let formats = [&self.body["output_config"]["format"], &self.body["output_format"]];
        let schema = formats.into_iter().find(|format| format["type"] == "json_schema").map(|format| &format["schema"]);
        vec![Block::Text(schema.map_or_else(|| words.to_owned(), |schema| example(schema, words, DEPTH).to_string()))]
    }
}

/// What became of the calls that a part of a conversation holds.
fn outcomes(messages: &[Value]) -> Vec<Outcome> {
    let results = || messages.iter().filter(|message| message["role"] == "user").flat_map(|message| blocks_of(message, "tool_result"));
    let ours = messages.iter().filter(|message| message["role"] == "assistant").flat_map(calls_of);
    let outcome = |call: &Value| {
        let id = call["id"].as_str()?;
        let (step, call) = place_of(id)?;
        let result = results().find(|result| result["tool_use_id"] == id);
        let text = result.map(|result| text_of(&result["content"])).unwrap_or_default();
        Some(Outcome { step, call, is_error: result.is_some_and(|result| result["is_error"] == true), text })
    };
    ours.filter_map(outcome).collect()
}

fn calls_of(message: &Value) -> impl Iterator<Item = &Value> {
    blocks_of(message, "tool_use")
}

fn blocks_of<'m>(message: &'m Value, sort: &'static str) -> impl Iterator<Item = &'m Value> {
    message["content"].as_array().into_iter().flatten().filter(move |block| block["type"] == sort)
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let part = |block: &Value| match block["text"].as_str() {
                Some(text) => text.to_owned(),
                None => format!("({})", block["type"].as_str().unwrap_or("something else")),
            };
            blocks.iter().map(part).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

impl Outcome {
    /// The beginning of what the tool said, on one line.
    pub(super) fn quoted(&self, longest: usize) -> String {
        let words = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = words.chars().filter(|c| !c.is_control()).take(longest).collect();
        if words.chars().count() > longest {
            shown.push('…');
        }
        shown
    }
}

/// A small value that fits a JSON schema, texts being these words.
fn example(schema: &Value, words: &str, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let sort = schema["type"].as_str().or_else(|| schema["type"].as_array()?.first()?.as_str()).unwrap_or("object");
    match sort {
        "string" => words.into(),
        "number" | "integer" => 0.into(),
        "boolean" => false.into(),
        "array" => json!([]),
        "object" => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let member = |name: &str| (name.to_owned(), example(&schema["properties"][name], words, depth - 1));
            Value::Object(required.map(member).collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}
