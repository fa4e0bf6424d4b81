//! Where a thread's tasks come from.

use super::dataset::Dataset;
use super::prepared::Prepared;
use crate::error::Fault;
use crate::executor::{Manner, ObjectId, Outcome, Task};
use crate::storage::{Page, Token};
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Entry, Naming, Plan, PoolId, Share, StageKind};
use iobench_core::stats::{ErrorClass, Operation};
use iobench_core::workload::{Item, Next, Special, Stream, Worklist};
use std::sync::Arc;

/// What a thread does next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Feed {
    /// This task, of this kind; the source gets the kind back when it is over.
    Task(u16, Task),
    /// Ask again: all that was done is to look for more.
    Looked,
    /// Nothing before something else is over.
    Waiting,
    /// Ask again, but not at once: looking for more has failed, and that may heal.
    Later,
    /// What should have given the next one failed: it counts as an error of this operation, here.
    Failed(Operation, Fault, PoolId),
    /// Nothing any more.
    Exhausted,
}

/// What is to become of a task that is over.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Verdict {
    /// It counts, as it ended.
    Counts,
    /// It counts, and an object of so many bytes is done with it.
    Finishes(u64),
    /// It does not count, but an object of so many bytes is done with it.
    Skips(u64),
    /// Go on with this one on the same slot; whether the one before counts.
    Then(bool, u16, Task),
    /// It ends the stage.
    Fails(Failure),
}

/// The tasks of one thread.
pub(super) trait Source {
    /// The next task.
    fn next(&mut self) -> Feed;
    /// A task of this kind is over, after all its tries.
    fn over(&mut self, kind: u16, task: Task, outcome: Outcome) -> Verdict;
}

/// The source of a thread's part of a stage.
pub(super) fn source(
    prepared: &Arc<Prepared>,
    stage: usize,
    thread: Share,
) -> Result<Box<dyn Source>, Failure> {
    let plan = &prepared.plan;
    let own = plan.share.split(thread.index, thread.count);
    let dataset = Arc::clone(&prepared.dataset);
    match &plan.stages[stage].kind {
        StageKind::Execute { .. } => match Stream::new(plan, stage, dataset.keys(), thread) {
            Ok(stream) => Ok(Box::new(Mix { stream })),
            Err(error) => Err(Failure::new(FailureClass::Config, error.to_string(), "")),
        },
        StageKind::Prepare { pools, overwrite, skip_verification, .. } => Ok(Box::new(Prepare {
            items: Worklist::new(pools, dataset.keys(), own),
            write_all: *overwrite || *skip_verification,
            verify: !*skip_verification,
            prepared: Arc::clone(prepared),
        })),
        StageKind::Cleanup { pools, tolerant } => Ok(Box::new(Cleanup {
            items: Worklist::new(pools, dataset.keys(), own),
            endless: Endless::new(prepared, pools, own, *tolerant),
            tolerant: *tolerant,
            prepared: Arc::clone(prepared),
        })),
    }
}

/// The mix of a timed stage.
struct Mix {
    stream: Stream,
}

impl Source for Mix {
    #[inline]
    fn next(&mut self) -> Feed {
        match self.stream.next() {
            Next::Step(step) => {
                let object = ObjectId { pool: step.pool, key: step.key };
                let task = Task {
                    operation: step.operation,
                    object,
                    offset: step.offset,
                    length: step.length,
                    manner: manner(step.special),
                };
                Feed::Task(step.entry, task)
            }
            Next::Waiting => Feed::Waiting,
            Next::Exhausted => Feed::Exhausted,
        }
    }

    #[inline]
    fn over(&mut self, kind: u16, _task: Task, _outcome: Outcome) -> Verdict {
        self.stream.refund(kind);
        Verdict::Counts
    }
}

/// What is special about a step, for an executor.
#[inline]
fn manner(special: Special) -> Manner {
    match special {
        Special::None => Manner::Plain,
        Special::Range => Manner::Range,
        Special::IfAbsent => Manner::IfAbsent,
        Special::Batch(count) => Manner::Batch(count),
        Special::CopyTo(pool, key) => Manner::To(ObjectId { pool, key }),
    }
}

/// Makes every object that is not there with its size: look, write, look again.
struct Prepare {
    items: Worklist,
    write_all: bool,
    verify: bool,
    prepared: Arc<Prepared>,
}

const LOOK: u16 = 0;
const WRITE: u16 = 1;
const VERIFY: u16 = 2;

