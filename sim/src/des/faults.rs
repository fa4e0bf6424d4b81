//! What each fault does, how it heals, and whom it may harm.
//!
//! A fault is *harmless* when the design says that nobody may fail because of it: short enough, or of a kind that
//! never fails anyone. Harmless faults share an allowance, so that many short ones do not add up to a long one.

use super::network::{DOWN, UP};
use super::scenario::{Fault, Nanos, SECOND, Way};
use super::world::{Event, World};
use crate::checkers::Seen;
use crate::coverage::Mark;
use iobench_core::agent;
use iobench_core::controller::Lead;
use iobench_core::message::{
    AgentMessage, Configure, Control, ControlMessage, Failure, FailureClass, Gone, Report, RunId, Session,
    StreamId,
};
use iobench_core::time::{Mono, nanos};
use std::time::Duration;

/// The runs of other controllers are numbered from here on.
const RIVAL: u128 = 0x0417_0000;
/// A run ends this much later for each fault, beside what it lasts: what peers are given after an absence.
const AFTER: Nanos = 6 * SECOND;

/// Index into [`World::spent`]: what peers wait for, and what agents wait for from the controller.
const PEERS: usize = 0;
const LEASE: usize = 1;

impl World<'_> {
    pub(super) fn fault(&mut self, index: usize) {
        let fault = self.scenario.schedule[index].1.clone();
        let (host, lasting) = (fault.host(), fault.lasting());
        let harmless = self.is_harmless(&fault);
        let host = host.filter(|_| !matches!(fault, Fault::StepClock { .. }));
        if !matches!(fault, Fault::Rival { .. } | Fault::Noise { .. } | Fault::Repeat { .. }) {
            self.tell_fault(host, harmless, lasting + AFTER);
        }
        if lasting > 0 {
            self.queue.push(self.now + lasting, Event::Heal(index));
        }
        self.apply(fault);
    }

    fn apply(&mut self, fault: Fault) {
        match fault {
            Fault::Hold { host, way, .. } => {
                way.indices().iter().for_each(|way| self.hosts[host].link.holds[*way] += 1);
            }
            Fault::Lose { host, way, .. } => {
                way.indices().iter().for_each(|way| self.hosts[host].link.losses[*way] += 1);
            }
            Fault::Slow { host, extra, .. } => self.hosts[host].link.extra += extra,
            Fault::Deaf { host, .. } => self.hosts[host].link.deaf += 1,
            Fault::Reset { host } => self.reset(host),
            Fault::CrashAgent { host, fin, .. } => self.agent_down(host, fin),
            Fault::CrashController { fin } => {
                self.coverage.mark(Mark::ControllerGone);
                self.controller_down(fin);
            }
            Fault::StallAgent { host, .. } => self.stall_agent(host),
            Fault::StallController { .. } => self.stall_controller(),
            Fault::StepClock { host: Some(host), by } => self.hosts[host].clock.wall += by,
            Fault::StepClock { host: None, by } => self.controller.clock.wall += by,
            Fault::DiskFull { .. } => self.controller.disk_full += 1,
            Fault::SlowDisk { extra, .. } => self.controller.disk_extra += extra,
            Fault::EngineHangs { host, .. } => self.hosts[host].engine.hangs += 1,
            Fault::StorageStalls { host, .. } => self.hosts[host].engine.stalls += 1,
            Fault::NeverStops { host, .. } => self.hosts[host].engine.never_stops += 1,
            Fault::EngineFails { host } => self.hosts[host].engine.fails = true,
            Fault::Rejects { host } => self.hosts[host].engine.rejects = true,
            Fault::Garble { host, way, count } => {
                way.indices().iter().for_each(|way| self.hosts[host].link.garble[*way] += count);
            }
            Fault::Repeat { host, way, count } => {
                way.indices().iter().for_each(|way| self.hosts[host].link.repeat[*way] += count);
                self.make_noise(host, count);
                self.tell_fault(Some(host), true, AFTER);
            }
            Fault::Noise { host, way, count } => {
                way.indices().iter().for_each(|way| self.insert_noise(host, *way, count));
                self.make_noise(host, count);
                self.tell_fault(Some(host), true, AFTER);
            }
            Fault::Interrupt => self.happen(Event::Interrupt),
            Fault::Idler { host } => {
                self.stranger(host);
            }
            Fault::Rival { host, lasting } => self.rival(host, lasting),
            Fault::Shutdown { host, .. } => {
                if !self.hosts[host].stalled {
                    self.agent_gets(host, agent::Input::Shutdown);
                }
            }
        }
    }

    pub(super) fn heal(&mut self, index: usize) {
        if !self.healed.insert(index) {
            return;
        }
        match self.scenario.schedule[index].1.clone() {
            Fault::Hold { host, way, .. } => way.indices().iter().for_each(|way| {
                self.hosts[host].link.holds[*way] -= 1;
                self.release(host, *way);
            }),
            Fault::Lose { host, way, .. } => {
                way.indices().iter().for_each(|way| self.hosts[host].link.losses[*way] -= 1);
            }
            Fault::Slow { host, extra, .. } => self.hosts[host].link.extra -= extra,
            Fault::Deaf { host, .. } => self.hosts[host].link.deaf -= 1,
            Fault::CrashAgent { host, .. } | Fault::Shutdown { host, .. } => {
                // A process that was to end and did not is killed.
                self.agent_down(host, true);
                self.agent_up(host);
            }
            Fault::StallAgent { host, .. } => self.resume_agent(host),
            Fault::StallController { .. } => self.resume_controller(),
            Fault::DiskFull { .. } => self.controller.disk_full -= 1,
            Fault::SlowDisk { extra, .. } => self.controller.disk_extra -= extra,
            Fault::EngineHangs { host, .. } => {
                self.hosts[host].engine.hangs -= 1;
                self.engine_recovers(host);
            }
            Fault::StorageStalls { host, .. } => self.hosts[host].engine.stalls -= 1,
            Fault::NeverStops { host, .. } => {
                self.hosts[host].engine.never_stops -= 1;
                self.engine_recovers(host);
            }
            Fault::Reset { .. }
            | Fault::CrashController { .. }
            | Fault::StepClock { .. }
            | Fault::EngineFails { .. }
            | Fault::Rejects { .. }
            | Fault::Garble { .. }
            | Fault::Noise { .. }
            | Fault::Repeat { .. }
            | Fault::Interrupt
            | Fault::Idler { .. }
            | Fault::Rival { .. } => {}
        }
    }

    /// The end of all disturbance.
    pub(super) fn heal_all(&mut self) {
        for index in 0..self.scenario.schedule.len() {
            let (at, fault) = &self.scenario.schedule[index];
            if *at <= self.now && fault.lasting() > 0 {
                self.heal(index);
            }
        }
        for host in 0..self.hosts.len() {
            self.agent_up(host);
            let link = &mut self.hosts[host].link;
            (link.garble, link.repeat) = ([0; 2], [0; 2]);
            self.hosts[host].engine.fails = false;
            self.hosts[host].engine.rejects = false;
        }
        self.see(&Seen::Healed);
    }

    fn is_harmless(&mut self, fault: &Fault) -> bool {
        match *fault {
            Fault::StepClock { .. }
            | Fault::DiskFull { .. }
            | Fault::SlowDisk { .. }
            | Fault::Idler { .. } => true,
            Fault::NeverStops { .. } => {
                !self.scenario.schedule.iter().any(|(_, other)| matches!(other, Fault::Rival { .. }))
            }
            Fault::Hold { lasting, .. } | Fault::Deaf { lasting, .. } => {
                self.may_cost(PEERS, lasting + SECOND)
            }
            Fault::StallAgent { lasting, .. } | Fault::EngineHangs { lasting, .. } => {
                self.may_cost(PEERS, lasting + SECOND)
            }
            Fault::Slow { extra, .. } => self.may_cost(PEERS, extra * 4),
            Fault::StorageStalls { lasting, .. } => {
                let all_timed = self.scenario.outline.stages.iter().all(|stage| stage.timed.is_some());
                all_timed || self.may_cost(PEERS, lasting + SECOND)
            }
            Fault::StallController { lasting } => self.may_cost(LEASE, lasting),
            // One is sent again at once; of several, one ping after another may be unreadable.
            Fault::Garble { host, way: Way::Up, count: 1 } => {
                let garbles =
                    |it: &&(Nanos, Fault)| matches!(it.1, Fault::Garble { host: other, .. } if other == host);
                self.scenario.schedule.iter().filter(garbles).count() == 1 && self.may_cost(PEERS, 2 * SECOND)
            }
            _ => false,
        }
    }

    /// Whether harmless faults may take this much more time.
    fn may_cost(&mut self, what: usize, cost: Nanos) -> bool {
        let timeouts = &self.scenario.outline.timeouts;
        let way = self.scenario.latency.1;
        let allowance = match what {
            // What a Ping echoes may be as old as the Ping before, which may be as old as the next is late.
            LEASE => nanos(timeouts.lease).saturating_sub(12 * SECOND + 4 * way),
            _ => {
                let lead = match self.scenario.lead {
                    Lead::AtOnce => Duration::MAX,
                    Lead::Ahead(lead) => lead,
                };
                let waits = [
                    lead,
                    timeouts.connect,
                    timeouts.stream,
                    timeouts.progress,
                    timeouts.first_stats,
                    timeouts.silence,
                    timeouts.ping,
                    timeouts.hung,
                ];
                let shortest = waits.into_iter().min().map_or(0, nanos);
                (shortest / 2).saturating_sub(4 * way)
            }
        };
        if self.spent[what] + cost > allowance {
            return false;
        }
        self.spent[what] += cost;
        true
    }

    /// Somebody opens a stream.
    fn stranger(&mut self, host: usize) -> Option<usize> {
        if !self.hosts[host].up || self.hosts[host].stalled {
            return None;
        }
        let connection = self.connect_to(host, None);
        self.agent_gets(host, agent::Input::Opened(StreamId(connection as u64)));
        Some(connection)
    }

    /// Another controller configures the agent, and leaves after a while.
    fn rival(&mut self, host: usize, lasting: Nanos) {
        let own_run = self.is_in_own_run(host);
        self.tell_fault(Some(host), own_run, lasting + AFTER);
        let Some(connection) = self.stranger(host) else { return };
        let configure = Configure {
            agent_id: "rival".to_owned(),
            lease: Duration::from_secs(30),
            ..Configure::default()
        };
        let body = Control::Configure(Box::new(configure));
        let message = ControlMessage { run: RunId(RIVAL + connection as u128), session: Session(1), body };
        self.agent_gets(host, agent::Input::Received(StreamId(connection as u64), message));
        self.queue.push(self.now + lasting, Event::AgentLoses(connection, Gone::Ended));
    }

    pub(super) fn rival_hears(&mut self, message: &AgentMessage) {
        match &message.body {
            Report::Error { failure: Failure { class: FailureClass::Busy, .. }, .. } => {
                self.coverage.mark(Mark::RivalRefused);
            }
            Report::Accepted(_) => self.coverage.mark(Mark::RivalServed),
            _ => {}
        }
    }

    /// What an agent sends, as it arrives: perhaps damaged, perhaps twice.
    pub(super) fn damaged_report(
        &mut self,
        host: usize,
        message: AgentMessage,
    ) -> (AgentMessage, Option<AgentMessage>) {
        let link = &mut self.hosts[host].link;
        if link.garble[UP] > 0 {
            link.garble[UP] -= 1;
            self.coverage.mark(Mark::Garbled);
            return (garbage(), None);
        }
        let again = link.repeat[UP] > 0;
        link.repeat[UP] -= u32::from(again);
        let again = again.then(|| message.clone());
        if again.is_some() {
            self.coverage.mark(Mark::Doubled);
        }
        (message, again)
    }

    /// What the controller sends, as it arrives.
    pub(super) fn damaged_control(
        &mut self,
        host: usize,
        mut message: ControlMessage,
    ) -> (ControlMessage, Option<ControlMessage>) {
        let link = &mut self.hosts[host].link;
        if link.garble[DOWN] > 0 {
            link.garble[DOWN] -= 1;
            self.coverage.mark(Mark::Garbled);
            message.body = Control::Undecodable { detail: "field 9".to_owned() };
            return (message, None);
        }
        let again = link.repeat[DOWN] > 0;
        link.repeat[DOWN] -= u32::from(again);
        let again = again.then(|| message.clone());
        (message, again)
    }

    fn insert_noise(&mut self, host: usize, way: usize, count: u32) {
        let run = self.controller.run;
        let open = |it: &super::network::Connection| it.host == host && it.run == Some(run) && it.agent_open;
        let Some(connection) = self.connections.iter().rposition(open) else { return };
        for _ in 0..count {
            if way == UP {
                self.transmit(connection, UP, Event::ToController(connection, garbage()));
            } else if self.can_send_down(connection) {
                let body = Control::Attach { sequence: 7 };
                let session = Session(u64::MAX);
                let message = ControlMessage { run: self.scenario.order(run).run, session, body };
                self.transmit(connection, DOWN, Event::ToAgent(connection, message));
            }
        }
    }
}

