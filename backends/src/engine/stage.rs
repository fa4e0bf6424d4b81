//! A stage that is running, as the coordinator sees it: threads, intervals, totals, the end.

use super::control::{Control, ErrorRate, Shared, Stops};
use super::prepared::{PATIENCE, Prepared};
use super::seat::{Counts, Directive, Guard, Report, Seat};
use super::timeline::Timeline;
use super::worker::Worker;
use crate::executor::Clock;
use crate::host::{self, CpuMeter};
use iobench_core::engine::EngineEvent;
use iobench_core::message::{Failure, FailureClass, Progress};
use iobench_core::plan::StageKind;
use iobench_core::stats::{Interval, Recorder, StageTotals};
use iobench_core::time::{Mono, nanos};
use iobench_core::workload::Worklist;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};

/// The fact that names the first corrupt object.
const CORRUPT: &str = "corrupt";
/// The fact that says what clean-up has left.
const LEFT: &str = "left behind";
/// A thread's counts of an interval are waited for so long, at most.
const LATE_MAX: u64 = 50_000_000;
/// The stage looks around this often at least …
const TICK: u64 = 2 * LATE_MAX;
/// … and one that does so later than this was itself kept from it, and most likely its threads with it.
const ABSENT: u64 = 1_000_000_000;

/// One stage from `Run` to its end.
pub(super) struct Stage {
    prepared: Arc<Prepared>,
    index: usize,
    clock: Clock,
    control: Arc<Control>,
    rate: ErrorRate,
    threads: Vec<Thread>,
    /// Threads that are set up wait, until they are released.
    armed: bool,
    /// When work began; `None` while threads are setting up.
    start: Option<u64>,
    timeline: Option<Timeline>,
    /// When it last looked around.
    looked: u64,
    /// When it last did so after an absence.
    returned: u64,
    /// Counts that belong to the interval to be sent next.
    pending: Pending,
    /// Pieces of the timeline that were sent.
    sent: u64,
    /// The end of the last interval, or when the next progress is due.
    reported: u64,
    totals: Recorder,
    lag_max: u64,
    interval_cpu: CpuMeter,
    stage_cpu: CpuMeter,
    /// What an executor says of itself; they are all alike.
    executor_fact: Option<(&'static str, &'static str)>,
    /// From now on nobody is waited for after this instant.
    deadline: Option<u64>,
    /// Reports of progress in which something that takes long was going on.
    held: u64,
    work: (u64, u64),
}

struct Thread {
    shared: Arc<Shared>,
    directives: Sender<Directive>,
    ready: bool,
    /// Pieces that are closed here.
    closed: u64,
    /// Operations whose counts have arrived.
    counted: u64,
    in_flight: u64,
    oldest: u64,
    exhausted: bool,
    drained: bool,
    finished: bool,
}

struct Pending {
    recorder: Recorder,
    lag: u64,
}

/// How a stage ended.
pub(super) struct Ended {
    pub(super) totals: Box<StageTotals>,
    /// It was not only armed.
    pub(super) begun: bool,
    pub(super) failure: Option<Failure>,
    /// Threads that did not come back: they know when they do.
    pub(super) abandoned: Vec<Arc<Shared>>,
}

impl Stage {
    /// Starts the threads; the work begins when all are ready. `report` takes what thread `n` says.
    pub(super) fn start<R>(
        prepared: &Arc<Prepared>,
        index: usize,
        clock: Clock,
        stops: (Stops, u64),
        report: impl Fn(usize) -> R,
    ) -> Result<Self, Failure>
    where
        R: Fn(Report) + Send + 'static,
    {
        let plan = &prepared.plan;
        let count = prepared.threads;
        let control = Arc::new(Control::new(stops.0, stops.1, count as usize, &plan.errors));
        let mut threads = Vec::with_capacity(count as usize);
        for thread in 0..count {
            let (directives, inbox) = channel();
            let shared = Arc::new(Shared::default());
            let seat = Seat {
                prepared: Arc::clone(prepared),
                stage: index,
                thread,
                clock,
                control: Arc::clone(&control),
                shared: Arc::clone(&shared),
                directives: inbox,
                report: Box::new(report(thread as usize)),
            };
            let guard = Guard { control: Arc::clone(&control), shared: Arc::clone(&shared) };
            let report = report(thread as usize);
            let work = move || guard.watch(|| Worker::run(seat), report);
            let name = format!("work-{thread}");
            if let Err(error) = std::thread::Builder::new().name(name).spawn(work) {
                control.halt();
                let message = format!("cannot start thread {thread} of {count}: {error}");
                return Err(Failure::new(FailureClass::Resource, message, host::MORE_THREADS));
            }
            threads.push(Thread::new(shared, directives));
        }
        let now = clock.now();
        Ok(Self {
            index,
            clock,
            rate: ErrorRate::new(&plan.errors),
            work: work(prepared, index),
            prepared: Arc::clone(prepared),
            control,
            threads,
            armed: false,
            start: None,
            timeline: None,
            looked: now,
            returned: 0,
            pending: Pending { recorder: Recorder::new(&[]), lag: 0 },
            sent: 0,
            reported: now,
            totals: Recorder::new(&[]),
            lag_max: 0,
            interval_cpu: CpuMeter::start(),
            stage_cpu: CpuMeter::start(),
            executor_fact: None,
            deadline: None,
            held: 0,
        })
    }

