//! What a thread does next: the endless, seeded sequence of a timed stage's operations.

use super::blocks::{Blocks, UNEQUAL_FILES_MAX};
use super::keys::Keys;
use super::mix::{Choice, Mix};
use super::offsets::{Offsets, Visitor};
use super::seed::{Tag, generator};
use crate::plan::{Entry, Naming, Plan, Pool, PoolId, Share, StageKind};
use crate::stats::Operation;
use rand_xoshiro::Xoshiro256PlusPlus;

/// One operation to do.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Index into the stage's entries; for [`Stream::refund`].
    pub entry: u16,
    /// What to do.
    pub operation: Operation,
    /// With a key of which pool.
    pub pool: PoolId,
    /// The key's index in its pool. For `list`: the first key of the page, a multiple of the page size; a listing
    /// that can begin anywhere begins after the key before it.
    pub key: u64,
    /// Where the block begins, bytes; 0 for whole objects.
    pub offset: u64,
    /// Bytes to move: the block, or the whole object; 0 where none move. For `list`: keys to a page.
    pub length: u64,
}

/// What a stream says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Do this, and call [`Stream::refund`] when it is over.
    Step(Step),
    /// Every kind of operation that is left is at its own limit of operations in flight: ask again after a refund.
    Waiting,
    /// Nothing is left to do, e.g. every deletable key is deleted.
    Exhausted,
}

/// The operations of one thread in one timed stage. Asking for the next one allocates nothing, and memory does not
/// depend on the number of keys (but for a table of at most [`UNEQUAL_FILES_MAX`] files of different sizes).
///
/// Each entry of the mix has a random sequence of its own, so its n-th operation is the same however the entries
/// interleave. Keys are chosen so:
/// - `get`, `stat`: any key of the pool, by the entry's pattern; sequentially each thread visits its own
///   consecutive part, over and over.
/// - `read`, `write`: any whole block of any file of the pool, all of them as one address space; as above.
/// - `list`: a page of the pool's keys, by the entry's pattern.
/// - `put`, `mkdir`: every `count`-th key, beginning with this thread's own, and again from there after the pool's
///   last; no key is another thread's or another entry's, unless there are too few. Each stage begins anew.
/// - `delete`, `rmdir`: each key of this thread's share once; then the entry is over.
#[derive(Clone, Debug)]
pub struct Stream {
    mix: Mix,
    sources: Vec<Source>,
}

/// Why a stage cannot be streamed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StreamError {
    /// It is not in the plan, or untimed.
    #[error("stage {0} of the plan is no timed stage")]
    NotTimed(usize),
    /// An entry names a pool that was not given.
    #[error("stage {0} works on a pool that the plan does not have")]
    NoPool(usize),
    /// Nothing there.
    #[error("{operation} finds no objects at `{place}`; prepare some or correct the path")]
    NoKeys {
        /// What was to be done.
        operation: Operation,
        /// Where.
        place: String,
    },
    /// Names without end.
    #[error("{operation} cannot choose among the endless names at `{place}`; give the number of objects")]
    Endless {
        /// What was to be done.
        operation: Operation,
        /// Where.
        place: String,
    },
    /// All files are shorter than a block.
    #[error(
        "{operation} finds no file with a whole block of {block_size} bytes at `{place}`; take larger files or smaller blocks"
    )]
    NoBlocks {
        /// What was to be done.
        operation: Operation,
        /// Where.
        place: String,
        /// Bytes to a block; 0 when none was given.
        block_size: u64,
    },
    /// A table would be too large.
    #[error(
        "{operation} finds {count} files of different sizes at `{place}`, at most {UNEQUAL_FILES_MAX} are possible; give them one size"
    )]
    Unequal {
        /// What was to be done.
        operation: Operation,
        /// Where.
        place: String,
        /// How many there are.
        count: u64,
    },
    /// Not a positive number.
    #[error("the zipf exponent theta must be a number above 0")]
    Theta,
}

/// Where an entry's operations come from.
#[derive(Clone, Debug)]
struct Source {
    operation: Operation,
    keys: Keys,
    random: Xoshiro256PlusPlus,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Objects {
        order: Offsets,
        sized: bool,
    },
    Blocks {
        order: Offsets,
        blocks: Blocks,
        size: u64,
    },
    Pages {
        order: Offsets,
        size: u64,
    },
    /// New names, cycling.
    Create {
        next: u64,
        first: u64,
        step: u64,
        sized: bool,
    },
    /// Each name once.
    Remove {
        next: u64,
        step: u64,
    },
}

impl Stream {
    /// The stream of thread `thread.index` of an agent's `thread.count`, which work on the plan's share together.
    /// `keys` are those of all pools of the plan, in order, listed ones resolved.
    pub fn new(plan: &Plan, stage: usize, keys: &[Keys], thread: Share) -> Result<Self, StreamError> {
        let Some(StageKind::Execute { entries, .. }) = plan.stages.get(stage).map(|stage| &stage.kind) else {
            return Err(StreamError::NotTimed(stage));
        };
        let visitor = Visitor { agent: plan.share, thread };
        let own = plan.share.split(thread.index, thread.count);
        let sources = entries.iter().enumerate().map(|(index, entry)| {
            let id = usize::from(entry.pool.0);
            let (Some(pool), Some(keys)) = (plan.pools.get(id), keys.get(id)) else {
                return Err(StreamError::NoPool(stage));
            };
            let among = among_its_like(entries, index);
            let random = generator(plan.seed, Tag::Visits, (stage as u64) << 32 | index as u64, own.index);
            let kind = Kind::new(entry, pool, keys, plan.seed, visitor, own.split(among.index, among.count))?;
            Ok(Source { operation: entry.operation, keys: keys.clone(), random, kind })
        });
        let sources = sources.collect::<Result<_, StreamError>>()?;
        Ok(Self { mix: Mix::new(entries, plan.seed, stage as u64, own, thread), sources })
    }

