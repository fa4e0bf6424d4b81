//! Runs drawn at random: which kinds of fault exist in a run is drawn first, then which of them happen when.
//!
//! A schedule is plain data, so that a failing one can be cut down. Safety first: the checkers watch while faults happen. Then
//! liveness: everything is healed, the run must end, every agent must be idle again, and a next run must be perfect.

use crate::faults::Fault;
use crate::state::{Host, Tampering};
use crate::world::{Cluster, Record, World, play};
use iobench_core::controller::ExitCode;
use iobench_core::message::{AgentMessage, Failure, FailureClass, Report, RunId};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Kinds of fault, the arms of [`add`]; the last is an agent that babbles.
const KINDS: u64 = 24;
const BABBLE: u64 = KINDS - 1;
/// How much later than by its settings a run may end because of what is slow: of that no more is drawn.
const SLOW: Duration = Duration::from_secs(14);
/// No time of a schedule is halved to less than this.
const SHORT: Duration = Duration::from_millis(100);

/// What enough seeds must have met: every kind of fault, and the exit codes that faults lead to often enough (not 4 and 5).
pub const CORNERS: &[&str] = &[
    "calm",
    "Hold",
    "Release",
    "Partition",
    "PartitionToController",
    "PartitionToAgent",
    "Repair",
    "Latency",
    "Jitter",
    "Close",
    "Reset",
    "Crash",
    "Vanish",
    "Restart",
    "CrashController",
    "VanishController",
    "Stall",
    "StepClock",
    "Drift",
    "Interrupt",
    "DiskFails",
    "DiskSlow",
    "EngineHangs",
    "EngineRecovers",
    "StorageStalls",
    "StageFails",
    "PrepareStuck",
    "OperationsStuck",
    "OperationsReturn",
    "Rival",
    "Babble",
    "exit none",
    "exit 0",
    "exit 1",
    "exit 2",
    "exit 3",
    "exit 6",
    "exit 7",
];

/// A run that was drawn.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The hosts and the run.
    pub cluster: Cluster,
    /// How long each agent prepares.
    pub prepare: Vec<Duration>,
    /// Which agent babbles: says things twice, and for another run.
    pub babbling: Option<usize>,
    /// What happens, in order of time.
    pub schedule: Vec<(Duration, Fault)>,
}

