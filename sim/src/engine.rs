//! A modelled engine: a load of so many operations a second that can be slow, fail, hang or stand still, and that
//! knows what it truly did and when.

use crate::checkers::Seen;
use crate::clock::{SimClock, overlap, truth};
use crate::state::{AgentHost, Host, with};
use iobench::drive::Clock;
use iobench_core::config;
use iobench_core::engine::{Engine, EngineCommand, EngineEvent, EngineEvents, Epoch};
use iobench_core::message::{Capabilities, Configure, Failure, FailureClass, Progress};
use iobench_core::plan::{Plan, StageKind};
use iobench_core::stats::{Band, ErrorClass, Interval, Operation, Recorder, StageTotals, Tally};
use iobench_core::time::{Mono, nanos};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::AbortHandle;

/// Objects that a preparing agent writes in a second, each as large as an operation moves.
const PREPARED_PER_SECOND: u64 = 10;
/// What one operation moves, bytes.
pub const BLOCK: u64 = 4096;
const MILLISECOND: Duration = Duration::from_millis(1);
/// How soon an engine that hung goes on.
const HUNG: Duration = Duration::from_millis(100);

/// How an agent's engine behaves, and what it did.
#[derive(Clone, Debug)]
pub struct Model {
    /// Operations a second in a timed stage.
    pub rate: u64,
    /// Service time of each.
    pub latency: Duration,
    /// How long an untimed stage takes.
    pub prepare: Duration,
    /// How long an untimed stage rests after its objects.
    pub rest: Duration,
    /// How long a timed stage takes to make durable what it wrote.
    pub flush: Duration,
    /// Errors a second in a timed stage.
    pub errors: u64,
    /// What it answers to a configuration that it does not want.
    pub rejects: Option<Failure>,
    /// What its stage fails with at the next interval: a full disk, say.
    pub fails: Option<Failure>,
    /// It says nothing more and does nothing more, not even stop.
    pub hangs: bool,
    /// Untimed stages report, but come no further.
    pub stuck: bool,
    /// Operations do not come back: Stop is not answered before they do.
    pub held: bool,
    /// How long it takes to stop.
    pub stopping: Duration,
    /// Operations that cannot be cancelled when it stops.
    pub uncancellable: u64,
    /// When the storage completed nothing: true time, nanoseconds.
    pub stalls: Vec<(u64, u64)>,
    /// What it did, oldest first.
    pub loads: Vec<Load>,
    current: Option<Current>,
    plan: Option<Plan>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            rate: 100,
            latency: MILLISECOND,
            prepare: Duration::from_secs(3),
            rest: Duration::ZERO,
            flush: Duration::ZERO,
            errors: 0,
            rejects: None,
            fails: None,
            hangs: false,
            stuck: false,
            held: false,
            stopping: 2 * MILLISECOND,
            uncancellable: 0,
            stalls: Vec::new(),
            loads: Vec::new(),
            current: None,
            plan: None,
        }
    }
}

/// A stage that ran, in true time.
#[derive(Clone, PartialEq, Debug)]
pub struct Load {
    /// Which of the agent's runs.
    pub epoch: Epoch,
    /// Which stage.
    pub stage: u32,
    /// Whether it is measured.
    pub timed: bool,
    /// When the first operation was issued.
    pub began: Duration,
    /// When the last one was; `None` while it goes on.
    pub ended: Option<Duration>,
    /// Operations that completed and count, warm-up left out.
    pub operations: u64,
}

/// The stage that runs now.
#[derive(Clone, Debug)]
struct Current {
    stage: u32,
    /// `None`: untimed.
    timed: Option<Span>,
    began: Mono,
    /// The end of what was reported.
    to: Mono,
    /// Busy true time up to there, nanoseconds: without stops and stalls.
    busy: u64,
    seen: u64,
    /// Operations up to there, warm-up included.
    done: u64,
    measured: u64,
    errors: u64,
    /// Untimed: objects done.
    objects: u64,
}

#[derive(Copy, Clone, Debug)]
struct Span {
    warmup: Duration,
    whole: Duration,
}

impl Model {
    /// Whether operations are being issued.
    #[must_use]
    pub fn works(&self) -> bool {
        self.loads.last().is_some_and(|load| load.ended.is_none())
    }

    /// Operations of the last timed stage that count.
    #[must_use]
    pub fn measured(&self) -> u64 {
        self.loads.iter().rev().find(|load| load.timed).map_or(0, |load| load.operations)
    }