impl Prepare {
    fn fails(&self, what: &'static str, task: Task, fault: Fault) -> Verdict {
        let place = self.prepared.place(task.object);
        let class = match fault.class {
            ErrorClass::NoSpace => FailureClass::Resource,
            _ => FailureClass::Storage,
        };
        Verdict::Fails(Failure::new(
            class,
            fault.at(what, place).to_string(),
            "the data set is not complete; run again to continue where it stopped",
        ))
    }
}

impl Source for Prepare {
    fn next(&mut self) -> Feed {
        let Some(Item { pool, key, size }) = self.items.next() else { return Feed::Exhausted };
        let (kind, operation) =
            if self.write_all { (WRITE, Operation::Put) } else { (LOOK, Operation::Stat) };
        Feed::Task(
            kind,
            Task {
                operation,
                object: ObjectId { pool, key },
                offset: 0,
                length: size,
                manner: Manner::Plain,
            },
        )
    }

    fn over(&mut self, kind: u16, task: Task, outcome: Outcome) -> Verdict {
        match (kind, outcome) {
            (LOOK, Outcome::Done(size)) if size == task.length => Verdict::Skips(size),
            (LOOK, Outcome::Done(_) | Outcome::Failed(Fault { class: ErrorClass::NotFound, .. })) => {
                Verdict::Then(false, WRITE, Task { operation: Operation::Put, ..task })
            }
            (WRITE, Outcome::Done(_)) if self.verify => {
                Verdict::Then(true, VERIFY, Task { operation: Operation::Stat, ..task })
            }
            (WRITE, Outcome::Done(size)) => Verdict::Finishes(size),
            // What is left is the look after writing.
            (_, Outcome::Done(size)) if size == task.length => Verdict::Skips(size),
            (_, Outcome::Done(_)) => self.fails("find all that was written to", task, Fault::TRUNCATED),
            (WRITE, Outcome::Failed(fault)) => self.fails("write", task, fault),
            (_, Outcome::Failed(fault)) => self.fails("look at", task, fault),
            (_, Outcome::Cancelled) => Verdict::Counts,
        }
    }
}

/// What Linux says when a directory is to be removed like a file.
const IS_DIRECTORY: u32 = libc::EISDIR.unsigned_abs();

/// Clean-up deletes, looks whether what it could not delete is there at all, and deletes that once more.
const DELETE: u16 = 0;
const GONE: u16 = 1;
const AGAIN: u16 = 2;

/// Deletes every object of some pools.
///
/// What the stage before had in flight at its end may still be going on in a store: it deletes what is being deleted
/// here, and then a store that looks first and deletes then may answer 500. What counts is whether it is gone.
struct Cleanup {
    items: Worklist,
    endless: Endless,
    tolerant: bool,
    prepared: Arc<Prepared>,
}

impl Source for Cleanup {
    fn next(&mut self) -> Feed {
        match self.items.next() {
            Some(Item { pool, key, .. }) => delete(Operation::Delete, ObjectId { pool, key }),
            None => self.endless.next(),
        }
    }

    fn over(&mut self, kind: u16, task: Task, outcome: Outcome) -> Verdict {
        let then = |kind, operation| Verdict::Then(false, kind, Task { operation, ..task });
        match outcome {
            // Whatever the look found, a delete that is possible now is the answer that counts.
            Outcome::Done(_) if kind == GONE => then(AGAIN, Operation::Delete),
            Outcome::Failed(fault) if kind == GONE && fault.class != ErrorClass::NotFound => {
                then(AGAIN, Operation::Delete)
            }
            Outcome::Done(_) => Verdict::Finishes(0),
            // What `mkdir` made, and only that.
            Outcome::Failed(Fault { code: IS_DIRECTORY, .. })
                if task.operation == Operation::Delete
                    && makes_directories(&self.prepared.plan, task.object.pool) =>
            {
                then(DELETE, Operation::Rmdir)
            }
            Outcome::Failed(Fault { class: ErrorClass::NotFound, .. }) if self.tolerant => Verdict::Skips(0),
            Outcome::Failed(fault)
                if self.tolerant
                    && (kind, task.operation) == (DELETE, Operation::Delete)
                    && fault.class.may_heal() =>
            {
                then(GONE, Operation::Stat)
            }
            Outcome::Failed(fault) if !self.tolerant => Verdict::Fails(Failure::new(
                FailureClass::Storage,
                fault.at("remove", self.prepared.place(task.object)).to_string(),
                "set `cleanup_mode: tolerant` to go on anyway",
            )),
            Outcome::Failed(_) | Outcome::Cancelled => Verdict::Counts,
        }
    }
}

