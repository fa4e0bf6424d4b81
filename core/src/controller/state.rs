//! The documented states of the controller: one for each agent, one for the run.

use std::fmt;

/// Where the controller is with one agent.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AgentState {
    /// No stream yet.
    Connecting,
    /// Configure was sent; validation and the untimed stages before the first timed one.
    ConfigSent,
    /// All before the first timed stage is done there.
    Ready,
    /// Start was sent, no interval has arrived.
    StartSent,
    /// Intervals arrive.
    CollectingStats,
    /// Everything done and delivered.
    Completed,
    /// Lost, hung, failed, or stopped with the run.
    Failed,
}

impl AgentState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Connecting,
        Self::ConfigSent,
        Self::Ready,
        Self::StartSent,
        Self::CollectingStats,
        Self::Completed,
        Self::Failed,
    ];

    /// As in documents and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "CONNECTING",
            Self::ConfigSent => "CONFIG_SENT",
            Self::Ready => "READY",
            Self::StartSent => "START_SENT",
            Self::CollectingStats => "COLLECTING_STATS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// The states that may follow.
    #[must_use]
    pub fn successors(self) -> &'static [Self] {
        match self {
            Self::Connecting => &[Self::ConfigSent, Self::Failed],
            // COMPLETED directly: a plan without a timed stage.
            Self::ConfigSent => &[Self::Ready, Self::Completed, Self::Failed],
            Self::Ready => &[Self::StartSent, Self::Failed],
            Self::StartSent => &[Self::CollectingStats, Self::Failed],
            // START_SENT again: the next timed stage.
            Self::CollectingStats => &[Self::StartSent, Self::Completed, Self::Failed],
            Self::Completed | Self::Failed => &[],
        }
    }

    /// Whether nothing more is expected of the agent.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the run is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RunState {
    /// Not begun.
    Init,
    /// Streams are being opened.
    ConnectingAll,
    /// All are connected; the agents look whether they can run the configuration.
    ConfigPhase,
    /// Untimed stages before the first timed one.
    PreparePhase,
    /// All are READY; clocks are being sampled.
    CoordinatingStart,
    /// From the first Start to the last stage.
    WorkloadPhase,
    /// Nothing more is asked of the agents; last results come in and are written.
    CollectingResults,
    /// All agents completed.
    Completed,
    /// Some agents completed.
    PartialSuccess,
    /// No agent completed.
    Failed,
    /// The user stopped it.
    Aborted,
}

impl RunState {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Init,
        Self::ConnectingAll,
        Self::ConfigPhase,
        Self::PreparePhase,
        Self::CoordinatingStart,
        Self::WorkloadPhase,
        Self::CollectingResults,
        Self::Completed,
        Self::PartialSuccess,
        Self::Failed,
        Self::Aborted,
    ];

    /// As in documents and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::ConnectingAll => "CONNECTING_ALL",
            Self::ConfigPhase => "CONFIG_PHASE",
            Self::PreparePhase => "PREPARE_PHASE",
            Self::CoordinatingStart => "COORDINATING_START",
            Self::WorkloadPhase => "WORKLOAD_PHASE",
            Self::CollectingResults => "COLLECTING_RESULTS",
            Self::Completed => "COMPLETED",
            Self::PartialSuccess => "PARTIAL_SUCCESS",
            Self::Failed => "FAILED",
            Self::Aborted => "ABORTED",
        }
    }

    /// The states that may follow. From every state before it, COLLECTING_RESULTS is where an abort goes.
    #[must_use]
    pub fn successors(self) -> &'static [Self] {
        match self {
            Self::Init => &[Self::ConnectingAll, Self::CollectingResults],
            Self::ConnectingAll => &[Self::ConfigPhase, Self::CollectingResults],
            Self::ConfigPhase => &[Self::PreparePhase, Self::CoordinatingStart, Self::CollectingResults],
            Self::PreparePhase => &[Self::CoordinatingStart, Self::CollectingResults],
            Self::CoordinatingStart => &[Self::WorkloadPhase, Self::CollectingResults],
            // COORDINATING_START never comes back: later timed stages are coordinated within the phase.
            Self::WorkloadPhase => &[Self::CollectingResults],
            Self::CollectingResults => &[Self::Completed, Self::PartialSuccess, Self::Failed, Self::Aborted],
            Self::Completed | Self::PartialSuccess | Self::Failed | Self::Aborted => &[],
        }
    }

    /// Whether the run has begun its workload, so that the loss of one agent is no longer the end.
    #[must_use]
    pub fn goes_on_without_one(self) -> bool {
        matches!(self, Self::WorkloadPhase | Self::CollectingResults)
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::PartialSuccess | Self::Failed | Self::Aborted)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
