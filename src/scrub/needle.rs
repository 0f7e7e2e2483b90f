//! Finds learned values in text, in time that depends on the text alone. Each encoded form of a value is a needle: the hash
//! of the whole and its last eight bytes, which every position of the text is tried against. (The last, not the first: tokens
//! share prefixes, and all JWTs begin alike.) Keeps no value.

use super::hash::{Folding, Keyed};
use super::unescape::{Doubtful, fold};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::HashMap;

/// Shorter values are only replaced in their own fields.
pub(super) const LEAST: usize = 8;

/// Longer values are only looked for as they are.
const LONGEST_ENCODED: usize = 8192;

/// How many bits of the filter each needle may fill.
const SPARSE: usize = 64;

const NONE: u32 = u32::MAX;

/// In which forms a value is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// As it is, under any escapes.
    Plain,
    /// In base64 and hexadecimal too.
    Encoded,
}

/// How a value was written where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is, or with all escapes undone.
    Plain,
    /// In base64 or base64url.
    Base64,
    /// In hexadecimal.
    Hex,
}

/// A value that was found.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) symbol: u32,
    pub(super) form: Form,
}

struct Needle {
    hash: u64,
    length: u32,
    symbol: u32,
    /// The next needle with the same window.
    next: u32,
    form: Form,
}

/// All needles of a run.
pub(super) struct Needles {
    key: Keyed,
    /// A bit for each window, by its spread; a power of two of bits.
    filter: Vec<u64>,
    shift: u32,
    first: HashMap<u64, u32, Folding>,
    needles: Vec<Needle>,
    doubtful: Doubtful,
}

impl Needles {
    pub(super) fn new(key: Keyed) -> Self {
        let bits = 1 << 13;
        let (filter, shift) = (vec![0; bits / 64], 64 - bits.trailing_zeros());
        Self { key, filter, shift, first: HashMap::default(), needles: Vec::new(), doubtful: Doubtful::default() }
    }

    /// The doubtful escapes that matter for the values learned so far.
    pub(super) fn doubtful(&self) -> Doubtful {
        self.doubtful
    }

    /// Adds a value of at least [`LEAST`] bytes.
    pub(super) fn add(&mut self, value: &str, symbol: u32, extent: Extent) {
        self.doubtful.plus |= value.contains(['+', ' ']);
        self.doubtful.quotes |= value.contains('\'');
        let value = value.as_bytes();
        self.push(value, symbol, Form::Plain);
        if let Some(folded) = fold(value, Doubtful { plus: true, quotes: true }) {
            self.push(&folded, symbol, Form::Plain);
        }
        // A value over several lines (PEM) is indented wherever it is quoted.
        for line in value.split(|byte| *byte == b'\n').filter(|line| line.len() < value.len()) {
            let line = line.trim_ascii();
            if line.len() >= 2 * LEAST && !line.starts_with(b"-----") {
                self.push(line, symbol, Form::Plain);
            }
        }
        if value.len() > LONGEST_ENCODED || extent == Extent::Plain {
            return;
        }
        for offset in 0..3 {
            let standard = base64_at(value, offset, &STANDARD_NO_PAD);
            let url_safe = base64_at(value, offset, &URL_SAFE_NO_PAD);
            if standard != url_safe {
                self.push(url_safe.as_bytes(), symbol, Form::Base64);
            }
            self.push(standard.as_bytes(), symbol, Form::Base64);
        }
        let hex: String =
            value.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
        let upper = hex.to_ascii_uppercase();
        if upper != hex {
            self.push(upper.as_bytes(), symbol, Form::Hex);
        }
        self.push(hex.as_bytes(), symbol, Form::Hex);
    }