/// Numbers from a seed. Method: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end`, exclusive.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// Up to so much more or less than 0.
    fn signed(&mut self, most: u64) -> i64 {
        let size = self.below(most + 1).cast_signed();
        if self.is(50) { size } else { -size }
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The run of a seed.
#[must_use]
pub fn draw(seed: u64) -> Drawn {
    let mut draw = Draw(seed);
    let agents = usize::try_from(draw.between(1, 4)).expect("few");
    let cluster = plan(&mut draw, agents);
    let latency = (draw.ms(1, 5), draw.ms(6, 150));
    let cluster = Cluster { seed, latency, ..cluster };
    let prepare = (0..agents).map(|_| draw.ms(500, 15_000)).collect();
    let kinds: Vec<u64> = (0..KINDS).filter(|_| draw.is(25)).collect();
    let mut schedule = Vec::new();
    if kinds.iter().any(|kind| *kind != BABBLE) {
        for _ in 0..draw.below(6) {
            let kind = kinds[usize::try_from(draw.below(kinds.len() as u64)).expect("few")];
            let agent = usize::try_from(draw.below(agents as u64)).expect("few");
            add(&mut schedule, &mut draw, kind, agent);
        }
    }
    schedule.sort_by_key(|(at, _)| *at);
    let babbling = kinds.contains(&BABBLE).then(|| usize::try_from(draw.below(agents as u64)).expect("few"));
    Drawn { cluster, prepare, babbling, schedule }
}

/// What is to be run.
fn plan(draw: &mut Draw, agents: usize) -> Cluster {
    let (seconds, delay) = (draw.between(2, 30), draw.between(1, 5));
    let cluster = Cluster::of(agents).set(format!("distributed.start_delay={delay}s"));
    let cluster = match draw.below(10) {
        0 => cluster.set(format!(
            "stages=[{{name: prepare, type: prepare}}, {{name: one, type: execute, duration: {seconds}s}}, \
             {{name: cleanup, type: cleanup}}, {{name: two, type: execute, duration: {delay}s}}]"
        )),
        1 => cluster.set(format!("duration={seconds}s")).set(format!("warmup_period={delay}s")),
        _ => cluster.set(format!("duration={seconds}s")),
    };
    let cluster = match draw.below(6) {
        0 => cluster.set("interval=500ms"),
        1 => cluster.set("interval=2s"),
        _ => cluster,
    };
    match draw.below(6) {
        0 => cluster.set("policy.min_alive=0"),
        1 => cluster.set("policy.min_alive=1"),
        _ => cluster,
    }
}

/// A fault of a kind and, where it has one, its end.
fn add(schedule: &mut Vec<(Duration, Fault)>, draw: &mut Draw, kind: u64, agent: usize) {
    // Connecting takes but a moment.
    let at = if draw.is(15) { draw.ms(0, 20) } else { draw.ms(20, 45_000) };
    let lasting = if draw.is(75) { draw.ms(50, 14_000) } else { draw.ms(14_000, 60_000) };
    let (slow, until) = (lasting.min(SLOW), at + lasting);
    let host = if draw.is(50) { Host::Agent(agent) } else { Host::Controller(0) };
    if kind == 22 {
        // Only what makes its engine stop shows it, and only who comes then sees it.
        let stops = if draw.is(50) { Fault::Reset(agent) } else { Fault::Interrupt };
        schedule.push((at + lasting / 4, stops));
        schedule.push((at + lasting / 2, Fault::Rival));
    }
    if kind == 5 {
        // The most that a message takes must not be less than the least.
        schedule.push((at, Fault::Latency(agent, Duration::from_millis(5))));
    }
    let mut then = |fault, end: Option<Fault>| {
        schedule.push((at, fault));
        schedule.extend(end.map(|end| (until, end)));
    };
    match kind {
        0 => then(Fault::Hold(agent), Some(Fault::Release(agent))),
        1 => then(Fault::Partition(agent), Some(Fault::Repair(agent))),
        2 => then(Fault::PartitionToAgent(agent), Some(Fault::Repair(agent))),
        3 => then(Fault::PartitionToController(agent), Some(Fault::Repair(agent))),
        4 => then(Fault::Latency(agent, slow), Some(Fault::Latency(agent, Duration::from_millis(5)))),
        5 => then(Fault::Jitter(agent, draw.ms(150, 2_000)), None),
        6 => then(Fault::Crash(agent), Some(Fault::Restart(agent))),
        7 => then(Fault::Vanish(agent), Some(Fault::Restart(agent))),
        8 => then(Fault::Close(agent), None),
        9 => then(Fault::Reset(agent), None),
        10 => then(Fault::Stall(host, lasting), None),
        11 => then(Fault::StepClock(host, draw.signed(20_000_000_000)), None),
        12 => then(Fault::Drift(host, draw.signed(200)), None),
        13 => then(Fault::DiskFails("cannot write /results: No space left on device".to_owned()), None),
        14 => then(Fault::DiskSlow(slow), None),
        15 => then(Fault::EngineHangs(agent), Some(Fault::EngineRecovers(agent))),
        16 => then(Fault::StorageStalls(agent, slow), None),
        17 => then(Fault::PrepareStuck(agent), None),
        18 => {
            let failure = Failure::new(FailureClass::Storage, "the storage is gone", "look for it");
            then(Fault::StageFails(agent, failure), None);
        }
        19 => then(Fault::Interrupt, None),
        21 => then(Fault::Rival, None),
        // Some never come back by themselves.
        22 => {
            let back = draw.is(70).then_some(Fault::OperationsReturn(agent));
            then(Fault::OperationsStuck(agent), back);
        }
        BABBLE => {}
        _ => then(if draw.is(50) { Fault::CrashController } else { Fault::VanishController }, None),
    }
}

impl Drawn {
    /// When everything is healed: a while after the last fault.
    fn healed_at(&self) -> Duration {
        let ends = self.schedule.iter().map(|(at, fault)| match fault {
            Fault::Stall(_, time) | Fault::StorageStalls(_, time) => *at + *time,
            _ => *at,
        });
        ends.max().unwrap_or_default() + Duration::from_secs(5)
    }
}

/// A run that went as it must.
#[derive(Debug)]
pub struct Played {
    /// What the simulation leaves.
    pub record: Record,
    /// What its controller returned; `None` when that was killed.
    pub exit: Option<ExitCode>,
    /// Which of [`CORNERS`] it met.
    pub corners: Vec<String>,
}

/// A run that did not go as it must.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was wrong, with the end of the trace.
    pub what: String,
    /// The run, with no more faults than it takes.
    pub drawn: Drawn,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(agent) = self.drawn.babbling {
            writeln!(f, "agent {agent} babbles")?;
        }
        for (at, fault) in &self.drawn.schedule {
            writeln!(f, "{at:?} {fault:?}")?;
        }
        f.write_str(&self.what)
    }
}

