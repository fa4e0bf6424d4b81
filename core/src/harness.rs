//! Steps one controller and its agents on virtual time: no sockets, no threads, every message delivered by hand.

mod table;

pub(crate) use table::{Table, assert_documented};

use crate::agent::{self, Agent, KeptRun};
use crate::controller::{self, AgentSpec, Controller, Lead, Notice, Order, Outcome};
use crate::engine::{EngineCommand, EngineEvent, Epoch};
use crate::machine::Machine;
use crate::message::{
    AgentIndex, AgentMessage, Control, ControlMessage, Failure, Gone, Progress, Report, RunId, StreamId,
};
use crate::plan::{Outline, Policy, StageOutline, Timeouts};
use crate::stats::{Cell, Interval, Operation, StageTotals, Tally};
use crate::time::{Mono, Now, Unix};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) const SECOND: u64 = 1_000_000_000;
const UNIX: u64 = 1_800_000_000 * SECOND;

/// Something that happens at an instant of true time.
#[derive(Clone, Debug)]
enum Happening {
    ToAgent(usize, StreamId, ControlMessage),
    ToController(usize, StreamId, AgentMessage),
    AgentLoses(usize, StreamId),
    ControllerLoses(usize, StreamId),
    Dialled(usize, u32),
    Engine(usize, Epoch, EngineEvent),
    Persisted(usize, u64),
}

/// Some of the messages of an agent.
pub(crate) type Which = fn(&Report) -> bool;

/// One agent with its modelled engine, clock and faults.
pub(crate) struct Host {
    pub(crate) machine: Agent,
    /// Its monotonic clock minus true time.
    pub(crate) ahead: u64,
    /// It cannot be reached at all.
    pub(crate) refuses: bool,
    /// Nothing arrives in either direction, in silence.
    pub(crate) cut: bool,
    /// It is gone: nothing is handled any more.
    pub(crate) dead: bool,
    /// So many messages of this kind arrive as bytes that nobody can read.
    pub(crate) garbles: Option<(Which, u32)>,
    /// It does not say what it keeps, and does not know that it may be asked for it, as older versions.
    pub(crate) is_old: bool,
    /// Its engine says nothing any more.
    pub(crate) engine_hangs: bool,
    /// Its engine refuses the configuration.
    pub(crate) rejects: Option<Failure>,
    /// When its engine began each timed stage, in true time.
    pub(crate) began: Vec<u64>,
    pub(crate) load: bool,
    stage: Option<(u32, u64)>,
    epoch: Epoch,
    pub(crate) kept: Vec<KeptRun>,
    pub(crate) warnings: Vec<String>,
    pub(crate) exited: bool,
}

pub(crate) struct Harness {
    pub(crate) now: u64,
    pub(crate) controller: Controller,
    pub(crate) hosts: Vec<Host>,
    pub(crate) outline: Outline,
    pub(crate) latency: Duration,
    pub(crate) prepare: Duration,
    /// How long a stage goes on after its work: resting, or making durable what was written.
    pub(crate) tail: Duration,
    pub(crate) notices: Vec<Notice>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) journal: Vec<(usize, AgentMessage)>,
    pub(crate) disk_full: bool,
    pub(crate) disk_stalls: bool,
    /// The controller handles nothing: its process is stopped.
    pub(crate) controller_stopped: bool,
    queue: BTreeMap<(u64, u64), Happening>,
    order: u64,
    open: BTreeSet<StreamId>,
    streams: u64,
}

impl Host {
    fn as_it_understands(&self, mut message: ControlMessage) -> ControlMessage {
        if let Control::Ping(ping) = &mut message.body
            && self.is_old
        {
            ping.again_from = None;
        }
        message
    }

    fn as_it_arrives(&mut self, mut message: AgentMessage) -> AgentMessage {
        if self.is_old {
            message.kept_before = None;
        }
        if let Some((which, left)) = &mut self.garbles
            && *left > 0
            && which(&message.body)
        {
            *left -= 1;
            let (run, body) = (RunId(0), Report::Undecodable { detail: "unknown status 77".to_owned() });
            return AgentMessage { run, sequence: 0, kept_before: None, body, ..message };
        }
        message
    }
}

