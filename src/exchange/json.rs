//! JSON bodies and the few styles in which programs write them. A body that is in none of them is text.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};
use std::fmt;
use std::io;

/// A JSON value with the style that gives the wire bytes again.
#[derive(Clone, PartialEq)]
pub struct Json {
    /// The value; the order of members is kept.
    pub value: Value,
    /// How it was written.
    pub style: JsonStyle,
}

/// How a JSON text was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JsonStyle {
    /// No white space (`JSON.stringify`, serde, Starlette).
    #[default]
    Compact,
    /// A blank after `,` and `:`, and everything beyond ASCII escaped (Python's `json.dumps`).
    Python,
    /// Two blanks a level.
    Indent2,
}

impl Json {
    /// Parses a text and returns the value if one of the styles writes the same text again.
    ///
    /// `None` for invalid JSON, other white space, repeated members, unusual escapes and numbers that lose digits.
    /// A lone number, word or string is not worth a typed view and is `None` as well.
    pub fn parse_faithful(text: &str) -> Option<Self> {
        if !matches!(text.as_bytes().first()?, b'{' | b'[') {
            return None;
        }
        let value: Value = serde_json::from_str(text).ok()?;
        let likely = match text.as_bytes().get(1) {
            Some(b'\n') => [JsonStyle::Indent2, JsonStyle::Compact, JsonStyle::Python],
            _ => [JsonStyle::Compact, JsonStyle::Python, JsonStyle::Indent2],
        };
        for style in likely {
            if writes(&value, style, text) {
                return Some(Self { value, style });
            }
        }
        None
    }

    /// The text as it was on the wire.
    pub fn to_text(&self) -> String {
        let mut out = Vec::with_capacity(128);
        write_json(&self.value, self.style, &mut out).expect("a JSON value writes into memory");
        String::from_utf8(out).expect("JSON is UTF-8")
    }
}

/// True when `value` in `style` is exactly `text`; stops at the first difference and allocates nothing.
fn writes(value: &Value, style: JsonStyle, text: &str) -> bool {
    let mut rest = Expect(text.as_bytes());
    write_json(value, style, &mut rest).is_ok() && rest.0.is_empty()
}

fn write_json(value: &Value, style: JsonStyle, out: &mut impl io::Write) -> serde_json::Result<()> {
    match style {
        JsonStyle::Compact => value.serialize(&mut Serializer::with_formatter(out, CompactFormatter)),
        JsonStyle::Python => value.serialize(&mut Serializer::with_formatter(out, PythonFormatter)),
        JsonStyle::Indent2 => value.serialize(&mut Serializer::with_formatter(out, PrettyFormatter::new())),
    }
}

/// A writer that accepts only the expected bytes.
struct Expect<'a>(&'a [u8]);

impl io::Write for Expect<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `json.dumps` with its defaults: `", "`, `": "`, `ensure_ascii`.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        let mut plain = 0;
        for (index, character) in fragment.char_indices().filter(|(_, c)| !c.is_ascii() || *c == '\u{7f}') {
            if character == '\u{7f}' {
                continue;
            }
            out.write_all(&fragment.as_bytes()[plain..index])?;
            for unit in character.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}")?;
            }
            plain = index + character.len_utf8();
        }
        out.write_all(&fragment.as_bytes()[plain..])
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({:?}, {} bytes)", self.style, self.to_text().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn style(text: &str) -> Option<JsonStyle> {
        Json::parse_faithful(text).map(|json| json.style)
    }

    #[test]
    fn each_style_is_known_by_its_text() {
        assert_eq!(style(r#"{"a":[1,"é"],"b":{}}"#), Some(JsonStyle::Compact));
        assert_eq!(style(r#"{"a": [1, "\u00e9\ud83d\ude00"], "b": {}}"#), Some(JsonStyle::Python));
        assert_eq!(style("{\n  \"a\": [\n    1\n  ]\n}"), Some(JsonStyle::Indent2));
    }

    #[test]
    fn what_would_not_come_back_is_refused() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":1e5}"#, r#"{"a":"\u0041"}"#, "{\"a\":1}\n", r#"{"a":12345678901234567890123}"#, "7"] {
            assert_eq!(style(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_writes_the_same_text(text in r#"[\[{]["a:,\[\]{} 0-9.e\\u\n-]{0,24}"#) {
            if let Some(json) = Json::parse_faithful(&text) {
                prop_assert_eq!(json.to_text(), text);
            }
        }
    }
}
