//! Strings as YAML scalars: plain where no reader of YAML 1.1 or 1.2 takes them for anything else, literal blocks where no
//! editor harms them, quotes elsewhere. Does not know where in a document a scalar stands beyond [`Place`].

use std::fmt::Write;

/// Where a scalar stands: this decides which characters are harmless.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The value of a key, or an item, on lines of its own.
    Block,
    /// Inside `{…}` or `[…]`.
    Flow,
    /// Before a colon.
    Key,
}

/// Appends a string that stays on its line.
pub(super) fn write(text: &str, place: Place, out: &mut String) {
    if is_plain(text, place) {
        out.push_str(text);
    } else if prefers_single_quotes(text) {
        out.push('\'');
        out.push_str(text);
        out.push('\'');
    } else {
        write_double_quoted(text, out);
    }
}

/// True when a text of several lines comes back unchanged from a literal block, even after an editor cut off trailing blanks.
pub(super) fn is_literal(text: &str) -> bool {
    let Some(body) = text.strip_suffix('\n').or(Some(text)).filter(|body| body.contains('\n') || text.ends_with('\n')) else {
        return false;
    };
    if body.ends_with('\n') || body.bytes().all(|byte| byte == b'\n') {
        return false;
    }
    let tidy = |line: &str| !line.ends_with([' ', '\t']) && line.chars().all(|c| c == '\t' || !needs_escape(c));
    body.split('\n').all(tidy)
}

fn is_plain(text: &str, place: Place) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let begins = match first {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'/' | b'(' | b'$' | 0x80.. => true,
        b'0'..=b'9' => bytes.iter().any(|byte| matches!(byte, b'g'..=b'n' | b'p'..=b's' | b'u'..=b'w' | b'y')),
        _ => false,
    };
    if !begins || matches!(last, b' ' | b':') || (bytes.len() <= 5 && is_word(text)) {
        return false;
    }
    let mut before = 0;
    for byte in bytes {
        let ends = match byte {
            b'#' => before == b' ',
            b':' => place == Place::Key,
            b',' | b'[' | b']' | b'{' | b'}' | b'?' if place != Place::Block => true,
            0x20..=0x7e | 0x80.. => before == b':' && !may_follow_colon(*byte, place),
            _ => true,
        };
        if ends {
            return false;
        }
        before = *byte;
    }
    text.is_ascii() || !text.chars().any(needs_escape)
}

/// In flow context old readers end a scalar at a colon before punctuation.
fn may_follow_colon(byte: u8, place: Place) -> bool {
    match place {
        Place::Block => byte != b' ',
        Place::Flow | Place::Key => byte.is_ascii_alphanumeric() || byte == b'/',
    }
}

/// Words that some reader takes for a truth value, a null or a number.
fn is_word(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn prefers_single_quotes(text: &str) -> bool {
    text.contains(['"', '\\']) && !text.contains('\'') && !text.chars().any(needs_escape)
}

/// Characters that are not shown, break lines, are refused by readers or turn the direction of what follows.
fn needs_escape(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\u{a1}'..='\u{1fff}' => matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{1680}'),
        _ => {
            character.is_control()
                || matches!(character, '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}')
                || matches!(character, '\u{3000}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..)
        }
    }
}

fn write_double_quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (index, character) in text.char_indices() {
        if !needs_escape(character) && !matches!(character, '"' | '\\') {
            continue;
        }
        out.push_str(&text[plain..index]);
        plain = index + character.len_utf8();
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => write_code(u32::from(character), out),
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

fn write_code(code: u32, out: &mut String) {
    let written = match code {
        ..0x100 => write!(out, "\\x{code:02x}"),
        0x100..0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    written.expect("a string takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, place: Place) -> String {
        let mut out = String::new();
        write(text, place, &mut out);
        out
    }

    #[test]
    fn harmless_texts_are_plain() {
        for text in
            ["claude", "application/json; charset=utf-8", "Bearer realm=\"x\", b", "https://a.test/b?c=d#e", "1204ms", "…", "(x)", "é 😀"]
        {
            assert_eq!(written(text, Place::Block), text);
        }
    }

    #[test]
    fn what_a_reader_might_take_for_something_else_is_quoted() {
        for text in [
            "",
            "yes",
            "No",
            "NULL",
            "~",
            "1",
            "1.5",
            "0x1f",
            "1e5",
            "12:30:45",
            "2026-01-01",
            "-",
            "a: b",
            "a #b",
            "a:",
            " a",
            "a ",
            "<<",
            "=",
            "-x",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "|",
            ">",
            "0o17",
            "1_000",
            "?",
            ".inf",
            "2001-12-14t21:59:43.10-05:00",
        ] {
            assert_eq!(written(text, Place::Block), format!("\"{text}\""));
        }
        for text in ["a,b", "a:?b", "a?b"] {
            assert_eq!(written(text, Place::Flow), format!("\"{text}\""));
        }
        assert_eq!(written("a:b", Place::Key), "\"a:b\"");
        assert_eq!(written("{\"a\":1}", Place::Block), "'{\"a\":1}'");
        assert_eq!(written("a\u{85}\u{feff}\0\n\u{202e}", Place::Block), "\"a\\x85\\ufeff\\x00\\n\\u202e\"");
    }

    #[test]
    fn a_literal_block_survives_an_editor() {
        for text in ["a\nb", "a\n", "\na", " a\n\n\tb\n", "---\nx"] {
            assert!(is_literal(text), "{text:?}");
        }
        for text in ["", "a", "\n", "\n\n", "a\n\n", "a \nb", "a\n \nb", "a\r\nb", "a\n\u{2028}"] {
            assert!(!is_literal(text), "{text:?}");
        }
    }
}
