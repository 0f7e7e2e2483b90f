//! Parameters in the form in which they compare: members sorted, `_meta` left out, nothing the same as an empty object.

use super::IsWild;
use serde_json::{Map, Value};

/// The parameters of a message as they compare.
///
/// `_meta` goes: progress token, revision, client and tracing stand there, all of them of this run alone.
pub(super) fn parameters(message: &Value) -> Value {
    match &message["params"] {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| *name != "_meta");
            sorted(&Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
        }
        Value::Null => Value::Object(Map::new()),
        other => sorted(other),
    }
}

/// The canonical text of sorted parameters. An empty `arguments` is no `arguments`.
pub(super) fn text(parameters: &Value) -> String {
    parameters.to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<_> = members.iter().filter(|(name, value)| !is_empty_arguments(name, value)).collect();
            names.sort_unstable_by_key(|(name, _)| name.as_str());
            Value::Object(names.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
        other => other.clone(),
    }
}

/// `tools/call` of a tool without arguments: some clients send `{}`, some nothing.
fn is_empty_arguments(name: &str, value: &Value) -> bool {
    name == "arguments" && (value.is_null() || value.as_object().is_some_and(Map::is_empty))
}

/// 1.0 and 1 are one number.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = number.as_f64().filter(|_| !number.is_i64() && !number.is_u64())?;
    let is_whole = float.fract() == 0.0 && float.abs() < 9e15;
    is_whole.then_some(float as i64)
}

/// True when a text in the value stands for any text.
pub(super) fn has_wild(value: &Value, is_wild: IsWild) -> bool {
    match value {
        Value::String(text) => is_wild(text),
        Value::Array(items) => items.iter().any(|item| has_wild(item, is_wild)),
        Value::Object(members) => members.values().any(|member| has_wild(member, is_wild)),
        _ => false,
    }
}

/// True when the live value is the recorded one, its wild texts aside.
pub(super) fn fits(recorded: &Value, live: &Value, is_wild: IsWild) -> bool {
    match (recorded, live) {
        (Value::String(own), Value::String(other)) => own == other || is_wild(own),
        (Value::Array(own), Value::Array(other)) => own.len() == other.len() && own.iter().zip(other).all(|(a, b)| fits(a, b, is_wild)),
        (Value::Object(own), Value::Object(other)) => {
            own.len() == other.len() && own.iter().all(|(name, a)| other.get(name).is_some_and(|b| fits(a, b, is_wild)))
        }
        _ => recorded == live,
    }
}