    /// The work does not begin before it is released.
    pub(super) fn arm(&mut self) {
        self.armed = true;
    }

    pub(super) fn is_armed(&self, index: usize) -> bool {
        self.armed && self.index == index
    }

    /// The work begins as soon as all threads are ready.
    pub(super) fn release(&mut self) {
        self.armed = false;
        self.go_when_ready();
    }

    /// Nothing more is to be issued.
    pub(super) fn halt(&mut self) {
        self.control.halt();
        if self.start.is_none() {
            for thread in &self.threads {
                // One that has failed to set up has gone.
                let _told = thread.directives.send(Directive::Never);
            }
        }
        let deadline = self.clock.now() + self.prepared.last_word();
        self.deadline = Some(self.deadline.map_or(deadline, |before| before.min(deadline)));
    }

    /// A thread says something.
    pub(super) fn reported(&mut self, thread: usize, report: Report) {
        match report {
            Report::Ready(fact) => {
                self.threads[thread].ready = true;
                self.executor_fact = self.executor_fact.or(fact);
            }
            Report::Closed { piece, counts } => {
                self.threads[thread].closed = piece;
                let spare = self.count(thread, *counts);
                // A thread that has gone needs none.
                let _taken = self.threads[thread].directives.send(Directive::Spare(spare));
            }
            Report::Drained { counts, exhausted } => {
                self.threads[thread].drained = true;
                self.threads[thread].exhausted = exhausted;
                self.count(thread, *counts);
                self.threads[thread].in_flight = 0;
                self.threads[thread].oldest = 0;
            }
            Report::Finished { after } => {
                if !self.threads[thread].drained {
                    // It has panicked: nobody else knows how that ended.
                    let lost = self.threads[thread].shared.uncounted();
                    self.pending.recorder.cancelled(lost);
                    self.totals.cancelled(lost);
                    self.threads[thread].in_flight = 0;
                    self.threads[thread].oldest = 0;
                }
                self.threads[thread].drained = true;
                self.threads[thread].finished = true;
                if let Some(recorder) = after {
                    self.pending.recorder.merge(&recorder);
                    self.totals.merge(&recorder);
                }
            }
        }
        self.go_when_ready();
    }

    fn go_when_ready(&mut self) {
        let all_ready = self.threads.iter().all(|thread| thread.ready || thread.finished);
        if self.start.is_none() && all_ready && !self.armed && !self.control.halted() {
            self.go();
        }
    }

    /// Everyone begins. The instant is taken right before they are told, so it is that of the first operation but
    /// for the microseconds that waking a thread takes.
    fn go(&mut self) {
        let start = self.clock.now();
        let plan = &self.prepared.plan;
        self.start = Some(start);
        self.reported = start;
        self.timeline = Timeline::new(&plan.stages[self.index].kind, plan.interval, start);
        self.interval_cpu = CpuMeter::start();
        self.stage_cpu = CpuMeter::start();
        for thread in &self.threads {
            // A thread that has failed to set up has gone.
            let _told = thread.directives.send(Directive::Go(start));
        }
    }

    /// Adds a thread's counts; gives back the emptied recorder.
    fn count(&mut self, thread: usize, counts: Counts) -> Box<Recorder> {
        let Counts { mut recorder, counted, warmup, in_flight, oldest, lag } = counts;
        self.threads[thread].counted = counted;
        (self.threads[thread].in_flight, self.threads[thread].oldest) = (in_flight, oldest);
        let measuring = self.timeline.is_none_or(|timeline| !timeline.piece(self.sent).warmup);
        // Counts of the warm-up that come when it is over belong to nothing any more.
        if !warmup || !measuring {
            self.pending.recorder.merge(&recorder);
            self.pending.lag = self.pending.lag.max(lag);
        }
        if !warmup {
            self.totals.merge(&recorder);
            self.lag_max = self.lag_max.max(lag);
        }
        recorder.clear();
        recorder
    }

