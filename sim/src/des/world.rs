//! The simulated world: what exists in it, what happens in it, and what comes out.

use super::clock::HostClock;
use super::dice::Dice;
use super::engine::Engine;
use super::ghosts::Grave;
use super::network::{Connection, DOWN, Gate, Link, UP};
use super::queue::Queue;
use super::scenario::{Nanos, Scenario};
use crate::checkers::{Process, Seen, Suite, Violation};
use crate::coverage::{Coverage, Mark};
use crate::trace::Trace;
use iobench_core::agent::{self, Agent};
use iobench_core::controller::{Controller, Input, Outcome};
use iobench_core::engine::{EngineEvent, Epoch};
use iobench_core::message::{AgentMessage, ControlMessage, Gone, StreamId};
use iobench_core::time::Mono;
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A simulation that handles more inputs than this, beside what its length explains, does not come to an end.
const INPUTS_MAX: u64 = 2_000_000;
/// Inputs that one second of one agent's run may explain.
const INPUTS_PER_AGENT_SECOND: u64 = 50;
/// Who notices when it does not.
const NEVER_ENDS: &str = "never_ends";
/// Who notices that a machine has panicked: the assertions in it are checks, too.
pub const PANIC: &str = "panic";

/// What a simulation comes to.
#[derive(Clone, Debug)]
pub struct Report {
    /// What must not be.
    pub violations: Vec<Violation>,
    /// How the first run ended; `None` if its controller died.
    pub outcome: Option<Outcome>,
    /// Inputs that machines have handled.
    pub inputs: u64,
    /// True time that has passed.
    pub simulated: Nanos,
    /// Of all inputs and outputs and their times; 0 unless wanted.
    pub trace: u64,
    /// The most events that were on their way at a time.
    pub queued_max: usize,
}

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(super) enum Event {
    ToAgent(usize, ControlMessage),
    ToController(usize, AgentMessage),
    AgentLoses(usize, Gone),
    ControllerLoses(usize, Gone),
    Dialled { agent: usize, attempt: u32, run: u32 },
    StreamAtAgent { agent: usize, attempt: u32, run: u32 },
    StreamAtController { connection: usize, attempt: u32 },
    Engine { host: usize, boot: u32, epoch: Epoch, event: EngineEvent },
    EngineTick { host: usize, boot: u32, serial: u64 },
    Journal { agent: usize, run: u32, message: Box<AgentMessage> },
    WakeAgent { host: usize, boot: u32 },
    WakeController { run: u32 },
    Fault(usize),
    Heal(usize),
    HealAll,
    Interrupt,
}

impl Event {
    /// The connection and the direction that it arrives by.
    fn crossing(&self) -> Option<(usize, usize)> {
        match self {
            Self::ToAgent(connection, _) | Self::AgentLoses(connection, _) => Some((*connection, DOWN)),
            Self::ToController(connection, _)
            | Self::ControllerLoses(connection, _)
            | Self::StreamAtController { connection, .. } => Some((*connection, UP)),
            _ => None,
        }
    }
}

/// An agent's host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) machine: Agent,
    pub(super) up: bool,
    /// Counts its processes.
    pub(super) boot: u32,
    pub(super) stalled: bool,
    /// What happened while it was stopped.
    pub(super) backlog: VecDeque<Event>,
    /// The earliest wake-up that is queued.
    pub(super) wake: Option<Nanos>,
    pub(super) clock: HostClock,
    pub(super) engine: Engine,
    pub(super) link: Link,
    /// Invalid messages that were made up for it.
    pub(super) noise: u32,
}

/// The controller's host.
#[derive(Debug)]
pub(super) struct Master {
    pub(super) machine: Controller,
    pub(super) up: bool,
    /// Counts runs.
    pub(super) run: u32,
    pub(super) stalled: bool,
    pub(super) backlog: VecDeque<Event>,
    pub(super) wake: Option<Nanos>,
    pub(super) clock: HostClock,
    /// The attempt in progress, of each agent.
    pub(super) attempts: Vec<Option<u32>>,
    pub(super) disk_full: u32,
    pub(super) disk_extra: Nanos,
    /// When the last write will be done.
    pub(super) written: Nanos,
}

