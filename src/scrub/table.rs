//! The symbol table of a run: which value has which placeholder. It holds keyed hashes of the values, never the values.

use super::entropy::is_words;
use super::hash::{Folding, Keyed};
use super::needle::{Extent, LEAST, Needles};
use super::placeholder::{challenge_of, is_placeholder, is_uuid, make, make_personal, number, verifier, verifier_number};
use crate::protocol::Role;
use std::collections::{HashMap, HashSet};

/// So many placeholder verifiers are tried before a challenge is taken for a real one.
const CHALLENGES_TRIED: u32 = 512;

/// Classes whose values identify messages, not people: replaced in their own positions, looked for nowhere else.
const OWN_PLACE: &[&str] = &["event_id", "etag", "nonce", "jti", "request_state"];

/// Classes that hold anything: their values are looked for elsewhere only when they are no words.
const LOOSE: &[&str] = &["cookie", "csrf", "token", "state", "organization", "encoded"];

/// Classes of values that were found by their looks. Encoded, they look like that too, so that they are only looked for as
/// they are: tool results hold many of them.
const LOOKS: &[&str] = &["text", "uuid"];

/// Bad passwords that are words of the protocol or of everyday text: to look for them everywhere would hide nothing.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "changeme",
    "username",
    "anonymous",
    "administrator",
    "localhost",
    "undefined",
    "client_secret",
    "access_token",
    "refresh_token",
    "authorization_code",
    "client_credentials",
    "production",
    "development",
];

/// What a value is replaced by, and how.
pub(super) struct Symbol {
    /// The class of the value that was seen first, such as `access_token`.
    pub(super) label: &'static str,
    /// What stands for it.
    pub(super) placeholder: Box<str>,
    /// A word or a number: found only between separators, and not in fields that belong to the protocol.
    pub(super) is_word: bool,
}

#[derive(Clone, Copy)]
enum Known {
    /// A symbol, looked for everywhere.
    Symbol(u32),
    /// Only a number: the placeholder follows from the value's shape.
    Number(u32),
    /// The same for a personal value.
    Person(u32),
}

/// The values of a run.
pub(super) struct Table {
    pub(super) key: Keyed,
    pub(super) symbols: Vec<Symbol>,
    pub(super) needles: Needles,
    known: HashMap<u64, Known, Folding>,
    numbers: Numbers,
    verifiers: Numbers,
    /// The number of the verifier to which a challenge belongs, by the challenge's hash.
    challenges: HashMap<u64, u32, Folding>,
    /// The hashes of the challenges of placeholder verifiers.
    written: HashSet<u64, Folding>,
    /// The hashes of the challenges that other runs may have written, with their numbers; filled when first needed.
    possible: HashMap<u64, u32, Folding>,
    pub(super) secrets: u32,
    pub(super) personal: u32,
}

/// Numbers given out, and those that placeholders of foreign origin have.
#[derive(Default)]
struct Numbers {
    last: u32,
    foreign: HashSet<u32, Folding>,
}

impl Numbers {
    fn fresh(&mut self) -> u32 {
        self.last += 1;
        while self.foreign.contains(&self.last) {
            self.last += 1;
        }
        self.last
    }

