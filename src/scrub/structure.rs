//! Sensitive positions inside free text: parameters of URLs and forms, credentials in front of a host, `name: value` and
//! `name="value"` pairs with unmistakable names, `Bearer …`, fields of HTML and multipart forms.

use super::entropy::wordy;
use super::ground::Ground;
use super::header;
use super::html;
use super::sweep::{Edit, place, splice};
use super::table::Table;
use super::unescape::{Doubtful, LAYERS, unescape};
use super::value::{field, sensitive};
use crate::protocol::{FieldRole, Role};
use memchr::{memchr_iter, memchr2_iter, memmem};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::ops::Range;

/// Blanks this near tell that a URL stands in a sentence, whose full stop is not part of it.
const SENTENCE: usize = 256;

/// What a new parameter value has to hide in a query.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'&').add(b'+').add(b'%').add(b'\\').add(b'\'');

/// The text with the values at sensitive positions replaced, under any layer of escapes; `None` when all stay.
pub(super) fn scrub(table: &mut Table, text: &str, ground: Ground) -> Option<String> {
    let mut current = layer(table, text, ground).map(|edits| splice(text, edits));
    let mut origin = Vec::new();
    let mut inner = unescape(current.as_deref().unwrap_or(text).as_bytes(), Doubtful::default(), Some(&mut origin));
    for _ in 0..LAYERS {
        let Some(undone) = inner.and_then(|bytes| String::from_utf8(bytes).ok()) else { break };
        let Some(edits) = layer(table, &undone, ground.again()) else {
            let mut outer = Vec::new();
            inner = unescape(undone.as_bytes(), Doubtful::default(), Some(&mut outer));
            origin = outer.into_iter().map(|index| origin[index as usize]).collect();
            continue;
        };
        let edits = edits.into_iter().map(|(range, new)| (place(&origin, &range), new)).collect();
        let next = splice(current.as_deref().unwrap_or(text), edits);
        origin.clear();
        inner = unescape(next.as_bytes(), Doubtful::default(), Some(&mut origin));
        current = Some(next);
    }
    current
}

/// The edits of one layer, by place.
fn layer(table: &mut Table, text: &str, ground: Ground) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    let mut pairs = memchr2_iter(b'=', b':', text.as_bytes()).peekable();
    let has_pairs = pairs.peek().is_some();
    if has_pairs {
        let is_oauth = is_oauth(text);
        for sign in pairs {
            pair(table, text, sign, is_oauth, ground, &mut edits);
        }
    }
    schemes(table, text, ground, &mut edits);
    if has_pairs && (text.contains('<') || text.contains("form-data;")) {
        html::fields(table, text, ground, &mut edits);
    }
    edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    // What overlaps was learned all the same; the sweep that follows finds it.
    let mut end = 0;
    edits.retain(|(range, _)| {
        let is_free = range.start >= end;
        end = end.max(range.end);
        is_free
    });
    (!edits.is_empty()).then_some(edits)
}

/// True when a text is plainly an OAuth message, whatever surrounds it.
fn is_oauth(text: &str) -> bool {
    let has = |name: &str| memmem::find(text.as_bytes(), name.as_bytes()).is_some();
    text.contains('=')
        && (has("client_id=") || has("code_challenge=") || has("response_type=") || has("grant_type=") || (has("code=") && has("state=")))
}