impl Master {
    pub(super) fn dialling(&self, run: u32, agent: usize) -> Option<u32> {
        (self.up && self.run == run).then(|| self.attempts[agent]).flatten()
    }

    pub(super) fn hang_up(&mut self, run: u32, agent: usize) {
        if self.run == run {
            self.attempts[agent] = None;
        }
    }
}

pub(super) struct World<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) now: Nanos,
    pub(super) queue: Queue<Event>,
    pub(super) dice: Dice,
    pub(super) controller: Master,
    pub(super) hosts: Vec<Host>,
    pub(super) connections: Vec<Connection>,
    pub(super) graves: Vec<Grave>,
    pub(super) coverage: &'s mut Coverage,
    pub(super) trace: Option<DefaultHasher>,
    /// The same for a person, in the file that `SIM_TRACE` names.
    words: Option<Trace>,
    pub(super) outcome: Option<Outcome>,
    /// How the first run ended.
    first: Option<Outcome>,
    /// Time that harmless faults have already cost: together they must not cost more than a deadline.
    pub(super) spent: [Nanos; 2],
    /// Faults that are over.
    pub(super) healed: BTreeSet<usize>,
    /// What a process has already received is being handled: no network stands in the way.
    pub(super) received: bool,
    suite: Suite,
    inputs: u64,
    queued_max: usize,
}

/// Carries out a scenario.
#[must_use]
pub fn run(scenario: &Scenario) -> Report {
    run_with(scenario, &mut Coverage::default(), false)
}

