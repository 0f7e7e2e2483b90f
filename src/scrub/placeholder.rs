//! The one grammar of placeholders: how they are made from a value's shape and a number, and how they are recognised. A
//! placeholder shows a documented prefix, a class of length and a number, nothing else of the value.

use super::format::prefix_length;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Values of this many characters behind their prefix, and longer ones, keep their length (up to [`LONGEST`]).
const LONG: usize = 16;

/// Placeholders do not grow beyond this many characters behind their prefix.
const LONGEST: usize = 512;

const WORD: &str = "SCRUBBED";
const UUID: &str = "00000000-0000-4000-8000-";
const VERIFIER: &str = "pkce-SCRUBBED";

/// RFC 7636 §4.1: the shortest verifier.
const VERIFIER_LENGTH: usize = 43;

/// True for a text that is a placeholder as a whole.
///
/// The grammar: `<documented prefix>SCRUBBED<at least 4 digits><x…>`; below 16 characters `<documented prefix>S<n><x…>`;
/// `00000000-0000-4000-8000-<12 digits>`; zeros and 8 digits for hexadecimal values of 16 and more characters;
/// `user<n>@example.com`; addresses of RFC 5737, RFC 2544 and RFC 3849; a JWT whose signature, or a JWE whose parts, are
/// placeholders; a PKCE verifier `pkce-SCRUBBED<n>x…`. Its S256 challenge has no shape of its own (see [`challenge_number`]).
pub fn is_placeholder(text: &str) -> bool {
    number(text).is_some() || verifier_number(text).is_some()
}

/// The number inside a placeholder.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.as_bytes().first()? {
        b'e' if text.starts_with("eyJ") => return of_jose(text),
        b'0' => return text.strip_prefix(UUID).and_then(|rest| digits(rest, 12)).or_else(|| of_hex(text)),
        _ => {}
    }
    let rest = &text[prefix_length(text)..];
    if let Some(rest) = rest.strip_prefix(WORD) {
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let filled = rest.bytes().skip(count).all(|byte| byte == b'x');
        return (filled && (4..=9).contains(&count)).then(|| rest[..count].parse().ok()).flatten();
    }
    of_short(rest).or_else(|| of_person(text))
}

fn of_short(text: &str) -> Option<u32> {
    let rest = text.strip_prefix('S').filter(|rest| rest.len() < LONG && !rest.starts_with('0'))?;
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    let fill = rest.len() - count;
    let sound = rest.bytes().skip(count).all(|byte| byte == b'x') && (count <= 4 || (count <= 9 && fill >= 2));
    rest[..count].parse().ok().filter(|_| sound)
}

fn of_hex(text: &str) -> Option<u32> {
    let zeros = text.len().checked_sub(8).filter(|zeros| *zeros >= 8 && text.is_char_boundary(*zeros))?;
    let padded = text.as_bytes()[..zeros].iter().all(|byte| *byte == b'0');
    digits(&text[zeros..], 8).filter(|_| padded)
}

fn of_jose(text: &str) -> Option<u32> {
    let mut parts = text.split('.').skip(1);
    match text.bytes().filter(|byte| *byte == b'.').count() {
        2 => number(parts.nth(1)?),
        4 => parts.filter(|part| !part.is_empty()).map(number).reduce(|first, next| first.filter(|_| first == next)).flatten(),
        _ => None,
    }
}

fn of_person(text: &str) -> Option<u32> {
    if let Some(rest) = text.strip_prefix("user") {
        let count = rest.strip_suffix("@example.com")?;
        return digits(count, count.len());
    }
    match text.parse().ok()? {
        IpAddr::V4(address) => match address.octets() {
            [192, 0, 2, last] => Some(last.into()),
            [198, second @ 18..=19, third, last] => Some(u32::from_be_bytes([0, second - 18, third, last])),
            _ => None,
        },
        IpAddr::V6(address) => match address.segments() {
            [0x2001, 0xdb8, 0, 0, 0, 0, high, low] => Some(u32::from(high) << 16 | u32::from(low)),
            _ => None,
        },
    }
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let right = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| right)
}

/// The placeholder with this number for a value of this shape.
pub(super) fn make(value: &str, number: u32) -> String {
    if is_uuid(value.as_bytes()) {
        return format!("{UUID}{number:012}");
    }
    if value.len() >= LONG && value.len() <= LONGEST && is_hex(value) {
        return format!("{number:0width$}", width = value.len());
    }
    let prefix = &value[..prefix_length(value)];
    let length = value.len() - prefix.len();
    let mut text = String::with_capacity(value.len().min(LONGEST) + LONG);
    text.push_str(prefix);
    if length >= LONG {
        text.push_str(&format!("{WORD}{number:04}"));
    } else {
        text.push_str(&format!("S{number}"));
    }
    if length < LONG && number > 9999 {
        text.push_str("xx");
    }
    let missing = (prefix.len() + length.min(LONGEST)).saturating_sub(text.len());
    text.extend(std::iter::repeat_n('x', missing));
    text
}

