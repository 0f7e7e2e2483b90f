//! Replaces learned values wherever they stand in a text, in whatever encoding. Knows no positions and no formats.

use super::needle::{Form, Hit};
use super::table::Table;
use super::unescape::{LAYERS, unescape};
use crate::protocol::Role;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use std::cmp::Reverse;
use std::ops::Range;

/// So often a text is gone over until nothing is found any more.
const ROUNDS: usize = 24;

/// Base64 inside base64 is undone so often.
const NESTED: u32 = 3;

/// How thoroughly a text is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoroughness {
    /// For every value.
    All,
    /// Except for values that are words: the field belongs to the protocol.
    NoWords,
}

/// A text with some spans replaced.
pub(super) type Edit = (Range<usize>, String);

/// The text without the values learned since `since`; `None` when it holds none.
pub(super) fn sweep(table: &mut Table, text: &str, since: u32, how: Thoroughness) -> Option<String> {
    sweep_nested(table, text, since, how, 0)
}

fn sweep_nested(table: &mut Table, text: &str, since: u32, how: Thoroughness, depth: u32) -> Option<String> {
    let mut swept: Option<String> = None;
    for _ in 0..ROUNDS {
        let source = swept.as_deref().unwrap_or(text);
        match round(table, source, since, how, depth) {
            Some(next) => swept = Some(next),
            None => return swept,
        }
    }
    // Something grows back (a value that is part of its own replacement): nothing of the text may stay.
    Some(table.learn(text, "text", Role::Secret))
}

/// True when a raw document holds a value learned since `since`, in any encoding.
pub(super) fn touches(table: &Table, text: &[u8], since: u32) -> bool {
    let holds = |text: &[u8]| {
        let mut found = false;
        table.needles.scan(text, since, |hit| {
            found = stands_alone(table, text, hit, Thoroughness::All);
            !found
        });
        found
    };
    if since as usize >= table.symbols.len() {
        return false;
    }
    if holds(text) {
        return true;
    }
    let doubtful = table.needles.doubtful();
    let mut layer = unescape(text, doubtful, None);
    for _ in 0..LAYERS {
        let Some(undone) = layer else { return false };
        if holds(&undone) {
            return true;
        }
        layer = unescape(&undone, doubtful, None);
    }
    false
}

/// Replaces what the outermost layer with a find holds.
fn round(table: &mut Table, text: &str, since: u32, how: Thoroughness, depth: u32) -> Option<String> {
    let hits = hits(table, text.as_bytes(), since, how);
    if !hits.is_empty() {
        let edits = edits(table, text.as_bytes(), &hits, (since, how, depth));
        return Some(splice(text, edits));
    }
    let doubtful = table.needles.doubtful();
    let mut origin = Vec::new();
    let mut layer = unescape(text.as_bytes(), doubtful, Some(&mut origin))?;
    for _ in 0..LAYERS {
        let hits = self::hits(table, &layer, since, how);
        if !hits.is_empty() {
            let edits = edits(table, &layer, &hits, (since, how, depth));
            return Some(splice(text, edits.into_iter().map(|(range, new)| (place(&origin, &range), new)).collect()));
        }
        let mut outer = Vec::new();
        layer = unescape(&layer, doubtful, Some(&mut outer))?;
        origin = outer.into_iter().map(|index| origin[index as usize]).collect();
    }
    None
}

/// The span of the source that a span of a layer came from.
pub(super) fn place(origin: &[u32], range: &Range<usize>) -> Range<usize> {
    origin[range.start] as usize..origin[range.end] as usize
}

/// The finds of a text that count, by place, the longest of those that overlap.
fn hits(table: &Table, text: &[u8], since: u32, how: Thoroughness) -> Vec<Hit> {
    let mut hits = Vec::new();
    table.needles.scan(text, since, |hit| {
        if stands_alone(table, text, hit, how) {
            hits.push(hit);
        }
        true
    });
    hits.sort_unstable_by_key(|hit| (hit.start, Reverse(hit.end), Reverse(hit.symbol)));
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match kept.last_mut() {
            Some(last) if hit.start < last.end => {
                if hit.end - hit.start > last.end - last.start {
                    *last = hit;
                }
            }
            _ => kept.push(hit),
        }
    }
    kept
}

/// Words count only between separators.
fn stands_alone(table: &Table, text: &[u8], hit: Hit, how: Thoroughness) -> bool {
    if !table.symbols[hit.symbol as usize].is_word || hit.form != Form::Plain {
        return true;
    }
    let bounded = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    how == Thoroughness::All && bounded(text[..hit.start].last()) && bounded(text.get(hit.end))
}

fn edits(table: &mut Table, text: &[u8], hits: &[Hit], (since, how, depth): (u32, Thoroughness, u32)) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::with_capacity(hits.len());
    for hit in hits {
        if edits.last().is_some_and(|(range, _)| hit.start < range.end) {
            continue;
        }
        let found = &text[hit.start..hit.end];
        let placeholder = &table.symbols[hit.symbol as usize].placeholder;
        edits.push(match hit.form {
            Form::Plain => (hit.start..hit.end, placeholder.to_string()),
            Form::Hex => (hit.start..hit.end, in_hex(placeholder, found.iter().any(u8::is_ascii_uppercase))),
            Form::Base64 => {
                let from = edits.last().map_or(0, |(range, _)| range.end);
                let before = text[from..hit.start].iter().rev().take_while(|byte| is_base64(**byte)).count();
                let after = text[hit.end..].iter().take_while(|byte| is_base64(**byte) || **byte == b'=').count();
                let run = hit.start - before..hit.end + after;
                let text = String::from_utf8_lossy(&text[run.clone()]).into_owned();
                (run, recode(table, &text, since, how, depth))
            }
        });
    }
    edits
}

