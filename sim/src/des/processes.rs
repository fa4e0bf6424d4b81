//! Processes: they hand inputs to their machines, and do what comes out, as the shipping drivers do.

use super::network::{DOWN, UP, agent_index};
use super::scenario::Nanos;
use super::world::{Event, World};
use crate::checkers::{Process, Seen};
use crate::coverage::Mark;
use iobench_core::agent::{self, Agent, StateName};
use iobench_core::controller::{self, Input, Label};
use iobench_core::engine::{EngineEvent, Epoch};
use iobench_core::machine::Machine;
use iobench_core::message::{AgentMessage, Control, Failure, FailureClass, Gone, Report};
use iobench_core::time::Mono;

/// How long the journal takes for a message.
const WRITING: Nanos = 2_000_000;

impl World<'_> {
    pub(super) fn agent_gets(&mut self, host: usize, input: agent::Input) {
        if !self.hosts[host].up {
            return;
        }
        let now = self.hosts[host].clock.now(self.now);
        self.count_input();
        self.note("agent <", &(host, &input));
        self.coverage.agent(self.hosts[host].machine.status().state, &input);
        self.see(&Seen::AgentInput(host, now, &input));
        self.hosts[host].machine.handle(now, input);
        while let Some(output) = self.hosts[host].machine.poll_output() {
            self.note("agent >", &(host, &output));
            self.see(&Seen::AgentOutput(host, now, &output));
            self.agent_wants(host, output);
        }
        if !self.hosts[host].up {
            return;
        }
        self.see_agent(host, |machine| Seen::AgentSettled(host, now, machine));
        self.plan_agent_wake(host);
    }

    fn agent_wants(&mut self, host: usize, output: agent::Output) {
        match output {
            agent::Output::Send(stream, message) => {
                let connection = connection_of(stream.0);
                if let Report::Error { failure: Failure { class: FailureClass::Protocol, .. }, .. } =
                    &message.body
                    && message.sequence == u64::MAX
                {
                    self.coverage.mark(Mark::SequencesUsedUp);
                }
                if self.connections.get(connection).is_some_and(|it| it.agent_open) {
                    let (message, again) = self.damaged_report(host, message);
                    self.transmit(connection, UP, Event::ToController(connection, message));
                    if let Some(again) = again {
                        self.transmit(connection, UP, Event::ToController(connection, again));
                    }
                }
            }
            agent::Output::Close(stream) => {
                if connection_of(stream.0) < self.connections.len() {
                    self.agent_ends(connection_of(stream.0), Gone::Ended);
                }
            }
            agent::Output::Engine(epoch, command) => self.command(host, epoch, command),
            agent::Output::Keep(_) => self.coverage.mark(Mark::Kept),
            agent::Output::Entered { .. } | agent::Output::Warn(_) => {}
            agent::Output::Exit => self.agent_down(host, true),
        }
    }

    /// Queues the wake-up that the machine asks for, unless an earlier one is queued: that one will look again.
    fn plan_agent_wake(&mut self, host: usize) {
        let now = self.now;
        let entry = &mut self.hosts[host];
        let Some(at) = entry.machine.poll_timeout() else { return };
        let at = entry.clock.when(at, now);
        if entry.wake.is_none_or(|queued| at < queued) {
            entry.wake = Some(at);
            self.queue.push(at, Event::WakeAgent { host, boot: entry.boot });
        }
    }

    pub(super) fn agent_wakes(&mut self, host: usize, boot: u32) {
        let entry = &mut self.hosts[host];
        if entry.boot != boot || entry.wake != Some(self.now) {
            return;
        }
        entry.wake = None;
        if entry.stalled || !entry.up {
            return;
        }
        let due = entry.machine.poll_timeout().is_some_and(|at| at <= entry.clock.now(self.now).mono);
        if due {
            self.agent_gets(host, agent::Input::Timeout);
        } else {
            self.plan_agent_wake(host);
        }
    }

    pub(super) fn engine_event(&mut self, host: usize, boot: u32, epoch: Epoch, event: EngineEvent) {
        let entry = &self.hosts[host];
        if entry.boot != boot || !entry.up {
            return;
        }
        self.bury_engine_event(host, epoch, &event);
        self.agent_gets(host, agent::Input::Engine(epoch, event));
    }

    /// The agent's process ends. `fin`: its host says so.
    pub(super) fn agent_down(&mut self, host: usize, fin: bool) {
        if !std::mem::replace(&mut self.hosts[host].up, false) {
            return;
        }
        self.sever_agent(host, fin);
        let entry = &mut self.hosts[host];
        entry.boot += 1;
        entry.backlog.clear();
        entry.wake = None;
        entry.stalled = false;
        entry.link.vanished |= !fin;
        entry.engine.restart();
        self.tell(Seen::Down, Process::Agent(host));
    }

    /// It is started again, if it is down.
    pub(super) fn agent_up(&mut self, host: usize) {
        self.hosts[host].link.vanished = false;
        if !std::mem::replace(&mut self.hosts[host].up, true) {
            let first = self.scenario.hosts[host].first_sequence;
            self.hosts[host].machine = Agent::with_first_sequence(first);
            self.tell(Seen::Up, Process::Agent(host));
        }
    }

    pub(super) fn stall_agent(&mut self, host: usize) {
        if self.hosts[host].up && !std::mem::replace(&mut self.hosts[host].stalled, true) {
            self.tell(Seen::Stalled, Process::Agent(host));
        }
    }

    /// A stopped process goes on: what its own threads have to say comes first, or its timer does.
    pub(super) fn resume_agent(&mut self, host: usize) {
        if !std::mem::replace(&mut self.hosts[host].stalled, false) {
            return;
        }
        self.tell(Seen::Resumed, Process::Agent(host));
        let backlog = std::mem::take(&mut self.hosts[host].backlog);
        let timer_first = self.dice.once_in(2);
        if self.hosts[host].machine.poll_timeout().is_some_and(|at| self.is_absent(at, host)) {
            self.coverage.mark(Mark::AgentAbsent);
        }
        if timer_first {
            self.wake_if_due(host);
        }
        if !backlog.is_empty() {
            self.coverage.mark(Mark::WokeWithBacklog);
        }
        let local = |event: &Event| matches!(event, Event::Engine { .. } | Event::EngineTick { .. });
        let (ours, theirs): (Vec<_>, Vec<_>) = backlog.into_iter().partition(local);
        self.received = true;
        ours.into_iter().chain(theirs).for_each(|event| self.happen(event));
        self.received = false;
        self.wake_if_due(host);
        self.plan_agent_wake(host);
    }

    fn is_absent(&self, promised: Mono, host: usize) -> bool {
        self.hosts[host].clock.now(self.now).mono > promised.after(std::time::Duration::from_secs(1))
    }

    fn wake_if_due(&mut self, host: usize) {
        let entry = &self.hosts[host];
        let now = entry.clock.now(self.now).mono;
        if entry.up && entry.machine.poll_timeout().is_some_and(|at| at <= now) {
            self.agent_gets(host, agent::Input::Timeout);
        }
    }
}

