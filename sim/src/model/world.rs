//! One state of the model: the machines, what is on its way between them, and what was seen.

use super::bounds::Runs;
use iobench_core::agent::{self, Agent};
use iobench_core::controller::{self, Controller};
use iobench_core::engine::{EngineCommand, EngineEvent, Epoch};
use iobench_core::machine::Machine;
use iobench_core::message::{AgentMessage, Capabilities, Control, ControlMessage, Report, StreamId};
use iobench_core::plan::Outline;
use iobench_core::stats::{Band, Cell, Encoded, Interval, Operation, StageTotals, Tally};
use iobench_core::time::{Mono, Now, Unix, nanos};
use std::collections::VecDeque;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
/// When the model begins, nanoseconds.
pub(super) const BEGIN: u64 = SECOND;
/// What each engine does in an interval.
pub(super) const OPERATIONS: u64 = 7;

/// A stream, as both ends and the network see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Connection {
    pub(super) stream: u64,
    pub(super) to_agent: VecDeque<ControlMessage>,
    pub(super) to_controller: VecDeque<AgentMessage>,
    pub(super) agent_open: bool,
    pub(super) controller_open: bool,
    /// The controller has nothing more to say.
    pub(super) half_closed: bool,
    /// Nothing passes any more; either end may notice at any time, or never.
    pub(super) broken: bool,
}

impl Connection {
    pub(super) fn new(stream: u64) -> Self {
        Self {
            stream,
            to_agent: VecDeque::new(),
            to_controller: VecDeque::new(),
            agent_open: true,
            controller_open: true,
            half_closed: false,
            broken: false,
        }
    }
}

/// An agent, its engine and its stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    pub(super) machine: Agent,
    pub(super) connection: Option<Connection>,
    /// The attempt that is being made.
    pub(super) dialling: Option<u32>,
    /// What the engine will say, and when.
    pub(super) engine: VecDeque<(u64, Epoch, EngineEvent)>,
    pub(super) load: bool,
    readies: u8,
    /// The start instant that it was told.
    instant: Option<Mono>,
}

/// The end of a run.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct End {
    /// The exit code, and how many agents completed; `None`: the controller is gone without a word.
    pub(super) outcome: Option<(u8, usize)>,
    pub(super) at: u64,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) now: u64,
    pub(super) controller: Controller,
    pub(super) hosts: Vec<Host>,
    /// Faults that may still happen.
    pub(super) faults: u8,
    pub(super) streams: u64,
    /// Operations in intervals on disk, for each agent.
    pub(super) journalled: Vec<u64>,
    pub(super) interrupted: bool,
    pub(super) end: Option<End>,
    pub(super) violated: Option<&'static str>,
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            machine: Agent::new(),
            connection: None,
            dialling: None,
            engine: VecDeque::new(),
            load: false,
            readies: 0,
            instant: None,
        }
    }

    /// The process dies and is started again; its stream ends.
    pub(super) fn crash(&mut self) {
        let connection = self.connection.take().map(|mut it| {
            it.agent_open = false;
            it.to_agent.clear();
            it
        });
        *self = Self { connection, dialling: self.dialling, ..Self::new() };
    }

    fn with(&mut self, stream: StreamId) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|it| it.stream == stream.0)
    }

    /// Carries out a command; says what cannot be.
    fn command(
        &mut self,
        outline: &Outline,
        now: Mono,
        epoch: Epoch,
        command: EngineCommand,
    ) -> Option<&'static str> {
        match command {
            EngineCommand::Validate(_) => {
                let capabilities = Box::new(Capabilities::default());
                let outline = Box::new(outline.clone());
                self.engine = [(now.0, epoch, EngineEvent::Validated { outline, capabilities })].into();
                None
            }
            EngineCommand::Arm { .. } => None,
            EngineCommand::Run { stage } => self.run(outline, now, epoch, stage),
            EngineCommand::Stop => {
                self.load = false;
                self.engine = [(now.0, epoch, EngineEvent::Stopped { totals: None, stuck: 0 })].into();
                None
            }
        }
    }

    fn run(&mut self, outline: &Outline, now: Mono, epoch: Epoch, stage: u32) -> Option<&'static str> {
        let timed = outline.stages[stage as usize].timed;
        let (takes, length) = (nanos(timed.unwrap_or(outline.interval)), nanos(outline.interval));
        let twice = self.load;
        self.load = true;
        self.engine.clear();
        let intervals = timed.map_or(0, |_| takes / length);
        self.engine.extend((0..intervals).map(|number| {
            let (from, to) = (now.0 + length * number, now.0 + length * (number + 1));
            let (from, to) = (Mono(from), Mono(to));
            let interval = Interval { stage, from, to, tally: tally(1), ..Interval::default() };
            (to.0, epoch, EngineEvent::Interval(Box::new(interval)))
        }));
        let totals = StageTotals { stage, tally: tally(intervals.max(1)), ..StageTotals::default() };
        self.engine.push_back((now.0 + takes, epoch, EngineEvent::StageDone(Box::new(totals))));
        let early = timed.is_some() && self.instant.is_some_and(|instant| now < instant);
        early.then_some("a stage begins before its instant").or(twice.then_some("a stage begins in another"))
    }
}

fn tally(intervals: u64) -> Tally {
    let cell = Cell {
        operation: Operation::Get,
        band: Band::ZERO,
        count: OPERATIONS * intervals,
        bytes: 0,
        service_sum: 0,
        service: Encoded::default(),
        response: Encoded::default(),
    };
    Tally { cells: vec![cell], ..Tally::default() }
}

