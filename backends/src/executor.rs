//! Many operations in flight on one thread: the interface between the engine and the ways to do I/O.
//!
//! An [`Executor`] has slots. The engine starts a [`Task`] on a free slot, takes a [`turn`](Executor::turn), and
//! finds what has completed. Files do this with a ring, object stores with a runtime of their own on the same
//! thread, memory at once: the engine does not know.

use crate::error::{Fault, StorageError};
use iobench_core::plan::PoolId;
use iobench_core::stats::Operation;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which object: a key of a pool of the plan.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct ObjectId {
    /// The pool.
    pub pool: PoolId,
    /// The key's index in it.
    pub key: u64,
}

/// What is special about a task.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Manner {
    /// Nothing.
    #[default]
    Plain,
    /// `get`: only `length` bytes from `offset` on.
    Range,
    /// `put`: fails with [`Exists`](iobench_core::stats::ErrorClass::Exists) when the object is there.
    IfAbsent,
    /// `delete`: this and the following keys of the pool, so many in all, in one request.
    Batch(u32),
    /// `copy`: to this object.
    To(ObjectId),
}

/// One operation to do.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// What.
    pub operation: Operation,
    /// With which object. `list` reads the directory that it is in, whole.
    pub object: ObjectId,
    /// Where the block begins, bytes; 0 for whole objects.
    pub offset: u64,
    /// Bytes to move: of the block or the whole object. `list`: keys to a page. `stat`: the size that is expected.
    pub length: u64,
    /// What is special.
    pub manner: Manner,
}

/// What executors ask about the objects they work with. Called in the hot loop: allocates nothing.
pub trait Objects: Send + Sync {
    /// Appends the object's key relative to the target.
    fn name(&self, object: ObjectId, out: &mut Vec<u8>);
    /// The bytes that everything written comes from, aligned to 4096.
    fn payload(&self) -> &[u8];
    /// Where in the payload the content of an object from `offset` on begins.
    fn start(&self, object: ObjectId, offset: u64) -> usize;
    /// How many bytes can be taken at once from there.
    fn longest(&self) -> usize;
}

/// How a task, or its fsync, ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Well. With the bytes moved; for `stat` the object's size, for `list` and `list_page` the keys listed, for a batch the objects.
    Done(u64),
    /// Badly.
    Failed(Fault),
    /// It was cancelled, and what it had written is removed. An object store may yet have got all of it: then the
    /// object is there as a whole.
    Cancelled,
}

/// Something that ended on a slot.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Completion {
    /// Where.
    pub slot: u32,
    /// The task's operation, or a part of it: the `Fsync`, `FirstByte` or `ListPage` that belonged to it.
    pub operation: Operation,
    /// Whether the slot is free again; parts of a task come before the task's own completion.
    pub last: bool,
    /// How.
    pub outcome: Outcome,
    /// Service time, nanoseconds; of a task that was synced: without the sync.
    pub service: u64,
    /// Which of the executor's endpoints served it; 0 when there is but one.
    pub endpoint: u16,
}

/// When a turn was in the kernel, nanoseconds of the [`Clock`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// What was started before is issued at this instant.
    pub entered: u64,
    /// What completed was seen at this instant.
    pub returned: u64,
}

/// Keeps as many tasks in flight as it has slots. Used by one thread, the one that made it.
///
/// Dropping it with tasks in flight is safe: their memory is given away to the kernel for ever.
pub trait Executor {
    /// Begins a task on a free slot; it is issued at once or with the next turn.
    fn start(&mut self, slot: u32, task: Task);

    /// Issues what was started and waits until something completes, a [`Waker`] wakes it, or the time is over;
    /// appends what completed to `done`. An error means that nothing can be done any more.
    fn turn(&mut self, timeout: Duration, done: &mut Vec<Completion>) -> Result<Turn, StorageError>;

    /// Gives up the task on a slot. It still completes, possibly well, unless the storage is stuck.
    fn cancel(&mut self, slot: u32);

    /// Bytes transferred so far by the task in flight on a slot, as far as that is known before its end.
    fn moved(&self, _slot: u32) -> u64 {
        0
    }

    /// Ends a turn from another thread.
    fn waker(&self) -> Waker;

    /// How long the store asked to wait (`Retry-After`) when it last failed the slot's task; until the slot's next
    /// failure.
    fn pause(&self, _slot: u32) -> Option<Duration> {
        None
    }

    /// Where it goes, in the order of [`Completion::endpoint`]; empty where there is no choice.
    fn endpoints(&self) -> Vec<String> {
        Vec::new()
    }

    /// How it does its I/O, as far as that shows only when it is set up: name and value, for the record.
    fn fact(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// Ends an executor's turn early, from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Looks at everything that is read: the object, the offset in it, the bytes. An error ends the operation with it.
pub type Inspector = Box<dyn FnMut(ObjectId, u64, &[u8]) -> Result<(), Fault> + Send>;

/// What an executor is made for.
pub struct ExecutorSpec {
    /// Tasks in flight, at least 1.
    pub slots: u32,
    /// The largest piece that is read at once, bytes: the memory of each slot. A block must fit.
    pub buffer: usize,
    /// Files kept open for block operations, at most.
    pub files: usize,
    /// Pages listed at once, at most; 0 when nothing is listed.
    pub lists: u32,
    /// Nanoseconds for all stamps.
    pub clock: Clock,
    /// What is worked with.
    pub objects: Arc<dyn Objects>,
    /// Sees what is read, for verification; `None` when nobody looks.
    pub inspector: Option<Inspector>,
}

/// Nanoseconds since an origin that the whole process shares.
#[derive(Copy, Clone, Debug)]
pub struct Clock(pub Instant);

impl Clock {
    /// Now, nanoseconds after the origin.
    #[inline]
    #[must_use]
    pub fn now(self) -> u64 {
        // 584 years fit.
        self.0.elapsed().as_nanos() as u64
    }
}