/// What stands left and right of a `=` or `:`.
fn pair(table: &mut Table, text: &str, sign: usize, is_oauth: bool, ground: Ground, edits: &mut Vec<Edit>) {
    if edits.last().is_some_and(|(range, _)| sign < range.end) {
        return;
    }
    let bytes = text.as_bytes();
    if bytes[sign] == b':' && text[sign..].starts_with("://") {
        return credentials(table, text, sign + 3, ground, edits);
    }
    let before = text[..sign].trim_end_matches([' ', '"', '\'']);
    if bytes[sign] == b'=' && before.len() < sign && !text[..sign].ends_with(' ') {
        return;
    }
    let name_length = before.bytes().rev().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')).count();
    let name = &before[before.len() - name_length..];
    let name = name.strip_prefix("u0026").filter(|_| before.contains('\\')).unwrap_or(name);
    if name.len() < 3 {
        return;
    }
    let lead = &before[..before.len() - name_length];
    let in_query = bytes[sign] == b'=' && before.len() == sign && is_query_lead(text, lead);
    let Some(role) = ground.parameter(name, is_oauth) else { return };
    let found = if in_query {
        matches!(role.role, Role::Secret | Role::Linking | Role::Personal).then(|| query_value(text, sign + 1))
    } else {
        plain_value(text, sign, role)
    };
    if let Some(range) = found.filter(|range| !range.is_empty()) {
        push(table, text, range, role, ground, edits);
    }
}

/// True when a name with this in front of it is a parameter's.
fn is_query_lead(text: &str, lead: &str) -> bool {
    match lead.as_bytes().last() {
        Some(b'?' | b'&' | b'#') => true,
        Some(b';') => ["&amp;", "&#38;", "&#x26;"].iter().any(|reference| lead.ends_with(reference)),
        Some(b'\\') => text[lead.len()..].starts_with("u0026"),
        Some(_) => false,
        None => !text.contains([' ', '<', '\n']),
    }
}

