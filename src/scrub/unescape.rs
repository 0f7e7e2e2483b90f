//! Undoes one layer of escapes, whichever they are: percent (RFC 3986 §2.1), JSON, JavaScript and YAML backslashes, HTML
//! character references. Used for finding: it can say where each byte came from. Does not check any grammar.

use memchr::{memchr2, memchr3};

/// More than this many layers are not looked through.
pub(super) const LAYERS: usize = 5;

/// Which of the doubtful escapes are undone.
#[derive(Clone, Copy, Default)]
pub(super) struct Doubtful {
    /// `+` for a blank (forms).
    pub(super) plus: bool,
    /// `''` for `'` (YAML).
    pub(super) quotes: bool,
}

/// The text with one layer of escapes undone, `None` when there is none. `origin` receives the place of each byte in `text`
/// and, at the end, its length.
pub(super) fn unescape(text: &[u8], doubtful: Doubtful, mut origin: Option<&mut Vec<u32>>) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut index = 0;
    while let Some(found) = next_special(&text[index..], doubtful).map(|offset| index + offset) {
        let Some((length, piece)) = escape_at(&text[found..], doubtful) else {
            index = found + 1;
            continue;
        };
        let out = out.get_or_insert_with(|| Vec::with_capacity(text.len()));
        out.extend_from_slice(&text[copied..found]);
        out.extend_from_slice(piece.bytes());
        if let Some(origin) = origin.as_deref_mut() {
            origin.extend(copied as u32..found as u32);
            origin.extend(std::iter::repeat_n(found as u32, piece.bytes().len()));
        }
        index = found + length;
        copied = index;
    }
    let mut out = out?;
    out.extend_from_slice(&text[copied..]);
    if let Some(origin) = origin {
        origin.extend(copied as u32..=text.len() as u32);
    }
    Some(out)
}

/// The text with all layers undone.
pub(super) fn fold(text: &[u8], doubtful: Doubtful) -> Option<Vec<u8>> {
    let mut folded = unescape(text, doubtful, None)?;
    for _ in 1..LAYERS {
        let Some(next) = unescape(&folded, doubtful, None) else { break };
        folded = next;
    }
    Some(folded)
}

fn next_special(text: &[u8], doubtful: Doubtful) -> Option<usize> {
    let sure = memchr3(b'%', b'\\', b'&', text);
    if !doubtful.plus && !doubtful.quotes {
        return sure;
    }
    let head = &text[..sure.unwrap_or(text.len())];
    memchr2(if doubtful.plus { b'+' } else { b'\'' }, if doubtful.quotes { b'\'' } else { b'+' }, head).or(sure)
}

/// What an escape stands for.
struct Piece {
    bytes: [u8; 4],
    length: u8,
}

