//! How a run ended and what its numbers may claim.

use crate::message::RunId;
use crate::time::{Mono, Unix};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a number may claim.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// All that was planned was measured.
    Complete,
    /// Some agents or some of the time are missing.
    Partial,
    /// The user stopped it.
    Aborted,
    /// So much is missing that it does not represent the system.
    Unrepresentative,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "COMPLETE",
            Self::Partial => "PARTIAL",
            Self::Aborted => "ABORTED",
            Self::Unrepresentative => "UNREPRESENTATIVE",
        })
    }
}

/// The exit code of a run.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitCode {
    /// 0: all agents completed.
    AllCompleted,
    /// 1: none completed.
    NoneCompleted,
    /// 2: some completed.
    SomeCompleted,
    /// 3: the user aborted it.
    Interrupted,
    /// 4: an agent could not be reached, or was busy.
    Unreachable,
    /// 5: the configuration was rejected, here or by an agent.
    Rejected,
    /// 6: something before the start took too long.
    TimedOut,
    /// 7: results could not be written.
    ResultsUnwritten,
}

impl ExitCode {
    /// As the process returns it.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::AllCompleted => 0,
            Self::NoneCompleted => 1,
            Self::SomeCompleted => 2,
            Self::Interrupted => 3,
            Self::Unreachable => 4,
            Self::Rejected => 5,
            Self::TimedOut => 6,
            Self::ResultsUnwritten => 7,
        }
    }
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The run.
    #[serde(with = "run_id")]
    pub run: RunId,
    /// What the process returns.
    pub exit: ExitCode,
    /// What the totals may claim.
    pub label: Label,
    /// One sentence: why it is not complete; empty when it is.
    pub cause: String,
    /// Per agent, in configured order.
    pub agents: Vec<AgentOutcome>,
    /// Every timed stage that was started.
    pub starts: Vec<StageStart>,
    /// Delivered share of the planned agent-seconds of timed stages, parts per million.
    pub coverage_ppm: u32,
    /// Why the journal could not be written; empty when it could.
    pub results_failure: String,
}

/// The common start of a timed stage.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StageStart {
    /// Index into the plan's stages.
    pub stage: u32,
    /// The start instant on the controller's monotonic clock.
    pub at: Mono,
    /// The same on its wall clock.
    pub unix: Unix,
    /// Per agent, in configured order: when its first operation was issued against `at`.
    pub skews: Vec<Option<Skew>>,
}

/// How far an agent's first operation was from the common start.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Skew {
    /// Nanoseconds after the start instant; negative before it.
    pub nanos: i64,
    /// The measurement's error bound, nanoseconds either way.
    pub bound: u64,
    /// The agent's monotonic clock minus the controller's, nanoseconds: translates its stamps.
    pub offset: i64,
}

/// How one agent ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct AgentOutcome {
    /// Its name.
    pub id: String,
    /// Its address.
    pub address: String,
    /// How it ended.
    pub end: AgentEnd,
    /// Why, in one sentence; empty when completed.
    pub reason: String,
    /// Time of timed stages it delivered, nanoseconds.
    pub ran: u64,
    /// Time of timed stages that was planned, nanoseconds.
    pub planned: u64,
    /// Invalid messages it sent.
    pub invalid: u64,
    /// Intervals that were merged because this controller fell behind.
    pub merged: u64,
    /// Intervals missing between the received ones.
    pub missing: u64,
}

/// How one agent ended.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentEnd {
    /// Everything done and delivered.
    Completed,
    /// Lost, hung or failed.
    Failed,
    /// Stopped because the run was.
    Aborted,
}

mod run_id {
    use super::RunId;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(id: &RunId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(RunId).map_err(de::Error::custom)
    }
}
