//! The engine as an agent sees it: commands in, events out.

mod arming;
mod ending;
mod progress;
mod running;
mod validating;
mod verifying;

use super::LocalEngine;
use crate::backend::UringProbe;
use crate::file::on_disk;
use iobench_core::engine::{Engine, EngineCommand, EngineEvent, Epoch};
use iobench_core::message::{Capabilities, Configure, Failure, FailureClass, Progress};
use iobench_core::plan::{
    Entry, ErrorPolicy, FileEngine, FileOptions, Fill, Naming, Pattern, Plan, Pool, PoolId, Scheme, Share,
    SizeSpec, Stage, StageKind, StorageOptions, Timeouts,
};
use iobench_core::stats::{ErrorClass, Interval, Operation, StageTotals, Tally};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing in these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A plan of this name has its first thread panic when the other one has done something.
const BUGGY: &str = "a bug";

/// A plan of this name has each operation of a stage's end take [`SLOWLY`]; one of that name longer than anybody waits.
const SLOW: &str = "a slow end";
const VERY_SLOW: &str = "a very slow end";
const SLOWLY: Duration = Duration::from_millis(400);

/// Called before each operation of a stage's end.
pub(super) fn perhaps_wait(plan: &Plan) {
    match &*plan.name {
        SLOW => std::thread::sleep(SLOWLY),
        VERY_SLOW => std::thread::sleep(2 * PATIENCE),
        _ => {}
    }
}

/// A plan of this name counts threads that are set up.
const TOLD: &str = "told when it is set up";
static SET_UP: AtomicU32 = AtomicU32::new(0);
/// Those of this one panic then.
const BUGGY_SET_UP: &str = "a bug before it begins";

/// Called by threads that are set up.
pub(super) fn perhaps_tell(plan: &Plan) {
    assert!(plan.name != BUGGY_SET_UP, "no set-up");
    if plan.name == TOLD {
        SET_UP.fetch_add(1, Ordering::Relaxed);
    }
}

/// Called by threads at work.
pub(super) fn perhaps_panic(seat: &super::seat::Seat) {
    /// Rounds of the others: after the first they have done something.
    static ROUNDS: AtomicU32 = AtomicU32::new(0);
    if seat.prepared.plan.name != BUGGY {
        return;
    }
    if seat.thread == 0 {
        assert!(ROUNDS.load(Ordering::Relaxed) < 2, "two and two are five");
    } else {
        ROUNDS.fetch_add(1, Ordering::Relaxed);
    }
}

/// An engine that runs whatever plan it was given last.
struct Rig {
    engine: LocalEngine,
    events: Receiver<(Epoch, EngineEvent)>,
    plan: Arc<Mutex<Plan>>,
    epoch: Epoch,
}

impl Rig {
    fn new(plan: Plan) -> Self {
        Self::with_probe(plan, crate::file::uring::probe)
    }

    fn with_probe(plan: Plan, probe: UringProbe) -> Self {
        let (sender, events) = channel();
        let plan = Arc::new(Mutex::new(plan));
        let loaded = Arc::clone(&plan);
        let loader = Arc::new(move |_: &Configure| Ok(loaded.lock().unwrap().clone()));
        let callback = Arc::new(move |epoch, event| drop(sender.send((epoch, event))));
        let engine = LocalEngine::with(Instant::now(), callback, loader, probe);
        Self { engine, events, plan, epoch: Epoch(1) }
    }