impl World {
    pub(super) fn new(runs: &Runs) -> Self {
        let agents = runs.order.agents.len();
        let mut world = Self {
            now: BEGIN,
            controller: Controller::new(runs.order.clone()),
            hosts: vec![Host::new(); agents],
            faults: runs.faults,
            streams: 0,
            journalled: vec![0; agents],
            interrupted: false,
            end: None,
            violated: None,
        };
        world.tell_controller(controller::Input::Begin);
        world
    }

    fn time(&self) -> Now {
        Now { mono: Mono(self.now), unix: Unix(self.now) }
    }

    /// The controller's turn, until it has nothing more to do.
    pub(super) fn tell_controller(&mut self, input: controller::Input) {
        if self.end.is_some() {
            return;
        }
        let now = self.time();
        self.controller.handle(now, input);
        let mut written = Vec::new();
        while let Some(output) = self.controller.poll_output() {
            if let controller::Output::Persist(agent, message) = output {
                if let Report::Running(interval) = &message.body {
                    self.journalled[agent.0 as usize] += interval.tally.count();
                }
                written.push((agent, message.sequence));
            } else {
                self.execute(output);
            }
        }
        if self.controller.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.violated = Some("the controller spins");
        }
        for (agent, sequence) in written {
            self.tell_controller(controller::Input::Persisted { agent, sequence });
        }
    }

    fn execute(&mut self, output: controller::Output) {
        match output {
            controller::Output::Connect { agent, attempt } => {
                self.hosts[agent.0 as usize].dialling = Some(attempt);
            }
            controller::Output::Disconnect { agent } => self.hosts[agent.0 as usize].dialling = None,
            controller::Output::Send(agent, stream, message) => {
                if let Some(it) = self.hosts[agent.0 as usize].with(stream)
                    && !it.half_closed
                    && it.agent_open
                    && !it.broken
                {
                    it.to_agent.push_back(message);
                }
            }
            controller::Output::HalfClose(agent, stream) => {
                if let Some(it) = self.hosts[agent.0 as usize].with(stream) {
                    it.half_closed = true;
                }
            }
            controller::Output::Drop(agent, stream) => {
                if let Some(it) = self.hosts[agent.0 as usize].with(stream) {
                    (it.half_closed, it.controller_open) = (true, false);
                    it.to_controller.clear();
                }
            }
            controller::Output::Finish(outcome) => {
                let completed = outcome.agents.iter().filter(|agent| agent.reason.is_empty()).count();
                let end = End { outcome: Some((outcome.exit.code(), completed)), at: self.now };
                if self.end.replace(end).is_some() {
                    self.violated = Some("a run ends twice");
                }
            }
            controller::Output::Persist(..)
            | controller::Output::AgentEntered { .. }
            | controller::Output::RunEntered { .. }
            | controller::Output::Notice(_) => {}
        }
    }

    /// An agent's turn, until it has nothing more to do.
    pub(super) fn tell_agent(&mut self, outline: &Outline, index: usize, input: agent::Input) {
        let now = self.time();
        let host = &mut self.hosts[index];
        if let agent::Input::Received(_, ControlMessage { body: Control::Start { at: Some(at), .. }, .. }) =
            &input
        {
            host.instant = Some(at.mono);
        }
        host.machine.handle(now, input);
        while let Some(output) = host.machine.poll_output() {
            let wrong = match output {
                agent::Output::Send(stream, message) => host.sends(stream, message),
                agent::Output::Close(stream) => {
                    if let Some(it) = host.with(stream) {
                        it.agent_open = false;
                        it.to_agent.clear();
                    }
                    None
                }
                agent::Output::Engine(epoch, command) => host.command(outline, now.mono, epoch, command),
                _ => None,
            };
            self.violated = self.violated.or(wrong);
        }
        if host.machine.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.violated = Some("an agent spins");
        }
    }

    /// When something happens by itself.
    pub(super) fn next_instant(&self) -> Option<u64> {
        let agents = self.hosts.iter().filter_map(|host| host.machine.poll_timeout()).map(|at| at.0);
        let engines = self.hosts.iter().filter_map(|host| host.engine.front()).map(|(at, ..)| *at);
        let controller = self.controller.poll_timeout().filter(|_| self.end.is_none()).map(|at| at.0);
        agents.chain(engines).chain(controller).min()
    }

    /// The exit code, and how many agents completed.
    pub(super) fn outcome(&self) -> Option<(u8, usize)> {
        self.end.and_then(|end| end.outcome)
    }

    /// How long ago the run has ended, nanoseconds.
    pub(super) fn over_for(&self) -> Option<u64> {
        self.end.map(|end| self.now - end.at)
    }

    /// Whether no load has outlived the run by more than the lease.
    pub(super) fn is_load_over(&self, lease: Duration) -> bool {
        self.over_for().is_none_or(|over| over <= nanos(lease)) || self.hosts.iter().all(|host| !host.load)
    }
}

impl Host {
    fn sends(&mut self, stream: StreamId, message: AgentMessage) -> Option<&'static str> {
        let ready = matches!(message.body, Report::Ready { .. });
        self.readies += u8::from(ready);
        let wrong = if ready && self.readies > 1 {
            Some("READY is said twice")
        } else if message.body.is_terminal() && self.load {
            Some("the run is over and operations are issued")
        } else {
            None
        };
        if let Some(it) = self.with(stream).filter(|it| it.controller_open && !it.broken) {
            it.to_controller.push_back(message);
        }
        wrong
    }
}
