//! Form fields in HTML and multipart text: `<input name=… value=…>`, `<meta name=… content=…>`, and the parts of RFC 7578.
//! No document is built; what is no tag is left to others.

use super::ground::Ground;
use super::sweep::Edit;
use super::table::Table;
use super::unescape::{Doubtful, unescape};
use super::value::field;
use memchr::{memchr_iter, memmem};
use std::ops::Range;

/// The head of a part of a multipart form is no longer.
const HEAD: usize = 1024;

/// Adds the edits for fields with sensitive names.
pub(super) fn fields(table: &mut Table, text: &str, ground: Ground, edits: &mut Vec<Edit>) {
    for open in memchr_iter(b'<', text.as_bytes()) {
        let rest = &text.as_bytes()[open + 1..];
        let named = [b"input".as_slice(), b"meta", b"button"]
            .iter()
            .any(|name| rest.get(..name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name)));
        if named {
            tag(table, text, open + 1, ground, edits);
        }
    }
    for found in memmem::find_iter(text.as_bytes(), b"form-data;") {
        part(table, text, found, ground, edits);
    }
}

fn tag(table: &mut Table, text: &str, from: usize, ground: Ground, edits: &mut Vec<Edit>) {
    let (mut name, mut value) = (None, None);
    let mut index = from + text[from..].bytes().take_while(u8::is_ascii_alphanumeric).count();
    while let Some((attribute, range)) = attribute(text, &mut index) {
        match attribute.to_ascii_lowercase().as_str() {
            "name" | "property" => name = Some(range),
            "value" | "content" => value = Some(range),
            _ => {}
        }
    }
    if let (Some(name), Some(value)) = (name, value) {
        replace(table, text, &text[name], value, ground, edits);
    }
}

/// The next attribute of a tag and the place of its value (HTML §13.1.2.3).
fn attribute<'a>(text: &'a str, index: &mut usize) -> Option<(&'a str, Range<usize>)> {
    let bytes = text.as_bytes();
    let skip = |from: usize, test: fn(&u8) -> bool| from + bytes[from..].iter().take_while(|byte| test(byte)).count();
    let start = skip(*index, |byte| byte.is_ascii_whitespace() || *byte == b'/');
    let end = skip(start, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'=' | b'>' | b'<' | b'"' | b'\''));
    if start == end {
        return None;
    }
    let sign = skip(end, u8::is_ascii_whitespace);
    if bytes.get(sign) != Some(&b'=') {
        *index = end;
        return Some((&text[start..end], end..end));
    }
    let from = skip(sign + 1, u8::is_ascii_whitespace);
    let (from, to) = match bytes.get(from) {
        Some(quote @ (b'"' | b'\'')) => (from + 1, from + 1 + memchr::memchr(*quote, &bytes[from + 1..]).unwrap_or(bytes.len() - from - 1)),
        _ => (from, skip(from, |byte| !byte.is_ascii_whitespace() && *byte != b'>')),
    };
    *index = (to + usize::from(matches!(bytes.get(to), Some(b'"' | b'\'')))).min(bytes.len());
    Some((&text[start..end], from..to))
}

/// RFC 7578 §4.2: the name stands in the head of a part, its value behind a blank line.
fn part(table: &mut Table, text: &str, from: usize, ground: Ground, edits: &mut Vec<Edit>) {
    let bytes = &text.as_bytes()[from..];
    let near = &bytes[..bytes.len().min(HEAD)];
    let gaps = [b"\r\n\r\n".as_slice(), b"\n\n"];
    let Some(head) = gaps.iter().filter_map(|gap| Some((memmem::find(near, gap)? + from, gap.len()))).min() else { return };
    let Some(start) = text[from..head.0].find("name=").map(|index| from + index + 5) else { return };
    let name = text[start..head.0].trim_start_matches('"').split(['"', ';', '\r', '\n']).next().unwrap_or_default();
    let value = head.0 + head.1;
    let end = memmem::find(&text.as_bytes()[value..], b"\n--").map_or(text.len(), |index| value + index);
    let end = value + text[value..end].trim_end_matches('\r').len();
    replace(table, text, name, value..end, ground, edits);
}

fn replace(table: &mut Table, text: &str, name: &str, value: Range<usize>, ground: Ground, edits: &mut Vec<Edit>) {
    let Some(role) = ground.parameter(name, true) else { return };
    let raw = &text[value.clone()];
    let undone = unescape(raw.as_bytes(), Doubtful::default(), None).filter(|_| raw.contains('&'));
    let decoded = undone.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| raw.to_owned());
    if let Some(new) = field(table, Some(role), &decoded, ground) {
        edits.push((value, new.replace('&', "&amp;").replace('"', "&quot;")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;
    use crate::scrub::ground::Side;
    use crate::scrub::sweep::splice;

    fn scrubbed(text: &str) -> String {
        let mut edits = Vec::new();
        fields(&mut Table::new(1), text, Ground::of(Kind::Authorize, Side::Response), &mut edits);
        splice(text, edits)
    }

    #[test]
    fn hidden_fields_and_parts_are_replaced() {
        for (text, expected) in [
            (
                "<INPUT type=hidden name=\"code\" value='a&amp;b'/><input name=x value=y>",
                "<INPUT type=hidden name=\"code\" value='S1x'/><input name=x value=y>",
            ),
            ("<input value=abc name=SAMLResponse>", "<input value=S1x name=SAMLResponse>"),
            ("<meta name=\"csrf-token\" content=\"abc\">", "<meta name=\"csrf-token\" content=\"S1x\">"),
            ("form-data; name=\"code\"\r\n\r\nabc\r\n--x", "form-data; name=\"code\"\r\n\r\nS1x\r\n--x"),
        ] {
            assert_eq!(scrubbed(text), expected);
        }
        for text in ["<input", "<input name", "<input name=", "<input name=\"code\" value=\"", "<é>", "form-data; name=code"] {
            assert_eq!(scrubbed(text), text);
        }
    }
}
