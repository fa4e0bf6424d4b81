//! The agent's machine.

use super::claim::Claim;
use super::port::{Input, Output};
use super::state::{Ending, State, StateName};
use crate::engine::{EngineCommand, Epoch};
use crate::machine::Machine;
use crate::message::{Failure, FailureClass, RunId, Session, StreamId};
use crate::mutants::mutant;
use crate::time::{Mono, Now};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A machine that wakes up this much later than it asked was itself absent.
pub(crate) const ABSENCE: Duration = Duration::from_secs(1);
/// What every peer is given after our own absence before it is judged.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// A process that is told to end gives its engine no longer than this, whatever the run says.
const LEAVE: Duration = Duration::from_secs(10);
/// A terminal message is to be acknowledged within this.
const CONFIRM: Duration = Duration::from_secs(10);

/// The agent: one run at a time, run after run.
///
/// Feed it with [`Machine::handle`]: streams and messages from the gRPC server, events from the engine. It never
/// holds a histogram, only encoded intervals and integers, and never more than
/// [`UNACKNOWLEDGED`](super::UNACKNOWLEDGED) intervals, one per stage, and one pending.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Agent {
    pub(super) state: State,
    /// Streams that have not said Configure, and when each must have.
    pub(super) waiting: BTreeMap<StreamId, Mono>,
    /// Counts runs: fences off events of an engine's earlier run.
    pub(super) epoch: Epoch,
    /// An engine that did not answer Stop: no new run until it does.
    pub(super) unstopped: Option<Epoch>,
    pub(super) shutting_down: bool,
    exited: bool,
    pub(super) first_sequence: u64,
    /// No peer is judged before this instant, because we were absent ourselves.
    pub(super) grace: Mono,
    /// When it asked to be woken up.
    promised: Option<Mono>,
    pub(super) out: VecDeque<Output>,
}

/// What an agent tells anyone who asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Status {
    /// Where it is.
    pub state: StateName,
    /// The run that holds it, and since when; `None` while it may be claimed.
    pub run: Option<(RunId, Now)>,
    /// Whether it refuses new runs because the process is ending.
    pub shutting_down: bool,
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent {
    /// An idle agent.
    #[must_use]
    pub fn new() -> Self {
        Self::with_first_sequence(0)
    }

    /// An agent whose runs begin with this sequence number instead of 0, to see what happens near the end of
    /// their range.
    #[must_use]
    pub fn with_first_sequence(first_sequence: u64) -> Self {
        Self {
            state: State::Idle,
            waiting: BTreeMap::new(),
            epoch: Epoch(0),
            unstopped: None,
            shutting_down: false,
            exited: false,
            first_sequence,
            grace: Mono(0),
            promised: None,
            out: VecDeque::new(),
        }
    }

    /// Where it is and for whom.
    #[must_use]
    pub fn status(&self) -> Status {
        let run =
            self.state.claim().filter(|_| self.state.is_claimed()).map(|claim| (claim.run, claim.since));
        Status { state: self.state.name(), run, shutting_down: self.shutting_down }
    }

    /// How many things it holds for a run: unconfirmed messages, totals, waiting streams. Bounded by constants and
    /// the number of stages, however long a run is.
    #[must_use]
    pub fn held(&self) -> usize {
        self.waiting.len() + self.out.len() + self.state.claim().map_or(0, Claim::held)
    }

    /// The stream, run and session that are current; messages of any other are inert.
    #[must_use]
    pub fn current(&self) -> Option<(StreamId, RunId, Session)> {
        self.state.claim().map(|claim| (claim.stream, claim.run, claim.session))
    }
}

impl Machine for Agent {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        if self.promised.is_some_and(|promised| now.mono > promised.after(ABSENCE))
            && !mutant("agent_absence")
        {
            self.grace = now.mono.after(GRACE);
        }
        self.judge_lease(now);
        match input {
            Input::Opened(stream) => self.opened(now, stream),
            Input::Received(stream, message) => self.received(now, stream, message),
            Input::Closed(stream, gone) => self.closed(now, stream, gone),
            Input::Engine(epoch, event) => self.engine(now, epoch, event),
            Input::Shutdown => self.shutdown(now),
            Input::Timeout => {}
        }
        self.judge(now);
        if self.shutting_down && self.state == State::Idle && !self.exited {
            self.exited = true;
            self.out.push_back(Output::Exit);
        }
        self.promised = self.next_deadline();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Mono> {
        self.promised
    }
}

