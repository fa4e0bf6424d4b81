//! The controller's machine.

use super::outcome::{ExitCode, Label, StageStart};
use super::port::{Input, Lead, Level, Notice, Order, Output};
use super::roster::{Peer, Step};
use super::state::{AgentState, RunState};
use crate::agent::{ABSENCE, GRACE};
use crate::machine::Machine;
use crate::message::{AgentIndex, Control, ControlMessage};
use crate::mutants::{deadlines, mutant};
use crate::time::{Mono, Now};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// After our own absence the next regular ping waits so long, for what has come meanwhile to be heard.
const CATCH_UP: Duration = Duration::from_millis(100);

/// The controller of one run.
///
/// Feed it with [`Machine::handle`]: [`Input::Begin`] once, then connections, messages, and the journal's answers.
/// Everything it knows of what was measured is which messages are safe on disk; the numbers themselves pass
/// through [`Output::Persist`]. Memory is a few hundred bytes an agent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Controller {
    pub(super) order: Order,
    pub(super) state: RunState,
    pub(super) peers: Vec<Peer>,
    /// Every entry's deadline, earliest first.
    agenda: BTreeSet<(Mono, u32)>,
    /// Stages that were begun.
    pub(super) begun: u32,
    /// Clocks are being sampled for the next timed stage.
    pub(super) coordinating: bool,
    pub(super) starts: Vec<StageStart>,
    /// Why the run was stopped before its end, if it was: the earliest cause.
    pub(super) condemned: Option<Condemned>,
    pub(super) results_failure: String,
    /// In COLLECTING_RESULTS: until when.
    pub(super) collecting_until: Option<Mono>,
    /// No peer is judged before this instant, because we were absent ourselves.
    grace: Mono,
    /// When it asked to be woken up.
    promised: Option<Mono>,
    pub(super) out: VecDeque<Output>,
}

/// Why the whole run was stopped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Condemned {
    /// `None`: as many agents as completed decide.
    pub(super) exit: Option<ExitCode>,
    pub(super) label: Label,
    pub(super) cause: String,
}

impl Controller {
    /// A controller that waits for [`Input::Begin`].
    #[must_use]
    pub fn new(mut order: Order) -> Self {
        order.outline.timeouts = deadlines(order.outline.timeouts);
        let peers = order.agents.iter().cloned().map(Peer::new).collect();
        Self {
            order,
            state: RunState::Init,
            peers,
            agenda: BTreeSet::new(),
            begun: 0,
            coordinating: false,
            starts: Vec::new(),
            condemned: None,
            results_failure: String::new(),
            collecting_until: None,
            grace: Mono(0),
            promised: None,
            out: VecDeque::new(),
        }
    }

    /// Where the run is.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.state
    }

    /// How many things it holds: sequence numbers, clock samples, deadlines. Bounded by the number of agents and
    /// stages, however long a run is.
    #[must_use]
    pub fn held(&self) -> usize {
        let peers = self.peers.iter().map(|peer| peer.delivery.held() + peer.samples.held());
        self.out.len() + self.agenda.len() + self.starts.len() + peers.sum::<usize>()
    }

    /// Where each agent is, in configured order.
    pub fn agent_states(&self) -> impl Iterator<Item = AgentState> {
        self.peers.iter().map(Peer::state)
    }
}

impl Machine for Controller {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        if self.state.is_over() {
            return;
        }
        if self.promised.is_some_and(|promised| now.mono > promised.after(ABSENCE)) && !mutant("absence") {
            self.was_absent(now.mono);
        }
        match input {
            Input::Begin => self.begin(now),
            Input::Connected { agent, attempt } => self.connected(now, agent, attempt),
            Input::Opened { agent, attempt, stream } => self.opened(now, agent, attempt, stream),
            Input::ConnectFailed { agent, attempt, cause } => {
                self.connect_failed(now, agent, attempt, &cause.message)
            }
            Input::Received(agent, stream, message) => self.received(now, agent, stream, message),
            Input::Closed(agent, stream, gone) => self.closed(now, agent, stream, gone),
            Input::Persisted { agent, sequence } => self.persisted(now, agent, sequence),
            Input::PersistFailed { agent, sequence, cause } => {
                self.persist_failed(now, agent, sequence, cause)
            }
            Input::Interrupt => self.interrupt(now),
            Input::Timeout => {}
        }
        if self.state.is_over() {
            // A second interrupt ends the run at once: nothing that is due any more may end it again.
            self.promised = None;
            return;
        }
        while let Some(index) = self.next_due(now.mono) {
            self.judge(now, index);
            self.schedule(index);
        }
        if self.collecting_until.is_some_and(|until| until <= now.mono) {
            self.collected_enough();
        }
        self.advance(now);
        self.promised = self.next_deadline();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Mono> {
        self.promised
    }
}