    /// When [`tick`](Self::tick) wants to be called again, nanoseconds.
    pub(super) fn next_tick(&self) -> u64 {
        let now = self.clock.now();
        let interval = match (&self.timeline, self.start) {
            (Some(timeline), _) if self.sent < timeline.pieces() => {
                let late = timeline.piece(self.sent).to + LATE_MAX;
                if late <= now { now + LATE_MAX } else { late }
            }
            _ => self.reported + nanos(self.prepared.plan.interval),
        };
        // Ten times a second the rate of errors is looked at.
        interval.min(self.deadline.unwrap_or(u64::MAX)).min(now + TICK)
    }

    /// Sends what is due; gives the end when it has come.
    pub(super) fn tick(&mut self, send: &mut dyn FnMut(EngineEvent)) -> Option<Ended> {
        self.tick_at(self.clock.now(), send)
    }

    fn tick_at(&mut self, now: u64, send: &mut dyn FnMut(EngineEvent)) -> Option<Ended> {
        self.look_at_itself(now);
        if let Some(failure) = self.rate.sample(now, &self.control) {
            self.control.fail(failure);
        }
        self.look_at_the_end(now);
        if self.control.halted() && self.deadline.is_none() {
            self.halt();
        }
        match self.timeline {
            Some(timeline) => self.send_intervals(timeline, now, send),
            None if self.is_timed() => {}
            None => self.send_progress(now, send),
        }
        let drained = self.threads.iter().all(|thread| thread.drained);
        let natural =
            self.timeline.map(|timeline| timeline.end().max(self.returned).saturating_add(PATIENCE));
        let natural = natural.filter(|_| !drained);
        let deadline = self.deadline.or(natural).unwrap_or(u64::MAX);
        let finished = self.threads.iter().all(|thread| thread.finished);
        (finished || now >= deadline).then(|| self.end(now, send))
    }

    /// Notices that it has stood still (a process that was stopped, a host that did nothing else for long): threads
    /// have the whole patience from then on, and what was measured meanwhile waited for this tool.
    fn look_at_itself(&mut self, now: u64) {
        let before = std::mem::replace(&mut self.looked, now);
        let late = now.saturating_sub(before.saturating_add(TICK));
        if late <= ABSENT {
            return;
        }
        self.returned = now;
        tracing::warn!(stage = self.index, seconds = late as f64 / 1e9, "this process has stood still");
        let measured = self.timeline.map(|timeline| (timeline.measured_from(), timeline.end()));
        let (from, end) = measured.unwrap_or((self.start.unwrap_or(u64::MAX), u64::MAX));
        if now > from && before < end {
            self.pending.lag = self.pending.lag.max(late);
            self.lag_max = self.lag_max.max(late);
        }
    }

    /// Threads whose counts have not come when nobody waits any longer: what they hold cannot be read, and results
    /// without it are not the stage's.
    fn look_for_counts(&self) {
        let missing =
            |thread: &Thread| thread.shared.counted.load(Ordering::Relaxed).saturating_sub(thread.counted);
        // What a thread counted that is stuck since the warm-up would be in no result.
        let measured_from = self.timeline.map_or(0, |timeline| timeline.measured_from());
        let measured = |thread: &&Thread| {
            !thread.drained && thread.shared.settled.load(Ordering::Relaxed) >= measured_from
        };
        let missing = self.threads.iter().filter(measured).map(missing);
        let missing: Vec<_> = missing.filter(|&missing| missing > 0).collect();
        if missing.is_empty() || self.control.halted() {
            return;
        }
        let (threads, operations) = (missing.len(), missing.iter().sum::<u64>());
        let (of, patience) = (self.threads.len(), PATIENCE / 1_000_000_000);
        self.control.fail(Failure::new(
            FailureClass::Storage,
            format!(
                "{threads} of {of} threads did not come back within {patience} s of the end of the stage: the counts \
                 of {operations} operations are missing"
            ),
            "look at the storage (a dead mount or device?) and at the load of this host, and run it again",
        ));
    }

    /// A timed stage has no timeline, and says nothing, before it begins.
    fn is_timed(&self) -> bool {
        self.prepared.plan.stages[self.index].kind.duration().is_some()
    }

