//! What an untimed stage works through: every key of its pools that belongs to a share, once, in order.

use super::keys::Keys;
use crate::plan::{PoolId, Share};

/// One object to make or to delete.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// The key's pool.
    pub pool: PoolId,
    /// The key's index in it.
    pub key: u64,
    /// Its size, bytes.
    pub size: u64,
}

/// How far a [`Worklist`] has come: give it back to go on there.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// Which of the worklist's pools.
    pub pool: usize,
    /// How many keys of the share are done in it.
    pub done: u64,
}

/// The keys of some pools that belong to a share, pool after pool, by index. Prepare makes them, cleanup deletes
/// them. Names that PUT takes without end are left out, as nobody knows which exist: list them.
#[derive(Clone, Debug)]
pub struct Worklist {
    keys: Vec<Keys>,
    share: Share,
    position: Position,
}

/// Summing up sizes that differ stops to be quick after so many keys.
const SUMMED_MAX: u64 = 1 << 20;

impl Worklist {
    /// The worklist of a share of these pools. `keys` are those of all pools of the plan, in order.
    #[must_use]
    pub fn new(pools: &[PoolId], keys: &[Keys], share: Share) -> Self {
        let keys = pools.iter().filter_map(|pool| keys.get(usize::from(pool.0)));
        let keys = keys.filter(|keys| keys.count() < u64::MAX).cloned().collect();
        Self { keys, share, position: Position::default() }
    }

    /// Goes on from an earlier position.
    #[must_use]
    pub fn resumed(self, position: Position) -> Self {
        Self { position, ..self }
    }

    /// How far it has come.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// How many objects there are in all, those done included.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.keys.iter().fold(0, |sum, keys| sum.saturating_add(self.share.of(keys.count())))
    }

    /// How many bytes they have in all; `None` when sizes differ and there are too many of them to sum up quickly.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let mut sum = 0_u64;
        for keys in &self.keys {
            let own = self.share.of(keys.count());
            let bytes = match keys.same_size() {
                Some(size) => size.saturating_mul(own),
                None if own <= SUMMED_MAX => {
                    (0..own).fold(0_u64, |sum, done| sum.saturating_add(keys.size(self.key(done))))
                }
                None => return None,
            };
            sum = sum.saturating_add(bytes);
        }
        Some(sum)
    }

    /// The share's `done`-th key of a pool.
    fn key(&self, done: u64) -> u64 {
        self.share.index + done * self.share.count
    }
}

impl Iterator for Worklist {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            let keys = self.keys.get(self.position.pool)?;
            if self.position.done < self.share.of(keys.count()) {
                let key = self.key(self.position.done);
                self.position.done += 1;
                return Some(Item { pool: keys.pool(), key, size: keys.size(key) });
            }
            self.position = Position { pool: self.position.pool + 1, done: 0 };
        }
    }
}

#[cfg(test)]
mod tests;
