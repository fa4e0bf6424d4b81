//! What the engine says, and what follows from it.

use super::machine::Agent;
use super::state::{Ending, Setup, State, Work};
use crate::engine::{EngineEvent, Epoch};
use crate::message::{Failure, Progress, Report};
use crate::mutants::{deadlines, mutant};
use crate::stats::{Interval, StageTotals};
use crate::time::Now;

impl Agent {
    pub(super) fn engine(&mut self, now: Now, epoch: Epoch, event: EngineEvent) {
        // Both say that nothing is issued any more; the second one also when nobody is there to obey.
        if self.unstopped == Some(epoch)
            && matches!(event, EngineEvent::Stopped { .. } | EngineEvent::Failed { .. })
        {
            self.unstopped = None;
        }
        if epoch != self.epoch && !mutant("epoch") {
            return;
        }
        match event {
            EngineEvent::Validated { outline, capabilities } => {
                if let State::ConfigReceived(claim, Setup::Validating) = &mut self.state {
                    claim.outline = *outline;
                    claim.outline.timeouts = deadlines(claim.outline.timeouts);
                    claim.send(now, Report::Accepted(capabilities), &mut self.out);
                    self.go_on(now);
                }
            }
            EngineEvent::Progress(progress) => self.progress(now, progress),
            EngineEvent::Interval(interval) => self.interval(now, interval),
            EngineEvent::StageDone(totals) => self.stage_done(now, *totals),
            EngineEvent::Failed { failure, totals } => self.engine_failed(now, failure, totals),
            EngineEvent::Stopped { totals, stuck } => self.engine_stopped(now, totals, stuck),
        }
    }

    fn progress(&mut self, now: Now, progress: Progress) {
        match &mut self.state {
            State::ConfigReceived(claim, Setup::Untimed(untimed))
            | State::Running(claim, Work::Untimed(untimed))
                if untimed.stage == progress.stage =>
            {
                if untimed.best.grow(&progress) {
                    untimed.moved = now.mono;
                }
                claim.send(now, Report::Preparing(progress), &mut self.out);
            }
            _ => {}
        }
    }

    fn interval(&mut self, now: Now, interval: Box<Interval>) {
        match &mut self.state {
            State::Running(claim, Work::Timed(stage, deadline)) if *stage == interval.stage => {
                // Who still reports has not hung: what is written may take long to become durable after the work.
                *deadline = (*deadline).max(now.mono.after(claim.outline.timeouts.progress));
                claim.interval(now, interval, &mut self.out);
            }
            State::Stopping(claim, ..) => claim.interval(now, interval, &mut self.out),
            _ => {}
        }
    }

    fn stage_done(&mut self, now: Now, totals: StageTotals) {
        let current = match &mut self.state {
            // It was done before it could be told to stop: what it did counts, and nothing follows.
            State::Stopping(claim, ..) => return claim.interrupted(Some(Box::new(totals))),
            State::ConfigReceived(_, Setup::Untimed(untimed)) | State::Running(_, Work::Untimed(untimed)) => {
                untimed.stage
            }
            State::Running(_, Work::Timed(stage, _)) => *stage,
            _ => return,
        };
        if totals.stage != current {
            return;
        }
        if let Some(claim) = self.state.claim_mut() {
            claim.stage_done(now, totals, &mut self.out);
        }
        self.go_on(now);
    }

    fn engine_failed(&mut self, now: Now, failure: Failure, totals: Option<Box<StageTotals>>) {
        let ending = match &self.state {
            // It had failed before it could be told to stop, or cannot be told anything: it has stopped in any case.
            State::Stopping(_, ending, _) => ending.clone(),
            state if state.engine_works() => Ending::Failed(failure),
            _ => return,
        };
        self.interrupted(now, ending, totals);
    }

    fn engine_stopped(&mut self, now: Now, totals: Option<Box<StageTotals>>, stuck: u64) {
        if let State::Stopping(_, ending, _) = &self.state {
            let ending = ending.clone().abandoning(stuck);
            self.interrupted(now, ending, totals);
        }
    }

    /// The run ends early, with what the stage did that was running.
    fn interrupted(&mut self, now: Now, ending: Ending, totals: Option<Box<StageTotals>>) {
        if let Some(claim) = self.state.claim_mut() {
            claim.interrupted(totals);
        }
        self.terminal(now, Some(ending));
    }

    /// Validation or a stage is done: what comes next?
    fn go_on(&mut self, now: Now) {
        let Some(claim) = self.state.claim() else { return };
        let next = claim.duration_of(claim.next_stage);
        match (&mut self.state, next) {
            (State::ConfigReceived(claim, setup), Some(Some(_))) => {
                *setup = Setup::Waiting;
                claim.send(now, Report::Ready { unix: now.unix }, &mut self.out);
                if mutant("ready_twice") {
                    claim.send(now, Report::Ready { unix: now.unix }, &mut self.out);
                }
                self.go(|claim| State::Ready(claim, None));
            }
            (State::ConfigReceived(_, setup), Some(None)) => *setup = Setup::Waiting,
            (State::Running(_, work), Some(_)) => *work = Work::Waiting,
            _ => self.terminal(now, None),
        }
    }
}
