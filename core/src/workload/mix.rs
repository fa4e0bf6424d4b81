//! Which entry of a mix is next: by weight, among those that may have another operation in flight.

use super::seed::{Tag, generator, next_below};
use crate::plan::{Entry, Share};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A weighted choice of entries.
#[derive(Clone, Debug)]
pub(super) struct Mix {
    random: Xoshiro256PlusPlus,
    lots: Vec<Lot>,
    /// The sum of the open weights.
    open: u64,
}

#[derive(Clone, Debug)]
struct Lot {
    weight: u64,
    /// The weight while it may be chosen, else 0.
    open: u64,
    in_flight: u32,
    cap: u32,
    retired: bool,
}

/// What a mix says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    /// The entry with this index.
    Entry(usize),
    /// Every entry that is left has all the operations in flight that it may have.
    Waiting,
    /// No entry is left.
    Exhausted,
}

impl Mix {
    /// The mix of a thread. An entry's cap on operations in flight holds for the agent: threads share it.
    pub(super) fn new(entries: &[Entry], seed: u64, stage: u64, share: Share, thread: Share) -> Self {
        let lots = entries.iter().map(|entry| {
            let cap = entry.concurrency.map_or(u32::MAX, |cap| cap_of(cap, thread));
            let weight = u64::from(entry.weight);
            Lot { weight, open: weight, in_flight: 0, cap, retired: false }
        });
        let random = generator(seed, Tag::Mix, stage, share.index);
        let mut mix = Self { random, lots: lots.collect(), open: 0 };
        mix.open = mix.lots.iter().map(|lot| lot.open).sum();
        for index in 0..mix.lots.len() {
            if mix.lots[index].weight == 0 || mix.lots[index].cap == 0 {
                mix.retire(index);
            }
        }
        mix
    }

    /// Chooses one that is open.
    #[inline]
    pub(super) fn choose(&mut self) -> Choice {
        if self.open == 0 {
            let retired = self.lots.iter().all(|lot| lot.retired);
            return if retired { Choice::Exhausted } else { Choice::Waiting };
        }
        if self.lots.len() == 1 {
            return Choice::Entry(0);
        }
        let mut ticket = next_below(&mut self.random, self.open);
        let chosen = self.lots.iter().position(|lot| match ticket.checked_sub(lot.open) {
            Some(rest) => {
                ticket = rest;
                false
            }
            None => true,
        });
        Choice::Entry(chosen.expect("the ticket is below the sum of the open weights"))
    }

    /// An operation of the entry goes into flight.
    #[inline]
    pub(super) fn acquire(&mut self, index: usize) {
        let lot = &mut self.lots[index];
        lot.in_flight += 1;
        if lot.in_flight >= lot.cap {
            self.set_open(index, 0);
        }
    }

    /// An operation of the entry is over.
    #[inline]
    pub(super) fn release(&mut self, index: usize) {
        let Some(lot) = self.lots.get_mut(index) else { return };
        lot.in_flight = lot.in_flight.saturating_sub(1);
        if lot.open == 0 && !lot.retired && lot.in_flight < lot.cap {
            let weight = lot.weight;
            self.set_open(index, weight);
        }
    }

    /// The entry has nothing more to do, ever.
    pub(super) fn retire(&mut self, index: usize) {
        self.lots[index].retired = true;
        self.set_open(index, 0);
    }

    fn set_open(&mut self, index: usize, weight: u64) {
        let lot = &mut self.lots[index];
        self.open = self.open - lot.open + weight;
        lot.open = weight;
    }
}

/// A thread's part of an agent's cap; the parts add up to it.
fn cap_of(cap: u32, thread: Share) -> u32 {
    u32::try_from(thread.of(u64::from(cap))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
