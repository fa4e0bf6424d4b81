//! What a sweep has reached: interesting corners, and every input in every state.

use iobench_core::agent::{self, StateName};
use iobench_core::controller::{self, AgentState, RunState};
use iobench_core::engine::EngineEvent;
use iobench_core::message::{Control, Report};
use serde::{Deserialize, Serialize};

macro_rules! marks {
    ($($name:ident),* $(,)?) => {
        /// A corner that a sweep must reach.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Mark { $($name),* }

        impl Mark {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

marks! {
    Held, Lost, SynLost, Refused, StreamUnanswered, LateStream, StopUnanswered, AgentAbsent, ControllerAbsent,
    WokeWithBacklog, RivalRefused, RivalServed, Kept, Merged, Doubled, Garbled, GhostOfSession, GhostOfStream,
    GhostOfRun, GhostOfEpoch, JournalFailed, ServedAgain, SequencesUsedUp, ControllerGone, Exit0, Exit1, Exit2,
    Exit3, Exit4, Exit5, Exit6, Exit7, Unrepresentative, PartialResult, SecondStart, CleanupDone,
}

const AGENT_INPUTS: [&str; 18] = [
    "Opened",
    "Closed",
    "Configure",
    "Begin",
    "Start",
    "Ping",
    "Acknowledge",
    "Abort",
    "Attach",
    "Undecodable",
    "Validated",
    "Progress",
    "Interval",
    "StageDone",
    "Failed",
    "Stopped",
    "Shutdown",
    "Timeout",
];
const CONTROLLER_INPUTS: [&str; 19] = [
    "Begin",
    "Connected",
    "Opened",
    "ConnectFailed",
    "Closed",
    "Persisted",
    "PersistFailed",
    "Interrupt",
    "Timeout",
    "ACCEPTED",
    "PREPARING",
    "STAGE_DONE",
    "READY",
    "RUNNING",
    "COMPLETED",
    "ERROR",
    "ABORTED",
    "ACKNOWLEDGE",
    "undecodable",
];
/// In [`CONTROLLER_INPUTS`], where messages begin.
const MESSAGES: usize = 9;
/// In the controller's table of agents: Closed, then messages.
const PEER_INPUTS: usize = 11;

/// How often each corner and each (state × input) was reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Coverage {
    marks: Vec<u64>,
    agent: [[u64; AGENT_INPUTS.len()]; StateName::ALL.len()],
    run: [[u64; CONTROLLER_INPUTS.len()]; RunState::ALL.len()],
    peer: [[u64; PEER_INPUTS]; AgentState::ALL.len()],
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            marks: vec![0; Mark::ALL.len()],
            agent: Default::default(),
            run: Default::default(),
            peer: Default::default(),
        }
    }
}

impl Coverage {
    pub(crate) fn mark(&mut self, mark: Mark) {
        self.marks[mark as usize] += 1;
    }

    pub(crate) fn agent(&mut self, state: StateName, input: &agent::Input) {
        self.agent[state as usize][agent_input(input)] += 1;
    }

    /// `peers`: where the controller sees each agent.
    pub(crate) fn controller(
        &mut self,
        state: RunState,
        input: &controller::Input,
        peers: impl FnOnce(usize) -> Option<AgentState>,
    ) {
        let row = controller_input(input);
        self.run[state as usize][row] += 1;
        let (agent, column) = match input {
            controller::Input::Closed(agent, ..) => (agent, 0),
            controller::Input::Received(agent, ..) => (agent, 1 + row - MESSAGES),
            _ => return,
        };
        if let Some(peer) = peers(agent.0 as usize) {
            self.peer[peer as usize][column] += 1;
        }
    }

    /// Adds what another sweep has reached.
    pub fn merge(&mut self, other: &Self) {
        fn add<const N: usize, const M: usize>(to: &mut [[u64; N]; M], from: &[[u64; N]; M]) {
            to.iter_mut().flatten().zip(from.iter().flatten()).for_each(|(to, from)| *to += from);
        }
        self.marks.iter_mut().zip(&other.marks).for_each(|(to, from)| *to += from);
        add(&mut self.agent, &other.agent);
        add(&mut self.run, &other.run);
        add(&mut self.peer, &other.peer);
    }

    /// How often a corner was reached.
    #[must_use]
    pub fn count(&self, mark: Mark) -> u64 {
        self.marks[mark as usize]
    }

    /// How many cells were reached.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.cells().filter(|(_, count)| *count > 0).count()
    }

    /// Every cell of the three tables by name, and how often it was reached.
    pub fn cells(&self) -> impl Iterator<Item = (String, u64)> {
        let agent = StateName::ALL.iter().flat_map(move |state| {
            let row = AGENT_INPUTS.iter().zip(&self.agent[*state as usize]);
            row.map(move |(input, count)| (format!("agent {state} × {input}"), *count))
        });
        let run = RunState::ALL.iter().flat_map(move |state| {
            let row = CONTROLLER_INPUTS.iter().zip(&self.run[*state as usize]);
            row.map(move |(input, count)| (format!("run {state} × {input}"), *count))
        });
        let inputs = || ["Closed"].into_iter().chain(CONTROLLER_INPUTS[MESSAGES..].iter().copied());
        let peer = AgentState::ALL.iter().flat_map(move |state| {
            let row = inputs().zip(&self.peer[*state as usize]);
            row.map(move |(input, count)| (format!("peer {state} × {input}"), *count))
        });
        agent.chain(run).chain(peer)
    }
}

fn agent_input(input: &agent::Input) -> usize {
    match input {
        agent::Input::Opened(_) => 0,
        agent::Input::Closed(..) => 1,
        agent::Input::Received(_, message) => match &message.body {
            Control::Configure(_) => 2,
            Control::Begin { .. } => 3,
            Control::Start { .. } => 4,
            Control::Ping(_) => 5,
            Control::Acknowledge { .. } => 6,
            Control::Abort { .. } => 7,
            Control::Attach { .. } => 8,
            Control::Undecodable { .. } => 9,
        },
        agent::Input::Engine(_, event) => match event {
            EngineEvent::Validated { .. } => 10,
            EngineEvent::Progress(_) => 11,
            EngineEvent::Interval(_) => 12,
            EngineEvent::StageDone(_) => 13,
            EngineEvent::Failed { .. } => 14,
            EngineEvent::Stopped { .. } => 15,
        },
        agent::Input::Shutdown => 16,
        agent::Input::Timeout => 17,
    }
}

fn controller_input(input: &controller::Input) -> usize {
    match input {
        controller::Input::Begin => 0,
        controller::Input::Connected { .. } => 1,
        controller::Input::Opened { .. } => 2,
        controller::Input::ConnectFailed { .. } => 3,
        controller::Input::Closed(..) => 4,
        controller::Input::Persisted { .. } => 5,
        controller::Input::PersistFailed { .. } => 6,
        controller::Input::Interrupt => 7,
        controller::Input::Timeout => 8,
        controller::Input::Received(_, _, message) => match &message.body {
            Report::Accepted(_) => 9,
            Report::Preparing(_) => 10,
            Report::StageDone(_) => 11,
            Report::Ready { .. } => 12,
            Report::Running(_) => 13,
            Report::Completed { .. } => 14,
            Report::Error { .. } => 15,
            Report::Aborted { .. } => 16,
            Report::Acknowledge(_) => 17,
            Report::Undecodable { .. } => 18,
        },
    }
}
