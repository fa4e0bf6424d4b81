//! Everything an agent waits for has an instant at which it stops waiting.

use super::claim::Claim;
use super::machine::Agent;
use super::state::{Setup, State, Work};
use crate::engine::EngineCommand;
use crate::message::{Failure, FailureClass};
use crate::mutants::mutant;
use crate::time::{Mono, Now};

impl Agent {
    /// A deadline against a peer, moved by our own absence.
    pub(super) fn due(&self, deadline: Mono) -> Mono {
        deadline.max(self.grace)
    }

    /// When work must stop unless the controller is heard of.
    fn lease_end(&self) -> Option<Mono> {
        match &self.state {
            State::ConfigReceived(claim, _) | State::Running(claim, _) => {
                Some(claim.echoed.after(claim.configure.lease))
            }
            State::Ready(claim, _) => {
                Some(claim.echoed.after(claim.outline.timeouts.ready.max(claim.configure.lease)))
            }
            State::Idle | State::Stopping(..) | State::Ended(..) => None,
        }
    }

    /// The deadline of what the agent does now, apart from the lease.
    fn work_due(&self) -> Option<Mono> {
        match &self.state {
            State::Idle => None,
            State::ConfigReceived(claim, Setup::Untimed(untimed))
            | State::Running(claim, Work::Untimed(untimed)) => {
                Some(self.due(untimed.moved.after(claim.outline.timeouts.progress)))
            }
            State::Ready(_, armed) => armed.map(|armed| armed.at),
            State::Running(_, Work::Armed(armed)) => Some(armed.at),
            State::Running(_, Work::Timed(_, deadline))
            | State::Stopping(_, _, deadline)
            | State::Ended(_, _, deadline) => Some(self.due(*deadline)),
            State::ConfigReceived(_, Setup::Validating | Setup::Waiting)
            | State::Running(_, Work::Waiting) => None,
        }
    }

    /// Stops work whose controller has not been heard for the length of the lease.
    pub(super) fn judge_lease(&mut self, now: Now) {
        if self.lease_end().is_some_and(|end| end <= now.mono) {
            self.lease_is_over(now);
        }
    }

    fn lease_is_over(&mut self, now: Now) {
        let silence = self.state.claim().map_or(0, |claim| now.mono.since(claim.echoed).as_secs());
        let message = format!("the controller has not been heard for {silence} s: the lease ran out");
        self.fail(now, Failure::new(FailureClass::ControllerLost, message, ""));
    }

    /// Does what is due.
    pub(super) fn judge(&mut self, now: Now) {
        let late: Vec<_> =
            self.waiting.iter().filter(|(_, at)| self.due(**at) <= now.mono).map(|(id, _)| *id).collect();
        for stream in late {
            let message = "no Configure arrived within 30 s";
            self.refuse(now, stream, None, Failure::new(FailureClass::Timeout, message, ""));
        }
        self.judge_lease(now);
        if self.work_due().is_some_and(|at| at <= now.mono) {
            self.work_is_due(now);
        }
        let ending = matches!(self.state, State::Stopping(..) | State::Ended(..));
        if !ending && self.state.claim().is_some_and(Claim::is_exhausted) && !mutant("exhausted") {
            let message = "the sequence numbers of this run are used up";
            self.fail(now, Failure::new(FailureClass::Protocol, message, ""));
        }
    }

    fn work_is_due(&mut self, now: Now) {
        match &self.state {
            State::Ready(_, Some(armed)) | State::Running(_, Work::Armed(armed)) => {
                self.run_timed(now, armed.stage)
            }
            State::ConfigReceived(claim, Setup::Untimed(untimed))
            | State::Running(claim, Work::Untimed(untimed)) => {
                let name = claim.outline.stages.get(untimed.stage as usize).map_or("", |stage| &stage.name);
                let seconds = now.mono.since(untimed.moved).as_secs();
                let failure = stuck(&format!("stage `{name}` has made no progress for {seconds} s"));
                self.fail(now, failure);
            }
            State::Running(_, Work::Timed(..)) => {
                let message = "the engine did not end the stage in time";
                self.fail(now, Failure::new(FailureClass::Internal, message, "please report this"));
            }
            State::Stopping(..) => self.give_up_engine(now),
            State::Ended(..) => self.settle(),
            State::Idle | State::ConfigReceived(..) | State::Ready(..) | State::Running(..) => {}
        }
    }

    fn run_timed(&mut self, now: Now, stage: u32) {
        let Some(claim) = self.state.claim() else { return };
        // While READY the lease is longer than while RUNNING: work that would have to stop at once does not begin.
        if claim.echoed.after(claim.configure.lease) <= now.mono && !mutant("lease_at_start") {
            return self.lease_is_over(now);
        }
        let duration = claim.duration_of(stage).flatten().unwrap_or_default();
        let deadline = now.mono.after(duration).after(claim.outline.timeouts.progress);
        self.command(EngineCommand::Run { stage });
        self.go(|claim| State::Running(claim, Work::Timed(stage, deadline)));
    }

    /// The earliest of all deadlines.
    pub(super) fn next_deadline(&self) -> Option<Mono> {
        let waiting = self.waiting.values().map(|at| self.due(*at)).min();
        [waiting, self.lease_end(), self.work_due()].into_iter().flatten().min()
    }
}

fn stuck(message: &str) -> Failure {
    Failure::new(FailureClass::Timeout, message, "look at the storage, or raise timeouts.progress")
}
