//! From one seed to everything random.
//!
//! A value depends on the run's seed, a [`Tag`] that says what it is for, and two numbers; never on what was drawn
//! before it, nor on the host. The method: XXH3 (64 bits, seeded with the run's seed) over the tag and both numbers
//! as 24 little-endian bytes. Sequences are xoshiro256++ generators seeded with such a value through SplitMix64.
//! A change here changes every data set and every stream: a golden test guards it.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a random value is for. The numbers are part of the reproducible result.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Tag {
    /// The size of a key: pool, index.
    Size = 1,
    /// The content of a key: pool, index.
    Content = 2,
    /// The bytes of the payload pool.
    Payload = 3,
    /// The permutation that scatters popular items: stage, entry.
    Scatter = 4,
    /// The choice of entries: stage, thread.
    Mix = 5,
    /// The visits of one entry: stage and entry, thread.
    Visits = 6,
}

/// The value for a purpose and two numbers.
#[inline]
pub(super) fn derive(seed: u64, tag: Tag, a: u64, b: u64) -> u64 {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&(tag as u64).to_le_bytes());
    bytes[8..16].copy_from_slice(&a.to_le_bytes());
    bytes[16..].copy_from_slice(&b.to_le_bytes());
    xxh3_64_with_seed(&bytes, seed)
}

/// The generator for a purpose and two numbers.
pub(super) fn generator(seed: u64, tag: Tag, a: u64, b: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(derive(seed, tag, a, b))
}

/// Evenly from 0 to `n` − 1, by the high half of a product (Lemire, "Fast Random Integer Generation in an
/// Interval", 2019), without its rejection step: the bias is below `n` / 2^64. 0 when `n` is 0.
#[inline]
pub(super) fn below(random: u64, n: u64) -> u64 {
    ((u128::from(random) * u128::from(n)) >> 64) as u64
}

/// The next number of a generator, evenly from 0 to `n` − 1.
#[inline]
pub(super) fn next_below(random: &mut Xoshiro256PlusPlus, n: u64) -> u64 {
    below(random.next_u64(), n)
}
