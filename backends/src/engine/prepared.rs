//! A run that was validated: everything its stages need.

use super::dataset::{Dataset, PIECE_MAX};
use crate::backend::Backend;
use crate::executor::ObjectId;
use iobench_core::plan::{Entry, Plan, Share, StageKind};
use iobench_core::stats::Operation;
use iobench_core::time::nanos;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// When its time is over, a timed stage waits so long for its threads, nanoseconds. Nobody waits for an answer to a
/// stop then, so this has nothing to do with `timeouts.abort`.
pub(super) const PATIENCE: u64 = 3_000_000_000;
/// What is in flight then has so long to end.
pub(super) const LET_GO: u64 = PATIENCE / 4 * 3;

/// What validation leaves to the stages.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) dataset: Arc<Dataset>,
    pub(super) backend: Backend,
    /// How many threads work.
    pub(super) threads: u32,
    /// Files that each of them may keep open.
    pub(super) files: usize,
    /// The target did not exist when the run was validated: if it does now, it was made for this run.
    pub(super) target_is_ours: bool,
    /// Directories that were there and empty when the run was validated.
    pub(super) empty_before: BTreeSet<Vec<u8>>,
    pub(super) left: Left,
}

/// What clean-up finds under names of the run and leaves, as the run does not write objects of such sizes.
#[derive(Default)]
pub(super) struct Left {
    objects: AtomicU64,
    first: OnceLock<String>,
}

impl Left {
    /// Notes one.
    pub(super) fn add(&self, place: impl FnOnce() -> String) {
        self.first.get_or_init(place);
        self.objects.fetch_add(1, Ordering::Relaxed);
    }

    /// For a person, if there is anything.
    pub(super) fn told(&self) -> Option<String> {
        let (objects, first) = (self.objects.load(Ordering::Relaxed), self.first.get()?);
        Some(format!(
            "{objects} objects such as `{first}` were left, as the run writes none of their size: an interrupted put may have made them; look at them, and remove them by hand"
        ))
    }
}

impl Prepared {
    /// Where an object is, for a person.
    pub(super) fn place(&self, object: ObjectId) -> String {
        self.backend.storage().place(&self.dataset.key(object))
    }

    /// Who must stop waits so long for what was cancelled, nanoseconds: three quarters of what the agent waits.
    pub(super) fn let_go(&self) -> u64 {
        nanos(self.plan.timeouts.abort) / 4 * 3
    }

    /// When the engine answers although threads have not come back, nanoseconds after it was told to stop: clearly
    /// before the agent speaks without it.
    pub(super) fn last_word(&self) -> u64 {
        nanos(self.plan.timeouts.abort) / 6 * 5
    }

    /// Operations that one of the threads keeps in flight.
    pub(super) fn slots(&self, thread: u32) -> u32 {
        let part = Share { index: thread.into(), count: self.threads.into() };
        part.of(self.plan.concurrency.into()) as u32
    }
}

/// Bytes that each operation in flight needs to read into, in this stage.
pub(super) fn buffer(plan: &Plan, kind: &StageKind) -> u64 {
    let largest = |entry: &Entry| match entry.operation {
        Operation::Read => entry.block_size.unwrap_or(0),
        Operation::Get => {
            plan.pools.get(usize::from(entry.pool.0)).map_or(0, |pool| match pool.naming {
                // Listed sizes are not in the plan.
                iobench_core::plan::Naming::Listed { .. } => PIECE_MAX,
                _ => pool.sizes.bounds().1.min(PIECE_MAX),
            })
        }
        _ => 0,
    };
    match kind {
        StageKind::Execute { entries, .. } => entries.iter().map(largest).max().unwrap_or(0).max(4096),
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => 4096,
    }
}