pub(crate) fn outline(stages: &[(&str, Option<u64>)]) -> Outline {
    let stage = |&(name, seconds): &(&str, Option<u64>)| StageOutline {
        name: name.to_owned(),
        timed: seconds.map(Duration::from_secs),
    };
    Outline {
        stages: stages.iter().map(stage).collect(),
        interval: Duration::from_secs(1),
        timeouts: Timeouts::default(),
    }
}

pub(crate) fn order(outline: &Outline, agents: usize) -> Order {
    let agents = (0..agents).map(|i| AgentSpec { id: format!("a{i}"), address: format!("h{i}:7420") });
    Order {
        run: RunId(7),
        agents: agents.collect(),
        yaml: "target: null://".to_owned(),
        overrides: Vec::new(),
        seed: 1,
        outline: outline.clone(),
        policy: Policy::default(),
        lead: Lead::Ahead(Duration::from_secs(10)),
    }
}

impl Harness {
    /// `agents` hosts that prepare for 3 s and then measure for 20 s.
    pub(crate) fn new(agents: usize) -> Self {
        let outline = outline(&[("prepare", None), ("execute", Some(20))]);
        Self::of(order(&outline, agents))
    }

    pub(crate) fn of(order: Order) -> Self {
        let host = |i: usize| Host {
            machine: Agent::new(),
            ahead: (i as u64 + 1) * 1_000 * SECOND,
            refuses: false,
            cut: false,
            dead: false,
            garbles: None,
            is_old: false,
            engine_hangs: false,
            rejects: None,
            began: Vec::new(),
            load: false,
            stage: None,
            epoch: Epoch(0),
            kept: Vec::new(),
            warnings: Vec::new(),
            exited: false,
        };
        Self {
            now: SECOND,
            hosts: (0..order.agents.len()).map(host).collect(),
            outline: order.outline.clone(),
            controller: Controller::new(order),
            latency: Duration::from_millis(2),
            prepare: Duration::from_secs(3),
            tail: Duration::ZERO,
            notices: Vec::new(),
            outcome: None,
            journal: Vec::new(),
            disk_full: false,
            disk_stalls: false,
            controller_stopped: false,
            queue: BTreeMap::new(),
            order: 0,
            open: BTreeSet::new(),
            streams: 0,
        }
    }

    /// Another run on the same agents, whose first controller is gone.
    pub(crate) fn again(&mut self, order: Order) {
        self.outline = order.outline.clone();
        self.controller = Controller::new(order);
        self.outcome = None;
        self.journal.clear();
    }

    /// Numbers the next streams from here on.
    pub(crate) fn skip_streams(&mut self, streams: u64) {
        self.streams += streams;
    }

    pub(crate) fn begin(&mut self) {
        self.controller_gets(controller::Input::Begin);
    }

    /// Runs to the end and gives the outcome; panics when the run does not end within a day.
    pub(crate) fn finish(&mut self) -> Outcome {
        let limit = self.now + 86_400 * SECOND;
        while self.outcome.is_none() {
            assert!(self.step() && self.now < limit, "the run does not end: {:?}", self.controller);
        }
        self.outcome.clone().expect("the loop ended")
    }