/// The controller.
impl World<'_> {
    pub(super) fn controller_gets(&mut self, input: Input) {
        if !self.controller.up {
            return;
        }
        let now = self.controller.clock.now(self.now);
        self.count_input();
        self.note("controller <", &input);
        self.cover(&input);
        self.see(&Seen::ControllerInput(now, &input));
        self.controller.machine.handle(now, input);
        while let Some(output) = self.controller.machine.poll_output() {
            self.note("controller >", &output);
            self.see(&Seen::ControllerOutput(now, &output));
            self.controller_wants(output);
        }
        self.see_controller(|machine| Seen::ControllerSettled(now, machine));
        if self.controller.up {
            self.plan_controller_wake();
        }
    }

    fn cover(&mut self, input: &Input) {
        let machine = &self.controller.machine;
        self.coverage.controller(machine.state(), input, |agent| machine.agent_states().nth(agent));
    }

    fn controller_wants(&mut self, output: controller::Output) {
        match output {
            controller::Output::Connect { agent, attempt } => {
                let agent = agent.0 as usize;
                self.controller.attempts[agent] = Some(attempt);
                let at = self.now + self.latency(agent) + self.latency(agent);
                self.queue.push(at, Event::Dialled { agent, attempt, run: self.controller.run });
            }
            controller::Output::Disconnect { agent } => self.controller.attempts[agent.0 as usize] = None,
            controller::Output::Send(agent, stream, message) => {
                let connection = connection_of(stream.0);
                if let Control::Start { stage, .. } = message.body
                    && stage > 1
                {
                    self.coverage.mark(Mark::SecondStart);
                }
                if self.can_send_down(connection) {
                    let (message, again) = self.damaged_control(agent.0 as usize, message);
                    self.transmit(connection, DOWN, Event::ToAgent(connection, message));
                    if let Some(again) = again {
                        self.transmit(connection, DOWN, Event::ToAgent(connection, again));
                    }
                }
            }
            controller::Output::HalfClose(_, stream) => self.controller_half_closes(connection_of(stream.0)),
            controller::Output::Drop(_, stream) => {
                self.controller_ends(connection_of(stream.0), Gone::Broken);
            }
            controller::Output::Persist(agent, message) => {
                if let Report::Running(interval) = &message.body
                    && interval.merged > 0
                {
                    self.coverage.mark(Mark::Merged);
                }
                let extra = self.controller.disk_extra;
                let delay = WRITING + if extra > 0 { self.dice.between(0, extra) } else { 0 };
                self.controller.written = self.controller.written.max(self.now + delay);
                let (agent, run) = (agent.0 as usize, self.controller.run);
                self.queue.push(self.controller.written, Event::Journal { agent, run, message });
            }
            controller::Output::Finish(outcome) => {
                self.cover_outcome(&outcome);
                self.outcome = Some(*outcome);
                self.controller_down(true);
            }
            controller::Output::AgentEntered { .. }
            | controller::Output::RunEntered { .. }
            | controller::Output::Notice(_) => {}
        }
    }

    fn cover_outcome(&mut self, outcome: &controller::Outcome) {
        const EXITS: [Mark; 8] = [
            Mark::Exit0,
            Mark::Exit1,
            Mark::Exit2,
            Mark::Exit3,
            Mark::Exit4,
            Mark::Exit5,
            Mark::Exit6,
            Mark::Exit7,
        ];
        self.coverage.mark(EXITS[usize::from(outcome.exit.code())]);
        match outcome.label {
            Label::Unrepresentative => self.coverage.mark(Mark::Unrepresentative),
            Label::Partial => self.coverage.mark(Mark::PartialResult),
            Label::Complete
                if self.scenario.outline.stages.last().is_some_and(|last| last.timed.is_none()) =>
            {
                self.coverage.mark(Mark::CleanupDone);
            }
            Label::Complete | Label::Aborted => {}
        }
    }

    fn plan_controller_wake(&mut self) {
        let Some(at) = self.controller.machine.poll_timeout() else { return };
        let at = self.controller.clock.when(at, self.now);
        if self.controller.wake.is_none_or(|queued| at < queued) {
            self.controller.wake = Some(at);
            self.queue.push(at, Event::WakeController { run: self.controller.run });
        }
    }

    pub(super) fn controller_wakes(&mut self, run: u32) {
        let controller = &mut self.controller;
        if controller.run != run || controller.wake != Some(self.now) {
            return;
        }
        controller.wake = None;
        if !controller.stalled && controller.up {
            self.wake_controller_if_due();
            self.plan_controller_wake();
        }
    }

    fn wake_controller_if_due(&mut self) {
        let now = self.controller.clock.now(self.now).mono;
        if self.controller.up && self.controller.machine.poll_timeout().is_some_and(|at| at <= now) {
            self.controller_gets(Input::Timeout);
        }
    }

    /// The journal has written a message, or could not.
    pub(super) fn journal_answers(&mut self, agent: usize, run: u32, message: &AgentMessage) {
        if !self.controller.up || self.controller.run != run {
            return;
        }
        let (agent, sequence) = (agent_index(agent), message.sequence);
        if self.controller.disk_full > 0 {
            self.coverage.mark(Mark::JournalFailed);
            let cause = "/results/journal: no space left on device".to_owned();
            self.controller_gets(Input::PersistFailed { agent, sequence, cause });
        } else {
            self.see(&Seen::Journalled(agent, message));
            self.controller_gets(Input::Persisted { agent, sequence });
        }
    }

    pub(super) fn controller_down(&mut self, fin: bool) {
        if std::mem::replace(&mut self.controller.up, false) {
            self.sever_controller(self.controller.run, fin);
            self.controller.backlog.clear();
            self.controller.stalled = false;
            self.tell(Seen::Down, Process::Controller);
        }
    }

    pub(super) fn stall_controller(&mut self) {
        if self.controller.up && !std::mem::replace(&mut self.controller.stalled, true) {
            self.tell(Seen::Stalled, Process::Controller);
        }
    }

    pub(super) fn resume_controller(&mut self) {
        if !std::mem::replace(&mut self.controller.stalled, false) {
            return;
        }
        self.tell(Seen::Resumed, Process::Controller);
        let now = self.controller.clock.now(self.now).mono;
        let absence = std::time::Duration::from_secs(1);
        if self.controller.machine.poll_timeout().is_some_and(|at| now > at.after(absence)) {
            self.coverage.mark(Mark::ControllerAbsent);
        }
        if self.dice.once_in(2) {
            self.wake_controller_if_due();
        }
        let backlog = std::mem::take(&mut self.controller.backlog);
        let theirs = |event: &Event| matches!(event, Event::ToController(..) | Event::ControllerLoses(..));
        let (theirs, ours): (Vec<_>, Vec<_>) = backlog.into_iter().partition(theirs);
        self.received = true;
        ours.into_iter().chain(theirs).for_each(|event| self.happen(event));
        self.received = false;
        self.wake_controller_if_due();
        if self.controller.up {
            self.plan_controller_wake();
        }
    }

    /// Whether the agent's own run holds it: then nobody else may disturb it.
    pub(super) fn is_in_own_run(&self, host: usize) -> bool {
        let machine = &self.hosts[host].machine;
        let ours = self.scenario.order(self.controller.run).run;
        let claimed = !matches!(
            machine.status().state,
            StateName::Idle | StateName::Completed | StateName::Error | StateName::Aborted
        );
        claimed && machine.current().is_some_and(|(_, run, _)| run == ours)
    }
}

pub(super) fn connection_of(stream: u64) -> usize {
    usize::try_from(stream).expect("streams are numbered by their connection")
}
