//! What a thread does next: the endless, seeded sequence of a timed stage's operations.

use super::blocks::{Blocks, UNEQUAL_FILES_MAX};
use super::keys::Keys;
use super::mix::{Choice, Mix};
use super::offsets::{Offsets, Visitor};
use super::seed::{Tag, generator, next_below};
use crate::plan::{Detail, Entry, Naming, Plan, Pool, PoolId, Share, StageKind};
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
    /// The key's index in its pool. For `list`: a key directly in the directory that is to be listed.
    pub key: u64,
    /// Where the block or range begins, bytes; 0 for whole objects.
    pub offset: u64,
    /// Bytes to move: the block, the range or the whole object; 0 where none move. For `list`: keys to a page.
    pub length: u64,
    /// What is special.
    pub special: Special,
}

/// What is special about a step.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Special {
    /// Nothing.
    #[default]
    None,
    /// `get`: only `length` bytes from `offset` on.
    Range,
    /// `put`: only if the object is not there.
    IfAbsent,
    /// `delete`: this and the following keys of the pool, so many in all, in one request.
    Batch(u32),
    /// `copy`: to this key of this pool.
    CopyTo(PoolId, u64),
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
/// - `list`: the directory of any key of the pool, by the entry's pattern; where all keys are in one, that.
/// - `copy`: from any key as `get`, to names as `put`.
/// - `put`, `mkdir`: every `count`-th key, beginning with this thread's own, and again from there after the pool's
///   last; no key is another thread's or another entry's, unless there are too few. Each stage begins anew.
/// - `delete`, `rmdir`: each key of this thread's share once; then the entry is over. In batches, a share is one of
///   batches of consecutive keys.
#[derive(Clone, Debug)]
pub struct Stream {
    mix: Mix,
    sources: Vec<Source>,
}

/// Why a stage cannot be streamed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StreamError {
    /// It is not in the plan, or untimed.
    #[error("stage {0} of the plan is not a timed stage")]
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
    /// No place for them.
    #[error("copy has no pool for its copies; name a place for them")]
    NoCopies,
    /// Some object is too short.
    #[error(
        "{operation} reads up to byte {end} of each object, and some at `{place}` are shorter; read less of them"
    )]
    NoRange {
        /// What was to be done.
        operation: Operation,
        /// Where.
        place: String,
        /// Where the range ends.
        end: u64,
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
    Ranges {
        order: Offsets,
        offset: Option<u64>,
        length: u64,
    },
    Copies {
        order: Offsets,
        names: Cycle,
        to: PoolId,
    },
    Blocks {
        order: Offsets,
        blocks: Blocks,
        size: u64,
    },
    Directories {
        order: Offsets,
        page: u64,
    },
    Create {
        names: Cycle,
        sized: bool,
        special: Special,
    },
    /// Each name once, or each batch of names.
    Remove {
        next: u64,
        step: u64,
        batch: u32,
    },
}

/// New names that begin again after the last.
#[derive(Clone, Debug)]
struct Cycle {
    next: u64,
    first: u64,
    step: u64,
    count: u64,
}

impl Cycle {
    /// The names among `count` that are this part's own.
    fn new(own: Share, count: u64) -> Self {
        let first = own.index % count.max(1);
        Self { next: first, first, step: own.count, count }
    }

    #[inline]
    fn next(&mut self) -> u64 {
        let following = self.next.checked_add(self.step).filter(|&following| following < self.count);
        std::mem::replace(&mut self.next, following.unwrap_or(self.first))
    }
}

