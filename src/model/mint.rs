//! Values that nobody can guess, from a seed that the caller gives: the same seed mints the same values in the same order.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;

/// Mints codes, tokens and ids. Two mints with different seeds never give an equal value.
#[derive(Clone)]
pub struct Mint {
    seed: [u8; 32],
    count: u64,
}

impl Mint {
    /// A mint. The seed decides every value: take it from the operating system unless a run is to be repeated.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    /// The next value: the prefix and 43 characters of base64url (256 bits).
    pub fn next(&mut self, prefix: &str) -> String {
        self.count += 1;
        let digest = Sha256::new_with_prefix(self.seed).chain_update(self.count.to_be_bytes()).finalize();
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(digest))
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mint({} minted)", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::Mint;

    #[test]
    fn a_seed_repeats_its_values_and_no_other_seed_does() {
        let mut first = Mint::new([1; 32]);
        let value = first.next("at_");
        assert_eq!(value, Mint::new([1; 32]).next("at_"));
        assert_ne!(value, Mint::new([2; 32]).next("at_"));
        assert_ne!(value, first.next("at_"));
        assert_eq!(value.len(), 46);
        assert_eq!(format!("{first:?}"), "Mint(2 minted)");
    }
}
