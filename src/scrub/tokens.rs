//! Finds secrets in free text by their looks: documented formats, JWTs, UUIDs, and random text. One pass over the bytes;
//! anything shorter than a token is skipped at once.

use super::entropy::{looks_random, wordy};
use super::format::token_at;
use super::ground::Ground;
use super::jose;
use super::placeholder::{is_placeholder, is_uuid, number};
use super::sweep::{Edit, place, splice};
use super::table::Table;
use super::unescape::{Doubtful, unescape};
use super::value::sensitive;
use crate::protocol::Role;
use std::ops::Range;

/// The shortest documented token is longer.
const LEAST: usize = 16;

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// Formats and random text.
    All,
    /// Documented formats and JWTs.
    Formats,
}

/// The text without the secrets that can be seen in it; `None` when there is none.
pub(super) fn replace(table: &mut Table, text: &str, ground: Ground, looks: Looks) -> Option<String> {
    if text.len() < LEAST {
        return None;
    }
    let mut search = Search { table, text, ground: ground.again(), looks, edits: Vec::new() };
    let bytes = text.as_bytes();
    let mut start = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if IN_RUN[usize::from(*byte)] {
            continue;
        }
        if index - start >= LEAST {
            search.run(start..index);
        }
        start = index + 1;
    }
    if bytes.len() >= start + LEAST {
        search.run(start..bytes.len());
    }
    let edits = search.edits;
    (!edits.is_empty()).then(|| splice(text, edits))
}

/// The bytes of tokens and of what tokens stand in without a gap.
static IN_RUN: [bool; 256] = in_run();

const fn in_run() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        table[byte] = value.is_ascii_alphanumeric() || matches!(value, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'%');
        byte += 1;
    }
    table
}

struct Search<'a> {
    table: &'a mut Table,
    text: &'a str,
    ground: Ground,
    looks: Looks,
    edits: Vec<Edit>,
}

impl Search<'_> {
    /// A stretch of token characters: what has a format first, the rest by its looks.
    fn run(&mut self, run: Range<usize>) {
        let run = self.without_host(run);
        if self.text[run.clone()].contains('%') && self.undone(&run) {
            return;
        }
        let (mut from, mut index) = (run.start, run.start);
        while index < run.end {
            let Some((length, label)) = self.known_at(index, run.end, index == run.start) else {
                index += 1;
                continue;
            };
            self.rest(from..index);
            if let Some(label) = label {
                self.push(index..index + length, label);
            }
            index += length;
            from = index;
        }
        self.rest(from..run.end);
    }

    /// What is to be seen at a place: its length, and the label it is learned under; none for what stays.
    fn known_at(&self, index: usize, end: usize, is_start: bool) -> Option<(usize, Option<&'static str>)> {
        let text = &self.text[index..end];
        if let Some(rest) = text.strip_prefix("SCRUBBED") {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let fill = rest.bytes().skip(digits).take_while(|byte| *byte == b'x').count();
            return (digits >= 4).then_some((text.len() - rest.len() + digits + fill, None));
        }
        if !is_start && self.text.as_bytes()[index - 1].is_ascii_alphanumeric() {
            return None;
        }
        if let Some((length, label)) = token_at(text) {
            return Some((length, Some(label)));
        }
        if text.starts_with("eyJ") {
            let length = jose::length(text);
            return (length > 0).then_some((length, Some("jwt")));
        }
        let uuid = text.as_bytes().get(..36).is_some_and(is_uuid) && !text.as_bytes().get(36).is_some_and(u8::is_ascii_alphanumeric);
        (uuid && self.looks == Looks::All).then_some((36, Some("uuid")))
    }

    /// What has no format: random text, in a path by its segments.
    fn rest(&mut self, range: Range<usize>) {
        let text = &self.text[range.clone()];
        if self.looks == Looks::Formats || text.len() < 20 || !looks_random(text) || self.table.is_placeholder_challenge(text) {
            return;
        }
        if !is_path(text) {
            let start = text.len() - text.trim_start_matches(['.', '/']).len();
            let end = text.trim_end_matches('.').len();
            return self.push(range.start + start..self.padded(range.start + end), "text");
        }
        let mut start = range.start;
        for segment in text.split('/') {
            if looks_random(segment) && !self.table.is_placeholder_challenge(segment) {
                self.push(start..start + segment.len(), "text");
            }
            start += segment.len() + 1;
        }
    }

    /// The end of a base64 text with its padding.
    fn padded(&self, end: usize) -> usize {
        let signs = self.text.as_bytes()[end..].iter().take_while(|byte| **byte == b'=').count();
        let follows = self.text.as_bytes().get(end + signs).is_some_and(u8::is_ascii_alphanumeric);
        if signs <= 2 && !follows { end + signs } else { end }
    }

    fn push(&mut self, range: Range<usize>, label: &'static str) {
        let found = &self.text[range.clone()];
        if let Some(number) = number(found) {
            self.table.reserve(number);
        }
        if !is_placeholder(found)
            && let Some(new) = sensitive(self.table, found, label, Role::Secret, self.ground)
        {
            self.edits.push((range, new));
        }
    }

    /// `//host` behind a scheme is where a request went; it stays.
    fn without_host(&self, run: Range<usize>) -> Range<usize> {
        let text = &self.text[run.clone()];
        if !text.starts_with("//") || !self.text[..run.start].ends_with(':') {
            return run;
        }
        let host = text[2..].find('/').map_or(text.len(), |index| index + 2);
        run.start + host..run.end
    }

    /// A stretch with percent signs is judged by what they stand for. True when that was possible.
    fn undone(&mut self, run: &Range<usize>) -> bool {
        let mut origin = Vec::new();
        let undone = unescape(self.text[run.clone()].as_bytes(), Doubtful::default(), Some(&mut origin));
        let Some(undone) = undone.and_then(|bytes| String::from_utf8(bytes).ok()) else { return false };
        if undone.contains('%') {
            return false;
        }
        let mut inner = Search { table: self.table, text: &undone, ground: self.ground, looks: self.looks, edits: Vec::new() };
        let mut start = 0;
        for piece in undone.split_inclusive(|character: char| !character.is_ascii() || !IN_RUN[character as usize]) {
            let length = piece.trim_end_matches(|character: char| !character.is_ascii() || !IN_RUN[character as usize]).len();
            if length >= LEAST {
                inner.run(start..start + length);
            }
            start += piece.len();
        }
        let edits = inner.edits;
        let moved = edits.into_iter().map(|(range, new)| (place(&origin, &range), new));
        self.edits.extend(moved.map(|(range, new)| (run.start + range.start..run.start + range.end, new)));
        true
    }
}

