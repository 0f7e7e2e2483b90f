//! What makes two calls the same: a text in which members are sorted, `_meta` is left out, nothing is the same as an empty object,
//! and the texts at some places do not count.

use super::IsWild;
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// Places of texts within parameters: the names and positions that lead there, a zero byte before each.
pub(super) type Places = BTreeSet<String>;

/// The canonical text of a call; the texts at `masked` places are left out.
pub(super) fn text(method: &str, parameters: &Value, masked: &Places) -> Vec<u8> {
    let mut text = Text { out: Vec::with_capacity(256), place: String::new(), masked };
    text.string(method);
    match parameters {
        Value::Object(members) => text.members(members.iter().filter(|(name, value)| counts(name, value)).collect()),
        Value::Null => text.members(Vec::new()),
        other => text.value(other),
    }
    text.out
}

/// Whether a member of parameters counts.
///
/// `_meta` does not: progress token, revision, client and tracing stand there, all of them of this run alone. Nor do empty
/// `arguments`: for a tool without any, some clients send `{}`, some nothing.
pub(super) fn counts(name: &str, value: &Value) -> bool {
    let is_empty = || value.is_null() || value.as_object().is_some_and(Map::is_empty);
    name != "_meta" && !(name == "arguments" && is_empty())
}

/// True when two values have the same canonical text.
pub(super) fn is_same(a: &Value, b: &Value) -> bool {
    let nothing = Places::new();
    let text = |value| {
        let mut text = Text { out: Vec::new(), place: String::new(), masked: &nothing };
        text.value(value);
        text.out
    };
    a == b || text(a) == text(b)
}

/// The places at which a wild text stands.
pub(super) fn wild_places(parameters: &Value, is_wild: IsWild) -> Places {
    let mut places = Places::new();
    collect(parameters, is_wild, &mut String::new(), &mut places);
    places
}

fn collect(value: &Value, is_wild: IsWild, place: &mut String, places: &mut Places) {
    let length = place.len();
    match value {
        Value::String(text) if is_wild(text) => {
            places.insert(place.clone());
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                enter(place, &index.to_string());
                collect(item, is_wild, place, places);
                place.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                enter(place, name);
                collect(member, is_wild, place, places);
                place.truncate(length);
            }
        }
        _ => {}
    }
}

fn enter(place: &mut String, step: &str) {
    place.push('\0');
    place.push_str(step);
}

/// A canonical text while it is written.
struct Text<'m> {
    out: Vec<u8>,
    /// Where we are; kept only where something is masked.
    place: String,
    masked: &'m Places,
}

impl Text<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(members) => self.members(members.iter().collect()),
            Value::Array(items) => {
                self.out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    self.within(|| index.to_string(), item);
                }
                self.out.push(b']');
            }
            Value::String(_) if self.masked.contains(&self.place) => self.out.push(b'*'),
            Value::String(text) => self.string(text),
            Value::Number(number) => self.number(number),
            Value::Bool(true) => self.out.push(b't'),
            Value::Bool(false) => self.out.push(b'f'),
            Value::Null => self.out.push(b'n'),
        }
    }

    fn members(&mut self, mut members: Vec<(&String, &Value)>) {
        members.sort_unstable_by_key(|(name, _)| name.as_str());
        self.out.push(b'{');
        for (name, value) in members {
            self.string(name);
            self.out.push(b':');
            self.within(|| name.clone(), value);
        }
        self.out.push(b'}');
    }

    fn within(&mut self, step: impl FnOnce() -> String, value: &Value) {
        let length = self.place.len();
        if !self.masked.is_empty() {
            enter(&mut self.place, &step());
        }
        self.value(value);
        self.place.truncate(length);
        self.out.push(b',');
    }

    /// 1.0 and 1 are one number.
    fn number(&mut self, number: &Number) {
        let float = number.as_f64().filter(|float| !number.is_i64() && !number.is_u64() && float.fract() == 0.0 && float.abs() < 9e15);
        let text = float.map_or_else(|| number.to_string(), |whole| (whole as i64).to_string());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn string(&mut self, text: &str) {
        serde_json::to_writer(&mut self.out, text).expect("a text is written into memory");
    }
}