    fn push(&mut self, text: &[u8], symbol: u32, form: Form) {
        let Some(window) = text.last_chunk::<8>() else { return };
        let spread = self.key.spread(u64::from_le_bytes(*window));
        let next = self.first.insert(spread, self.needles.len() as u32).unwrap_or(NONE);
        self.needles.push(Needle { hash: self.key.of(text), length: text.len() as u32, symbol, next, form });
        if self.needles.len() * SPARSE <= self.filter.len() * 64 {
            return self.mark(spread);
        }
        self.filter = vec![0; self.filter.len() * 2];
        self.shift -= 1;
        let all: Vec<u64> = self.first.keys().copied().collect();
        all.into_iter().for_each(|spread| self.mark(spread));
    }

    fn mark(&mut self, spread: u64) {
        let bit = (spread >> self.shift) as usize;
        self.filter[bit / 64] |= 1 << (bit % 64);
    }

    /// Calls `found` for each needle of a symbol from `since` on, in order of their ends, until it returns false.
    pub(super) fn scan(&self, text: &[u8], since: u32, mut found: impl FnMut(Hit) -> bool) {
        if self.needles.is_empty() {
            return;
        }
        for (index, window) in text.windows(8).enumerate() {
            let spread = self.key.spread(u64::from_le_bytes(window.try_into().unwrap_or_default()));
            let bit = (spread >> self.shift) as usize;
            let set = self.filter.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1);
            if set && !self.verify(text, index + 8, spread, since, &mut found) {
                return;
            }
        }
    }

    #[inline(never)]
    fn verify(&self, text: &[u8], end: usize, spread: u64, since: u32, found: &mut impl FnMut(Hit) -> bool) -> bool {
        let mut next = self.first.get(&spread).copied().unwrap_or(NONE);
        while let Some(needle) = self.needles.get(next as usize) {
            let Needle { hash, length, symbol, form, .. } = *needle;
            let start = end.checked_sub(length as usize);
            if symbol >= since
                && let Some(start) = start
                && self.key.of(&text[start..end]) == hash
                && !found(Hit { start, end, symbol, form })
            {
                return false;
            }
            next = needle.next;
        }
        true
    }
}

/// The characters that the base64 text of anything with `value` at this offset (mod 3) has for sure.
fn base64_at(value: &[u8], offset: usize, engine: &impl Engine) -> String {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(value);
    let text = engine.encode(&padded);
    let from = [0, 2, 3][offset];
    let to = padded.len() * 8 / 6;
    text[from..to].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn found(needles: &Needles, text: &str) -> Vec<(usize, usize, u32, Form)> {
        let mut hits = Vec::new();
        needles.scan(text.as_bytes(), 0, |hit| {
            hits.push((hit.start, hit.end, hit.symbol, hit.form));
            true
        });
        hits
    }

    #[test]
    fn each_form_is_found_where_it_stands() {
        let mut needles = Needles::new(Keyed::new(1));
        needles.add("hello world?>", 0, Extent::Encoded);
        needles.add("another-value", 1, Extent::Encoded);
        assert_eq!(found(&needles, "say another-value twice"), [(4, 17, 1, Form::Plain)]);
        for before in ["", "a", "ab", "abc"] {
            let text = STANDARD.encode(format!("{before}hello world?>!"));
            let [(_, _, 0, Form::Base64)] = found(&needles, &text)[..] else { panic!("{before}: {text}") };
        }
        assert_eq!(found(&needles, "68656c6c6f20776f726c643f3e").len(), 1);
        assert_eq!(found(&needles, "68656C6C6F20776F726C643F3E").len(), 1);
        assert!(found(&needles, "another-valu hello world").is_empty());
    }

    #[test]
    fn many_needles_are_all_found() {
        let mut needles = Needles::new(Keyed::new(2));
        for index in 0..2000 {
            needles.add(&format!("sk-ant-oat01-value-{index:06}"), index, Extent::Encoded);
        }
        for index in [0, 77, 1999] {
            assert_eq!(found(&needles, &format!("x sk-ant-oat01-value-{index:06} y"))[0].2, index);
        }
        let mut since = Vec::new();
        needles.scan(b"sk-ant-oat01-value-000077", 78, |hit| {
            since.push(hit.symbol);
            true
        });
        assert!(since.is_empty());
    }
}
