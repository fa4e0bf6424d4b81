//! What objects contain: bytes that any agent of the same seed computes alike.
//!
//! Byte `i` of a key is byte `(start + i) mod 4 MiB` of one pool of random bytes, where `start` is a multiple of
//! 4096 that derives from seed, pool and key. So content costs nothing to make, any slice of it is a slice of
//! memory, and what was read can be verified from any offset. The random bytes do not compress; but there are only
//! 1024 different blocks of 4 KiB in a data set, which storage that removes duplicates will notice.

use super::seed::{Tag, derive, generator};
use crate::plan::{Fill, PoolId};
use rand::Rng;

/// Bytes after which content begins again.
const PERIOD: usize = 4 << 20;
/// Direct I/O wants memory aligned like this; a multiple of every block size of a device.
const PAGE: usize = 4096;

/// The bytes that all writes of an agent come from. Made once; share it behind an `Arc`: a copy would lie elsewhere,
/// and not be aligned.
pub struct Payload {
    seed: u64,
    /// Random bytes, their beginning once more, then zeros; from `aligned` on.
    memory: Box<[u8]>,
    aligned: usize,
    longest: usize,
}

impl Payload {
    /// A payload from which up to `longest` bytes can be taken at once: the largest block, or the pieces in which
    /// larger objects are written. Takes 4 MiB + 2 × `longest` of memory.
    #[must_use]
    pub fn new(seed: u64, longest: usize) -> Self {
        let longest = longest.next_multiple_of(PAGE);
        let memory = vec![0_u8; PAGE + PERIOD + 2 * longest].into_boxed_slice();
        // The box never moves its bytes, so what is aligned now stays aligned.
        let aligned = memory.as_ptr().align_offset(PAGE).min(PAGE);
        let mut payload = Self { seed, memory, aligned, longest };
        let random = &mut payload.memory[aligned..aligned + PERIOD + longest];
        generator(seed, Tag::Payload, 0, 0).fill_bytes(&mut random[..PERIOD]);
        for from in (PERIOD..random.len()).step_by(PERIOD) {
            let length = PERIOD.min(random.len() - from);
            random.copy_within(..length, from);
        }
        payload
    }

    /// All of it, aligned to 4096 bytes in memory: to be registered with the kernel.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.aligned..self.aligned + PERIOD + 2 * self.longest]
    }

    /// How many bytes can be taken at once from any [`start`](Self::start).
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Where in [`bytes`](Self::bytes) the content of a key from `offset` on begins. A multiple of 4096 when the
    /// offset is.
    #[inline]
    #[must_use]
    pub fn start(&self, fill: Fill, pool: PoolId, key: u64, offset: u64) -> usize {
        match fill {
            Fill::Zero => PERIOD + self.longest,
            Fill::Random => {
                let pages = derive(self.seed, Tag::Content, u64::from(pool.0), key) % (PERIOD / PAGE) as u64;
                // Both are below 4 MiB, so the sum fits any `usize`.
                (pages as usize * PAGE + (offset % PERIOD as u64) as usize) % PERIOD
            }
        }
    }

    /// The content of a key from `offset` on, at most [`longest`](Self::longest) bytes of it.
    #[must_use]
    pub fn slice(&self, fill: Fill, pool: PoolId, key: u64, offset: u64, length: usize) -> &[u8] {
        let start = self.start(fill, pool, key, offset);
        &self.bytes()[start..start + length.min(self.longest)]
    }

    /// Compares what was read of a key from `offset` on with its content; gives the index of the first byte in
    /// `read` that is wrong.
    #[must_use]
    pub fn first_mismatch(
        &self,
        fill: Fill,
        pool: PoolId,
        key: u64,
        offset: u64,
        read: &[u8],
    ) -> Option<usize> {
        let mut at = 0;
        while at < read.len() {
            let expected = self.slice(fill, pool, key, offset + at as u64, read.len() - at);
            let piece = &read[at..at + expected.len()];
            if piece != expected {
                return piece.iter().zip(expected).position(|(a, b)| a != b).map(|wrong| at + wrong);
            }
            at += expected.len();
        }
        None
    }
}

#[cfg(test)]
mod tests;