    /// Lets time pass, however much happens.
    pub(crate) fn run_for(&mut self, seconds: u64) {
        let end = self.now + seconds * SECOND;
        while self.next_instant().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Until every agent's machine is in the given state.
    pub(crate) fn run_until(&mut self, what: &str, test: impl Fn(&Self) -> bool) {
        let limit = self.now + 3_600 * SECOND;
        while !test(self) {
            assert!(self.step() && self.now < limit, "never: {what}");
        }
    }

    fn next_instant(&self) -> Option<u64> {
        let controller = if self.controller_stopped { None } else { self.controller.poll_timeout() };
        let agents = self.hosts.iter().filter(|host| !host.dead);
        let agents =
            agents.filter_map(|host| Some(host.machine.poll_timeout()?.0.saturating_sub(host.ahead)));
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        agents.chain(controller.map(|at| at.0)).chain(queued).min().map(|at| at.max(self.now))
    }

    /// The next thing that happens; `false` when nothing ever will.
    pub(crate) fn step(&mut self) -> bool {
        let Some(at) = self.next_instant() else { return false };
        self.now = at;
        let due = self.queue.first_entry().filter(|entry| entry.key().0 <= at).map(|entry| entry.remove());
        match due {
            Some(happening) => self.happen(happening),
            None => {
                for index in 0..self.hosts.len() {
                    let host = &self.hosts[index];
                    if host.machine.poll_timeout().is_some_and(|t| t.0.saturating_sub(host.ahead) <= at) {
                        self.agent_gets(index, agent::Input::Timeout);
                    }
                }
                if self.controller.poll_timeout().is_some_and(|t| t.0 <= at) {
                    self.controller_gets(controller::Input::Timeout);
                }
            }
        }
        true
    }

    fn after(&mut self, delay: Duration, happening: Happening) {
        self.order += 1;
        self.queue.insert((self.now + delay.as_nanos() as u64, self.order), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToAgent(index, stream, message) => {
                if self.open.contains(&stream) && !self.hosts[index].cut {
                    let message = self.hosts[index].as_it_understands(message);
                    self.agent_gets(index, agent::Input::Received(stream, message));
                }
            }
            Happening::ToController(index, stream, message) => {
                if self.open.contains(&stream) && !self.hosts[index].cut {
                    let message = self.hosts[index].as_it_arrives(message);
                    self.controller_gets(controller::Input::Received(agent_index(index), stream, message));
                }
            }
            Happening::AgentLoses(index, stream) => {
                if !self.hosts[index].cut {
                    self.agent_gets(index, agent::Input::Closed(stream, Gone::Ended));
                }
            }
            Happening::ControllerLoses(index, stream) => {
                if self.open.remove(&stream) && !self.hosts[index].cut {
                    self.controller_gets(controller::Input::Closed(agent_index(index), stream, Gone::Ended));
                }
            }
            Happening::Dialled(index, attempt) => self.dialled(index, attempt),
            Happening::Engine(index, epoch, event) => self.engine_says(index, epoch, event),
            Happening::Persisted(index, sequence) => {
                let agent = agent_index(index);
                let cause = "/results/journal: no space left on device".to_owned();
                let input = if self.disk_full {
                    controller::Input::PersistFailed { agent, sequence, cause }
                } else {
                    controller::Input::Persisted { agent, sequence }
                };
                self.controller_gets(input);
            }
        }
    }

    fn dialled(&mut self, index: usize, attempt: u32) {
        let agent = agent_index(index);
        if self.hosts[index].cut {
            return;
        }
        if self.hosts[index].refuses || self.hosts[index].dead {
            let cause = controller::ConnectError { message: "connection refused".to_owned() };
            return self.controller_gets(controller::Input::ConnectFailed { agent, attempt, cause });
        }
        self.streams += 1;
        let stream = StreamId(self.streams);
        self.open.insert(stream);
        self.agent_gets(index, agent::Input::Opened(stream));
        self.controller_gets(controller::Input::Connected { agent, attempt });
        self.controller_gets(controller::Input::Opened { agent, attempt, stream });
    }

    /// The agent's process ends; `fin`: its host says so.
    pub(crate) fn kill_agent(&mut self, index: usize, fin: bool) {
        self.hosts[index].dead = true;
        self.hosts[index].load = false;
        if fin {
            self.close_streams(index, false);
        } else {
            self.hosts[index].cut = true;
        }
    }

    /// The controller's process ends; `fin`: its host says so.
    pub(crate) fn kill_controller(&mut self, fin: bool) {
        self.controller_stopped = true;
        for index in 0..self.hosts.len() {
            if fin {
                self.close_streams(index, true);
            } else {
                self.hosts[index].cut = true;
            }
        }
    }

    fn close_streams(&mut self, index: usize, by_controller: bool) {
        let current = self.hosts[index].machine.current().map(|(stream, ..)| stream);
        for stream in current.into_iter() {
            let loses = if by_controller {
                Happening::AgentLoses(index, stream)
            } else {
                Happening::ControllerLoses(index, stream)
            };
            self.after(self.latency, loses);
        }
    }

    /// A process that was stopped goes on: it handles what has arrived meanwhile.
    pub(crate) fn wake_controller(&mut self) {
        self.controller_stopped = false;
        self.controller_gets(controller::Input::Timeout);
    }

    pub(crate) fn controller_gets(&mut self, input: controller::Input) {
        if self.controller_stopped {
            // It waits in the socket.
            self.order += 1;
            if let controller::Input::Received(agent, stream, message) = input {
                let late = Happening::ToController(agent.0 as usize, stream, message);
                self.after(Duration::from_millis(50), late);
            }
            return;
        }
        let now = Now { mono: Mono(self.now), unix: Unix(UNIX + self.now) };
        self.controller.handle(now, input);
        while let Some(output) = self.controller.poll_output() {
            self.controller_wants(output);
        }
        if let Some(promised) = self.controller.poll_timeout() {
            assert!(promised.0 > self.now, "the controller spins: {:?}", self.controller);
        }
    }

    fn controller_wants(&mut self, output: controller::Output) {
        match output {
            controller::Output::Connect { agent, attempt } => {
                self.after(self.latency * 2, Happening::Dialled(agent.0 as usize, attempt));
            }
            controller::Output::Send(agent, stream, message) => {
                self.after(self.latency, Happening::ToAgent(agent.0 as usize, stream, message));
            }
            controller::Output::HalfClose(agent, stream) => {
                self.after(self.latency, Happening::AgentLoses(agent.0 as usize, stream));
            }
            controller::Output::Drop(agent, stream) => {
                self.after(self.latency, Happening::AgentLoses(agent.0 as usize, stream));
                self.after(self.latency * 2, Happening::ControllerLoses(agent.0 as usize, stream));
            }
            controller::Output::Persist(agent, message) => {
                let sequence = message.sequence;
                if !self.disk_full {
                    self.journal.push((agent.0 as usize, *message));
                }
                if !self.disk_stalls {
                    self.after(Duration::from_millis(1), Happening::Persisted(agent.0 as usize, sequence));
                }
            }
            controller::Output::Notice(notice) => self.notices.push(notice),
            controller::Output::Finish(outcome) => {
                assert!(self.outcome.is_none(), "two outcomes");
                self.outcome = Some(*outcome);
            }
            controller::Output::AgentEntered { from, to, .. } => assert!(from.successors().contains(&to)),
            controller::Output::RunEntered { from, to } => assert!(from.successors().contains(&to)),
            controller::Output::Disconnect { .. } => {}
        }
    }

    pub(crate) fn agent_now(&self, index: usize) -> Now {
        Now { mono: Mono(self.now + self.hosts[index].ahead), unix: Unix(UNIX + self.now) }
    }

    pub(crate) fn agent_gets(&mut self, index: usize, input: agent::Input) {
        if self.hosts[index].dead {
            return;
        }
        let now = self.agent_now(index);
        self.hosts[index].machine.handle(now, input);
        while let Some(output) = self.hosts[index].machine.poll_output() {
            self.agent_wants(index, output);
        }
        let promised = self.hosts[index].machine.poll_timeout();
        assert!(promised.is_none_or(|at| at > now.mono), "the agent spins: {:?}", self.hosts[index].machine);
    }

    fn agent_wants(&mut self, index: usize, output: agent::Output) {
        match output {
            agent::Output::Send(stream, message) => {
                self.after(self.latency, Happening::ToController(index, stream, message));
            }
            agent::Output::Close(stream) => {
                self.after(self.latency, Happening::ControllerLoses(index, stream));
            }
            agent::Output::Engine(epoch, command) => self.engine_does(index, epoch, command),
            agent::Output::Keep(kept) => self.hosts[index].kept.push(*kept),
            agent::Output::Entered { from, to } => assert!(from.successors().contains(&to)),
            agent::Output::Warn(text) => self.hosts[index].warnings.push(text),
            agent::Output::Exit => self.hosts[index].exited = true,
        }
    }

    fn engine_does(&mut self, index: usize, epoch: Epoch, command: EngineCommand) {
        let outline = self.outline.clone();
        let (now, latency) = (self.now, Duration::from_millis(1));
        let host = &mut self.hosts[index];
        host.epoch = epoch;
        match command {
            EngineCommand::Validate(_) => {
                let event = match host.rejects.clone() {
                    Some(failure) => EngineEvent::Failed { failure, totals: None },
                    None => {
                        let outline = Box::new(outline);
                        EngineEvent::Validated { outline, capabilities: Box::default() }
                    }
                };
                self.after(latency, Happening::Engine(index, epoch, event));
            }
            EngineCommand::Arm { .. } => {}
            EngineCommand::Run { stage } => {
                let timed = outline.stages[stage as usize].timed;
                host.stage = Some((stage, now));
                host.load = true;
                if timed.is_some() {
                    host.began.push(now);
                }
                let length = timed.unwrap_or(self.prepare + Duration::from_millis(index as u64 * 300));
                let seconds = length.as_secs();
                for second in 1..=seconds + self.tail.as_secs() {
                    let (objects, steps) = (second.min(seconds), second.saturating_sub(seconds));
                    let event = match timed {
                        Some(_) => EngineEvent::Interval(Box::new(Interval {
                            tally: tally(if steps == 0 { 100 } else { 0 }),
                            ..self.interval(index, stage, second - 1)
                        })),
                        None => {
                            let progress = Progress { stage, objects, steps, ..Progress::default() };
                            EngineEvent::Progress(progress)
                        }
                    };
                    self.after(Duration::from_secs(second), Happening::Engine(index, epoch, event));
                }
                let done = EngineEvent::StageDone(Box::new(self.totals(index, stage, seconds)));
                self.after(length + self.tail, Happening::Engine(index, epoch, done));
            }
            EngineCommand::Stop => {
                host.load = false;
                let ran = host.stage.take().map(|(stage, since)| (stage, (now - since) / SECOND));
                let totals = ran.map(|(stage, seconds)| Box::new(self.totals(index, stage, seconds)));
                self.after(
                    latency,
                    Happening::Engine(index, epoch, EngineEvent::Stopped { totals, stuck: 0 }),
                );
            }
        }
    }

    fn engine_says(&mut self, index: usize, epoch: Epoch, event: EngineEvent) {
        let host = &mut self.hosts[index];
        let stopped = matches!(event, EngineEvent::Stopped { .. });
        if host.dead || host.engine_hangs || (host.epoch == epoch && host.stage.is_none() && is_work(&event))
        {
            return;
        }
        if host.epoch == epoch && (matches!(event, EngineEvent::StageDone(_)) || stopped) {
            host.stage = None;
            host.load = false;
        }
        self.agent_gets(index, agent::Input::Engine(epoch, event));
    }

    /// One second of work: a hundred operations.
    fn interval(&self, index: usize, stage: u32, second: u64) -> Interval {
        let from = self.agent_now(index).mono.after(Duration::from_secs(second));
        Interval {
            stage,
            from,
            to: from.after(Duration::from_secs(1)),
            tally: tally(100),
            ..Interval::default()
        }
    }

    fn totals(&self, index: usize, stage: u32, seconds: u64) -> StageTotals {
        let now = self.agent_now(index).mono;
        let to = now.after(Duration::from_secs(seconds));
        StageTotals { stage, from: now, to, tally: tally(100 * seconds), ..StageTotals::default() }
    }

    /// Operations in the journal's intervals of one agent.
    pub(crate) fn journalled(&self, index: usize) -> u64 {
        let of_agent = self.journal.iter().filter(|(agent, _)| *agent == index);
        of_agent
            .map(|(_, message)| match &message.body {
                Report::Running(interval) => interval.tally.cells.iter().map(|cell| cell.count).sum(),
                _ => 0,
            })
            .sum()
    }

    /// Whether some notice says this.
    pub(crate) fn said(&self, text: &str) -> bool {
        self.notices.iter().any(|notice| notice.text.contains(text))
    }
}

fn is_work(event: &EngineEvent) -> bool {
    matches!(event, EngineEvent::Interval(_) | EngineEvent::Progress(_) | EngineEvent::StageDone(_))
}

fn tally(count: u64) -> Tally {
    if count == 0 {
        return Tally::default();
    }
    let cell = Cell {
        operation: Operation::Get,
        band: crate::stats::Band::of(4096),
        count,
        bytes: count * 4096,
        service_sum: count * 1000,
        service: crate::stats::Encoded::default(),
        response: crate::stats::Encoded::default(),
    };
    Tally { cells: vec![cell], ..Tally::default() }
}

pub(crate) fn agent_index(index: usize) -> AgentIndex {
    AgentIndex(u32::try_from(index).expect("few agents in tests"))
}
