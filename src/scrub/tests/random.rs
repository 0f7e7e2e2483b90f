//! Chance from a seed, and secrets in the formats of real providers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// xorshift64*.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

pub const BASE62: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const STANDARD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NASTY: &str = "abcXYZ0189 +/=&?%\"'\\<>;,:é€😀~!()[]{}";
const HEX: &str = "0123456789abcdef";

/// A secret in one of many formats; `header_safe` leaves out those that no header can carry.
pub fn secret(chance: &mut Chance, header_safe: bool) -> String {
    let kinds = if header_safe { 11 } else { 13 };
    match chance.below(kinds) {
        0 => format!("sk-ant-oat01-{}", chance.text(URL_SAFE, 93)),
        1 => format!("ghp_{}", chance.text(BASE62, 36)),
        2 => chance.text(URL_SAFE, 43),
        3 => format!("{}==", chance.text(STANDARD, 42)),
        4 => chance.text(HEX, 64),
        5 => uuid(chance),
        6 => chance.text(BASE62, 10),
        7 => jwt(chance),
        8 => format!("xoxe.xoxp-1-{}", chance.text(BASE62, 160)),
        9 => format!("{}~{}.{}", chance.text(BASE62, 12), chance.text(BASE62, 9), chance.text(BASE62, 8)),
        10 => format!("1//0{}", chance.text(URL_SAFE, 60)),
        11 => format!("x{}y", chance.text(NASTY, 24)),
        _ => format!("s{} z", chance.text(STANDARD, 20)),
    }
}

pub fn uuid(chance: &mut Chance) -> String {
    let mut part = |length| chance.text(HEX, length);
    format!("{}-{}-4{}-a{}-{}", part(8), part(4), part(3), part(3), part(12))
}

/// A JWT with a personal claim.
pub fn jwt(chance: &mut Chance) -> String {
    let claims = format!(
        r#"{{"iss":"https://as.example","aud":"https://mcp.example/mcp","exp":1795000000,"email":"{}@corp.test","jti":"{}"}}"#,
        chance.text("abcdefgh", 12),
        chance.text(BASE62, 22)
    );
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{}"}}"#, chance.text(HEX, 8)));
    format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), chance.text(URL_SAFE, 342))
}