/// A frame that nobody can read, as the codec hands it on.
fn garbage() -> AgentMessage {
    let body = Report::Undecodable { detail: "unknown status 77".to_owned() };
    AgentMessage { run: RunId(0), session: Session(0), sequence: 0, stamp: Mono(0), kept_before: None, body }
}

impl Fault {
    /// Whom it befalls; `None`: the controller, or everybody.
    #[must_use]
    pub fn host(&self) -> Option<usize> {
        match *self {
            Self::Hold { host, .. }
            | Self::Lose { host, .. }
            | Self::Slow { host, .. }
            | Self::Deaf { host, .. }
            | Self::Reset { host }
            | Self::CrashAgent { host, .. }
            | Self::StallAgent { host, .. }
            | Self::EngineHangs { host, .. }
            | Self::StorageStalls { host, .. }
            | Self::NeverStops { host, .. }
            | Self::EngineFails { host }
            | Self::Rejects { host }
            | Self::Garble { host, .. }
            | Self::Noise { host, .. }
            | Self::Repeat { host, .. }
            | Self::Idler { host }
            | Self::Rival { host, .. }
            | Self::Shutdown { host, .. } => Some(host),
            Self::StepClock { host, .. } => host,
            Self::CrashController { .. }
            | Self::StallController { .. }
            | Self::DiskFull { .. }
            | Self::SlowDisk { .. }
            | Self::Interrupt => None,
        }
    }

    /// How long it lasts by itself; 0 when it does not last.
    #[must_use]
    pub fn lasting(&self) -> Nanos {
        self.clone().lasting_mut().map_or(0, |lasting| *lasting)
    }

    /// The same, lasting half as long.
    pub(super) fn halved(&self) -> Option<Self> {
        let mut half = self.clone();
        *half.lasting_mut()? /= 2;
        (half.lasting() > 0).then_some(half)
    }

    fn lasting_mut(&mut self) -> Option<&mut Nanos> {
        match self {
            Self::Hold { lasting, .. }
            | Self::Lose { lasting, .. }
            | Self::Slow { lasting, .. }
            | Self::Deaf { lasting, .. }
            | Self::StallAgent { lasting, .. }
            | Self::StallController { lasting }
            | Self::DiskFull { lasting }
            | Self::SlowDisk { lasting, .. }
            | Self::EngineHangs { lasting, .. }
            | Self::StorageStalls { lasting, .. }
            | Self::NeverStops { lasting, .. }
            | Self::Rival { lasting, .. } => Some(lasting),
            Self::CrashAgent { down, .. } | Self::Shutdown { down, .. } => Some(down),
            _ => None,
        }
    }
}
