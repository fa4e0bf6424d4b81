//! Invariant 4, second half: the exit code is the one that the decision table gives.
//!
//! The table is evaluated here again, from what happened to the controller: 3 whenever the user aborted; else the
//! earliest cause before the workload; else by how many completed; 7 replaces 0 and 2.

use super::{Checker, PerHost, Seen, Verdict};
use iobench_core::controller::{AgentEnd, AgentState, Input, Label, Outcome, Output, RunState};
use iobench_core::message::{AgentIndex, FailureClass, Report};
use iobench_core::time::Mono;

/// Evaluates the table.
#[derive(Debug, Default)]
pub(super) struct ExitCodes {
    agents: usize,
    min_alive_ppm: u32,
    phase: Option<RunState>,
    states: PerHost<Option<AgentState>>,
    input: Cause,
    interrupted: bool,
    /// Why the run was stopped before the workload: its exit code.
    stopped: Option<u8>,
    /// The message that was handled then was no cause by itself, but one invalid message too many; or a deadline was
    /// met in the same handling.
    perhaps_late: bool,
    unrepresentative: bool,
    unwritten: bool,
}

/// What the input that is being handled would be a cause for.
#[derive(Copy, Clone, Debug, Default)]
enum Cause {
    #[default]
    Time,
    Closed(AgentIndex),
    Ended(AgentIndex, u8),
    Message(AgentIndex),
}

impl Checker for ExitCodes {
    const NAME: &'static str = "exit_code";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, .. } => {
                let min_alive_ppm = order.policy.min_alive_ppm;
                *self = Self { agents: order.agents.len(), min_alive_ppm, ..Self::default() };
            }
            Seen::ControllerInput(_, input) => self.takes(input),
            Seen::ControllerOutput(_, Output::RunEntered { to, .. }) => self.phase = Some(*to),
            Seen::ControllerOutput(_, Output::AgentEntered { agent, from, to }) => {
                self.states.of(*agent).replace(*to);
                if *to == AgentState::Failed {
                    self.failed(*agent, *from);
                }
            }
            Seen::ControllerOutput(_, Output::Finish(outcome)) => return self.finished(outcome),
            _ => {}
        }
        Ok(())
    }
}

impl ExitCodes {
    fn takes(&mut self, input: &Input) {
        self.input = match input {
            Input::Closed(agent, ..) => Cause::Closed(*agent),
            Input::Received(agent, _, message) => match &message.body {
                Report::Error { failure, .. } => Cause::Ended(*agent, code_of(failure.class)),
                Report::Aborted { .. } => Cause::Ended(*agent, 1),
                _ => Cause::Message(*agent),
            },
            _ => Cause::Time,
        };
        match input {
            Input::Interrupt => self.interrupted |= self.can_be_interrupted(),
            Input::PersistFailed { .. } => self.unwritten = true,
            _ => {}
        }
    }

    /// When all agents have ended by themselves, Ctrl-C only hurries the last writes.
    fn can_be_interrupted(&self) -> bool {
        let over = |state: &Option<AgentState>| state.is_some_and(AgentState::is_terminal);
        let all_over = self.states.0.len() == self.agents && self.states.0.iter().all(over);
        let condemned = self.stopped.is_some() || self.unrepresentative || self.interrupted;
        self.phase.is_none() || condemned || !all_over
    }

    fn failed(&mut self, agent: AgentIndex, from: AgentState) {
        match self.phase {
            // After an abort, nothing is a cause any more.
            None | Some(RunState::CollectingResults) => {}
            Some(RunState::WorkloadPhase) => {
                let failed = self.count(AgentState::Failed) as u64;
                let may = 1_000_000 - u64::from(self.min_alive_ppm.min(1_000_000));
                self.unrepresentative |= failed * 1_000_000 > may * self.agents as u64;
            }
            Some(_) => {
                let code = match self.input {
                    _ if from == AgentState::Connecting => 4,
                    Cause::Closed(whose) if whose == agent => 1,
                    Cause::Ended(whose, code) if whose == agent => code,
                    // A message that is no end can only be one invalid message too many.
                    Cause::Message(whose) if whose == agent => 5,
                    _ => 6,
                };
                if self.stopped.is_none() {
                    self.perhaps_late = matches!(self.input, Cause::Message(whose) if whose == agent);
                    self.stopped = Some(code);
                }
            }
        }
    }

    fn count(&self, wanted: AgentState) -> usize {
        self.states.0.iter().filter(|state| **state == Some(wanted)).count()
    }

    fn finished(&self, outcome: &Outcome) -> Verdict {
        let completed = self.count(AgentState::Completed);
        let by_count = match completed {
            0 => 1,
            some if some < self.agents => 2,
            _ => 0,
        };
        let code = if self.interrupted { 3 } else { self.stopped.unwrap_or(by_count) };
        let unwritten = self.unwritten || !outcome.results_failure.is_empty();
        let code = if unwritten && matches!(code, 0 | 2) { 7 } else { code };
        let told = outcome.exit.code();
        let late_instead = self.perhaps_late && code == 5 && told == 6;
        if told != code && !late_instead {
            return Err(format!("the run ends with {told}, the table says {code}: {}", outcome.cause));
        }
        let label = match () {
            () if self.interrupted || self.stopped.is_some() => Label::Aborted,
            () if self.unrepresentative => Label::Unrepresentative,
            () if completed == self.agents => Label::Complete,
            () => Label::Partial,
        };
        if outcome.label != label {
            return Err(format!("the result is called {}, it is {label}", outcome.label));
        }
        let counted = outcome.agents.iter().filter(|agent| agent.end == AgentEnd::Completed).count();
        if counted != completed {
            return Err(format!("{counted} agents are said to have completed, {completed} have"));
        }
        if (label == Label::Complete) != outcome.cause.is_empty() {
            return Err(format!("{label}, and the cause is `{}`", outcome.cause));
        }
        if outcome.results_failure.is_empty() && self.unwritten {
            return Err("a message could not be written, and nobody is told".to_owned());
        }
        Ok(())
    }
}

fn code_of(class: FailureClass) -> u8 {
    match class {
        FailureClass::Busy => 4,
        FailureClass::Timeout => 6,
        FailureClass::ControllerLost => 1,
        FailureClass::Config
        | FailureClass::Storage
        | FailureClass::Resource
        | FailureClass::Protocol
        | FailureClass::Internal => 5,
    }
}