    /// When each timed stage began.
    #[must_use]
    pub fn began(&self) -> Vec<Duration> {
        self.loads.iter().filter(|load| load.timed).map(|load| load.began).collect()
    }

    /// Nothing completes any more, and nothing is said.
    pub(crate) fn hang(&mut self, truth: u64) {
        if !std::mem::replace(&mut self.hangs, true) {
            self.stalls.push((truth, u64::MAX));
        }
    }

    /// It goes on.
    pub(crate) fn recover(&mut self, truth: u64) {
        if std::mem::take(&mut self.hangs) {
            self.stalls.iter_mut().filter(|(_, end)| *end == u64::MAX).for_each(|(_, end)| *end = truth);
        }
    }

    /// The load ends now, however it ends.
    pub(crate) fn end(&mut self, truth: Duration) {
        if let Some(load) = self.loads.last_mut().filter(|load| load.ended.is_none()) {
            load.ended = Some(truth);
        }
    }

    /// The process is gone, and what it did with it.
    pub(crate) fn killed(&mut self, truth: Duration) {
        self.end(truth);
        self.current = None;
    }
}

/// The engine port of a simulated agent.
pub(crate) struct ModelEngine {
    agent: usize,
    events: EngineEvents,
    task: Option<AbortHandle>,
}

impl ModelEngine {
    pub(crate) fn new(agent: usize, events: EngineEvents) -> Self {
        Self { agent, events, task: None }
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(earlier) = self.task.replace(tokio::spawn(work).abort_handle()) {
            earlier.abort();
        }
    }
}

impl Engine for ModelEngine {
    fn command(&mut self, epoch: Epoch, command: EngineCommand) {
        let (agent, events) = (self.agent, self.events.clone());
        match command {
            EngineCommand::Validate(configure) => self.spawn(async move {
                tokio::time::sleep(5 * MILLISECOND).await;
                let event = validate(agent, &configure);
                say(agent, &events, epoch, event).await;
            }),
            EngineCommand::Arm { .. } => {}
            EngineCommand::Run { stage } => {
                begin(agent, epoch, stage);
                self.spawn(run(agent, epoch, events));
            }
            EngineCommand::Stop => {
                if let Some(task) = self.task.take() {
                    task.abort();
                }
                stop(agent, epoch, events);
            }
        }
    }
}

fn engine<R>(agent: usize, f: impl FnOnce(&mut AgentHost) -> R) -> R {
    with(|state| f(&mut state.agents[agent]))
}

/// Says something, once the process is not stopped; a hung engine says nothing.
async fn say(agent: usize, events: &EngineEvents, epoch: Epoch, event: EngineEvent) {
    SimClock(Host::Agent(agent)).while_stopped().await;
    while engine(agent, |host| host.engine.hangs) {
        tokio::time::sleep(HUNG).await;
    }
    events(epoch, event);
}

fn validate(agent: usize, configure: &Configure) -> EngineEvent {
    if let Some(failure) = engine(agent, |host| host.engine.rejects.clone()) {
        return EngineEvent::Failed { failure, totals: None };
    }
    match config::load(&configure.yaml, &configure.overrides, "the configuration") {
        Err(diagnostics) => {
            let failure = Failure::new(FailureClass::Config, diagnostics.to_string(), "");
            EngineEvent::Failed { failure, totals: None }
        }
        Ok(run) => {
            engine(agent, |host| host.engine.plan = Some(run.plan(configure.index, configure.seed)));
            let capabilities = Capabilities {
                version: "simulated".to_owned(),
                host: Host::Agent(agent).to_string(),
                cores: 4,
                memory: 1 << 34,
                ..Capabilities::default()
            };
            let outline = Box::new(run.outline());
            EngineEvent::Validated { outline, capabilities: Box::new(capabilities) }
        }
    }
}

fn begin(agent: usize, epoch: Epoch, stage: u32) {
    let (now, truth) = (SimClock(Host::Agent(agent)).now().mono, truth());
    engine(agent, |host| {
        let kind = host.engine.plan.as_ref().and_then(|plan| Some(&plan.stages.get(stage as usize)?.kind));
        let timed = match kind {
            Some(StageKind::Execute { duration, warmup, .. }) => {
                Some(Span { warmup: *warmup, whole: *duration + *warmup })
            }
            _ => None,
        };
        let began = Duration::from_nanos(truth);
        let load = Load { epoch, stage, timed: timed.is_some(), began, ended: None, operations: 0 };
        host.engine.loads.push(load);
        host.engine.current = Some(Current {
            stage,
            timed,
            began: now,
            to: now,
            busy: 0,
            seen: truth,
            done: 0,
            measured: 0,
            errors: 0,
            objects: 0,
        });
    });
    let timed = engine(agent, |host| host.engine.loads.last().is_some_and(|load| load.timed));
    with(|state| state.see(truth, &Seen::LoadBegins { host: agent, stage, timed }));
}

