//! A simulated run as plain data.

use iobench_core::controller::{AgentSpec, Lead, Order};
use iobench_core::message::RunId;
use iobench_core::plan::{Outline, Policy};

/// True time since the simulation began, or a span of it.
pub type Nanos = u64;
/// One second.
pub const SECOND: Nanos = 1_000_000_000;

/// Everything that decides what happens.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// Decides what is not said here: latencies within their range, ghosts, the order of what waits.
    pub seed: u64,
    /// The stages, the reporting interval and the deadlines.
    pub outline: Outline,
    /// When to go on without an agent.
    pub policy: Policy,
    /// How far ahead a timed stage's start is set.
    pub lead: Lead,
    /// The agents' hosts.
    pub hosts: Vec<HostSpec>,
    /// The shortest and the longest way of a message, one way.
    pub latency: (Nanos, Nanos),
    /// How often, in a million events, something of the past is replayed.
    pub ghosts_ppm: u32,
    /// What goes wrong, and when.
    pub schedule: Vec<(Nanos, Fault)>,
    /// When everything is healed.
    pub healed_at: Nanos,
    /// Whether the agents serve a second run afterwards.
    pub again: bool,
}

/// One agent's host.
#[derive(Clone, PartialEq, Debug)]
pub struct HostSpec {
    /// What its monotonic clock shows at the beginning.
    pub clock: Nanos,
    /// How much faster than true time its clock runs, parts per million.
    pub drift_ppm: i64,
    /// The error of its wall clock, nanoseconds.
    pub wall: i64,
    /// Operations a second.
    pub rate: u64,
    /// How long it takes to validate.
    pub validate: Nanos,
    /// How long each untimed stage takes.
    pub prepare: Nanos,
    /// How long each stage goes on after its work: at rest, or making durable what was written.
    pub tail: Nanos,
    /// The sequence number its runs begin with.
    pub first_sequence: u64,
}

/// A direction between an agent and the controller.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Way {
    /// To the agent.
    Down,
    /// To the controller.
    Up,
    /// Both.
    Both,
}

/// What can go wrong. `host`: whose; `way`: in which direction; `lasting`: it is over after this.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the fields mean the same in every variant")]
pub enum Fault {
    /// Messages wait in the network; none is lost.
    Hold { host: usize, way: Way, lasting: Nanos },
    /// Messages are lost, and with the first one the direction of its connection for ever.
    Lose { host: usize, way: Way, lasting: Nanos },
    /// Messages take longer.
    Slow { host: usize, extra: Nanos, lasting: Nanos },
    /// New streams are not answered, though TCP connects.
    Deaf { host: usize, lasting: Nanos },
    /// A stream is reset.
    Reset { host: usize },
    /// The agent's process dies. `fin`: its host says so. It comes back after `down`.
    CrashAgent { host: usize, fin: bool, down: Nanos },
    /// The controller's process dies.
    CrashController { fin: bool },
    /// The agent's process is stopped and goes on.
    StallAgent { host: usize, lasting: Nanos },
    /// The controller's process is stopped and goes on.
    StallController { lasting: Nanos },
    /// A wall clock is stepped; `None`: the controller's.
    StepClock { host: Option<usize>, by: i64 },
    /// The journal cannot be written.
    DiskFull { lasting: Nanos },
    /// Each write of the journal takes this much longer.
    SlowDisk { extra: Nanos, lasting: Nanos },
    /// The engine does and says nothing any more.
    EngineHangs { host: usize, lasting: Nanos },
    /// The storage does nothing: intervals come, with nothing in them.
    StorageStalls { host: usize, lasting: Nanos },
    /// The engine does not answer Stop while this lasts.
    NeverStops { host: usize, lasting: Nanos },
    /// The stage that runs, or the next, fails.
    EngineFails { host: usize },
    /// The next validation fails.
    Rejects { host: usize },
    /// The next messages arrive undecodable.
    Garble { host: usize, way: Way, count: u32 },
    /// Undecodable frames arrive between the messages.
    Noise { host: usize, way: Way, count: u32 },
    /// The next messages arrive twice.
    Repeat { host: usize, way: Way, count: u32 },
    /// Ctrl-C.
    Interrupt,
    /// Somebody opens a stream and says nothing.
    Idler { host: usize },
    /// Another controller tries to use the agent.
    Rival { host: usize, lasting: Nanos },
    /// The agent's process is told to end; it comes back after `down`.
    Shutdown { host: usize, down: Nanos },
}

impl Scenario {
    /// An undisturbed run of `agents` that prepare and then measure for `seconds`.
    #[must_use]
    pub fn calm(agents: usize, seconds: u64) -> Self {
        use iobench_core::plan::{StageOutline, Timeouts};
        use std::time::Duration;
        let stage = |name: &str, timed| StageOutline { name: name.to_owned(), timed };
        let host = |index: usize| HostSpec {
            clock: (index as u64 + 1) * 1_000 * SECOND,
            drift_ppm: 0,
            wall: 0,
            rate: 100 + index as u64,
            validate: 1_000_000,
            prepare: 3 * SECOND,
            tail: 0,
            first_sequence: 0,
        };
        Self {
            seed: 0,
            outline: Outline {
                stages: vec![stage("prepare", None), stage("execute", Some(Duration::from_secs(seconds)))],
                interval: Duration::from_secs(1),
                timeouts: Timeouts::default(),
            },
            policy: Policy::default(),
            lead: Lead::Ahead(Duration::from_secs(10)),
            hosts: (0..agents).map(host).collect(),
            latency: (1_000_000, 3_000_000),
            ghosts_ppm: 0,
            schedule: Vec::new(),
            healed_at: 0,
            again: false,
        }
    }

    /// The order of the first (0) or second (1) run.
    #[must_use]
    pub fn order(&self, number: u32) -> Order {
        let spec = |index| AgentSpec { id: format!("a{index}"), address: format!("h{index}") };
        Order {
            run: RunId(u128::from(number) + 1),
            agents: (0..self.hosts.len()).map(spec).collect(),
            yaml: String::new(),
            overrides: Vec::new(),
            seed: self.seed,
            outline: self.outline.clone(),
            policy: self.policy,
            lead: self.lead,
        }
    }

    /// How long stages take on the slowest host beyond what is measured.
    #[must_use]
    pub fn untimed(&self) -> Nanos {
        let stages = self.outline.stages.len() as u64;
        let untimed = self.outline.stages.iter().filter(|stage| stage.timed.is_none()).count() as u64;
        self.hosts.iter().map(|host| host.prepare * untimed + host.tail * stages).max().unwrap_or(0)
    }
}
