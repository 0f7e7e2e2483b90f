//! A leak checker that shares no code with the scrubber: is a value in some bytes, in any encoding?

use crate::exchange::{Exchange, Headers, Outcome};

/// What of an exchange would reach a file, as bytes.
pub fn bytes_of(exchange: &Exchange) -> Vec<u8> {
    let mut out = exchange.request.url.clone().into_bytes();
    let mut part = |headers: &Headers, body: &[u8], end: String| {
        for (name, value) in headers.iter() {
            out.extend_from_slice(format!("\n{name}: {value}").as_bytes());
        }
        out.push(b'\n');
        out.extend_from_slice(body);
        out.extend_from_slice(end.as_bytes());
    };
    let request = &exchange.request;
    part(&request.headers, &request.body.content.to_bytes(), format!("{:?}", request.body.end));
    match &exchange.outcome {
        Outcome::Unseen => {}
        Outcome::Failed(failure) => part(&Headers::new(), failure.reason.as_bytes(), String::new()),
        Outcome::Response(response) => part(&response.headers, &response.body.content.to_bytes(), format!("{:?}", response.body.end)),
    }
    out
}

/// The name of the first encoding in which the value is in the text.
pub fn leak(text: &[u8], value: &str) -> Option<&'static str> {
    for (name, form) in encodings(value) {
        if !form.is_empty() && memchr::memmem::find(text, form.as_bytes()).is_some() {
            return Some(name);
        }
    }
    None
}

/// Every encoding, by name.
pub fn encodings(value: &str) -> Vec<(&'static str, String)> {
    let percent = |keep: fn(u8) -> bool, upper: bool| {
        let encode = |byte: u8| match byte {
            byte if keep(byte) => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        };
        value.bytes().map(encode).collect::<String>()
    };
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let units = |value: &str| value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    let json = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        ("raw", value.to_owned()),
        ("percent", percent(unreserved, true)),
        ("percent, small", percent(unreserved, false)),
        ("percent, all", percent(|_| false, true)),
        ("form", percent(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*' | b' '), true).replace(' ', "+")),
        ("percent, twice", percent(unreserved, true).replace('%', "%25")),
        ("json", json(value)),
        ("json, slashes", json(value).replace('/', "\\/")),
        ("json, units", units(value)),
        ("json, ascii", value.chars().map(|c| if c.is_ascii() { json(&c.to_string()) } else { units(&c.to_string()) }).collect()),
        ("json, twice", json(&json(value))),
        ("json, four times", json(&json(&json(&json(value))))),
        ("html", value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")),
        ("html, numbers", value.chars().map(|c| format!("&#{};", c as u32)).collect()),
        ("html, hexadecimal", value.chars().map(|c| format!("&#x{:X};", c as u32)).collect()),
        ("hex, upper", hex.to_uppercase()),
        ("hex", hex),
    ];
    for offset in 0..3 {
        let text = base64(value.as_bytes(), offset);
        all.push(("base64url", text.replace('+', "-").replace('/', "_")));
        all.push(("base64", text));
    }
    all
}

/// The characters of the base64 of a text with `value` at this offset that depend on `value` alone, bit by bit.
fn base64(value: &[u8], offset: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |index: usize| value[index / 8] >> (7 - index % 8) & 1;
    let first = (6 - offset * 8 % 6) % 6;
    let sextets = (first..).step_by(6).take_while(|start| start + 6 <= value.len() * 8);
    sextets.map(|start| char::from(ALPHABET[(start..start + 6).fold(0, |sum, index| sum << 1 | usize::from(bit(index)))])).collect()
}

#[test]
fn the_checker_knows_base64() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    for before in ["", "a", "ab", "abc"] {
        let text = STANDARD.encode(format!("{before}a secret value?"));
        assert!(leak(text.as_bytes(), "a secret value?").is_some(), "{before}");
    }
}
