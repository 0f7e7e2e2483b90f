//! JSON values as YAML: containers of scalars on one line where they fit, everything else in blocks. The same value always
//! gives the same text. Does not know what the members mean.

use super::Emitter;
use super::scalar::{self, Place};
use serde_json::{Map, Number, Value};
use std::fmt::Write;

/// A container of scalars that ends before this column stays on one line.
const LINE: usize = 100;
/// Deeper values are not written as YAML.
const DEPTH: usize = 32;
/// Values with more nodes than this are not written as YAML.
const NODES: usize = 100_000;

/// True when [`Emitter::json`] writes the value in a shape that every reader takes and whose size stays near that of the JSON
/// text: a container, nested at most 32 deep, of at most 100,000 nodes.
pub fn fits(value: &Value) -> bool {
    let mut nodes = NODES;
    (value.is_object() || value.is_array()) && fits_within(value, DEPTH, &mut nodes)
}

fn fits_within(value: &Value, depth: usize, nodes: &mut usize) -> bool {
    let Some(left) = nodes.checked_sub(1) else { return false };
    *nodes = left;
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits_within(item, depth - 1, nodes)),
        Value::Object(members) => depth > 0 && members.values().all(|member| fits_within(member, depth - 1, nodes)),
        _ => true,
    }
}

impl Emitter<'_> {
    /// Writes a JSON value as the value of a key or as an item.
    pub fn json(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) if !items.is_empty() => {
                if !self.on_one_line(value) {
                    self.block(|yaml| items.iter().for_each(|item| yaml.json_item(item)));
                }
            }
            Value::Object(members) if !members.is_empty() => {
                if !self.on_one_line(value) {
                    self.block(|yaml| yaml.json_members(members));
                }
            }
            _ => {
                self.inline_space();
                write_short(value, self.out);
                self.out.push('\n');
                self.inline = false;
            }
        }
    }

    fn json_members(&mut self, members: &Map<String, Value>) {
        for (name, member) in members {
            self.key(name).json(member);
        }
    }

    fn json_item(&mut self, item: &Value) {
        self.item().json(item);
        self.end_item();
    }

    fn block(&mut self, write: impl FnOnce(&mut Self)) {
        let is_item = self.inline;
        self.begin();
        write(self);
        if !is_item {
            self.end();
        }
    }

    /// Writes a container of scalars on the current line, or takes everything back when it does not fit.
    fn on_one_line(&mut self, value: &Value) -> bool {
        let start = self.out.len();
        let line = self.out.rfind('\n').map_or(0, |index| index + 1);
        self.out.push(' ');
        if write_flow(value, line + LINE, self.out) && self.out.len() < line + LINE {
            self.out.push('\n');
            self.inline = false;
            return true;
        }
        self.out.truncate(start);
        false
    }
}

/// False as soon as the text reaches `limit` or a member does not belong on one line.
fn write_flow(value: &Value, limit: usize, out: &mut String) -> bool {
    let mut is_first = true;
    let mut separate = |out: &mut String| {
        out.push_str(if is_first { "" } else { ", " });
        is_first = false;
    };
    match value {
        Value::Array(items) => {
            out.push('[');
            for item in items {
                separate(out);
                if !write_member(item, limit, out) {
                    return false;
                }
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (name, member) in members {
                separate(out);
                if name.len() > LINE {
                    return false;
                }
                scalar::write(name, Place::Key, out);
                out.push_str(": ");
                if !write_member(member, limit, out) {
                    return false;
                }
            }
            out.push('}');
        }
        _ => return false,
    }
    true
}

fn write_member(value: &Value, limit: usize, out: &mut String) -> bool {
    match value {
        Value::String(text) if text.len() > LINE || text.contains('\n') => return false,
        Value::Array(items) if !items.is_empty() => return false,
        Value::Object(members) if !members.is_empty() => return false,
        _ => write_short(value, out),
    }
    out.len() < limit
}

fn write_short(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => scalar::write(text, Place::Flow, out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// Readers of YAML 1.1 know an exponent only behind a point and before a sign.
fn write_number(number: &Number, out: &mut String) {
    let start = out.len();
    write!(out, "{number}").expect("a string takes any text");
    let Some(exponent) = out[start..].find('e').map(|index| start + index) else { return };
    if !out[exponent + 1..].starts_with(['+', '-']) {
        out.insert(exponent + 1, '+');
    }
    if !out[start..exponent].contains('.') {
        out.insert_str(exponent, ".0");
    }
}
