//! A thread's place in a stage: what it is given, what it says, and what it works with.

use super::control::{Control, Shared};
use super::prepared::{Prepared, buffer};
use super::source::{Source, source};
use super::verify::inspector;
use crate::executor::{Clock, Executor, ExecutorSpec, Objects};
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Share, StageKind};
use iobench_core::stats::{Operation, Recorder};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

/// Where a thread sits.
pub(super) struct Seat {
    pub(super) prepared: Arc<Prepared>,
    pub(super) stage: usize,
    pub(super) thread: u32,
    pub(super) clock: Clock,
    pub(super) control: Arc<Control>,
    pub(super) shared: Arc<Shared>,
    pub(super) directives: Receiver<Directive>,
    pub(super) report: Box<dyn Fn(Report) + Send>,
}

/// From the coordinator to a thread.
pub(super) enum Directive {
    /// Begin; the instant is the same for all.
    Go(u64),
    /// Nothing begins.
    Never,
    /// An empty recorder to go on with.
    Spare(Box<Recorder>),
}

/// From a thread to the coordinator.
pub(super) enum Report {
    /// Everything is set up; what the executor says of itself.
    Ready(Option<(&'static str, &'static str)>),
    /// All pieces of the timeline before `piece` are over here.
    Closed { piece: u64, counts: Box<Counts> },
    /// The thread has done its own work: the rest of its counts.
    Drained { counts: Box<Counts>, exhausted: bool },
    /// The thread has ended. The last one to drain has also done what comes after the work: with these counts.
    Finished { after: Option<Box<Recorder>> },
}

/// What a thread counted in one piece.
pub(super) struct Counts {
    pub(super) recorder: Box<Recorder>,
    /// Operations that the thread has counted by now since it began.
    pub(super) counted: u64,
    pub(super) warmup: bool,
    pub(super) in_flight: u64,
    pub(super) oldest: u64,
    pub(super) lag: u64,
}

/// Sees to it that a thread never goes without a word.
pub(super) struct Guard {
    pub(super) control: Arc<Control>,
    pub(super) shared: Arc<Shared>,
}

impl Guard {
    /// Does a thread's work. A panic is a bug of ours and ends the stage as one; the other threads hand over what
    /// they have counted.
    pub(super) fn watch(&self, work: impl FnOnce(), report: impl Fn(Report)) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else { return };
        let said = panic.downcast_ref::<&str>().copied();
        let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let name = std::thread::current().name().unwrap_or("of the engine").to_owned();
        self.control.fail(Failure::new(
            FailureClass::Internal,
            format!("thread `{name}` panicked: {}", said.unwrap_or("it does not say why")),
            "this is a bug in iobench: please report it with the configuration",
        ));
        self.shared.drained.store(true, Ordering::Release);
        self.shared.finished.store(true, Ordering::Release);
        report(Report::Finished { after: None });
    }
}

/// What a thread works with.
pub(super) struct Equipment {
    pub(super) executor: Box<dyn Executor>,
    pub(super) source: Box<dyn Source>,
}

/// Sets up what a thread works with.
pub(super) fn equip(seat: &Seat) -> Result<Equipment, Failure> {
    let prepared = &seat.prepared;
    let kind = &prepared.plan.stages[seat.stage].kind;
    let slots = prepared.slots(seat.thread);
    let spec = ExecutorSpec {
        slots,
        buffer: usize::try_from(buffer(&prepared.plan, kind)).unwrap_or(usize::MAX),
        files: files(prepared, seat.stage),
        lists: if lists(kind) { slots } else { 0 },
        clock: seat.clock,
        objects: Arc::clone(&prepared.dataset) as Arc<dyn Objects>,
        inspector: inspector(prepared, seat.stage, &seat.control),
    };
    let executor = prepared.backend.executor(spec).map_err(|error| {
        let next = "lower `concurrency`, or raise this user's limits (ulimit -l, -n, -u)";
        Failure::new(FailureClass::Resource, error.to_string(), next)
    })?;
    let part = Share { index: seat.thread.into(), count: prepared.threads.into() };
    Ok(Equipment { executor, source: source(prepared, seat.stage, part)? })
}

/// Whether the stage lists anything.
fn lists(kind: &StageKind) -> bool {
    match kind {
        StageKind::Execute { entries, .. } => entries.iter().any(|entry| entry.operation == Operation::List),
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => false,
    }
}

/// Files that the stage's blocks are in, as many as a thread may keep open.
fn files(prepared: &Prepared, stage: usize) -> usize {
    let StageKind::Execute { entries, .. } = &prepared.plan.stages[stage].kind else { return 0 };
    let mut pools: Vec<_> = entries
        .iter()
        .filter(|entry| matches!(entry.operation, Operation::Read | Operation::Write | Operation::Fsync))
        .map(|entry| entry.pool)
        .collect();
    pools.sort_unstable();
    pools.dedup();
    let files =
        pools.iter().fold(0_u64, |sum, &pool| sum.saturating_add(prepared.dataset.pool(pool).count()));
    usize::try_from(files).unwrap_or(usize::MAX).min(prepared.files)
}
