//! A seeded permutation of 0 … n − 1 for any n, computed item by item: it needs no table.
//!
//! Method: a Feistel network (Luby & Rackoff, "How to Construct Pseudorandom Permutations", 1988) over the smallest
//! power of two that holds n, with halves that differ by a bit when need be, and cycle-walking back into the range
//! (Black & Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). The power of two is below 2 n (but for n = 1),
//! so fewer than two walks are needed on average. It scatters; it does not encrypt.

use super::seed::{Tag, generator};
use rand::Rng;

/// Even, so that the halves are as long after the last round as before the first.
const ROUNDS: usize = 6;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Permutation {
    n: u64,
    high_bits: u32,
    low_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of 0 … `n` − 1 for a purpose. `n` is at least 1.
    pub(super) fn new(n: u64, seed: u64, a: u64, b: u64) -> Self {
        let bits = (u64::BITS - n.saturating_sub(1).leading_zeros()).max(2);
        let mut random = generator(seed, Tag::Scatter, a, b);
        let keys = std::array::from_fn(|_| random.next_u64());
        Self { n, high_bits: bits / 2, low_bits: bits - bits / 2, keys }
    }

    /// Where `item` goes; both below `n`.
    pub(super) fn apply(&self, item: u64) -> u64 {
        debug_assert!(item < self.n);
        let mut place = self.shuffle(item);
        // A permutation leads back to where it came from, so the walk ends in the range at the latest there.
        while place >= self.n {
            place = self.shuffle(place);
        }
        place
    }

    /// A permutation of the whole power of two.
    fn shuffle(&self, item: u64) -> u64 {
        let (mut high_bits, mut low_bits) = (self.high_bits, self.low_bits);
        let (mut high, mut low) = (item >> low_bits, item & mask(low_bits));
        for key in self.keys {
            (high, low) = (low, high ^ (mix(low ^ key) & mask(high_bits)));
            (high_bits, low_bits) = (low_bits, high_bits);
        }
        high << low_bits | low
    }
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// Spreads every bit over all others. Constants: Stafford's variant 13 of the finalizer in SplitMix64 (Steele, Lea &
/// Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
