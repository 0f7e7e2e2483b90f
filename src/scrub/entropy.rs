//! Tells random text from words, paths, names, versions and dates. Knows no formats and no positions.

/// The least length of a text that is taken for a secret by its looks alone (design.md, promise 2).
const LEAST: usize = 20;

/// Bits a character from which on it is.
const BITS: f64 = 3.5;

/// True for 20 characters and more at 3.5 bits and more a character that are not made of words; and for 32 and more
/// hexadecimal digits.
pub(super) fn looks_random(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < LEAST || wordy(bytes) {
        return false;
    }
    let hex = bytes.len() >= 32 && bytes.iter().all(u8::is_ascii_hexdigit) && !bytes.iter().all(u8::is_ascii_digit);
    (hex && bits(bytes) >= 2.5) || bits(bytes) >= BITS
}

/// Shannon's entropy in bits a character.
pub(super) fn bits(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    let weighed: f64 = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) * f64::from(*count).log2()).sum();
    total.log2() - weighed / total
}

/// True when at least three quarters of the letters and digits stand in words, short numbers or versions.
pub(super) fn wordy(bytes: &[u8]) -> bool {
    let (good, bad) = weigh(bytes);
    good + bad > 0 && bad * 4 <= good + bad
}

/// True when all letters and digits do.
pub(super) fn is_words(bytes: &[u8]) -> bool {
    weigh(bytes).1 == 0
}

/// How many letters and digits stand in words, and how many do not.
fn weigh(bytes: &[u8]) -> (usize, usize) {
    let (mut good, mut bad) = (0, 0);
    for piece in bytes.split(|byte| !byte.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty()) {
        let wrong = odd_letters(piece);
        bad += wrong;
        good += piece.len() - wrong;
    }
    (good, bad)
}

/// How many characters of a piece without separators stand in no word.
fn odd_letters(piece: &[u8]) -> usize {
    let mut odd = 0;
    let (mut humps, mut turns) = (0, 0);
    let mut start = 0;
    for end in 1..=piece.len() {
        if end < piece.len() && !hump_between(piece, end) {
            continue;
        }
        humps += 1;
        turns += usize::from(end < piece.len() && piece[end - 1].is_ascii_digit() != piece[end].is_ascii_digit());
        if !is_word(&piece[start..end]) {
            odd += end - start;
        }
        start = end;
    }
    // Words are long; the letters of a random text change their class every second or third character.
    if turns > 4 || (humps > 3 && piece.len() * 2 < humps * 7) { piece.len() } else { odd }
}

/// True where a word may end: `aB`, `ABc` before the B, and between letters and digits.
fn hump_between(piece: &[u8], index: usize) -> bool {
    let (before, here) = (piece[index - 1], piece[index]);
    let next_is_lower = piece.get(index + 1).is_some_and(u8::is_ascii_lowercase);
    (before.is_ascii_digit() != here.is_ascii_digit())
        || (before.is_ascii_lowercase() && here.is_ascii_uppercase())
        || (before.is_ascii_uppercase() && here.is_ascii_uppercase() && next_is_lower)
}

/// Letters with vowels where words have them, or a number no longer than a time in nanoseconds.
fn is_word(hump: &[u8]) -> bool {
    if hump[0].is_ascii_digit() {
        return hump.len() <= 19;
    }
    if hump.len() <= 3 {
        return true;
    }
    let vowel = |byte: &u8| matches!(byte | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let vowels = hump.iter().filter(|byte| vowel(byte)).count();
    let longest_run = hump.split(vowel).map(<[u8]>::len).max().unwrap_or_default();
    let plosive = hump.iter().filter(|byte| matches!(*byte | 0x20, b'q' | b'x' | b'z' | b'j')).count();
    hump.len() <= 24 && longest_run <= 4 && vowels * 6 >= hump.len() && vowels * 4 <= hump.len() * 3 && plosive * 5 <= hump.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_paths_versions_and_dates_are_no_secrets() {
        for text in [
            "oauth-protected-resource-metadata",
            "tokenEndpointAuthMethodsSupported",
            "/home/user/projects/some-directory/file.rs",
            "2026-11-20T10:12:03.123456789Z",
            "claude-code/2.1.329-beta.4+build.20251109",
            "mcp__linear__create_issue_comment",
            "application/vnd.api+json;charset=utf-8",
            "internationalization",
            "https://www.googleapis.com/auth/userinfo.email",
            "client_secret_basic",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "x86_64-unknown-linux-gnu",
            "12345678901234567890",
            "get_authenticated_user_notifications_v2",
            "claude-opus-4-1-20250805",
            "io.modelcontextprotocol/oauth-client-credentials",
            "Microsoft.Extensions.DependencyInjection",
            "node_modules/@modelcontextprotocol/sdk/dist/esm/client/streamableHttp.js",
            "mcp__claude_ai_Linear__list_issue_statuses",
            "json-schema.org/draft/2020-12/schema",
            "x-stainless-runtime-version",
            "oauthlib.oauth2.rfc6749.errors.InvalidGrantError",
            "WWW_AUTHENTICATE_HEADER_MISSING",
            "getHTTPSProxyFromEnvironment",
            "notifications/resources/list_changed",
            "AppleWebKit/537.36",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "io.modelcontextprotocol/protocolVersion",
        ] {
            assert!(!looks_random(text), "{text}");
        }
    }

    #[test]
    fn random_text_is_a_secret() {
        for text in [
            "x7Kp2mQ9vL4nR8sT1wY6",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "kq3vbx7zj2m5w8n4c6t1r9ypdl",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "dGhpcyBpcyBhIGxvbmcgc2VjcmV0IHZhbHVl",
            "qwrtpsdfghjklzxcvbnm",
            "AbCdEfGhIjKlMnOpQrStUvWx",
            "mJ8kq2-Vb_9sLx4Zt7Wn1Rp",
        ] {
            assert!(looks_random(text), "{text}");
        }
    }

    #[test]
    fn most_random_tokens_are_seen() {
        let alphabets = ["abcdefghijklmnopqrstuvwxyz0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
        let mut state = 7u64;
        for alphabet in alphabets {
            let mut missed = 0;
            for _ in 0..2000 {
                let token: String = (0..32)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        char::from(alphabet.as_bytes()[(state >> 33) as usize % alphabet.len()])
                    })
                    .collect();
                missed += usize::from(!looks_random(&token));
            }
            assert!(missed <= 4, "{missed} of 2000 in {alphabet}");
        }
    }
}
