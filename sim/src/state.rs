//! What the world knows: shared by the hosts of one simulation, which all live on one thread.

use crate::checkers::{Process, Seen, Suite};
use crate::clock::Hardware;
use crate::coverage::Coverage;
use crate::disk::Disk;
use crate::engine::Model;
use crate::socket::Cuts;
use crate::trace::Trace;
use iobench::drive::{Local, agent, controller};
use iobench_core::agent::{KeptRun, StateName};
use iobench_core::config::Run;
use iobench_core::controller::{AgentState, Notice, Order, Outcome, RunState};
use iobench_core::message::{AgentMessage, ControlMessage, RunId, StreamId};
use iobench_core::time::{Mono, Now};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A host of the simulation.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Host {
    /// Where a controller runs.
    Controller(usize),
    /// Where an agent runs.
    Agent(usize),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller(0) => f.write_str("controller"),
            Self::Controller(index) => write!(f, "controller-{index}"),
            Self::Agent(index) => write!(f, "agent-{index}"),
        }
    }
}

/// Everything.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) agents: Vec<AgentHost>,
    pub(crate) controllers: Vec<ControllerHost>,
    /// Names that lead to another host.
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) trace: Trace,
    pub(crate) coverage: Coverage,
    pub(crate) suite: Suite,
    /// The controller that the checkers watch: the first, then any that begins when there is none.
    pub(crate) watched: usize,
    /// What one message may take.
    pub(crate) latency: Duration,
    /// When stopped processes go on, true time in nanoseconds.
    pub(crate) resuming: Vec<(u64, Process)>,
}

/// Changes what an agent's stream carries: a fault of its own making. Of what is undecodable, the detail goes onto the
/// wire, byte for byte.
pub type Tamper = fn(&mut Tampering, AgentMessage) -> Vec<AgentMessage>;

/// What a faulty agent remembers.
#[derive(Clone, Debug, Default)]
pub struct Tampering {
    /// Messages seen so far.
    pub seen: u64,
    /// How many were added, so that numbers keep rising.
    pub added: u64,
}

/// An agent's host and what its process has done.
pub struct AgentHost {
    /// Its clocks.
    pub clock: Hardware,
    /// The modelled engine, and the truth about its load.
    pub engine: Model,
    /// No process listens on the port.
    pub absent: bool,
    /// The number its runs' messages begin with.
    pub first_sequence: u64,
    /// The fault in its stream.
    pub tamper: Option<Tamper>,
    /// The run that holds it, or held it last.
    pub run: RunId,
    /// Where the machine is.
    pub state: StateName,
    /// Every state it has entered, and when in true time.
    pub states: Vec<(Duration, StateName)>,
    /// What whoever looks after it was told.
    pub warnings: Vec<String>,
    /// What it kept because no controller confirmed it.
    pub kept: Vec<(Now, KeptRun)>,
    /// Everything it was told, with when; without acknowledgements and pings.
    pub received: Vec<(Duration, StreamId, ControlMessage)>,
    /// Everything it said, with when; without answers to pings.
    pub sent: Vec<(Duration, AgentMessage)>,
    pub(crate) inbox: Option<Local<agent::Event>>,
    pub(crate) cuts: Cuts,
    pub(crate) started: bool,
}

impl AgentHost {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            clock: Hardware::new(Duration::from_secs(1_000 * (index as u64 + 1))),
            engine: Model::default(),
            absent: false,
            first_sequence: 0,
            tamper: None,
            run: RunId::default(),
            state: StateName::Idle,
            states: Vec::new(),
            warnings: Vec::new(),
            kept: Vec::new(),
            received: Vec::new(),
            sent: Vec::new(),
            inbox: None,
            cuts: Cuts::default(),
            started: false,
        }
    }

    /// How often it has said READY in a run.
    #[must_use]
    pub fn readies(&self, run: RunId) -> usize {
        let ready =
            |message: &AgentMessage| matches!(message.body, iobench_core::message::Report::Ready { .. });
        self.sent.iter().filter(|(_, message)| message.run == run && ready(message)).count()
    }
}

/// A controller's host and what its process has done.
pub struct ControllerHost {
    /// Its clocks.
    pub clock: Hardware,
    /// Where its results go.
    pub disk: Disk,
    /// What it carries out.
    pub order: Order,
    /// The same as configured.
    pub run: Run,
    /// Where the run is.
    pub state: RunState,
    /// Where each agent is, as the controller sees it.
    pub agents: Vec<AgentState>,
    /// Every state of the run, with when in true time.
    pub states: Vec<(Duration, RunState)>,
    /// Every state of its agents.
    pub agent_states: Vec<(Duration, usize, AgentState)>,
    /// What a person was told, with when.
    pub notices: Vec<(Duration, Notice)>,
    /// How it ended, with when.
    pub outcome: Option<(Duration, Outcome)>,
    /// Acknowledgements sent, per agent: the highest number.
    pub acknowledged: BTreeMap<usize, u64>,
    /// Intervals received, per agent.
    pub intervals: BTreeMap<usize, u64>,
    /// What a person sees while it goes on.
    pub screen: String,
    pub(crate) inbox: Option<Local<controller::Event>>,
    pub(crate) handle: Option<controller::Handle>,
    /// Its process has done all it will do and is to end.
    pub(crate) ended: bool,
    /// Its process has ended.
    pub(crate) gone: bool,
    pub(crate) started: bool,
}

impl ControllerHost {
    pub(crate) fn new(order: Order, run: Run, disk: Disk) -> Self {
        Self {
            clock: Hardware::new(Duration::from_secs(500)),
            disk,
            state: RunState::Init,
            agents: vec![AgentState::Connecting; order.agents.len()],
            order,
            run,
            states: Vec::new(),
            agent_states: Vec::new(),
            notices: Vec::new(),
            outcome: None,
            acknowledged: BTreeMap::new(),
            intervals: BTreeMap::new(),
            screen: String::new(),
            inbox: None,
            handle: None,
            ended: false,
            gone: false,
            started: false,
        }
    }
}

impl State {
    /// Shows something to all checkers.
    pub(crate) fn see(&mut self, truth: u64, seen: &Seen<'_>) {
        self.suite.see(Mono(truth), seen);
    }

    /// A host as checkers name it.
    pub(crate) fn process(&self, host: Host) -> Option<Process> {
        match host {
            Host::Controller(index) => (index == self.watched).then_some(Process::Controller),
            Host::Agent(index) => Some(Process::Agent(index)),
        }
    }

    pub(crate) fn hardware(&mut self, host: Host) -> &mut Hardware {
        match host {
            Host::Agent(index) => &mut self.agents[index].clock,
            Host::Controller(index) => &mut self.controllers[index].clock,
        }
    }
}

thread_local!(static STATE: RefCell<State> = RefCell::default());

/// Looks at, or changes, what the world knows. Never hold it over another call into the simulation.
pub(crate) fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(f)
}

/// Begins anew; gives what was known.
pub(crate) fn replace(state: State) -> State {
    STATE.replace(state)
}