/// Transitions.
impl Agent {
    pub(super) fn fail(&mut self, now: Now, failure: Failure) {
        self.end(now, Ending::Failed(failure));
    }

    /// Ends the run early: from this instant nothing is issued any more.
    pub(super) fn end(&mut self, now: Now, ending: Ending) {
        if !self.state.engine_works() || mutant("issue_after_abort") {
            self.terminal(now, Some(ending));
            return;
        }
        self.command(EngineCommand::Stop);
        self.go(|claim| {
            let deadline = now.mono.after(claim.outline.timeouts.abort);
            State::Stopping(claim, ending, deadline)
        });
    }

    /// Sends the terminal message; from here on the agent may be claimed again.
    pub(super) fn terminal(&mut self, now: Now, ending: Option<Ending>) {
        let name = ending.as_ref().map_or(StateName::Completed, Ending::name);
        let Some(claim) = self.state.claim_mut() else { return };
        claim.terminal(now, ending, &mut self.out);
        let gone = claim.gone;
        let confirm = if mutant("confirm") { CONFIRM * 1_000 } else { CONFIRM };
        self.go(|claim| State::Ended(claim, name, now.mono.after(confirm)));
        if gone {
            self.settle();
        }
    }

    /// Leaves a run that has ended: its results are confirmed, or are kept here.
    pub(super) fn settle(&mut self) {
        let State::Ended(claim, ..) = &self.state else { return };
        let kept = if claim.is_confirmed() || mutant("keep") { None } else { claim.keep() };
        let close = (!claim.gone).then_some(claim.stream);
        self.out.extend(kept.map(Output::Keep));
        self.out.extend(close.map(Output::Close));
        self.enter(State::Idle);
    }

    /// The process is told to end: the run stops, and its controller is told. Told once more it waits for nobody.
    pub(super) fn shutdown(&mut self, now: Now) {
        let again = std::mem::replace(&mut self.shutting_down, true);
        for stream in self.waiting.keys().copied().collect::<Vec<_>>() {
            self.refuse(now, stream, None, shutting_down());
        }
        if matches!(self.state, State::ConfigReceived(..) | State::Ready(..) | State::Running(..)) {
            self.fail(now, shutting_down());
        }
        if let State::Stopping(_, _, deadline) = &mut self.state
            && !mutant("leave")
        {
            *deadline = (*deadline).min(now.mono.after(LEAVE));
        }
        if again {
            self.give_up_engine(now);
            self.settle();
        }
    }

    /// An engine that does not stop is not waited for any longer: the last word leaves without its totals.
    pub(super) fn give_up_engine(&mut self, now: Now) {
        if let State::Stopping(_, ending, _) = &self.state {
            let ending = ending.clone();
            self.unstopped = Some(self.epoch);
            self.terminal(now, Some(ending));
        }
    }

    /// Enters another state of the same run.
    pub(super) fn go(&mut self, next: impl FnOnce(Box<Claim>) -> State) {
        let from = self.state.name();
        if let Some(claim) = std::mem::replace(&mut self.state, State::Idle).into_claim() {
            self.state = next(claim);
        }
        self.entered(from);
    }

    pub(super) fn enter(&mut self, state: State) {
        let from = self.state.name();
        self.state = state;
        self.entered(from);
    }

    fn entered(&mut self, from: StateName) {
        let to = self.state.name();
        if from != to {
            debug_assert!(from.successors().contains(&to), "{from} may not become {to}");
            if !mutant("unsaid_state") {
                self.out.push_back(Output::Entered { from, to });
            }
        }
    }

    pub(super) fn command(&mut self, command: EngineCommand) {
        self.out.push_back(Output::Engine(self.epoch, command));
    }
}

pub(super) fn shutting_down() -> Failure {
    Failure::new(FailureClass::Resource, "the agent process is ending", "start it again")
}
