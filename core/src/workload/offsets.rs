//! In which order keys or blocks are visited: O(1) memory, from one of them to 2^48.

use super::permutation::Permutation;
use super::seed::next_below;
use crate::plan::{Pattern, Share};
use rand_distr::{Distribution, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Visits items 0 … n − 1 without end.
#[derive(Clone, Debug)]
pub(super) enum Offsets {
    /// From `first`, `len` items, and again.
    Sequential {
        first: u64,
        len: u64,
        next: u64,
    },
    Random {
        n: u64,
    },
    /// Ranks are drawn, and a permutation says which item has which rank.
    Zipf {
        ranks: Zipf<f64>,
        scatter: Box<Permutation>,
        n: u64,
    },
}

/// Who visits: this agent's part of the data set, and this thread's part of that.
#[derive(Copy, Clone, Debug)]
pub(super) struct Visitor {
    pub(super) agent: Share,
    pub(super) thread: Share,
}

impl Offsets {
    /// The order of a pattern over `n` items (at least 1); `None` when the exponent makes no sense. `scatter` seeds
    /// the permutation, and has to be the same for all that are to find the same items popular.
    pub(super) fn new(pattern: Pattern, n: u64, visitor: Visitor, scatter: (u64, u64)) -> Option<Self> {
        Some(match pattern {
            Pattern::Sequential => {
                let (first, len) = visitor.part(n);
                Self::Sequential { first, len, next: 0 }
            }
            Pattern::Random => Self::Random { n },
            Pattern::Zipf { theta } => {
                let (seed, pool) = scatter;
                let ranks = Zipf::new(n as f64, theta).ok().filter(|_| theta > 0.0 && theta.is_finite())?;
                Self::Zipf { ranks, scatter: Box::new(Permutation::new(n, seed, pool, n)), n }
            }
        })
    }

    /// The next item.
    #[inline]
    pub(super) fn next(&mut self, random: &mut Xoshiro256PlusPlus) -> u64 {
        match self {
            Self::Sequential { first, len, next } => {
                let item = *first + *next;
                *next = if *next + 1 == *len { 0 } else { *next + 1 };
                item
            }
            Self::Random { n } => next_below(random, *n),
            Self::Zipf { ranks, scatter, n } => {
                // Ranks count from 1; `as` rounds towards zero and saturates.
                #[expect(clippy::cast_sign_loss, reason = "a rank is at least 1")]
                let rank = ranks.sample(random) as u64;
                scatter.apply(rank.clamp(1, *n) - 1)
            }
        }
    }
}

impl Visitor {
    /// First item and length of this thread's own consecutive part of `n` items (at least 1). Where there are more
    /// threads than items, several have the same one, so that none is idle.
    fn part(self, n: u64) -> (u64, u64) {
        let (first, len) = part(n, self.agent);
        let (inner, len) = part(len, self.thread);
        (first + inner, len)
    }
}

/// First item and length of a consecutive part, never empty. Parts meet exactly when there are items enough.
fn part(n: u64, share: Share) -> (u64, u64) {
    let edge = |index: u64| (u128::from(n) * u128::from(index) / u128::from(share.count)) as u64;
    let (first, end) = (edge(share.index), edge(share.index + 1));
    (first.min(n - 1), end.saturating_sub(first).max(1))
}

#[cfg(test)]
mod tests;