impl Piece {
    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn code(code: u32) -> Option<Self> {
        let mut bytes = [0; 4];
        let length = char::from_u32(code)?.encode_utf8(&mut bytes).len() as u8;
        Some(Self { bytes, length })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The escape that begins a text: its length and what it stands for.
fn escape_at(text: &[u8], doubtful: Doubtful) -> Option<(usize, Piece)> {
    match text {
        [b'%', digits @ ..] => Some((3, Piece::byte(hex(digits, 2)? as u8))),
        [b'\\', rest @ ..] => backslash(rest).map(|(length, piece)| (length + 1, piece)),
        [b'&', rest @ ..] => reference(rest).map(|(length, piece)| (length + 1, piece)),
        [b'+', ..] if doubtful.plus => Some((1, Piece::byte(b' '))),
        [b'\'', b'\'', ..] if doubtful.quotes => Some((2, Piece::byte(b'\''))),
        _ => None,
    }
}

fn backslash(rest: &[u8]) -> Option<(usize, Piece)> {
    let plain = |byte| Some((1, Piece::byte(byte)));
    match *rest.first()? {
        byte @ (b'"' | b'\\' | b'/' | b'\'' | b' ') => plain(byte),
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        b'b' => plain(8),
        b'f' => plain(12),
        b'x' => Some((3, Piece::code(hex(&rest[1..], 2)?)?)),
        b'U' => Some((9, Piece::code(hex(&rest[1..], 8)?)?)),
        b'u' => {
            let high = hex(&rest[1..], 4)?;
            if !(0xd800..0xdc00).contains(&high) {
                return Some((5, Piece::code(high)?));
            }
            let low = rest.get(5..7).filter(|pair| *pair == b"\\u").and_then(|_| hex(&rest[7..], 4))?;
            let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            Some((11, Piece::code(0x1_0000 + ((high - 0xd800) << 10) + low)?))
        }
        // YAML 1.2 §7.3.1: an escaped line break joins the lines.
        b'\n' => {
            let blank = rest[1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            Some((1 + blank, Piece { bytes: [0; 4], length: 0 }))
        }
        _ => None,
    }
}

/// HTML §13.5: numeric references, and the names of ASCII punctuation.
fn reference(rest: &[u8]) -> Option<(usize, Piece)> {
    const NAMES: &[(&[u8], u8)] = &[
        (b"amp", b'&'),
        (b"lt", b'<'),
        (b"gt", b'>'),
        (b"quot", b'"'),
        (b"apos", b'\''),
        (b"equals", b'='),
        (b"plus", b'+'),
        (b"sol", b'/'),
        (b"colon", b':'),
        (b"num", b'#'),
        (b"percnt", b'%'),
        (b"lowbar", b'_'),
        (b"period", b'.'),
        (b"quest", b'?'),
        (b"commat", b'@'),
        (b"semi", b';'),
        (b"comma", b','),
        (b"bsol", b'\\'),
        (b"AMP", b'&'),
    ];
    let end = rest.iter().take(12).position(|byte| *byte == b';')?;
    let piece = match &rest[..end] {
        [b'#', b'x' | b'X', digits @ ..] => Piece::code(hex(digits, digits.len())?)?,
        [b'#', digits @ ..] => Piece::code(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        name => Piece::byte(NAMES.iter().find(|(known, _)| *known == name)?.1),
    };
    Some((end + 1, piece))
}

/// The value of the first `count` hexadecimal digits.
fn hex(digits: &[u8], count: usize) -> Option<u32> {
    let digits = digits.get(..count).filter(|digits| (1..=8).contains(&digits.len()))?;
    digits.iter().try_fold(0, |value: u32, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(text: &str) -> Option<String> {
        unescape(text.as_bytes(), Doubtful::default(), None).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn every_escape_is_undone_once() {
        for (text, expected) in [
            ("a%2Fb%2fc%zz", "a/b/c%zz"),
            (r#"a\/b\"c\\n"#, r#"a/b"c\n"#),
            (r"\u0041\ud83d\ude00\x42", "A😀B"),
            ("a&amp;b&#61;&#x2f;&nope;", "a&b=/&nope;"),
            ("%252F", "%2F"),
            ("ab\\\n   cd", "abcd"),
        ] {
            assert_eq!(undone(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["plain", "100%", r"\ud800 \u12", "a & b; c", "\\"] {
            assert_eq!(undone(text), None, "{text}");
        }
    }

    #[test]
    fn each_byte_knows_its_origin() {
        let mut origin = Vec::new();
        let out = unescape("a%41\\u00e9b".as_bytes(), Doubtful::default(), Some(&mut origin)).unwrap();
        assert_eq!(out, "aAéb".as_bytes());
        assert_eq!(origin, [0, 1, 4, 4, 10, 11]);
    }

    #[test]
    fn layers_are_undone_to_the_ground() {
        assert_eq!(fold(b"%252F+%5C%5C%2F", Doubtful { plus: true, quotes: false }).unwrap(), b"/ /");
    }
}
