//! JWTs and JWEs (RFC 7515, 7516, 7519): header and harmless claims stay readable, the rest becomes placeholders, and the
//! result still parses. Verifies nothing.

use super::ground::Ground;
use super::json_text;
use super::sweep::{Alphabet, Padding, engine};
use super::table::Table;
use base64::Engine;

/// A longer header is not looked for in free text.
const HEADER: usize = 2048;

/// The placeholder of a JOSE compact serialization, learned now; `None` when it is none or when it cannot be read.
pub(super) fn rewrite(table: &mut Table, token: &str, label: &'static str, ground: Ground) -> Option<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let header = decoded(parts[0]).filter(|header| header.starts_with('{') && serde_json::from_str::<serde_json::Value>(header).is_ok())?;
    let header = claims(table, &header, ground).map_or_else(|| parts[0].to_owned(), |header| encoded(&header));
    match parts[..] {
        [_, payload, signature] => {
            let text = decoded(payload).filter(|payload| payload.starts_with('{'))?;
            let payload = claims(table, &text, ground).map_or_else(|| payload.to_owned(), |payload| encoded(&payload));
            if signature.is_empty() && token == format!("{header}.{payload}.") {
                return Some(token.to_owned());
            }
            Some(table.learn_as(token, label, |number| format!("{header}.{payload}.{}", part(signature, number))))
        }
        [_, key, iv, content, tag] => Some(table.learn_as(token, label, |number| {
            let [key, iv, content, tag] = [key, iv, content, tag].map(|text| part(text, number));
            format!("{header}.{key}.{iv}.{content}.{tag}")
        })),
        _ => None,
    }
}

/// The length of the compact serialization that begins a text; 0 when there is none.
pub(super) fn length(text: &str) -> usize {
    let header = text.as_bytes().iter().take(HEADER).position(|byte| *byte == b'.');
    if header.is_none() || !text.starts_with("eyJ") {
        return 0;
    }
    let mut dots = 0;
    let inside = |byte: &u8| {
        dots += u8::from(*byte == b'.');
        dots <= 5 && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let length = text.bytes().take_while(inside).count();
    match dots {
        2 | 4 => length,
        // The end of a sentence.
        3 | 5 if text[..length].ends_with('.') => length - 1,
        _ => 0,
    }
}

fn claims(table: &mut Table, text: &str, ground: Ground) -> Option<String> {
    json_text::scrub(table, text, ground.in_claims()).0
}

fn decoded(part: &str) -> Option<String> {
    let bytes = engine(Alphabet::Url, Padding::No).decode(part).ok()?;
    String::from_utf8(bytes).ok()
}

fn encoded(text: &str) -> String {
    engine(Alphabet::Url, Padding::No).encode(text)
}

/// A part of the same length that is base64url and shows the number.
fn part(part: &str, number: u32) -> String {
    if part.is_empty() {
        return String::new();
    }
    let mut text = format!("{:x<width$}", format!("SCRUBBED{number:04}"), width = part.len().min(512));
    if text.len() % 4 == 1 {
        text.push('x');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;
    use crate::scrub::ground::Side;
    use crate::scrub::placeholder::is_placeholder;
    use serde_json::Value;

    fn ground() -> Ground {
        Ground::of(Kind::TokenCode, Side::Response)
    }

    fn payload(token: &str) -> Value {
        serde_json::from_str(&decoded(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn a_jwt_keeps_what_is_harmless() {
        let claims = r#"{"iss":"https://as.example","sub":"jane-4711","aud":"https://mcp.example/mcp","exp":1795000000,"email":"jane@corp.test","scope":"read write","jti":"Zx81mQ"}"#;
        let token = format!("{}.{}.{}", encoded(r#"{"alg":"ES256","typ":"at+jwt","kid":"key-1"}"#), encoded(claims), "s".repeat(86));
        let mut table = Table::new(1);
        let new = rewrite(&mut table, &token, "access_token", ground()).unwrap();
        assert!(is_placeholder(&new), "{new}");
        assert_eq!(new.split('.').next(), token.split('.').next());
        let claims = payload(&new);
        assert_eq!(claims["iss"], "https://as.example");
        assert_eq!(claims["exp"], 1_795_000_000);
        assert_eq!(claims["scope"], "read write");
        assert_eq!(claims["email"], "user2@example.com");
        assert_eq!(claims["sub"], "S1xxxxxxx");
        assert_eq!(table.known(&token), Some(new.clone()));
        assert_eq!(length(&format!("{new}. And")), new.len());
    }

    #[test]
    fn an_audience_that_is_a_known_client_is_that_client() {
        let mut table = Table::new(1);
        let client = table.learn("lab-desktop", "client_id", crate::protocol::Role::Linking);
        let claims = r#"{"aud":["lab-desktop","lab-server"],"azp":"lab-desktop"}"#;
        let token = format!("{}.{}.{}", encoded(r#"{"alg":"RS256"}"#), encoded(claims), "s".repeat(86));
        let claims = payload(&rewrite(&mut table, &token, "id_token", ground()).unwrap());
        assert_eq!(claims, serde_json::json!({"aud": [client, "lab-server"], "azp": client}));
    }

    #[test]
    fn unsigned_and_encrypted_tokens_keep_their_shape() {
        let mut table = Table::new(1);
        let open = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(r#"{"aud":"x"}"#));
        assert_eq!(rewrite(&mut table, &open, "id_token", ground()), Some(open));
        let sealed = format!("{}..{}.{}.{}", encoded(r#"{"alg":"dir","enc":"A256GCM"}"#), "i".repeat(16), "c".repeat(90), "t".repeat(22));
        let new = rewrite(&mut table, &sealed, "id_token", ground()).unwrap();
        assert_eq!((new.len(), new.split('.').count()), (sealed.len(), 5));
        assert!(is_placeholder(&new));
        assert_eq!(rewrite(&mut table, "eyJub3Qi.a.b", "id_token", ground()), None);
    }
}