    /// True when a foreign placeholder may keep its number; it is then given to nobody else.
    fn leaves(&mut self, number: u32) -> bool {
        number > self.last && self.foreign.insert(number) || self.foreign.contains(&number)
    }
}

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        let key = Keyed::new(seed);
        Self {
            key,
            symbols: Vec::new(),
            needles: Needles::new(key),
            known: HashMap::default(),
            numbers: Numbers::default(),
            verifiers: Numbers::default(),
            challenges: HashMap::default(),
            written: HashSet::default(),
            possible: HashMap::default(),
            secrets: 0,
            personal: 0,
        }
    }

    /// The placeholder of a value that was learned before.
    pub(super) fn known(&self, value: &str) -> Option<String> {
        Some(match *self.known.get(&self.key.of(value.as_bytes()))? {
            Known::Symbol(index) => self.symbols[index as usize].placeholder.to_string(),
            Known::Number(number) => make(value, number),
            Known::Person(number) => make_personal(value, number),
        })
    }

    /// As [`Table::known`] for a value that now stands at a position of this class. What was only an identifier until now
    /// may from now on be looked for everywhere.
    pub(super) fn recall(&mut self, value: &str, label: &'static str, role: Role) -> Option<String> {
        let hash = self.key.of(value.as_bytes());
        let is_less = match *self.known.get(&hash)? {
            Known::Symbol(index) => LOOKS.contains(&self.symbols[index as usize].label) && !LOOKS.contains(&label),
            Known::Number(_) | Known::Person(_) => true,
        };
        let placeholder = self.known(value)?;
        if is_less && is_swept(value, label, role) {
            let symbol = self.add_symbol(value, label, &placeholder);
            self.known.insert(hash, symbol);
        }
        Some(placeholder)
    }

    /// True for a placeholder that came over the wire, or was there before this run, and stays as it is.
    pub(super) fn is_foreign_placeholder(&mut self, value: &str) -> bool {
        if self.known.contains_key(&self.key.of(value.as_bytes())) {
            return false;
        }
        match (number(value), verifier_number(value)) {
            (_, Some(number)) => self.verifiers.leaves(number),
            (Some(number), None) => self.numbers.leaves(number),
            (None, None) => false,
        }
    }

    /// Keeps a number from being given out, as that of a placeholder met in a text.
    pub(super) fn reserve(&mut self, number: u32) {
        self.numbers.leaves(number);
    }

    /// The placeholder of a value, learned now if it is new.
    pub(super) fn learn(&mut self, value: &str, label: &'static str, role: Role) -> String {
        if let Some(placeholder) = self.known(value) {
            return placeholder;
        }
        let number = self.numbers.fresh();
        let placeholder = match role {
            Role::Personal => make_personal(value, number),
            _ => make(value, number),
        };
        self.enter(value, label, role, &placeholder, (!is_swept(value, label, role)).then_some(number));
        placeholder
    }

    /// As [`Table::learn`] for a new value, with a placeholder of one's own making.
    pub(super) fn learn_as(&mut self, value: &str, label: &'static str, make: impl FnOnce(u32) -> String) -> String {
        let placeholder = make(self.numbers.fresh());
        self.enter(value, label, Role::Secret, &placeholder, None);
        placeholder
    }

    /// True for the challenge of a placeholder verifier, of this run or another.
    pub(super) fn is_placeholder_challenge(&mut self, text: &str) -> bool {
        if text.len() != 43 {
            return false;
        }
        let hash = self.key.of(text.as_bytes());
        if self.written.contains(&hash) {
            return true;
        }
        if self.possible.is_empty() {
            let challenge = |number| self.key.of(challenge_of(&verifier(number)).as_bytes());
            self.possible = (1..=CHALLENGES_TRIED).map(|number| (challenge(number), number)).collect();
        }
        let stays = self.possible.get(&hash).is_some_and(|number| self.verifiers.leaves(*number));
        if stays {
            self.challenges.insert(hash, self.possible[&hash]);
            self.written.insert(hash);
        }
        stays
    }

    /// Notes a value; with a number it is known by that alone, else it becomes a needle.
    fn enter(&mut self, value: &str, label: &'static str, role: Role, placeholder: &str, number: Option<u32>) {
        let known = match (number, role) {
            (Some(number), Role::Personal) => Known::Person(number),
            (Some(number), _) => Known::Number(number),
            (None, _) => self.add_symbol(value, label, placeholder),
        };
        self.known.insert(self.key.of(value.as_bytes()), known);
        match role {
            Role::Personal => self.personal += 1,
            _ => self.secrets += 1,
        }
    }

    fn add_symbol(&mut self, value: &str, label: &'static str, placeholder: &str) -> Known {
        let symbol = self.symbols.len() as u32;
        let is_word = is_words(value.as_bytes()) && !is_uuid(value.as_bytes());
        self.symbols.push(Symbol { label, placeholder: placeholder.into(), is_word });
        if value.len() >= LEAST && is_distinct(value) {
            let extent = if LOOKS.contains(&label) { Extent::Plain } else { Extent::Encoded };
            self.needles.add(value, symbol, extent);
        }
        Known::Symbol(symbol)
    }

    /// The placeholder of a PKCE verifier (RFC 7636 §4.1): the one whose S256 was written for its challenge.
    pub(super) fn verifier(&mut self, value: &str) -> String {
        if let Some(placeholder) = self.known_pkce(value) {
            return placeholder;
        }
        let number = self.verifier_number_for(&challenge_of(value));
        let placeholder = verifier(number);
        self.enter(value, "code_verifier", Role::Secret, &placeholder, None);
        placeholder
    }

    /// What stands for a PKCE challenge: the S256 of its placeholder verifier. A verifier that equals the challenge (method
    /// `plain`) equals it afterwards too.
    pub(super) fn challenge(&mut self, value: &str) -> String {
        if let Some(placeholder) = self.known_pkce(value) {
            return placeholder;
        }
        if self.is_placeholder_challenge(value) {
            return value.to_owned();
        }
        let number = self.verifier_number_for(value);
        let placeholder = challenge_of(&verifier(number));
        self.written.insert(self.key.of(placeholder.as_bytes()));
        self.enter(value, "code_challenge", Role::Linking, &placeholder, None);
        placeholder
    }

    /// The placeholder of a verifier or challenge. One that was taken for something else, in a text, gets a new one: the pair
    /// matters more.
    fn known_pkce(&self, value: &str) -> Option<String> {
        let Known::Symbol(index) = *self.known.get(&self.key.of(value.as_bytes()))? else { return None };
        let symbol = &self.symbols[index as usize];
        matches!(symbol.label, "code_verifier" | "code_challenge").then(|| symbol.placeholder.to_string())
    }

    fn verifier_number_for(&mut self, challenge: &str) -> u32 {
        *self.challenges.entry(self.key.of(challenge.as_bytes())).or_insert_with(|| self.verifiers.fresh())
    }
}

