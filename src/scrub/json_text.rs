//! JSON as text: strings replaced in place, every other byte kept, in any style, repeated members and cut ends included.
//! Lenient: whatever stands between quotes is a string.

use super::ground::Ground;
use super::sweep::{Edit, Thoroughness, splice, sweep};
use super::table::Table;
use super::tokens::{self, Looks};
use super::value;
use crate::protocol::{FieldRole, Role};
use std::borrow::Cow;

/// A text nested deeper is not followed.
const DEEPEST: usize = 256;

/// True when a text may be JSON, or a JSON text in a JSON string.
pub(super) fn looks_like_json(text: &str) -> bool {
    let text = text.trim_start().as_bytes();
    matches!(text, [b'{' | b'[', _, ..] | [b'"', b'{' | b'[' | b'\\' | b'"', ..])
}

struct Frame {
    is_object: bool,
    expects_key: bool,
    /// The role of the member whose value comes next; of all elements in an array.
    field: Option<FieldRole>,
    ground: Ground,
    /// The ground of that value.
    inside: Ground,
}

/// The text with its sensitive strings replaced (`None` when all stay), and whether it was JSON to its end.
pub(super) fn scrub(table: &mut Table, text: &str, ground: Ground) -> (Option<String>, bool) {
    let mut edits: Vec<Edit> = Vec::new();
    let bytes = text.as_bytes();
    let mut stack = vec![Frame { is_object: false, expects_key: false, field: None, ground, inside: ground }];
    let mut sound = true;
    let mut index = 0;
    while index < bytes.len() {
        let Some(frame) = stack.last_mut() else { break };
        match bytes[index] {
            b'"' => {
                let end = end_of_string(bytes, index + 1);
                sound &= end < bytes.len();
                string(table, text, index + 1..end, frame, &mut edits);
                index = end;
            }
            open @ (b'{' | b'[') => {
                let (is_object, ground) = (open == b'{', frame.inside);
                let field = frame.field.filter(|_| !is_object);
                stack.push(Frame { is_object, expects_key: is_object, field, ground, inside: ground });
            }
            b'}' | b']' => {
                stack.pop();
            }
            b',' => frame.expects_key = frame.is_object,
            b':' => frame.expects_key = false,
            b'-' | b'0'..=b'9' => {
                let length = bytes[index..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'))
                    .count();
                number(table, &text[index..index + length], index, frame.field, &mut edits);
                index += length - 1;
            }
            b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n' | b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => sound = false,
        }
        if stack.len() > DEEPEST {
            return (None, false);
        }
        index += 1;
    }
    let changed = (!edits.is_empty()).then(|| splice(text, edits));
    (changed, sound && stack.len() == 1)
}

fn string(table: &mut Table, text: &str, range: std::ops::Range<usize>, frame: &mut Frame, edits: &mut Vec<Edit>) {
    let raw = &text[range.clone()];
    let decoded = decode(raw);
    let new = if frame.expects_key {
        frame.field = frame.ground.member(&decoded);
        frame.inside = frame.ground.inside(&decoded);
        key(table, &decoded, frame.ground)
    } else {
        value::field(table, frame.field, &decoded, frame.inside.deeper())
    };
    if let Some(new) = new {
        edits.push((range, encode(&new, raw)));
    }
}

/// A number at a secret position, such as a PIN, becomes a string.
fn number(table: &mut Table, digits: &str, index: usize, field: Option<FieldRole>, edits: &mut Vec<Edit>) {
    if let Some(placeholder) = secret_number(table, digits, field) {
        edits.push((index..index + digits.len(), format!("\"{placeholder}\"")));
    }
}

/// The placeholder of a number at a secret position; `None` for short ones, which are codes and counts.
pub(super) fn secret_number(table: &mut Table, digits: &str, field: Option<FieldRole>) -> Option<String> {
    let label = field.filter(|field| field.role == Role::Secret)?.label;
    (digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| table.learn(digits, label, Role::Secret))
}

/// A member's name, should somebody use a secret as one.
pub(super) fn key(table: &mut Table, name: &str, ground: Ground) -> Option<String> {
    if name.len() < super::needle::LEAST {
        return None;
    }
    let swept = sweep(table, name, 0, Thoroughness::NoWords);
    tokens::replace(table, swept.as_deref().unwrap_or(name), ground, Looks::All).or(swept)
}

fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut index = from;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(index..).unwrap_or_default()) {
        index += found;
        if bytes[index] == b'"' {
            return index;
        }
        index += 2;
    }
    bytes.len()
}

fn decode(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let strict = serde_json::from_str::<String>(&format!("\"{raw}\""));
    Cow::Owned(strict.unwrap_or_else(|_| raw.replace("\\\"", "\"").replace("\\/", "/")))
}

/// A JSON string body in the manner of the one it replaces.
fn encode(text: &str, raw: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let (slashes, ascii) = (raw.contains("\\/"), raw.is_ascii());
    let mut units = [0; 2];
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '/' if slashes => out.push_str("\\/"),
            _ if character < ' ' || (ascii && !character.is_ascii()) => {
                character.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;
    use crate::scrub::ground::Side;

    fn scrubbed(text: &str) -> (String, bool) {
        let (new, sound) = scrub(&mut Table::new(1), text, Ground::of(Kind::TokenCode, Side::Response));
        (new.unwrap_or_else(|| text.to_owned()), sound)
    }

    #[test]
    fn only_the_strings_at_sensitive_positions_change() {
        for (text, expected) in [
            ("{ \"access_token\" : \"abc\",\n\t\"x\": [1e5, \"y\"] }", "{ \"access_token\" : \"S1x\",\n\t\"x\": [1e5, \"y\"] }"),
            (r#"{"password":12345,"code":12345,"id_token":null}"#, r#"{"password":"S1xxx","code":12345,"id_token":null}"#),
            (r#"{"refresh_token":["ab","ab"],"a":{"b":"c"}}"#, r#"{"refresh_token":["S1","S1"],"a":{"b":"c"}}"#),
            (r#"{"n":"{\"access_token\":\"abc\"}"}"#, r#"{"n":"{\"access_token\":\"S1x\"}"}"#),
        ] {
            assert_eq!(scrubbed(text), (expected.to_owned(), true));
        }
    }

    #[test]
    fn a_cut_text_loses_its_secret_too() {
        assert_eq!(scrubbed(r#"{"access_token":"abcdef"#), (r#"{"access_token":"S1xxxx"#.to_owned(), false));
        assert!(!scrubbed(&"[".repeat(1000)).1);
    }
}
