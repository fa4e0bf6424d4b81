//! The modelled engine: does a known number of operations a second, and says so as the real one does.

use super::scenario::Nanos;
use super::world::{Event, World};
use crate::checkers::Seen;
use crate::coverage::Mark;
use iobench_core::engine::{EngineCommand, EngineEvent, Epoch};
use iobench_core::message::{Failure, FailureClass, Progress, RunId};
use iobench_core::stats::{Band, Cell, Encoded, Interval, Operation, StageTotals, Tally};
use iobench_core::time::nanos;

/// How long cancelling takes.
const STOPPING: Nanos = 20_000_000;

/// One agent's engine.
#[derive(Debug, Default)]
pub(super) struct Engine {
    pub(super) epoch: Epoch,
    run: RunId,
    work: Option<Work>,
    /// Ticks of an earlier stage are void.
    serial: u64,
    /// How many faults make it hang, stall, ignore Stop.
    pub(super) hangs: u32,
    pub(super) stalls: u32,
    pub(super) never_stops: u32,
    pub(super) fails: bool,
    pub(super) rejects: bool,
    /// It could not set a stage up.
    broken: bool,
    /// What it will say when it does not hang any more.
    withheld: Vec<(Epoch, EngineEvent)>,
    tick_withheld: bool,
}

/// The stage it is in.
#[derive(Debug)]
struct Work {
    stage: u32,
    timed: Option<Nanos>,
    began: Nanos,
    /// When the last interval ended.
    last: Nanos,
    /// Operations so far.
    done: u64,
    /// Operations to do, in an untimed stage.
    total: u64,
    /// Since when it has been done with its work and only rests, or makes durable what was written.
    worked: Option<Nanos>,
    /// Its reports since.
    steps: u64,
}

impl Engine {
    /// Its process is gone, and with it all but what is wrong with the host.
    pub(super) fn restart(&mut self) {
        let Self { hangs, stalls, never_stops, .. } = *self;
        *self = Self { hangs, stalls, never_stops, ..Self::default() };
    }
}