    fn set(&mut self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan.lock().unwrap());
    }

    fn command(&mut self, command: EngineCommand) {
        self.engine.command(self.epoch, command);
    }

    fn event(&self) -> EngineEvent {
        let (epoch, event) = self.events.recv_timeout(PATIENCE).expect("an event");
        assert_eq!(epoch, self.epoch, "events bear the epoch of their command");
        event
    }

    fn validate(&mut self) -> Result<Capabilities, Failure> {
        self.command(EngineCommand::Validate(Box::default()));
        match self.event() {
            EngineEvent::Validated { capabilities, .. } => Ok(*capabilities),
            EngineEvent::Failed { failure, totals: None } => Err(failure),
            other => panic!("validation ended with {other:?}"),
        }
    }

    fn start(&mut self, stage: u32) {
        self.command(EngineCommand::Run { stage });
    }

    /// The next interval that is so; until then the stage sends others, and nothing else.
    fn interval(&self, so: impl Fn(&Interval) -> bool) -> Interval {
        let begun = Instant::now();
        loop {
            match self.event() {
                EngineEvent::Interval(interval) if so(&interval) => return *interval,
                EngineEvent::Interval(interval) => assert!(begun.elapsed() < PATIENCE, "{interval:?}"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Runs a stage to its end.
    fn run(&mut self, stage: u32) -> Ran {
        self.start(stage);
        self.finish()
    }

    /// Runs a stage again and again until one time was long enough for what is to be seen: how long that takes is for
    /// the host to say. After some patience it is what it is.
    fn run_until(&mut self, stage: u32, enough: impl Fn(&StageTotals) -> bool) -> StageTotals {
        self.ran_until(stage, |ran| ran.totals.as_ref().is_some_and(&enough)).done()
    }

    /// The same for all that a stage says.
    fn ran_until(&mut self, stage: u32, enough: impl Fn(&Ran) -> bool) -> Ran {
        let begun = Instant::now();
        loop {
            let ran = self.run(stage);
            if ran.failure.is_some() || enough(&ran) || begun.elapsed() > PATIENCE {
                return ran;
            }
        }
    }

    fn finish(&mut self) -> Ran {
        let mut ran =
            Ran { intervals: Vec::new(), progress: Vec::new(), totals: None, failure: None, stuck: 0 };
        loop {
            match self.event() {
                EngineEvent::Interval(interval) => ran.intervals.push(*interval),
                EngineEvent::Progress(progress) => ran.progress.push(progress),
                EngineEvent::StageDone(totals) => {
                    ran.totals = Some(*totals);
                    return ran;
                }
                EngineEvent::Failed { failure, totals } => {
                    ran.failure = Some(failure);
                    ran.totals = totals.map(|totals| *totals);
                    return ran;
                }
                EngineEvent::Stopped { totals, stuck } => {
                    ran.totals = totals.map(|totals| *totals);
                    ran.stuck = stuck;
                    return ran;
                }
                EngineEvent::Validated { .. } => panic!("nobody asked for a validation"),
            }
        }
    }
}

/// What a stage said.
struct Ran {
    intervals: Vec<Interval>,
    progress: Vec<Progress>,
    totals: Option<StageTotals>,
    failure: Option<Failure>,
    stuck: u64,
}

impl Ran {
    #[track_caller]
    fn done(self) -> StageTotals {
        assert_eq!(self.failure, None);
        self.totals.expect("totals")
    }

    /// All measured intervals together.
    fn sum(&self) -> Tally {
        let tallies =
            self.intervals.iter().filter(|interval| !interval.warmup).map(|interval| &interval.tally);
        iobench_core::stats::merge_tallies(tallies).expect("histograms can be merged")
    }
}

fn count(totals: &StageTotals, operation: Operation) -> u64 {
    totals.tally.cells.iter().filter(|cell| cell.operation == operation).map(|cell| cell.count).sum()
}

fn errors(totals: &StageTotals, class: ErrorClass) -> u64 {
    totals.tally.errors.iter().filter(|error| error.class == class).map(|error| error.count).sum()
}

fn fact<'a>(totals: &'a StageTotals, name: &str) -> Option<&'a str> {
    totals.facts.iter().find(|(fact, _)| fact == name).map(|(_, value)| &**value)
}

fn memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

pub(super) fn pool(base: &str, naming: Naming, count: u64, size: u64) -> Pool {
    Pool { base: base.to_owned(), naming, count, sizes: SizeSpec::Fixed(size), fill: Fill::Random }
}

pub(super) fn prepared(count: u64, size: u64) -> Pool {
    pool("data/", Naming::Prepared, count, size)
}

fn entry(operation: Operation, pool: u16) -> Entry {
    let block_size = matches!(operation, Operation::Read | Operation::Write).then_some(4096);
    Entry {
        operation,
        weight: 1,
        pool: PoolId(pool),
        pattern: Pattern::Random,
        block_size,
        page_size: 10,
        detail: iobench_core::plan::Detail::None,
        verify: false,
        concurrency: None,
    }
}

pub(super) fn prepare(pools: &[u16]) -> Stage {
    let pools = pools.iter().map(|&id| PoolId(id)).collect();
    let kind =
        StageKind::Prepare { pools, overwrite: false, skip_verification: false, settle: Duration::ZERO };
    Stage { name: "prepare".to_owned(), kind }
}

fn execute(milliseconds: u64, entries: Vec<Entry>) -> Stage {
    let duration = Duration::from_millis(milliseconds);
    Stage {
        name: "execute".to_owned(),
        kind: StageKind::Execute { duration, warmup: Duration::ZERO, entries },
    }
}

/// A mix of gets from the first pool.
pub(super) fn execute_gets(milliseconds: u64) -> Stage {
    execute(milliseconds, vec![entry(Operation::Get, 0)])
}

pub(super) fn cleanup(pools: &[u16]) -> Stage {
    let pools = pools.iter().map(|&id| PoolId(id)).collect();
    Stage { name: "cleanup".to_owned(), kind: StageKind::Cleanup { pools, tolerant: true } }
}

fn files(directory: &Path, pools: Vec<Pool>, stages: Vec<Stage>) -> Plan {
    plan(&format!("file://{}/target", directory.display()), pools, stages)
}

pub(super) fn plan(target: &str, pools: Vec<Pool>, stages: Vec<Stage>) -> Plan {
    Plan {
        name: "test".to_owned(),
        labels: Vec::new(),
        seed: 7,
        target: target.parse().unwrap(),
        concurrency: 8,
        interval: Duration::from_millis(100),
        share: Share::WHOLE,
        pools,
        stages,
        errors: ErrorPolicy::default(),
        file: FileOptions { registered: true, threads: Some(2), ..FileOptions::default() },
        storage: StorageOptions::default(),
        timeouts: Timeouts::default(),
    }
}

fn posix(plan: &mut Plan) {
    plan.file.engine = FileEngine::Posix;
}

/// Names of all files below a directory.
fn tree(directory: &Path) -> Vec<String> {
    fn visit(directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    visit(directory, &mut found);
    found.sort();
    found
}
