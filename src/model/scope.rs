//! A scope: a set of words that keeps the order in which they were first said (RFC 6749 §3.3).

use std::fmt;

/// The words of a `scope` parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Reads a parameter; repeated words count once.
    pub fn parse(text: &str) -> Self {
        let mut words = Vec::new();
        for word in text.split_ascii_whitespace().map(str::to_owned) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        Self(words)
    }

    /// True when every word of `other` is here.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|word| self.0.contains(word))
    }

    /// True when the word is here.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|own| own == word)
    }

    /// True when there is no word.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn words_are_a_set_in_order() {
        let scope = Scope::parse(" b  a b");
        assert_eq!(scope.to_string(), "b a");
        assert!(scope.covers(&Scope::parse("a")) && scope.covers(&Scope::default()));
        assert!(!Scope::parse("a").covers(&scope));
    }
}
