//! How an agent, and how the run, comes to its end.

use super::machine::{Condemned, Controller};
use super::outcome::{AgentEnd, ExitCode, Label};
use super::port::Level;
use super::roster::{Peer, Step};
use super::state::RunState;
use crate::message::{AgentIndex, Control};
use crate::mutants::mutant;
use crate::time::Now;
use std::time::Duration;

/// How long the journal may take for the last messages.
const LAST_WRITES: Duration = Duration::from_secs(30);

impl Controller {
    /// An agent is lost. Before the workload that is the end of the run; in it, the others go on.
    pub(super) fn fail(&mut self, now: Now, index: usize, exit: ExitCode, reason: &str) {
        if self.state == RunState::CollectingResults {
            self.over(index, AgentEnd::Aborted, reason.to_owned());
            return self.part(now, index);
        }
        let name = self.peers[index].name();
        let in_workload = self.state.goes_on_without_one();
        self.over(index, AgentEnd::Failed, reason.to_owned());
        let condemns = !in_workload || self.is_unrepresentative();
        if !condemns {
            let text = format!("agent {name} failed {}: {reason}; the others go on", self.share_of(index));
            self.notice(Level::Error, Some(index), text);
        }
        self.part(now, index);
        if !in_workload {
            let cause = format!("agent {name}: {reason}");
            self.abort_all(now, Condemned { exit: Some(exit), label: Label::Aborted, cause });
        } else if condemns {
            let cause = match (self.ended(), self.peers.len()) {
                (_, 1) => format!("agent {name} failed {}: {reason}", self.share_of(index)),
                ((_, failed), all) => format!(
                    "{failed} of {all} agents failed, so that the result would not represent the system (policy.min_alive); the last was {name}: {reason}"
                ),
            };
            self.abort_all(now, Condemned { exit: None, label: Label::Unrepresentative, cause });
        }
    }

    /// For people: how much of the planned time an agent has delivered.
    fn share_of(&self, index: usize) -> String {
        let (ran, planned) = (self.peers[index].ran, self.planned().max(1));
        let percent = (ran as f64 / planned as f64 * 100.0).min(100.0);
        let seconds = |nanos: u64| Duration::from_nanos(nanos).as_secs();
        format!("after {} s of {} s ({percent:.0} %)", seconds(ran), seconds(planned))
    }

    fn is_unrepresentative(&self) -> bool {
        let (_, failed) = self.ended();
        let may_fail = 1_000_000 - u64::from(self.order.policy.min_alive_ppm.min(1_000_000));
        failed as u64 * 1_000_000 > may_fail * self.peers.len() as u64 && !mutant("min_alive")
    }

    /// Tells an agent that is over to stop, unless it has said so itself; its last words are awaited for a while.
    fn part(&mut self, now: Now, index: usize) {
        if self.peers[index].said_end {
            return;
        }
        self.send(index, Control::Abort { reason: "the controller has given this agent up".to_owned() });
        let wait = self.order.outline.timeouts.abort_wait;
        match &mut self.peers[index].link {
            Some(link) => {
                link.sampling = None;
                link.closing = Some(now.mono.after(wait));
            }
            None => self.drop_link(index),
        }
        self.schedule(index);
    }

    /// Ctrl-C: stop all, keep what there is. A second one ends at once.
    pub(super) fn interrupt(&mut self, now: Now) {
        if self.condemned.is_none() && self.peers.iter().all(Peer::is_over) && self.state != RunState::Init {
            self.notice(
                Level::Info,
                None,
                "all agents have ended; the last results are being written".to_owned(),
            );
            let soon = now.mono.after(self.order.outline.timeouts.abort_wait);
            self.collecting_until = self.collecting_until.map(|until| until.min(soon));
            return;
        }
        let again = self.condemned.as_ref().is_some_and(|it| it.exit == Some(ExitCode::Interrupted));
        if again || self.state == RunState::Init {
            self.condemned.get_or_insert_with(interrupted);
            self.give_up_waiting("the user did not wait for its last results");
            if self.state != RunState::CollectingResults {
                self.enter(RunState::CollectingResults);
            }
            self.finish();
            return;
        }
        self.notice(
            Level::Warning,
            None,
            "interrupted: stopping all agents; press again to end at once".to_owned(),
        );
        // An interrupt outranks whatever else has stopped the run.
        if !mutant("exit_precedence") {
            self.condemned = Some(interrupted());
        }
        self.abort_all(now, interrupted());
    }