/// What every part of the machine uses.
impl Controller {
    /// What came meanwhile is heard before anybody is judged, and before agents are told what was heard last: the
    /// echo of an old stamp would not renew their leases.
    fn was_absent(&mut self, now: Mono) {
        self.grace = now.after(GRACE);
        self.collecting_until = self.collecting_until.map(|until| self.due(until));
        let catch_up = if mutant("catch_up") { Duration::ZERO } else { CATCH_UP };
        for index in 0..self.peers.len() {
            if let Some(link) = &mut self.peers[index].link {
                link.next_ping = link.next_ping.max(now.after(catch_up));
                // That its samples became too old meanwhile is not its doing.
                link.renewals = if mutant("absent_answer") { link.renewals } else { 0 };
            }
            self.schedule(index);
        }
    }

    pub(super) fn peer(&mut self, agent: AgentIndex) -> Option<&mut Peer> {
        self.peers.get_mut(agent.0 as usize)
    }

    /// Sends to an agent, if it has a stream.
    pub(super) fn send(&mut self, index: usize, body: Control) {
        if let Some(link) = &self.peers[index].link {
            let message = ControlMessage { run: self.order.run, session: link.session, body };
            self.out.push_back(Output::Send(agent_index(index), link.stream, message));
        }
    }

    pub(super) fn notice(&mut self, level: Level, agent: Option<usize>, text: String) {
        self.out.push_back(Output::Notice(Notice { level, agent: agent.map(agent_index), text }));
    }

    pub(super) fn enter_agent(&mut self, index: usize, step: Step) {
        let peer = &mut self.peers[index];
        let from = peer.state();
        peer.step = step;
        let to = peer.state();
        if from != to {
            debug_assert!(from.successors().contains(&to), "{from} may not become {to}");
            if !mutant("unsaid_agent") {
                self.out.push_back(Output::AgentEntered { agent: agent_index(index), from, to });
            }
        }
        self.schedule(index);
    }

    pub(super) fn enter(&mut self, to: RunState) {
        let from = std::mem::replace(&mut self.state, to);
        debug_assert!(from.successors().contains(&to), "{from} may not become {to}");
        if !mutant("unsaid_run") {
            self.out.push_back(Output::RunEntered { from, to });
        }
    }

    /// Puts an entry where its earliest deadline belongs.
    pub(super) fn schedule(&mut self, index: usize) {
        let deadline = self.deadline(index);
        let key = u32::try_from(index).expect("agents are counted in 32 bits");
        let old = std::mem::replace(&mut self.peers[index].deadline, deadline);
        if old != deadline {
            if let Some(old) = old {
                self.agenda.remove(&(old, key));
            }
            self.agenda.extend(deadline.map(|at| (at, key)));
        }
    }

    /// The earliest of all deadlines.
    fn next_deadline(&self) -> Option<Mono> {
        let agents = self.agenda.first().map(|(at, _)| *at);
        agents.into_iter().chain(self.collecting_until).min().filter(|_| !self.state.is_over())
    }

    fn next_due(&self, now: Mono) -> Option<usize> {
        self.agenda.first().filter(|(at, _)| *at <= now).map(|(_, index)| *index as usize)
    }

    /// A deadline against a peer, moved by our own absence.
    pub(super) fn due(&self, deadline: Mono) -> Mono {
        deadline.max(self.grace)
    }

    /// Whether we were absent at some time after this instant, as far as is still known.
    pub(super) fn was_absent_since(&self, instant: Mono) -> bool {
        instant.after(GRACE) < self.grace
    }

    /// How many agents have completed, and how many have failed.
    pub(super) fn ended(&self) -> (usize, usize) {
        let count = |wanted: AgentState| self.peers.iter().filter(|peer| peer.state() == wanted).count();
        (count(AgentState::Completed), count(AgentState::Failed))
    }

    /// The time of timed stages that each agent is to deliver, nanoseconds.
    pub(super) fn planned(&self) -> u64 {
        self.order.outline.stages.iter().filter_map(|stage| stage.timed).map(crate::time::nanos).sum()
    }

    pub(super) fn finish(&mut self) {
        let outcome = self.outcome();
        let (completed, _) = self.ended();
        self.enter(match outcome.exit {
            ExitCode::Interrupted => RunState::Aborted,
            _ if completed == 0 => RunState::Failed,
            _ if completed < self.peers.len() => RunState::PartialSuccess,
            _ => RunState::Completed,
        });
        if mutant("finish_twice") {
            self.out.push_back(Output::Finish(Box::new(outcome.clone())));
        }
        if !mutant("never_finished") {
            self.out.push_back(Output::Finish(Box::new(outcome)));
        }
    }

    pub(super) fn is_at_once(&self) -> bool {
        self.order.lead == Lead::AtOnce
    }
}

pub(super) fn agent_index(index: usize) -> AgentIndex {
    AgentIndex(u32::try_from(index).expect("agents are counted in 32 bits"))
}