impl Stream {
    /// The stream of thread `thread.index` of an agent's `thread.count`, which work on the plan's share together.
    /// `keys` are those of all pools of the plan, in order, listed ones resolved.
    pub fn new(plan: &Plan, stage: usize, keys: &[Keys], thread: Share) -> Result<Self, StreamError> {
        let Some(StageKind::Execute { entries, .. }) = plan.stages.get(stage).map(|stage| &stage.kind) else {
            return Err(StreamError::NotTimed(stage));
        };
        let own = plan.share.split(thread.index, thread.count);
        let sources = entries.iter().enumerate().map(|(index, entry)| {
            let id = usize::from(entry.pool.0);
            let (Some(pool), Some(keys)) = (plan.pools.get(id), keys.get(id)) else {
                return Err(StreamError::NoPool(stage));
            };
            let among = among_its_like(entries, index);
            let random = generator(plan.seed, Tag::Visits, (stage as u64) << 32 | index as u64, own.index);
            let carrier = carrier(entry, thread);
            let visitor = Visitor { agent: plan.share, thread: carrier };
            let own = plan.share.split(among.index, among.count).split(carrier.index, carrier.count);
            let kind = Kind::new(entry, pool, keys, plan, visitor, own)?;
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
            if let Some(Visit { key, offset, length, special }) = source.next() {
                self.mix.acquire(entry);
                let (operation, pool) = (source.operation, source.keys.pool());
                let entry = entry as u16;
                return Next::Step(Step { entry, operation, pool, key, offset, length, special });
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

/// An operation without what all operations of its entry have in common.
struct Visit {
    key: u64,
    offset: u64,
    length: u64,
    special: Special,
}

impl Visit {
    #[inline]
    fn plain(key: u64, length: u64) -> Self {
        Self { key, offset: 0, length, special: Special::None }
    }
}

impl Source {
    /// The next operation; `None` when the entry is over.
    #[inline]
    fn next(&mut self) -> Option<Visit> {
        Some(match &mut self.kind {
            Kind::Objects { order, sized } => {
                let key = order.next(&mut self.random);
                Visit::plain(key, if *sized { self.keys.size(key) } else { 0 })
            }
            Kind::Ranges { order, offset, length } => {
                let key = order.next(&mut self.random);
                let offset = match *offset {
                    Some(offset) => offset,
                    None => next_below(&mut self.random, self.keys.size(key) / *length) * *length,
                };
                Visit { key, offset, length: *length, special: Special::Range }
            }
            Kind::Copies { order, names, to } => {
                let key = order.next(&mut self.random);
                let special = Special::CopyTo(*to, names.next());
                Visit { special, ..Visit::plain(key, self.keys.size(key)) }
            }
            Kind::Blocks { order, blocks, size } => {
                let (key, block) = blocks.locate(order.next(&mut self.random));
                Visit { offset: block * *size, ..Visit::plain(key, *size) }
            }
            Kind::Directories { order, page } => Visit::plain(order.next(&mut self.random), *page),
            Kind::Create { names, sized, special } => {
                let key = names.next();
                Visit { special: *special, ..Visit::plain(key, if *sized { self.keys.size(key) } else { 0 }) }
            }
            Kind::Remove { next, step, batch } => {
                let key = next.checked_mul(u64::from(*batch)).filter(|&key| key < self.keys.count())?;
                *next = next.saturating_add(*step);
                // No more than the batch, which is a `u32`.
                let size = (self.keys.count() - key).min(u64::from(*batch)) as u32;
                let special = if *batch > 1 { Special::Batch(size) } else { Special::None };
                Visit { special, ..Visit::plain(key, 0) }
            }
        })
    }
}

impl Kind {
    /// `own` is the part of the keys that this entry of this thread alone creates or removes.
    fn new(
        entry: &Entry,
        pool: &Pool,
        keys: &Keys,
        plan: &Plan,
        visitor: Visitor,
        own: Share,
    ) -> Result<Self, StreamError> {
        let (operation, count) = (entry.operation, keys.count());
        let order = |n| {
            let order = Offsets::new(entry.pattern, n, visitor, (plan.seed, u64::from(entry.pool.0)));
            order.ok_or(StreamError::Theta)
        };
        match operation {
            Operation::Delete | Operation::Rmdir => {
                let batch = if let Detail::Batch(batch) = entry.detail { batch.max(1) } else { 1 };
                Ok(Self::Remove { next: own.index, step: own.count, batch })
            }
            _ if count == 0 => Err(StreamError::NoKeys { operation, place: place(pool) }),
            Operation::Put | Operation::Mkdir => {
                let special =
                    if entry.detail == Detail::IfAbsent { Special::IfAbsent } else { Special::None };
                Ok(Self::Create {
                    names: Cycle::new(own, count),
                    sized: operation == Operation::Put,
                    special,
                })
            }
            Operation::List => {
                // Only these have keys in more than one directory.
                let several = matches!(pool.naming, Naming::Tree(_) | Naming::Listed { .. });
                let order = order(if several { count } else { 1 })?;
                Ok(Self::Directories { order, page: u64::from(entry.page_size.max(1)) })
            }
            _ if count == u64::MAX => Err(StreamError::Endless { operation, place: place(pool) }),
            Operation::Read | Operation::Write => {
                let size = entry.block_size.unwrap_or(0);
                let blocks = blocks(operation, pool, keys, size)?;
                Ok(Self::Blocks { order: order(blocks.count())?, blocks, size })
            }
            Operation::Copy => {
                let Detail::CopyTo(to) = entry.detail else { return Err(StreamError::NoCopies) };
                let names = plan.pools.get(usize::from(to.0)).ok_or(StreamError::NoCopies)?.count;
                Ok(Self::Copies { order: order(count)?, names: Cycle::new(own, names), to })
            }
            Operation::Get
            | Operation::Stat
            | Operation::Fsync
            | Operation::FirstByte
            | Operation::ListPage => {
                if let Detail::Range { offset, length } = entry.detail {
                    check_range(operation, pool, keys, offset.unwrap_or(0).saturating_add(length))?;
                    return Ok(Self::Ranges { order: order(count)?, offset, length: length.max(1) });
                }
                Ok(Self::Objects { order: order(count)?, sized: operation == Operation::Get })
            }
        }
    }
}

/// Whether every object reaches to this byte.
fn check_range(operation: Operation, pool: &Pool, keys: &Keys, end: u64) -> Result<(), StreamError> {
    let reaches = match (&pool.naming, keys.same_size()) {
        (_, Some(size)) => size >= end,
        (Naming::Listed { .. }, None) => (0..keys.count()).all(|key| keys.size(key) >= end),
        (_, None) => pool.sizes.bounds().0 >= end,
    };
    if reaches { Ok(()) } else { Err(StreamError::NoRange { operation, place: place(pool), end }) }
}

/// Which of the threads that carry the entry this one is: fewer than all where its cap is lower. They share its keys.
fn carrier(entry: &Entry, thread: Share) -> Share {
    let count = entry.concurrency.map_or(thread.count, |cap| thread.count.min(cap.max(1).into()));
    Share { index: thread.index % count, count }
}

/// Which of the entries that do the same with the same pool this one is: they share its keys. Entries that remove in
/// batches must have batches of one size for that.
fn among_its_like(entries: &[Entry], index: usize) -> Share {
    let works = |entry: &Entry| match entry.detail {
        Detail::CopyTo(to) => (entry.operation, to),
        _ => (entry.operation, entry.pool),
    };
    let like = |other: &&Entry| works(other) == works(&entries[index]);
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