    /// The next operation. It counts as in flight until it is refunded.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "waiting is not the end, so it is no iterator")]
    pub fn next(&mut self) -> Next {
        loop {
            let entry = match self.mix.choose() {
                Choice::Entry(entry) => entry,
                Choice::Waiting => return Next::Waiting,
                Choice::Exhausted => return Next::Exhausted,
            };
            let source = &mut self.sources[entry];
            if let Some((key, offset, length)) = source.next() {
                self.mix.acquire(entry);
                let (operation, pool) = (source.operation, source.keys.pool());
                return Next::Step(Step { entry: entry as u16, operation, pool, key, offset, length });
            }
            self.mix.retire(entry);
        }
    }

    /// An operation of this entry is over, whatever became of it.
    #[inline]
    pub fn refund(&mut self, entry: u16) {
        self.mix.release(usize::from(entry));
    }
}

impl Source {
    /// Key, offset and length of the next operation; `None` when the entry is over.
    #[inline]
    fn next(&mut self) -> Option<(u64, u64, u64)> {
        match &mut self.kind {
            Kind::Objects { order, sized } => {
                let key = order.next(&mut self.random);
                Some((key, 0, if *sized { self.keys.size(key) } else { 0 }))
            }
            Kind::Blocks { order, blocks, size } => {
                let (key, block) = blocks.locate(order.next(&mut self.random));
                Some((key, block * *size, *size))
            }
            Kind::Pages { order, size } => Some((order.next(&mut self.random) * *size, 0, *size)),
            Kind::Create { next, first, step, sized } => {
                let key = *next;
                let following = key.checked_add(*step).filter(|&following| following < self.keys.count());
                *next = following.unwrap_or(*first);
                Some((key, 0, if *sized { self.keys.size(key) } else { 0 }))
            }
            Kind::Remove { next, step } => {
                let key = *next;
                if key >= self.keys.count() {
                    return None;
                }
                *next = key.saturating_add(*step);
                Some((key, 0, 0))
            }
        }
    }
}

impl Kind {
    /// `own` is the part of the keys that this entry of this thread alone creates or removes.
    fn new(
        entry: &Entry,
        pool: &Pool,
        keys: &Keys,
        seed: u64,
        visitor: Visitor,
        own: Share,
    ) -> Result<Self, StreamError> {
        let (operation, count) = (entry.operation, keys.count());
        let order = |n| {
            let order = Offsets::new(entry.pattern, n, visitor, (seed, u64::from(entry.pool.0)));
            order.ok_or(StreamError::Theta)
        };
        match operation {
            Operation::Delete | Operation::Rmdir => Ok(Self::Remove { next: own.index, step: own.count }),
            _ if count == 0 => Err(StreamError::NoKeys { operation, place: place(pool) }),
            Operation::Put | Operation::Mkdir => {
                let first = own.index % count;
                Ok(Self::Create { next: first, first, step: own.count, sized: operation == Operation::Put })
            }
            Operation::List => {
                let size = u64::from(entry.page_size.max(1));
                // Names without end are listed from the beginning, where they begin.
                let pages = if count == u64::MAX { 1 } else { count.div_ceil(size) };
                Ok(Self::Pages { order: order(pages)?, size })
            }
            _ if count == u64::MAX => Err(StreamError::Endless { operation, place: place(pool) }),
            Operation::Read | Operation::Write => {
                let size = entry.block_size.unwrap_or(0);
                let blocks = blocks(operation, pool, keys, size)?;
                Ok(Self::Blocks { order: order(blocks.count())?, blocks, size })
            }
            Operation::Get
            | Operation::Stat
            | Operation::Fsync
            | Operation::Copy
            | Operation::FirstByte
            | Operation::ListPage => {
                let sized = matches!(operation, Operation::Get | Operation::Copy);
                Ok(Self::Objects { order: order(count)?, sized })
            }
        }
    }
}

/// Which of the entries that do the same with the same pool this one is: they share its keys.
fn among_its_like(entries: &[Entry], index: usize) -> Share {
    let like =
        |other: &&Entry| (other.operation, other.pool) == (entries[index].operation, entries[index].pool);
    let count = |entries: &[Entry]| entries.iter().filter(like).count() as u64;
    Share { index: count(&entries[..index]), count: count(entries) }
}

/// The address space of a pool's files, which has at least one block.
fn blocks(operation: Operation, pool: &Pool, keys: &Keys, block_size: u64) -> Result<Blocks, StreamError> {
    let none = || StreamError::NoBlocks { operation, place: place(pool), block_size };
    if block_size == 0 {
        return Err(none());
    }
    let blocks = Blocks::new(keys, block_size).ok_or_else(|| StreamError::Unequal {
        operation,
        place: place(pool),
        count: keys.count(),
    })?;
    if blocks.count() == 0 { Err(none()) } else { Ok(blocks) }
}

/// Where a pool's keys are, for a person.
fn place(pool: &Pool) -> String {
    match &pool.naming {
        Naming::Listed { glob } => glob.clone(),
        _ => pool.base.clone(),
    }
}

#[cfg(test)]
mod tests;