/// The text with spans replaced. Spans are in order and do not overlap.
pub(super) fn splice(text: &str, edits: Vec<Edit>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, new) in edits {
        let (mut start, mut end) = (range.start.max(copied), range.end.max(copied));
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        out.push_str(&text[copied..start.max(copied)]);
        out.push_str(&new);
        copied = end;
    }
    out.push_str(&text[copied..]);
    out
}

fn in_hex(text: &str, upper: bool) -> String {
    let digits = text.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex: String = digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    if upper { hex.to_ascii_uppercase() } else { hex }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// A base64 text whose content was swept, in the alphabet and padding it had; a placeholder where that is impossible.
fn recode(table: &mut Table, run: &str, since: u32, how: Thoroughness, depth: u32) -> String {
    let body = run.trim_end_matches('=');
    let url_safe = body.contains(['-', '_']);
    let engine =
        engine(if url_safe { Alphabet::Url } else { Alphabet::Standard }, if body.len() < run.len() { Padding::Yes } else { Padding::No });
    for skip in (0..4.min(body.len())).filter(|_| depth < NESTED) {
        let decoded = engine.decode(&body[skip..]).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let swept = decoded.and_then(|text| sweep_nested(table, &text, since, how, depth + 1));
        if let Some(swept) = swept {
            return format!("{}{}", &body[..skip], engine.encode(swept));
        }
    }
    table.learn(run, "encoded", Role::Linking)
}

/// The alphabets of RFC 4648 §4 and §5.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Standard,
    Url,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    Yes,
    No,
}

/// A coder that reads sloppy base64 and writes the given kind.
pub(super) fn engine(alphabet: Alphabet, padding: Padding) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_encode_padding(padding == Padding::Yes);
    let characters = if alphabet == Alphabet::Url { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(characters, config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    const SECRET: &str = "q8/Zk+2m?Wv7 Rt5Lp9x\"Ye";

    fn table() -> (Table, String) {
        let mut table = Table::new(3);
        let placeholder = table.learn(SECRET, "access_token", Role::Secret);
        (table, placeholder)
    }

    #[test]
    fn every_encoding_is_swept() {
        let (mut table, placeholder) = table();
        let percent = "q8%2fZk%2B2m%3FWv7+Rt5Lp9x%22Ye";
        let json = serde_json::to_string(&format!("say {SECRET}.")).unwrap();
        let nested = serde_json::to_string(&json).unwrap();
        for text in [
            format!("say {SECRET}."),
            format!("say {percent}."),
            format!("say {}.", percent.replace('%', "%25")),
            json,
            nested,
            "say q8\\/Zk\\u002b2m?Wv7 Rt5Lp9x\\u0022Ye.".to_owned(),
            "say q8&#47;Zk+2m?Wv7 Rt5Lp9x&quot;Ye.".to_owned(),
        ] {
            assert!(touches(&table, text.as_bytes(), 0), "{text}");
            let swept = sweep(&mut table, &text, 0, Thoroughness::All).unwrap();
            assert!(swept.contains(&placeholder) && swept.contains("say ") && swept.ends_with(['.', '"']), "{swept}");
            assert!(!touches(&table, swept.as_bytes(), 0), "{swept}");
        }
    }

    #[test]
    fn base64_and_hex_are_written_again() {
        let (mut table, placeholder) = table();
        for before in ["", "a", "ab", "id:"] {
            let swept = sweep(&mut table, &STANDARD.encode(format!("{before}{SECRET}:é")), 0, Thoroughness::All).unwrap();
            assert_eq!(STANDARD.decode(swept).unwrap(), format!("{before}{placeholder}:é").into_bytes());
            let text = format!("[{}]", URL_SAFE_NO_PAD.encode(format!("{before}{SECRET}")));
            let swept = sweep(&mut table, &text, 0, Thoroughness::All).unwrap();
            assert_eq!(swept, format!("[{}]", URL_SAFE_NO_PAD.encode(format!("{before}{placeholder}"))));
        }
        let hex = in_hex(SECRET, true);
        assert_eq!(sweep(&mut table, &hex, 0, Thoroughness::All).unwrap(), in_hex(&placeholder, true));
    }

    #[test]
    fn binary_in_base64_is_replaced_whole() {
        let (mut table, _) = table();
        let text = STANDARD.encode([b"\xff\xfe\x00".as_slice(), SECRET.as_bytes()].concat());
        let swept = sweep(&mut table, &format!("data {text}"), 0, Thoroughness::All).unwrap();
        assert!(swept.starts_with("data SCRUBBED0002x"), "{swept}");
    }

    #[test]
    fn the_longest_of_overlapping_values_wins_and_words_need_room() {
        let mut table = Table::new(3);
        table.learn("a1b2c3d4e5", "code", Role::Secret);
        table.learn("a1b2c3d4e5-and-z9y8x7", "access_token", Role::Secret);
        table.learn("pass-word", "password", Role::Secret);
        table.learn("password", "password", Role::Secret);
        let sweep = |table: &mut Table, text: &str, how| sweep(table, text, 0, how);
        assert_eq!(sweep(&mut table, "xa1b2c3d4e5-and-z9y8x7y", Thoroughness::All).unwrap(), "xSCRUBBED0002xxxxxxxxxy");
        assert_eq!(
            sweep(&mut table, "pass-words and pass-word or password", Thoroughness::All).unwrap(),
            "pass-words and S3xxxxxxx or password"
        );
        assert_eq!(sweep(&mut table, "pass-word", Thoroughness::NoWords), None);
    }
}