    /// Stops every agent and waits a bounded time for their last results.
    pub(super) fn abort_all(&mut self, now: Now, why: Condemned) {
        if why.exit != Some(ExitCode::Interrupted) {
            self.notice(Level::Error, None, format!("stopping the run: {}", why.cause));
        }
        let reason = why.cause.clone();
        self.condemned.get_or_insert(why);
        if self.state != RunState::CollectingResults {
            self.enter(RunState::CollectingResults);
        }
        for index in 0..self.peers.len() {
            if self.peers[index].is_over() {
                continue;
            }
            if matches!(self.peers[index].step, Step::Connecting { .. }) {
                self.drop_link(index);
                self.over(index, AgentEnd::Aborted, "the run was stopped before it was connected".to_owned());
            } else {
                if let Some(link) = &mut self.peers[index].link {
                    link.sampling = None;
                    link.probe = None;
                }
                self.send(index, Control::Abort { reason: reason.clone() });
                self.schedule(index);
            }
        }
        self.collecting_until = Some(now.mono.after(self.order.outline.timeouts.abort_wait));
    }

    /// All agents are over: what is still to come are the journal's answers and the ends of streams.
    pub(super) fn collect(&mut self, now: Now) {
        self.enter(RunState::CollectingResults);
        self.collecting_until = Some(now.mono.after(LAST_WRITES)).filter(|_| !mutant("last_writes"));
    }

    pub(super) fn finish_when_collected(&mut self) {
        let settled = |peer: &Peer| peer.is_over() && peer.link.is_none() && !peer.delivery.is_writing();
        if self.peers.iter().all(settled) {
            self.finish();
        }
    }

    /// The time for last results is up.
    pub(super) fn collected_enough(&mut self) {
        let wait = self.order.outline.timeouts.abort_wait.as_secs_f64();
        self.give_up_waiting(&format!("did not deliver its last results within {wait} s of the abort"));
        let unwritten = self.peers.iter().any(|peer| peer.delivery.is_writing()) && !mutant("untold");
        if unwritten && self.results_failure.is_empty() {
            self.results_failure = "the journal did not confirm the last results in time".to_owned();
        }
        self.finish();
    }

    fn give_up_waiting(&mut self, reason: &str) {
        for index in 0..self.peers.len() {
            self.drop_link(index);
            if !self.peers[index].is_over() {
                self.over(index, AgentEnd::Aborted, reason.to_owned());
            }
        }
    }

    pub(super) fn persisted(&mut self, now: Now, agent: AgentIndex, sequence: u64) {
        let Some(peer) = self.peer(agent) else { return };
        let terminal = peer.terminal == Some(sequence);
        peer.delivery.written(sequence, terminal);
        self.acknowledge(now, agent.0 as usize);
        self.schedule(agent.0 as usize);
    }

    pub(super) fn persist_failed(&mut self, now: Now, agent: AgentIndex, sequence: u64, cause: String) {
        let Some(peer) = self.peer(agent) else { return };
        let terminal = peer.terminal == Some(sequence);
        peer.delivery.not_written(sequence);
        if terminal {
            self.hang_up(now.mono, agent.0 as usize);
        }
        if self.results_failure.is_empty() {
            let text =
                format!("results cannot be written: {cause}; the run goes on, its summary will be printed");
            self.notice(Level::Error, None, text);
            self.results_failure = cause;
        }
    }
}

fn interrupted() -> Condemned {
    Condemned {
        exit: Some(ExitCode::Interrupted),
        label: Label::Aborted,
        cause: "interrupted by the user".to_owned(),
    }
}