    fn send_progress(&mut self, now: u64, send: &mut dyn FnMut(EngineEvent)) {
        if now < self.reported + nanos(self.prepared.plan.interval) {
            return;
        }
        self.reported = now;
        // One that takes too long has failed the stage by now.
        if self.threads.iter().any(|thread| thread.shared.held_for(now).is_some()) {
            self.held += 1;
        }
        send(EngineEvent::Progress(self.progress()));
    }

    /// What comes after the work is done operation by operation, and none of them may take longer than others may:
    /// nothing else would end a stage whose storage does not come back from making data durable.
    fn look_at_the_end(&self, now: u64) {
        let limit = self.prepared.plan.errors.operation_timeout;
        let held = self.threads.iter().filter_map(|thread| thread.shared.held_for(now)).max();
        // While this process stood still, nobody could have seen it end.
        let held = held.map(|held| held.min(now.saturating_sub(self.returned)));
        if held.is_some_and(|held| held > nanos(limit)) && !self.control.halted() {
            self.control.fail(Failure::new(
                FailureClass::Timeout,
                format!("the end of the stage has waited {limit:?} for one operation of the storage"),
                "look at the storage; if it only has much to write back, raise `error_handling.operation_timeout`",
            ));
        }
    }

    fn progress(&self) -> Progress {
        let sum = |of: fn(&Shared) -> u64| self.threads.iter().map(|thread| of(&thread.shared)).sum();
        Progress {
            stage: self.index as u32,
            objects: sum(|shared| shared.objects.load(Ordering::Relaxed)),
            objects_total: self.work.0,
            bytes: sum(|shared| shared.bytes.load(Ordering::Relaxed)),
            bytes_total: self.work.1,
            steps: self.held + sum(|shared| shared.steps.load(Ordering::Relaxed)),
        }
    }

    /// Sends every interval that is over, as soon as all threads have closed it or have been waited for. The last
    /// one waits for what is in flight at the end. While data is made durable afterwards, empty intervals prove life.
    fn send_intervals(&mut self, timeline: Timeline, now: u64, send: &mut dyn FnMut(EngineEvent)) {
        while self.sent + 1 < timeline.pieces() {
            let piece = timeline.piece(self.sent);
            let closed = self.threads.iter().all(|thread| thread.closed > self.sent || thread.drained);
            if now < piece.to || !(closed || now >= piece.to + LATE_MAX) {
                return;
            }
            self.sent += 1;
            self.send_interval((piece.from, piece.to, piece.warmup), now, send);
        }
        let drained = self.threads.iter().all(|thread| thread.drained);
        if self.sent < timeline.pieces() && drained && now >= timeline.end() {
            self.sent = timeline.pieces();
            let piece = timeline.piece(self.sent - 1);
            self.send_interval((piece.from, piece.to, piece.warmup), now, send);
        }
        let life = self.reported + nanos(self.prepared.plan.interval);
        if self.sent == timeline.pieces() && now >= life {
            // What was done after the work and has just come is counted, as in the last interval of all.
            let counts_for_nothing = self.pending.recorder.is_empty();
            self.send_interval((self.reported, now, counts_for_nothing), now, send);
        }
    }

    fn send_interval(
        &mut self,
        (from, to, warmup): (u64, u64, bool),
        now: u64,
        send: &mut dyn FnMut(EngineEvent),
    ) {
        self.reported = to;
        let (cpu, process_cpu) = self.interval_cpu.lap();
        let interval = Interval {
            stage: self.index as u32,
            from: Mono(from),
            to: Mono(to),
            warmup,
            tally: self.pending.recorder.tally(),
            in_flight: self.threads.iter().map(|thread| thread.now_in_flight(self.sent).0).sum(),
            oldest: self.threads.iter().map(|thread| thread.age(self.sent, now)).max().unwrap_or(0),
            cpu,
            process_cpu,
            lag: self.pending.lag,
            merged: 0,
        };
        self.pending.recorder.clear();
        self.pending.lag = 0;
        send(EngineEvent::Interval(Box::new(interval)));
    }