/// Plays the run of a seed twice.
///
/// # Errors
/// What was wrong, and the shortest schedule that was found to show it.
pub fn check(seed: u64) -> Result<Played, Box<Found>> {
    let drawn = draw(seed);
    match attempt(&drawn) {
        Ok(played) => Ok(played),
        Err(what) => Err(Box::new(shrink(Found { what, drawn }))),
    }
}

/// Takes away one fault after the other, then halves the times of those that are left, while something is still wrong.
fn shrink(mut found: Found) -> Found {
    let still = |drawn: &mut Drawn, what: &mut String, less: Drawn| match attempt(&less) {
        Ok(_) => false,
        Err(wrong) => {
            (*what, *drawn) = (wrong, less);
            true
        }
    };
    let (drawn, what) = (&mut found.drawn, &mut found.what);
    if drawn.babbling.is_some() {
        let quiet = Drawn { babbling: None, ..drawn.clone() };
        still(drawn, what, quiet);
    }
    let mut index = 0;
    while index < drawn.schedule.len() {
        let mut less = drawn.clone();
        less.schedule.remove(index);
        index += usize::from(!still(drawn, what, less));
    }
    for index in 0..drawn.schedule.len() {
        loop {
            let mut less = drawn.clone();
            let at = &mut less.schedule[index].0;
            *at /= 2;
            let (at, before) = (*at, index.checked_sub(1).map(|before| drawn.schedule[before].0));
            let in_order = before.is_none_or(|before| before <= at);
            if at < SHORT || !in_order || !still(drawn, what, less) {
                break;
            }
        }
    }
    found
}

/// Plays a run twice; `Err` says what was wrong.
///
/// # Errors
/// A violation, a panic, or a difference between the two.
pub fn attempt(drawn: &Drawn) -> Result<Played, String> {
    let ended = Mutex::new((None, Vec::new()));
    let scenario = |world: &mut World<'_>| {
        let end = run(world, drawn);
        *ended.lock().unwrap_or_else(PoisonError::into_inner) = end;
    };
    let once = || {
        let played = catch_unwind(AssertUnwindSafe(|| play(&drawn.cluster, &scenario)));
        played.map_err(|cause| match cause.downcast::<String>() {
            Ok(text) => *text,
            Err(_) => "a panic without words".to_owned(),
        })
    };
    let (first, second) = (once()?, once()?);
    if let Some(difference) = first.trace.difference(&second.trace) {
        return Err(difference);
    }
    let (exit, mut corners) = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    corners.push(exit.map_or("exit none".to_owned(), |exit: ExitCode| format!("exit {}", exit.code())));
    Ok(Played { record: first, exit, corners })
}

/// Gives what the controller returned, and what has happened.
fn run(world: &mut World<'_>, drawn: &Drawn) -> (Option<ExitCode>, Vec<String>) {
    let mut happened = Vec::new();
    for agent in world.agents() {
        world.agent(agent, |host| host.engine.prepare = drawn.prepare[agent]);
    }
    if let Some(agent) = drawn.babbling {
        world.agent(agent, |host| host.tamper = Some(babble));
        world.disturb(Some(agent));
        happened.push("Babble".to_owned());
    }
    world.step();
    for (at, fault) in &drawn.schedule {
        while world.now() < *at {
            world.step();
        }
        if world.can(fault) {
            happened.push(fault.kind());
            world.inject(fault.clone());
        }
    }
    if happened.is_empty() {
        happened.push("calm".to_owned());
    }
    if !drawn.schedule.is_empty() {
        let at = drawn.healed_at();
        while world.now() < at {
            world.step();
        }
    }
    world.heal();
    world.end_of_run();
    let (yaml, overrides) = (&drawn.cluster.yaml, &drawn.cluster.overrides);
    let next = world.order(yaml, overrides);
    let end = world.ending_of(next);
    assert_eq!(end.exit.code(), 0, "the next run is not perfect: {}", end.text);
    (world.controller(|host| host.outcome.as_ref().map(|(_, outcome)| outcome.exit)), happened)
}

/// A faulty agent: each seventh message comes twice, each eleventh once more for a run that nobody knows, and each
/// thirteenth with bytes that nobody can read.
fn babble(memory: &mut Tampering, message: AgentMessage) -> Vec<AgentMessage> {
    let stranger = AgentMessage { run: RunId(memory.seen.into()), ..message.clone() };
    match memory.seen {
        seen if seen % 11 == 10 => vec![stranger, message],
        seen if seen % 13 == 12 => {
            let body = Report::Undecodable { detail: "\u{12}\u{7f}short".to_owned() };
            vec![AgentMessage { body, ..message.clone() }, message]
        }
        seen if seen % 7 == 6 => vec![message.clone(), message],
        _ => vec![message],
    }
}