/// False for what our own placeholders may hold: to look for it would find them.
fn is_distinct(value: &str) -> bool {
    let mut seen = [false; 256];
    value.bytes().for_each(|byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|seen| **seen).count() >= 4 && !is_placeholder(value) && !"-SCRUBBED0000".contains(value)
}

/// True when a value is looked for outside its own positions.
fn is_swept(value: &str, label: &str, role: Role) -> bool {
    let words = || is_words(value.as_bytes()) && !is_uuid(value.as_bytes());
    if COMMON.contains(&value) || value.len() < LEAST || OWN_PLACE.contains(&label) || !is_distinct(value) {
        return false;
    }
    match role {
        Role::Secret => !(LOOSE.contains(&label) && words()),
        Role::Personal => value.contains('@') || (value.len() >= 2 * LEAST && !words()),
        _ => value.len() >= 2 * LEAST && !words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_placeholder() {
        let mut table = Table::new(1);
        let first = table.learn("abcdefgh-12345678-token", "access_token", Role::Secret);
        assert_eq!(first, "SCRUBBED0001xxxxxxxxxxx");
        assert_eq!(table.learn("abcdefgh-12345678-token", "code", Role::Secret), first);
        assert_eq!(table.learn("x", "state", Role::Linking), "S2");
        assert_eq!(table.learn("x", "state", Role::Linking), "S2");
        assert_eq!(table.secrets, 2);
    }

    #[test]
    fn foreign_placeholders_keep_their_numbers_unless_given_out() {
        let mut table = Table::new(1);
        assert!(table.is_foreign_placeholder("SCRUBBED0002xxxxxxxx"));
        assert_eq!(table.learn("first-real-value-11", "token", Role::Secret), "SCRUBBED0001xxxxxxx");
        assert_eq!(table.learn("other-real-value-22", "token", Role::Secret), "SCRUBBED0003xxxxxxx");
        assert!(table.is_foreign_placeholder("SCRUBBED0002xxxxxxxx"));
        assert!(!table.is_foreign_placeholder("SCRUBBED0001xxxxxxx"));
        assert_eq!(table.learn("SCRUBBED0001xxxxxxx", "token", Role::Secret), "SCRUBBED0004xxxxxxx");
    }

    #[test]
    fn pkce_matches_and_mismatches_survive_in_both_orders() {
        let real = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let mut table = Table::new(1);
        let challenge = table.challenge(&challenge_of(real));
        assert_ne!(challenge_of(&table.verifier("another-verifier-that-does-not-match-at-all")), challenge);
        assert_eq!(challenge_of(&table.verifier(real)), challenge);
        let mut table = Table::new(1);
        let verifier = table.verifier(real);
        assert_eq!(table.challenge(&challenge_of(real)), challenge_of(&verifier));
        assert_eq!(table.challenge("plain-challenge"), table.verifier("plain-challenge"));
    }

    #[test]
    fn placeholder_challenges_stay() {
        let mut table = Table::new(1);
        let (old, challenge) = (verifier(1), challenge_of(&verifier(1)));
        assert_eq!(table.challenge(&challenge), challenge);
        assert!(table.is_foreign_placeholder(&old));
        let new = table.challenge(&challenge_of("a-real-verifier-of-forty-three-characters-x"));
        assert_ne!(new, challenge);
    }
}
