//! A keyed 64-bit hash, so that the table of a run needs no copy of a secret and cannot be aimed at from outside.

/// The key of a run.
#[derive(Clone, Copy)]
pub(super) struct Keyed {
    first: u64,
    second: u64,
}

impl Keyed {
    pub(super) fn new(seed: u64) -> Self {
        let first = multiply(seed ^ 0x9e37_79b9_7f4a_7c15, 0xa076_1d64_78bd_642f);
        Self { first, second: multiply(first ^ seed, 0xe703_7ed1_a0b4_28db) | 1 }
    }

    /// The hash of some bytes.
    pub(super) fn of(self, bytes: &[u8]) -> u64 {
        let mut hash = self.first ^ multiply(bytes.len() as u64 ^ self.second, 0x8ebc_6af0_9c88_c6e3);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            hash = multiply(hash ^ u64::from_le_bytes(chunk.try_into().unwrap_or_default()), self.second);
        }
        let mut last = [0; 8];
        last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        multiply(hash ^ u64::from_le_bytes(last), 0x5899_65cc_7537_4cc3)
    }

    /// Spreads one window of eight bytes; cheap, for the filter.
    #[inline]
    pub(super) fn spread(self, window: u64) -> u64 {
        (window ^ self.first).wrapping_mul(self.second)
    }
}

/// Both halves of the product, folded.
#[inline]
fn multiply(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
pub(super) struct Again(u64);

/// Builds [`Again`].
pub(super) type Folding = std::hash::BuildHasherDefault<Again>;

impl std::hash::Hasher for Again {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = multiply(self.0 ^ value ^ 0x2d35_8dcc_aa6c_78a5, 0x8bb8_4b93_962e_acc9);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