/// Carries out a scenario; adds to what was reached, and hashes everything that happens if `traced`.
#[must_use]
pub fn run_with(scenario: &Scenario, coverage: &mut Coverage, traced: bool) -> Report {
    let mut world = World::new(scenario, coverage, traced);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.carry_out())) {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
        world.suite.violate(PANIC, Mono(world.now), words.to_owned());
    }
    world.report()
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, coverage: &'s mut Coverage, traced: bool) -> Self {
        let host = |spec: &super::HostSpec| Host {
            machine: Agent::with_first_sequence(spec.first_sequence),
            up: true,
            boot: 0,
            stalled: false,
            backlog: VecDeque::new(),
            wake: None,
            clock: HostClock { offset: spec.clock, drift_ppm: spec.drift_ppm, wall: spec.wall },
            engine: Engine::default(),
            link: Link::default(),
            noise: 0,
        };
        let controller = Master {
            machine: Controller::new(scenario.order(0)),
            up: true,
            run: 0,
            stalled: false,
            backlog: VecDeque::new(),
            wake: None,
            clock: HostClock { offset: 1_000_000_000, ..HostClock::default() },
            attempts: vec![None; scenario.hosts.len()],
            disk_full: 0,
            disk_extra: 0,
            written: 0,
        };
        Self {
            scenario,
            now: 0,
            queue: Queue::new(),
            dice: Dice::new(scenario.seed),
            controller,
            hosts: scenario.hosts.iter().map(host).collect(),
            connections: Vec::new(),
            graves: Vec::new(),
            coverage,
            trace: traced.then(DefaultHasher::new),
            words: std::env::var_os("SIM_TRACE").map(|_| Trace::new()),
            outcome: None,
            first: None,
            spent: [0; 2],
            healed: BTreeSet::new(),
            received: false,
            suite: Suite::default(),
            inputs: 0,
            queued_max: 0,
        }
    }

    fn carry_out(&mut self) {
        for host in 0..self.hosts.len() {
            self.tell(Seen::Up, Process::Agent(host));
            if self.scenario.hosts[host].first_sequence > u64::MAX / 2 {
                // Its sequence numbers will be used up.
                self.tell_fault(Some(host), false, 0);
            }
        }
        for (index, (at, _)) in self.scenario.schedule.iter().enumerate() {
            self.queue.push(*at, Event::Fault(index));
        }
        self.queue.push(self.scenario.healed_at, Event::HealAll);
        self.begin_run(0);
        self.drain();
        self.first = self.outcome.take();
        if self.scenario.again && self.suite.violations().is_empty() {
            self.begin_run(1);
            self.drain();
            if self.outcome.take().is_some_and(|outcome| outcome.exit.code() == 0) {
                self.coverage.mark(Mark::ServedAgain);
            }
        }
        if self.suite.violations().is_empty() {
            self.see(&Seen::End);
        }
    }

    fn report(self) -> Report {
        Report {
            violations: self.suite.violations().to_vec(),
            outcome: self.first,
            inputs: self.inputs,
            simulated: self.now,
            trace: self.trace.map_or(0, |trace| trace.finish()),
            queued_max: self.queued_max,
        }
    }

    fn begin_run(&mut self, run: u32) {
        let order = self.scenario.order(run);
        let untimed = Duration::from_nanos(self.scenario.untimed());
        let latency = Duration::from_nanos(self.scenario.latency.1);
        self.controller.machine = Controller::new(order.clone());
        self.controller.up = true;
        self.controller.run = run;
        self.controller.wake = None;
        self.controller.attempts.fill(None);
        self.tell(Seen::Up, Process::Controller);
        self.see(&Seen::RunBegins { order: &order, untimed, latency });
        self.controller_gets(Input::Begin);
    }

    /// Until nothing more will happen: then every agent is idle, or will never be.
    fn drain(&mut self) {
        let outline = &self.scenario.outline;
        let seconds: u64 =
            outline.stages.iter().filter_map(|stage| stage.timed).map(|timed| timed.as_secs()).sum();
        let most = INPUTS_MAX + seconds * self.hosts.len() as u64 * INPUTS_PER_AGENT_SECOND + self.inputs;
        while let Some((at, event)) = self.queue.pop() {
            self.queued_max = self.queued_max.max(self.queue.len());
            self.now = at;
            self.happen(event);
            self.haunt();
            if self.inputs > most {
                return self.suite.violate(NEVER_ENDS, Mono(self.now), format!("more than {most} inputs"));
            }
            if !self.suite.violations().is_empty() {
                return;
            }
        }
    }

    /// Unless the network stands in its way, or the process that it is for is stopped.
    pub(super) fn happen(&mut self, event: Event) {
        if let Some((connection, way)) = event.crossing() {
            match self.gate(connection, way) {
                Gate::Open => {}
                Gate::Shut => return,
                Gate::Held(queue) => return queue.push_back(event),
            }
        }
        if let Some(backlog) = self.backlog(&event) {
            return backlog.push_back(event);
        }
        match event {
            Event::ToAgent(connection, message) => self.reaches_agent(connection, message),
            Event::ToController(connection, message) => self.reaches_controller(connection, message),
            Event::AgentLoses(connection, gone) => self.agent_loses(connection, gone),
            Event::ControllerLoses(connection, gone) => self.controller_loses(connection, gone),
            Event::Dialled { agent, attempt, run } => self.dialled(agent, attempt, run),
            Event::StreamAtAgent { agent, attempt, run } => self.stream_at_agent(agent, attempt, run),
            Event::StreamAtController { connection, attempt } => {
                self.stream_at_controller(connection, attempt)
            }
            Event::Engine { host, boot, epoch, event } => self.engine_event(host, boot, epoch, event),
            Event::EngineTick { host, boot, serial } => self.engine_tick(host, boot, serial),
            Event::Journal { agent, run, message } => self.journal_answers(agent, run, &message),
            Event::WakeAgent { host, boot } => self.agent_wakes(host, boot),
            Event::WakeController { run } => self.controller_wakes(run),
            Event::Fault(index) => self.fault(index),
            Event::Heal(index) => self.heal(index),
            Event::HealAll => self.heal_all(),
            Event::Interrupt => self.controller_gets(Input::Interrupt),
        }
    }

    /// Where it waits until the process that it is for goes on, if that process is stopped.
    fn backlog(&mut self, event: &Event) -> Option<&mut VecDeque<Event>> {
        let host = match event {
            Event::ToAgent(connection, _) | Event::AgentLoses(connection, _) => {
                self.connections[*connection].host
            }
            Event::Engine { host, boot, .. } | Event::EngineTick { host, boot, .. } => {
                if self.hosts[*host].boot != *boot {
                    return None;
                }
                *host
            }
            Event::ToController(..)
            | Event::ControllerLoses(..)
            | Event::Dialled { .. }
            | Event::StreamAtController { .. }
            | Event::Journal { .. }
            | Event::Interrupt => {
                let master = &mut self.controller;
                return (master.stalled && master.up).then_some(&mut master.backlog);
            }
            // The kernel answers for a stopped process, its clock goes on, and faults ask nobody.
            Event::StreamAtAgent { .. }
            | Event::WakeAgent { .. }
            | Event::WakeController { .. }
            | Event::Fault(_)
            | Event::Heal(_)
            | Event::HealAll => return None,
        };
        let host = &mut self.hosts[host];
        host.stalled.then_some(&mut host.backlog)
    }

    fn reaches_agent(&mut self, connection: usize, message: ControlMessage) {
        let Connection { host, agent_open, .. } = self.connections[connection];
        if agent_open {
            self.bury_control(connection, &message);
            self.agent_gets(host, agent::Input::Received(StreamId(connection as u64), message));
        }
    }

    fn reaches_controller(&mut self, connection: usize, message: AgentMessage) {
        let Connection { host, run, controller_open, .. } = self.connections[connection];
        if run.is_none() {
            self.rival_hears(&message);
        } else if run == Some(self.controller.run) && self.controller.up && controller_open {
            self.bury_report(connection, &message);
            let agent = super::network::agent_index(host);
            self.controller_gets(Input::Received(agent, StreamId(connection as u64), message));
        }
    }

    fn agent_loses(&mut self, connection: usize, gone: Gone) {
        if self.connections[connection].agent_open {
            let host = self.connections[connection].host;
            self.agent_ends(connection, Gone::Ended);
            self.agent_gets(host, agent::Input::Closed(StreamId(connection as u64), gone));
        }
    }

    fn controller_loses(&mut self, connection: usize, gone: Gone) {
        let Connection { host, run, controller_open, .. } = self.connections[connection];
        self.controller_ends(connection, Gone::Ended);
        if run == Some(self.controller.run) && self.controller.up && controller_open {
            let agent = super::network::agent_index(host);
            self.controller_gets(Input::Closed(agent, StreamId(connection as u64), gone));
        }
    }

    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        self.suite.see(Mono(self.now), seen);
    }

    pub(super) fn count_input(&mut self) {
        self.inputs += 1;
    }

    pub(super) fn note(&mut self, who: &str, what: &(impl Hash + Debug)) {
        if let Some(words) = &mut self.words {
            words.line(self.now, &who, format_args!("{what:?}"));
        }
        if let Some(trace) = &mut self.trace {
            (self.now, what).hash(trace);
        }
    }

    /// Shows the checkers something together with the machine of a host.
    pub(super) fn see_agent(&mut self, host: usize, show: impl FnOnce(&Agent) -> Seen<'_>) {
        self.suite.see(Mono(self.now), &show(&self.hosts[host].machine));
    }

    /// Shows the checkers something together with the controller's machine.
    pub(super) fn see_controller(&mut self, show: impl FnOnce(&Controller) -> Seen<'_>) {
        self.suite.see(Mono(self.now), &show(&self.controller.machine));
    }
}