/// Whether the run makes directories under the names of this pool: what else is called so is somebody's.
fn makes_directories(plan: &Plan, pool: PoolId) -> bool {
    let makes = |entry: &Entry| entry.operation == Operation::Mkdir && entry.pool == pool;
    plan.stages.iter().any(|stage| match &stage.kind {
        StageKind::Execute { entries, .. } => entries.iter().any(makes),
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => false,
    })
}

fn delete(operation: Operation, object: ObjectId) -> Feed {
    Feed::Task(DELETE, Task { operation, object, offset: 0, length: 0, manner: Manner::Plain })
}

/// What PUT, COPY or MKDIR made under names without end: found by listing, a page at a time. Only objects (or, if the
/// run makes such, directories) of exactly these names, and of sizes that the run gives them.
///
/// Each thread lists all of them and removes its own, so that what one lists another removes meanwhile; and then a
/// store that reads names first and looks at each object then may answer 500. A tolerant one lists such a page again.
struct Endless {
    prepared: Arc<Prepared>,
    tolerant: bool,
    /// Pools still to be listed.
    pools: Vec<PoolId>,
    share: Share,
    token: Option<Token>,
    /// Keys of the last pool's latest page, and how to remove them.
    page: Vec<(Operation, u64)>,
    /// That page was the pool's last.
    complete: bool,
    /// How often listing the next one has failed.
    tries: u32,
}

impl Endless {
    const PAGE: usize = 1024;
    /// So often a page may fail before that counts: for some seconds.
    const TRIES: u32 = 50;

    fn new(prepared: &Arc<Prepared>, pools: &[PoolId], share: Share, tolerant: bool) -> Self {
        let dataset: &Dataset = &prepared.dataset;
        let endless = |id: &PoolId| {
            prepared.plan.pools[usize::from(id.0)].naming == Naming::Put
                && dataset.pool(*id).count() == u64::MAX
        };
        let pools = pools.iter().copied().filter(endless).collect();
        Self {
            prepared: Arc::clone(prepared),
            tolerant,
            pools,
            share,
            token: None,
            page: Vec::new(),
            complete: false,
            tries: 0,
        }
    }

    fn next(&mut self) -> Feed {
        while let Some(&pool) = self.pools.last() {
            if let Some((operation, key)) = self.page.pop() {
                return delete(operation, ObjectId { pool, key });
            }
            if std::mem::take(&mut self.complete) {
                self.pools.pop();
                continue;
            }
            let keys = self.prepared.dataset.pool(pool);
            let prefix = [keys.base(), b"obj_"].concat();
            let page = self.prepared.backend.storage().list(&prefix, self.token.as_ref(), Self::PAGE);
            let page = match page {
                Ok(page) => page,
                // A directory that is not there has nothing for us.
                Err(error) if error.class() == ErrorClass::NotFound => Page::default(),
                Err(error) if self.tolerant && self.tries < Self::TRIES && passes(error.class()) => {
                    self.tries += 1;
                    return Feed::Later;
                }
                Err(error) => {
                    (self.token, self.complete, self.tries) = (None, false, 0);
                    self.pools.pop();
                    return Feed::Failed(Operation::List, error.fault, pool);
                }
            };
            let plan = &self.prepared.plan;
            let (min, max) = plan.pools[usize::from(pool.0)].sizes.bounds();
            let storage = self.prepared.backend.storage();
            // Nobody knows the size of what was copied.
            let fits = |name: &[u8], size: Option<u64>| {
                let size = || size.or_else(|| storage.stat(name).ok());
                max == 0 || size().is_some_and(|size| (min..=max).contains(&size))
            };
            let directories_too = makes_directories(plan, pool);
            let own =
                |name: &[u8]| keys.index_of(name).filter(|key| key % self.share.count == self.share.index);
            let objects = page.objects.iter().filter_map(|(name, size)| Some((name, size, own(name)?)));
            let objects = objects.filter(|(name, size, _)| {
                let fits = fits(name, **size);
                if !fits {
                    self.prepared.left.add(|| storage.place(name));
                }
                fits
            });
            let objects = objects.map(|(_, _, key)| (Operation::Delete, key));
            let directories = page
                .directories
                .iter()
                .filter(|_| directories_too)
                .filter_map(|name| Some((Operation::Rmdir, own(name.strip_suffix(b"/")?)?)));
            self.page = objects.chain(directories).collect();
            self.complete = page.next.is_none();
            (self.token, self.tries) = (page.next, 0);
            return Feed::Looked;
        }
        Feed::Exhausted
    }
}

/// Whether a listing that failed so may succeed soon. One that took as long as it may is not waited for again.
fn passes(class: ErrorClass) -> bool {
    class.may_heal() && class != ErrorClass::Timeout
}