impl World<'_> {
    pub(super) fn command(&mut self, host: usize, epoch: Epoch, command: EngineCommand) {
        match command {
            EngineCommand::Validate(_) => self.validate(host, epoch),
            EngineCommand::Arm { .. } => self.arm(host, epoch),
            EngineCommand::Run { stage } => self.run_stage(host, stage),
            EngineCommand::Stop => self.stop(host, epoch),
        }
    }

    fn validate(&mut self, host: usize, epoch: Epoch) {
        let run = self.hosts[host].machine.current().map_or(RunId(0), |(_, run, _)| run);
        let engine = &mut self.hosts[host].engine;
        engine.epoch = epoch;
        engine.run = run;
        engine.work = None;
        engine.broken = false;
        engine.serial += 1;
        let event = if std::mem::take(&mut engine.rejects) {
            let failure = Failure::new(FailureClass::Config, "no such directory", "mount it");
            EngineEvent::Failed { failure, totals: None }
        } else {
            let outline = Box::new(self.scenario.outline.clone());
            EngineEvent::Validated { outline, capabilities: Box::default() }
        };
        self.engine_says(host, self.scenario.hosts[host].validate, epoch, event);
    }

    /// Sets a stage up, which may fail: then nothing of the run begins any more, though Run may be on its way.
    fn arm(&mut self, host: usize, epoch: Epoch) {
        let engine = &mut self.hosts[host].engine;
        engine.broken = std::mem::take(&mut engine.fails);
        if engine.broken {
            let failure = Failure::new(FailureClass::Resource, "too many open files", "raise ulimit -n");
            self.engine_says(host, 0, epoch, EngineEvent::Failed { failure, totals: None });
        }
    }

    fn run_stage(&mut self, host: usize, stage: u32) {
        if self.hosts[host].engine.broken {
            return;
        }
        let outline = &self.scenario.outline.stages[stage as usize];
        let timed = outline.timed.map(nanos);
        let spec = &self.scenario.hosts[host];
        let total = spec.rate * spec.prepare / 1_000_000_000;
        let work =
            Work { stage, timed, began: self.now, last: self.now, done: 0, total, worked: None, steps: 0 };
        self.hosts[host].engine.work = Some(work);
        self.see(&Seen::LoadBegins { host, stage, timed: timed.is_some() });
        self.next_tick(host);
    }

    fn next_tick(&mut self, host: usize) {
        let interval = nanos(self.scenario.outline.interval);
        let engine = &mut self.hosts[host].engine;
        engine.serial += 1;
        let Some(work) = &engine.work else { return };
        let tail = self.scenario.hosts[host].tail;
        let end = work.worked.map(|since| since + tail).or(work.timed.map(|timed| work.began + timed));
        let left = end.map(|end| end.saturating_sub(self.now));
        let at = self.now + left.map_or(interval, |left| interval.min(left)).max(1);
        let tick =
            Event::EngineTick { host, boot: self.hosts[host].boot, serial: self.hosts[host].engine.serial };
        self.queue.push(at, tick);
    }

    /// An interval is over.
    pub(super) fn engine_tick(&mut self, host: usize, boot: u32, serial: u64) {
        let entry = &mut self.hosts[host];
        let engine = &mut entry.engine;
        if !entry.up || entry.boot != boot || engine.serial != serial {
            return;
        }
        if engine.hangs > 0 {
            engine.tick_withheld = true;
            return;
        }
        let (epoch, fails) = (engine.epoch, std::mem::take(&mut engine.fails));
        let Some(event) = self.interval(host) else { return };
        if fails {
            let totals = self.stage_over(host).map(Box::new);
            let failure = Failure::new(FailureClass::Storage, "input/output error", "look at the storage");
            return self.engine_says(host, 0, epoch, EngineEvent::Failed { failure, totals });
        }
        let engine = &self.hosts[host].engine;
        let worked = engine.work.as_ref().and_then(|work| work.worked);
        let over = worked.is_some_and(|since| self.now >= since + self.scenario.hosts[host].tail);
        self.engine_says(host, 0, epoch, event);
        if over {
            if let Some(totals) = self.stage_over(host) {
                self.engine_says(host, 0, epoch, EngineEvent::StageDone(Box::new(totals)));
            }
        } else {
            self.next_tick(host);
        }
    }

    /// What was done since the last interval.
    fn interval(&mut self, host: usize) -> Option<EngineEvent> {
        let (now, rate) = (self.now, self.scenario.hosts[host].rate);
        let host = &mut self.hosts[host];
        let stalled = host.engine.stalls > 0;
        let work = host.engine.work.as_mut()?;
        let span = now - work.last;
        let possible = u128::from(rate) * u128::from(span) / 1_000_000_000;
        let possible = u64::try_from(possible).unwrap_or(u64::MAX);
        let done = if stalled || work.worked.is_some() { 0 } else { possible };
        let from = host.clock.now(work.last).mono;
        work.last = now;
        let stage = work.stage;
        let warmup = work.worked.is_some();
        work.steps += u64::from(work.worked.is_some());
        if let Some(timed) = work.timed {
            work.done += done;
            if now >= work.began + timed {
                work.worked.get_or_insert(now);
            }
            let to = host.clock.now(now).mono;
            let tally = tally(done);
            let oldest = if stalled { span } else { 0 };
            let interval = Interval { stage, from, to, warmup, tally, oldest, ..Interval::default() };
            return Some(EngineEvent::Interval(Box::new(interval)));
        }
        work.done = (work.done + done).min(work.total);
        if work.done >= work.total {
            work.worked.get_or_insert(now);
        }
        Some(EngineEvent::Progress(Progress {
            stage,
            objects: work.done,
            objects_total: work.total,
            bytes: work.done * 4096,
            bytes_total: work.total * 4096,
            steps: work.steps,
        }))
    }

    /// Nothing is issued any more; what was done counts.
    fn stage_over(&mut self, host: usize) -> Option<StageTotals> {
        let entry = &mut self.hosts[host];
        entry.engine.serial += 1;
        let work = entry.engine.work.take()?;
        let (from, to) = (entry.clock.now(work.began).mono, entry.clock.now(self.now).mono);
        let (run, stage, operations) = (entry.engine.run, work.stage, work.done);
        self.see(&Seen::Counted { host, run, stage, operations });
        self.see(&Seen::LoadEnds { host });
        Some(StageTotals { stage, from, to, tally: tally(operations), ..StageTotals::default() })
    }

    fn stop(&mut self, host: usize, epoch: Epoch) {
        let last = self.interval(host).filter(|event| matches!(event, EngineEvent::Interval(_)));
        let totals = self.stage_over(host).map(Box::new);
        if let Some(last) = last.filter(|_| self.hosts[host].engine.hangs == 0) {
            self.engine_says(host, 0, epoch, last);
        }
        // What a storage holds that does not move, nobody can cancel.
        let stuck = u64::from(totals.is_some() && self.hosts[host].engine.stalls > 0);
        let stopped = EngineEvent::Stopped { totals, stuck };
        if self.hosts[host].engine.never_stops > 0 {
            self.coverage.mark(Mark::StopUnanswered);
            self.hosts[host].engine.withheld.push((epoch, stopped));
        } else {
            let delay = self.dice.between(0, STOPPING);
            self.engine_says(host, delay, epoch, stopped);
        }
    }

    fn engine_says(&mut self, host: usize, delay: Nanos, epoch: Epoch, event: EngineEvent) {
        let boot = self.hosts[host].boot;
        // An engine speaks from its own threads: never inside the command that it answers.
        self.queue.push(self.now + delay, Event::Engine { host, boot, epoch, event });
    }

    /// A fault of the engine is over: it goes on, and says what it owes.
    pub(super) fn engine_recovers(&mut self, host: usize) {
        let engine = &mut self.hosts[host].engine;
        if engine.hangs == 0 && std::mem::take(&mut engine.tick_withheld) {
            self.next_tick(host);
        }
        let engine = &mut self.hosts[host].engine;
        if engine.never_stops == 0 {
            for (epoch, event) in std::mem::take(&mut engine.withheld) {
                self.engine_says(host, 0, epoch, event);
            }
        }
    }
}

fn tally(count: u64) -> Tally {
    if count == 0 {
        return Tally::default();
    }
    let cell = Cell {
        operation: Operation::Get,
        band: Band::of(4096),
        count,
        bytes: count * 4096,
        service_sum: count * 1000,
        service: Encoded::default(),
        response: Encoded::default(),
    };
    Tally { cells: vec![cell], ..Tally::default() }
}