/// The placeholder of a personal value: reserved mail addresses and IP addresses by shape.
pub(super) fn make_personal(value: &str, number: u32) -> String {
    if value.contains('@') && !value.contains(char::is_whitespace) {
        return format!("user{number}@example.com");
    }
    match value.parse() {
        Ok(IpAddr::V4(_)) if number < 255 => Ipv4Addr::new(192, 0, 2, number as u8).to_string(),
        Ok(IpAddr::V4(_)) => Ipv4Addr::from(0xc612_0000 | (number & 0x1_ffff)).to_string(),
        Ok(IpAddr::V6(_)) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, (number >> 16) as u16, number as u16).to_string(),
        Err(_) => make(value, number),
    }
}

/// The placeholder of a PKCE verifier (RFC 7636 §4.1: 43 characters and more of the unreserved set).
pub(super) fn verifier(number: u32) -> String {
    format!("{:x<VERIFIER_LENGTH$}", format!("{VERIFIER}{number:04}"))
}

/// The S256 challenge of a text (RFC 7636 §4.2).
pub(super) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The number inside a placeholder verifier.
pub(super) fn verifier_number(text: &str) -> Option<u32> {
    let rest = text.strip_prefix(VERIFIER).filter(|_| text.len() == VERIFIER_LENGTH)?;
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    let sound = (4..=9).contains(&count) && rest.bytes().skip(count).all(|byte| byte == b'x');
    rest[..count].parse().ok().filter(|_| sound)
}

/// The number of the placeholder verifier to which a challenge belongs, found by trying: the first `upto` numbers.
pub fn challenge_number(challenge: &str, upto: u32) -> Option<u32> {
    let shaped = challenge.len() == 43 && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (1..=upto).take_while(|_| shaped).find(|number| challenge_of(&verifier(*number)) == challenge)
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562 §4).
pub(super) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Hexadecimal digits of one case.
pub(super) fn is_hex(text: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let upper = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    text.bytes().all(lower) || text.bytes().all(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_value_is_kept() {
        for (value, expected) in [
            ("abcdefghijklmnopqrst", "SCRUBBED0007xxxxxxxx"),
            ("short", "S7xxx"),
            ("s", "S7"),
            ("sk-ant-oat01-abcdefghijklmnopqrst", "sk-ant-oat01-SCRUBBED0007xxxxxxxx"),
            ("4/0abc", "4/0S7x"),
            ("6f9619ff-8b86-d011-b42d-00c04fc964ff", "00000000-0000-4000-8000-000000000007"),
            ("0a1b2c3d4e5f60718293", "00000000000000000007"),
        ] {
            assert_eq!(make(value, 7), expected);
            assert_eq!(number(expected), Some(7), "{expected}");
        }
        assert_eq!(make(&"a+/".repeat(1000), 12345).len(), LONGEST);
        assert_eq!(number(&make("pass", 12345)), Some(12345));
    }

    #[test]
    fn personal_values_become_reserved_ones() {
        for (value, expected) in [("a@b.c", "user9@example.com"), ("10.1.2.3", "192.0.2.9"), ("fe80::1", "2001:db8::9"), ("Jane", "S9xx")] {
            assert_eq!(make_personal(value, 9), expected);
            assert_eq!(number(expected), Some(9));
        }
        assert_eq!(number(&make_personal("10.1.2.3", 70000)), Some(70000));
    }

    #[test]
    fn only_the_grammar_is_a_placeholder() {
        for text in [
            "",
            "S",
            "S12345",
            "S1y",
            "S01",
            "SCRUBBED001",
            "SCRUBBED0001y",
            "mySCRUBBED0001",
            "SCRUBBED0001secret",
            "SCRUBBED1234567890",
            "00000000-0000-4000-8000-00000000000a",
            "0000000000001",
            "user@example.com",
            "10.0.0.1",
            "eyJh.eyJh.c2ln",
            "pkce-SCRUBBED0001",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
        assert!(is_placeholder(&verifier(3)));
        assert_eq!(verifier(3).len(), 43);
        assert_eq!(challenge_number(&challenge_of(&verifier(3)), 8), Some(3));
    }
}