/// The load of an agent has ended: tells the checkers, and what it came to.
fn ended(agent: usize) {
    let truth = truth();
    let (run, load) = engine(agent, |host| {
        host.engine.end(Duration::from_nanos(truth));
        (host.run, host.engine.loads.last().cloned())
    });
    with(|state| state.see(truth, &Seen::LoadEnds { host: agent }));
    if let Some(Load { stage, operations, .. }) = load {
        with(|state| state.see(truth, &Seen::Counted { host: agent, run, stage, operations }));
    }
}

async fn run(agent: usize, epoch: Epoch, events: EngineEvents) {
    let clock = SimClock(Host::Agent(agent));
    loop {
        let Some(next) = engine(agent, |host| host.next_report()) else { return };
        clock.sleep_until(next).await;
        clock.while_stopped().await;
        let now = clock.now().mono;
        if now < next {
            continue;
        }
        if engine(agent, |host| host.engine.hangs) {
            tokio::time::sleep(HUNG).await;
            continue;
        }
        let said = engine(agent, |host| host.report(now, truth()));
        if engine(agent, |host| host.engine.current.is_none()) {
            ended(agent);
        }
        for event in said {
            events(epoch, event);
        }
    }
}

/// Stops: nothing is issued from here on, whatever the answer takes.
fn stop(agent: usize, epoch: Epoch, events: EngineEvents) {
    let now = SimClock(Host::Agent(agent)).now().mono;
    let (mut said, stopping, stuck) = engine(agent, |host| {
        let last = host.last_report(now, truth());
        (last, host.engine.stopping, host.engine.uncancellable)
    });
    let totals = engine(agent, |host| host.engine.current.take().map(|it| Box::new(it.totals(&host.engine))));
    if totals.is_some() {
        ended(agent);
    }
    said.push(EngineEvent::Stopped { totals, stuck });
    tokio::spawn(async move {
        tokio::time::sleep(stopping).await;
        while engine(agent, |host| host.engine.held) {
            tokio::time::sleep(HUNG).await;
        }
        for event in said {
            say(agent, &events, epoch, event).await;
        }
    });
}

impl AgentHost {
    fn interval(&self) -> Duration {
        self.engine.plan.as_ref().map_or(Duration::from_secs(1), |plan| plan.interval)
    }

    /// When the running stage reports next.
    fn next_report(&self) -> Option<Mono> {
        let current = self.engine.current.as_ref()?;
        let next = current.to.after(self.interval());
        Some(match current.timed {
            Some(span) => {
                let warmup = current.began.after(span.warmup);
                next.min(if current.to < warmup { warmup } else { self.end_of_part(current, span) })
            }
            None => next,
        })
    }

    /// A timed stage measures, then it makes durable what it wrote: when the part that it is in is over.
    fn end_of_part(&self, current: &Current, span: Span) -> Mono {
        let measured = current.began.after(span.whole);
        if current.to < measured { measured } else { measured.after(self.engine.flush) }
    }

    /// What the running stage says now; its end with it, when that has come.
    fn report(&mut self, now: Mono, truth: u64) -> Vec<EngineEvent> {
        if let Some(failure) = self.engine.fails.take() {
            let totals = self.engine.current.take().map(|it| Box::new(it.totals(&self.engine)));
            return vec![EngineEvent::Failed { failure, totals }];
        }
        let Some(mut current) = self.engine.current.take() else { return Vec::new() };
        let (event, done) = match current.timed {
            Some(span) => {
                let to = now.min(self.end_of_part(&current, span));
                let event = self.measure(&mut current, span, to, truth);
                (event, to >= current.began.after(span.whole).after(self.engine.flush))
            }
            None => self.prepare(&mut current, now, truth),
        };
        let mut said = vec![event];
        if done {
            said.push(EngineEvent::StageDone(Box::new(current.totals(&self.engine))));
        } else {
            self.engine.current = Some(current);
        }
        said
    }

