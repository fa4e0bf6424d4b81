//! What can go wrong, as plain data.

use crate::state::Host;
use iobench_core::message::Failure;
use std::time::Duration;

/// Something that goes wrong, or right again. Agents are meant by their place; links are those to the first controller.
#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    /// The network holds everything between the controller and an agent, loses nothing.
    Hold(usize),
    /// It delivers all that it held.
    Release(usize),
    /// It loses everything between the controller and an agent. Connections that lost a segment never recover.
    Partition(usize),
    /// It loses everything that an agent sends to the controller.
    PartitionToController(usize),
    /// It loses everything that the controller sends to an agent.
    PartitionToAgent(usize),
    /// It loses nothing more.
    Repair(usize),
    /// Every message takes exactly so long, whole milliseconds.
    Latency(usize, Duration),
    /// Messages take up to so long; not less than the least that they take.
    Jitter(usize, Duration),
    /// An agent that lives closes its connections.
    Close(usize),
    /// Something in the network resets an agent's connections: both ends are told.
    Reset(usize),
    /// An agent's process is killed; its host closes its connections.
    Crash(usize),
    /// An agent's host is gone: nobody hears of it.
    Vanish(usize),
    /// An agent's process is started again, and its network repaired.
    Restart(usize),
    /// The controller's process is killed; its host closes its connections.
    CrashController,
    /// The controller's host is gone: nobody hears of it.
    VanishController,
    /// A process is stopped, and goes on after so long.
    Stall(Host, Duration),
    /// A wall clock jumps by so many nanoseconds.
    StepClock(Host, i64),
    /// A host's clocks run faster by so many millionths from here on.
    Drift(Host, i64),
    /// Ctrl-C at the controller.
    Interrupt,
    /// Results cannot be written any more: path and cause.
    DiskFails(String),
    /// Writing results takes so long.
    DiskSlow(Duration),
    /// An agent's engine says and does nothing more.
    EngineHangs(usize),
    /// It goes on.
    EngineRecovers(usize),
    /// Operations of an agent do not come back: its engine does not answer Stop.
    OperationsStuck(usize),
    /// They come back.
    OperationsReturn(usize),
    /// An agent's untimed stages come no further.
    PrepareStuck(usize),
    /// An agent's storage completes nothing for so long.
    StorageStalls(usize, Duration),
    /// An agent's stage fails.
    StageFails(usize, Failure),
    /// Another controller begins the same run on the same agents.
    Rival,
}

impl Fault {
    /// What it is called, without its particulars.
    #[must_use]
    pub fn kind(&self) -> String {
        let text = format!("{self:?}");
        text.split_once('(').map_or(text.clone(), |(kind, _)| kind.to_owned())
    }

    /// Whom it may harm (`None`: everyone), whether nobody may fail because of it, and how much longer a run may take.
    #[must_use]
    pub fn harm(&self) -> (Option<usize>, bool, Duration) {
        match self {
            Self::Latency(agent, time) | Self::Jitter(agent, time) => (Some(*agent), false, *time * 40),
            Self::Hold(agent)
            | Self::Release(agent)
            | Self::Partition(agent)
            | Self::PartitionToController(agent)
            | Self::PartitionToAgent(agent)
            | Self::Repair(agent)
            | Self::Close(agent)
            | Self::Reset(agent)
            | Self::Crash(agent)
            | Self::Vanish(agent)
            | Self::Restart(agent)
            | Self::EngineHangs(agent)
            | Self::EngineRecovers(agent)
            | Self::PrepareStuck(agent)
            | Self::StageFails(agent, _) => (Some(*agent), false, Duration::ZERO),
            Self::StorageStalls(agent, time) => (Some(*agent), false, *time),
            Self::Stall(Host::Agent(agent), time) => (Some(*agent), false, *time),
            Self::Stall(Host::Controller(_), time) => (None, false, *time),
            Self::StepClock(..) | Self::Drift(..) => (None, true, Duration::ZERO),
            Self::DiskSlow(time) => (None, true, *time * 40),
            Self::DiskFails(_) => (None, true, Duration::ZERO),
            // The run is stopped no later for it; who it harms is only whoever comes next, and before that all is healed.
            Self::OperationsStuck(agent) | Self::OperationsReturn(agent) => {
                (Some(*agent), true, Duration::ZERO)
            }
            Self::CrashController | Self::VanishController | Self::Interrupt | Self::Rival => {
                (None, false, Duration::ZERO)
            }
        }
    }
}