    /// The rest of the counts goes into a last interval, so that all intervals together are the totals.
    fn end(&mut self, now: u64, send: &mut dyn FnMut(EngineEvent)) -> Ended {
        self.look_for_counts();
        self.control.halt();
        let abandoned: Vec<_> = self
            .threads
            .iter()
            .map(|thread| &thread.shared)
            .filter(|shared| shared.stuck() > 0)
            .cloned()
            .collect();
        let lost: u64 = self
            .threads
            .iter()
            .filter(|thread| !thread.drained)
            .map(|thread| thread.shared.uncounted())
            .sum();
        self.pending.recorder.cancelled(lost);
        self.totals.cancelled(lost);
        let work_ended = now.min(self.timeline.map_or(u64::MAX, |timeline| timeline.end()));
        if let (Some(timeline), Some(_)) = (self.timeline, self.start) {
            let piece = timeline.piece(self.sent);
            if self.sent < timeline.pieces() {
                self.sent = timeline.pieces();
                let to = work_ended.max(piece.from);
                self.send_interval((self.reported.min(to), to, piece.warmup), now, send);
            } else if !self.pending.recorder.is_empty() {
                self.send_interval((self.reported, now, false), now, send);
            }
        }
        let failure = self.control.failure();
        let totals = Box::new(self.totals(work_ended, &abandoned));
        Ended { totals, begun: !self.armed, failure, abandoned }
    }

    fn totals(&mut self, end: u64, abandoned: &[Arc<Shared>]) -> StageTotals {
        let start = self.start.unwrap_or(end);
        let from = self.timeline.map_or(start, |timeline| timeline.measured_from().min(end));
        let (cpu, process_cpu) = self.stage_cpu.lap();
        StageTotals {
            stage: self.index as u32,
            from: Mono(from),
            to: Mono(end),
            tally: self.totals.tally(),
            cpu,
            process_cpu,
            lag: self.lag_max,
            facts: self.facts(end, abandoned),
        }
    }

    fn facts(&self, end: u64, abandoned: &[Arc<Shared>]) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
        fact("engine", self.prepared.backend.engine().to_owned());
        fact("threads", self.threads.len().to_string());
        if let Some((name, value)) = self.executor_fact {
            fact(name, value.to_owned());
        }
        let exhausted = self.threads.iter().all(|thread| thread.exhausted);
        match self.timeline {
            Some(timeline) if exhausted && end < timeline.end() => {
                let seconds = (timeline.end() - end) as f64 / 1e9;
                fact("ended early", format!("{seconds:.3} s before its time, as nothing was left to do"));
            }
            Some(_) => {}
            None => {
                let progress = self.progress();
                fact("objects", progress.objects.to_string());
                fact("bytes", progress.bytes.to_string());
            }
        }
        if let (StageKind::Cleanup { .. }, Some(left)) =
            (&self.prepared.plan.stages[self.index].kind, self.prepared.left.told())
        {
            fact(LEFT, left);
        }
        if let Some(corruption) = self.control.corruption() {
            fact(CORRUPT, corruption.to_owned());
        }
        if !abandoned.is_empty() {
            let stuck: u64 = abandoned.iter().map(|shared| shared.stuck()).sum();
            fact("stuck operations", stuck.to_string());
        }
        facts
    }
}

impl Thread {
    fn new(shared: Arc<Shared>, directives: Sender<Directive>) -> Self {
        Self {
            shared,
            directives,
            ready: false,
            closed: 0,
            counted: 0,
            in_flight: 0,
            oldest: 0,
            exhausted: false,
            drained: false,
            finished: false,
        }
    }

    /// Operations in flight, and since when if the thread has not said so itself: it may be in the kernel for long.
    fn now_in_flight(&self, sent: u64) -> (u64, Option<u64>) {
        if self.closed >= sent || self.drained {
            return (self.in_flight, None);
        }
        let in_flight = self.shared.in_flight.load(Ordering::Relaxed);
        (in_flight.into(), Some(self.shared.entered.load(Ordering::Relaxed)))
    }

    fn age(&self, sent: u64, now: u64) -> u64 {
        match self.now_in_flight(sent) {
            (0, _) => 0,
            (_, Some(entered)) => now.saturating_sub(entered).max(self.oldest),
            (_, None) => self.oldest,
        }
    }
}

/// Objects and bytes that an untimed stage works through; 0 where it is not known.
fn work(prepared: &Prepared, stage: usize) -> (u64, u64) {
    let (StageKind::Prepare { pools, .. } | StageKind::Cleanup { pools, .. }) =
        &prepared.plan.stages[stage].kind
    else {
        return (0, 0);
    };
    let list = Worklist::new(pools, prepared.dataset.keys(), prepared.plan.share);
    let deletes = matches!(prepared.plan.stages[stage].kind, StageKind::Cleanup { .. });
    (list.objects(), if deletes { 0 } else { list.bytes().unwrap_or(0) })
}

#[cfg(test)]
mod tests;