fn query_value(text: &str, from: usize) -> Range<usize> {
    let ends = |byte: &u8| {
        matches!(byte, b'&' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`' | b'{' | b'}' | b'|') || byte.is_ascii_whitespace()
    };
    let length = text.as_bytes()[from..].iter().take_while(|byte| !ends(byte)).count();
    let mut end = from + length;
    let near = &text.as_bytes()[from.saturating_sub(SENTENCE)..(end + 1).min(text.len())];
    if near.iter().any(u8::is_ascii_whitespace) {
        end = from + text[from..end].trim_end_matches([')', ']', ',', '.', ';']).len();
    }
    from..end
}

/// The value of a pair outside URLs; only for secrets with unmistakable names, and no words unless they are quoted.
fn plain_value(text: &str, sign: usize, role: FieldRole) -> Option<Range<usize>> {
    if role.role != Role::Secret || role.reach != crate::protocol::Reach::Anywhere {
        return None;
    }
    let from = text.len() - text[sign + 1..].trim_start_matches(' ').len();
    if let Some(quote @ (b'"' | b'\'')) = text.as_bytes().get(from).copied() {
        let length = memchr::memchr(quote, &text.as_bytes()[from + 1..])?;
        return Some(from + 1..from + 1 + length);
    }
    let inside =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'%' | b'=' | b'!' | b'$');
    let length = text.as_bytes()[from..].iter().take_while(|byte| inside(byte)).count();
    let value = text[from..from + length].trim_end_matches('.');
    let assigned = text.as_bytes()[sign] == b'=' && from == sign + 1;
    (value.len() >= 4 && (assigned || (value.len() >= 6 && !wordy(value.as_bytes())))).then_some(from..from + value.len())
}

fn push(table: &mut Table, text: &str, range: Range<usize>, role: FieldRole, ground: Ground, edits: &mut Vec<Edit>) {
    let raw = &text[range.clone()];
    let spaced = raw.replace('+', " ");
    let decoded = percent_decode_str(if raw.contains('%') { &spaced } else { raw }).decode_utf8();
    let decoded = decoded.as_deref().unwrap_or(raw);
    if let Some(new) = field(table, Some(role), decoded, ground) {
        let plain = new.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        edits.push((range, if plain { new } else { utf8_percent_encode(&new, QUERY).to_string() }));
    }
}

/// `user:password@` or `token@` in front of a host (RFC 3986 §3.2.1).
fn credentials(table: &mut Table, text: &str, from: usize, ground: Ground, edits: &mut Vec<Edit>) {
    let ends = |byte: &u8| matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\') || byte.is_ascii_whitespace();
    let length = text.as_bytes()[from..].iter().take_while(|byte| !ends(byte)).count();
    let Some(at) = text[from..from + length].rfind('@') else { return };
    let user = &text[from..from + at];
    let range = match user.find(':') {
        Some(colon) => from + colon + 1..from + at,
        None if user.len() >= 8 && !wordy(user.as_bytes()) => from..from + at,
        None => return,
    };
    let raw = &text[range.clone()];
    let decoded = percent_decode_str(raw).decode_utf8().unwrap_or_else(|_| raw.into());
    if let Some(new) = sensitive(table, &decoded, "password", Role::Secret, ground) {
        edits.push((range, new));
    }
}

/// `Bearer x`, `DPoP x` and `Basic x` (RFC 6750 §2.1, RFC 9449 §7.1, RFC 7617).
fn schemes(table: &mut Table, text: &str, ground: Ground, edits: &mut Vec<Edit>) {
    let bytes = text.as_bytes();
    for blank in memchr_iter(b' ', bytes) {
        let ends_with = |scheme: &[u8]| {
            let start = blank.wrapping_sub(scheme.len());
            bytes.get(start..blank).is_some_and(|word| word.eq_ignore_ascii_case(scheme))
        };
        let is_basic = ends_with(b"basic");
        if !is_basic && !ends_with(b"bearer") && !ends_with(b"dpop") {
            continue;
        }
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=');
        let length = bytes[blank + 1..].iter().take_while(|byte| inside(byte)).count();
        let value = text[blank + 1..blank + 1 + length].trim_end_matches('.');
        if value.len() < 6 || wordy(value.as_bytes()) || value.trim_end_matches('=').contains('=') {
            continue;
        }
        let new =
            if is_basic { header::basic(table, value, ground) } else { sensitive(table, value, "access_token", Role::Secret, ground) };
        edits.extend(new.map(|new| (blank + 1..blank + 1 + value.len(), new)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;
    use crate::scrub::ground::Side;

    fn scrubbed(text: &str, kind: Kind) -> String {
        scrub(&mut Table::new(1), text, Ground::of(kind, Side::Response)).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn parameters_are_found_in_any_text() {
        for (text, expected) in [
            ("http://localhost:5/cb?code=ab%2Fcd&state=xyz&iss=a", "http://localhost:5/cb?code=S1xxx&state=S2x&iss=a"),
            ("see /cb?a=1&amp;code=abc&amp;state=xyz.", "see /cb?a=1&amp;code=S1x&amp;state=S2x."),
            (r#"location="https:\/\/h\/cb?a=1\u0026code=abc";"#, r#"location="https:\/\/h\/cb?a=1\u0026code=S1x";"#),
            ("/login?to=%2Fauthorize%3Fclient_id%3Dab1%26state%3Dxyz", "/login?to=%2Fauthorize%3Fclient_id%3DS1x%26state%3DS2x"),
            ("grant_type=x&code=%7eabc", "grant_type=x&code=S1xx"),
            ("https://jane:s3cret@host/ and git@host", "https://jane:S1xxxx@host/ and git@host"),
            ("use 'access_token': 'abc' or password=hunter2 now", "use 'access_token': 'S1x' or password=S2xxxxx now"),
            ("Authorization: Bearer a1b2c3d4 is wrong", "Authorization: Bearer S1xxxxxx is wrong"),
        ] {
            assert_eq!(scrubbed(text, Kind::Other), expected);
        }
    }

    #[test]
    fn content_keeps_its_words() {
        for text in [
            "https://github.com/issues?state=open&page=200",
            "Bearer token required",
            "the password: required",
            "key=value",
            "a token: string",
        ] {
            assert_eq!(scrubbed(text, Kind::McpRequest), text);
        }
        assert_eq!(
            scrubbed("https://as/authorize?client_id=a1&state=xyz", Kind::McpRequest),
            "https://as/authorize?client_id=S1&state=S2x"
        );
    }
}
