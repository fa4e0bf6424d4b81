//! The adversary: remembers what was said and says it again when it belongs to the past.
//!
//! What is of an old session, on a dead stream, or of an old engine epoch must be inert. What names another run on
//! the current stream is invalid: counted, and nothing else.

use super::network::agent_index;
use super::processes::connection_of;
use super::world::World;
use crate::checkers::Seen;
use crate::coverage::Mark;
use iobench_core::agent;
use iobench_core::controller::Input;
use iobench_core::engine::{EngineEvent, Epoch};
use iobench_core::message::{AgentMessage, Control, ControlMessage, RunId, Session, StreamId};

/// So many messages are remembered.
const GRAVES: usize = 12;
/// A run that nobody ever ordered.
const NO_RUN: RunId = RunId(0xdead);
/// How far ahead the sequence number of a message of another run is.
const AHEAD: u64 = 1_000;
/// How far ahead of what was confirmed a confirmation of another run may be.
const CONFIRMED_AHEAD: u64 = 12;

/// Something that was said.
#[derive(Clone, Debug)]
pub(super) enum Grave {
    Report(usize, AgentMessage),
    Control(usize, ControlMessage),
    Engine { host: usize, boot: u32, epoch: Epoch, event: EngineEvent },
}

impl World<'_> {
    pub(super) fn bury_report(&mut self, connection: usize, message: &AgentMessage) {
        // What names no run, a refusal or garbage, is of no session either.
        if message.run != RunId(0) && self.dice.ppm(self.scenario.ghosts_ppm) {
            self.bury(Grave::Report(connection, message.clone()));
        }
    }

    pub(super) fn bury_control(&mut self, connection: usize, message: &ControlMessage) {
        if self.dice.ppm(self.scenario.ghosts_ppm) {
            self.bury(Grave::Control(connection, message.clone()));
        }
    }

    pub(super) fn bury_engine_event(&mut self, host: usize, epoch: Epoch, event: &EngineEvent) {
        // The answer to Stop counts in later epochs too.
        if !matches!(event, EngineEvent::Stopped { .. }) && self.dice.ppm(self.scenario.ghosts_ppm) {
            let boot = self.hosts[host].boot;
            self.bury(Grave::Engine { host, boot, epoch, event: event.clone() });
        }
    }

    fn bury(&mut self, grave: Grave) {
        if self.graves.len() < GRAVES {
            self.graves.push(grave);
        } else {
            let place = connection_of(self.dice.below(GRAVES as u64));
            self.graves[place] = grave;
        }
    }

    /// Sometimes, something of the past is heard again.
    pub(super) fn haunt(&mut self) {
        if self.graves.is_empty() || !self.dice.ppm(self.scenario.ghosts_ppm) {
            return;
        }
        match self.dice.pick(&self.graves).clone() {
            Grave::Report(connection, message) => self.report_again(connection, message),
            Grave::Control(connection, message) => self.control_again(connection, message),
            Grave::Engine { host, boot, epoch, event } => {
                let entry = &self.hosts[host];
                if entry.up && !entry.stalled && entry.boot == boot && epoch < entry.engine.epoch {
                    self.coverage.mark(Mark::GhostOfEpoch);
                    self.see_agent(host, |machine| Seen::AgentReplay(host, machine));
                    self.agent_gets(host, agent::Input::Engine(epoch, event));
                }
            }
        }
    }

    fn report_again(&mut self, connection: usize, mut message: AgentMessage) {
        if !self.controller.up || self.controller.stalled {
            return;
        }
        let known = &self.connections[connection];
        let (host, is_current) =
            (known.host, known.run == Some(self.controller.run) && known.controller_open);
        let stream = StreamId(connection as u64);
        if is_current && self.dice.once_in(3) {
            message.run = NO_RUN;
            message.sequence = message.sequence.saturating_add(AHEAD);
            self.coverage.mark(Mark::GhostOfRun);
            self.make_noise(host, 1);
        } else {
            let mark = if is_current { Mark::GhostOfSession } else { Mark::GhostOfStream };
            self.coverage.mark(mark);
            if is_current {
                message.session = Session(0);
            }
            self.see_controller(|machine| Seen::ControllerReplay(machine));
        }
        self.controller_gets(Input::Received(agent_index(host), stream, message));
    }

    fn control_again(&mut self, connection: usize, mut message: ControlMessage) {
        let host = self.connections[connection].host;
        let entry = &self.hosts[host];
        if !entry.up || entry.stalled {
            return;
        }
        let stream = StreamId(connection as u64);
        let is_current = entry.machine.current().is_some_and(|(current, ..)| current == stream);
        if is_current && self.dice.once_in(3) {
            message.run = NO_RUN;
            if let Control::Acknowledge { sequence } = &mut message.body {
                // What another run confirms is not ours. Of a copy: it moves no draw that follows.
                *sequence = sequence.saturating_add(self.dice.clone().below(CONFIRMED_AHEAD));
            }
            self.coverage.mark(Mark::GhostOfRun);
        } else if is_current {
            message.session = Session(0);
            self.coverage.mark(Mark::GhostOfSession);
            self.see_agent(host, |machine| Seen::AgentReplay(host, machine));
        } else if self.connections[connection].agent_open {
            // The stream still waits for its Configure: nothing on it is of the past.
            return;
        } else {
            self.coverage.mark(Mark::GhostOfStream);
            self.see_agent(host, |machine| Seen::AgentReplay(host, machine));
        }
        self.agent_gets(host, agent::Input::Received(stream, message));
    }

    /// The controller will have to ignore this many messages of an agent; too many are the agent's end.
    pub(super) fn make_noise(&mut self, host: usize, messages: u32) {
        let entry = &mut self.hosts[host];
        entry.noise += messages;
        if entry.noise > self.scenario.policy.max_invalid_per_minute {
            self.tell_fault(Some(host), false, 0);
        }
    }
}