    /// The interval that a stop cuts short.
    fn last_report(&mut self, now: Mono, truth: u64) -> Vec<EngineEvent> {
        let Some(mut current) = self.engine.current.take() else { return Vec::new() };
        let span = current.timed.filter(|_| now > current.to && !self.engine.hangs);
        let said = span.map(|span| {
            let to = now.min(self.end_of_part(&current, span));
            self.measure(&mut current, span, to, truth)
        });
        self.engine.current = Some(current);
        said.into_iter().collect()
    }

    fn measure(&mut self, current: &mut Current, span: Span, to: Mono, truth: u64) -> EngineEvent {
        let from = current.to;
        if from >= current.began.after(span.whole) {
            // A sign of life: nothing is measured any more.
            (current.to, current.seen) = (to, truth);
            let life = Interval { stage: current.stage, from, to, warmup: true, ..Interval::default() };
            return EngineEvent::Interval(Box::new(life));
        }
        let warmup = from < current.began.after(span.warmup);
        self.pass(current, to, truth);
        let done = self.engine.rate * (current.busy / 1_000) / 1_000_000;
        let operations = done - current.done;
        current.done = done;
        let seconds = to.since(from).as_secs();
        let errors = if operations > 0 { self.engine.errors * seconds.max(1) } else { 0 };
        if !warmup {
            current.measured += operations;
            current.errors += errors;
            if let Some(load) = self.engine.loads.last_mut() {
                load.operations += operations;
            }
        }
        let stalled = self.engine.stalls.iter().find(|(from, until)| (*from..*until).contains(&truth));
        EngineEvent::Interval(Box::new(Interval {
            stage: current.stage,
            from,
            to,
            warmup,
            tally: tally(Operation::Get, operations, self.engine.latency, errors),
            in_flight: 4,
            oldest: stalled.map_or(nanos(self.engine.latency), |(since, _)| truth - since),
            ..Interval::default()
        }))
    }

    fn prepare(&mut self, current: &mut Current, now: Mono, truth: u64) -> (EngineEvent, bool) {
        self.pass(current, now, truth);
        let whole = nanos(self.engine.prepare);
        let total = objects(whole);
        if !self.engine.stuck {
            current.objects = objects(current.busy).min(total);
        }
        if let Some(load) = self.engine.loads.last_mut() {
            load.operations = current.objects;
        }
        let (stage, objects) = (current.stage, current.objects);
        let rested = current.busy.saturating_sub(whole);
        let progress = Progress {
            stage,
            objects,
            objects_total: total,
            bytes: objects * BLOCK,
            bytes_total: total * BLOCK,
            steps: if objects == total { rested / nanos(MILLISECOND) } else { 0 },
        };
        (EngineEvent::Progress(progress), objects == total && rested >= nanos(self.engine.rest))
    }

    /// Lets time pass for a stage.
    fn pass(&self, current: &mut Current, to: Mono, truth: u64) {
        let idle = self.clock.stood(current.seen, truth) + overlap(&self.engine.stalls, current.seen, truth);
        current.busy += nanos(to.since(current.to)).saturating_sub(idle);
        (current.to, current.seen) = (to, truth);
    }
}

fn objects(nanos: u64) -> u64 {
    nanos / (1_000_000_000 / PREPARED_PER_SECOND)
}

impl Current {
    fn totals(&self, model: &Model) -> StageTotals {
        let (from, to, tally) = match self.timed {
            Some(span) => (
                self.began.after(span.warmup),
                self.to.min(self.began.after(span.whole)),
                tally(Operation::Get, self.measured, model.latency, self.errors),
            ),
            None => (self.began, self.to, tally(Operation::Put, self.objects, model.latency, 0)),
        };
        StageTotals { stage: self.stage, from, to: to.max(from), tally, ..StageTotals::default() }
    }
}

/// So many operations of one service time. Encoding a histogram costs more than all else, so equal ones are made once.
fn tally(operation: Operation, count: u64, latency: Duration, errors: u64) -> Tally {
    type Known = BTreeMap<(Operation, u64, Duration, u64), Tally>;
    thread_local!(static KNOWN: RefCell<Known> = RefCell::default());
    KNOWN.with_borrow_mut(|known| {
        let made = known.entry((operation, count, latency, errors)).or_insert_with(|| {
            let mut recorder = Recorder::new(&[(operation, Band::of(BLOCK))]);
            for _ in 0..count {
                recorder.record(operation, BLOCK, nanos(latency));
            }
            for _ in 0..errors {
                recorder.error(operation, ErrorClass::Storage, 5);
            }
            recorder.tally()
        });
        made.clone()
    })
}