/// True for text that goes through folders rather than base64 with slashes in it.
fn is_path(text: &str) -> bool {
    if !text.contains('/') {
        return false;
    }
    let named = || text.split('/').filter(|segment| segment.len() >= 3);
    let words = named().filter(|segment| wordy(segment.as_bytes()) && is_lower(segment)).count();
    text.starts_with(['/', '.', '~']) || words * 2 >= named().count()
}

/// True when most letters are small.
fn is_lower(text: &str) -> bool {
    let upper = text.bytes().filter(u8::is_ascii_uppercase).count();
    upper * 4 <= text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrub::ground::Side;

    fn replaced(text: &str) -> String {
        replace(&mut Table::new(1), text, Ground::head(Side::Request), Looks::All).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn what_looks_like_a_secret_is_replaced_where_it_stands() {
        for (text, expected) in [
            ("key ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7aB3dE6gH9.", "key ghp_SCRUBBED0001xxxxxxxxxxxxxxxxxxxxxxxx."),
            ("id 6f9619ff-8b86-d011-b42d-00c04fc964ff!", "id 00000000-0000-4000-8000-000000000001!"),
            (
                "https://x7Kp2mQ9vL4nR8sT1wY6zB3d.example.com/s/x7Kp2mQ9vL4nR8sT1wY6/mcp",
                "https://x7Kp2mQ9vL4nR8sT1wY6zB3d.example.com/s/SCRUBBED0001xxxxxxxx/mcp",
            ),
            ("a=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY==;", "a=SCRUBBED0001xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;"),
            ("a%2Fwords%2Fx7Kp2mQ9vL4nR8sT1wY6%2Fb", "a%2Fwords%2FSCRUBBED0001xxxxxxxx%2Fb"),
            ("x-SCRUBBED0001xxxxxxxx-x7Kp2mQ9vL4nR8sT1wY6", "x-SCRUBBED0001xxxxxxxxSCRUBBED0001xxxxxxxxx"),
        ] {
            assert_eq!(replaced(text), expected);
            assert_eq!(replaced(expected), expected);
        }
    }

    #[test]
    fn words_stay() {
        for text in [
            "https://auth.example.com/.well-known/oauth-protected-resource/mcp",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            "2026-11-20T10:12:03.123Z",
        ] {
            assert_eq!(replaced(text), text);
        }
    }
}
