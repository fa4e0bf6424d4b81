//! How a run ended and what its numbers may claim.

use super::machine::Controller;
use super::roster::{Peer, Step};
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
    /// Messages with results that it says it has sent and that never came in order, intervals most of them.
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

impl Controller {
    /// What the run has come to.
    pub(super) fn outcome(&self) -> Outcome {
        let planned = self.planned();
        let agents: Vec<_> = self.peers.iter().map(|peer| agent_outcome(peer, planned)).collect();
        let (completed, _) = self.ended();
        let label = match &self.condemned {
            Some(condemned) => condemned.label,
            None if completed == agents.len() => Label::Complete,
            None => Label::Partial,
        };
        let cause = match &self.condemned {
            Some(condemned) => condemned.cause.clone(),
            None => first_failure(&agents),
        };
        let delivered: u128 = agents.iter().map(|agent| u128::from(agent.ran)).sum();
        let wanted = u128::from(planned) * agents.len() as u128;
        let coverage =
            (delivered * 1_000_000).checked_div(wanted).unwrap_or(if completed > 0 { 1_000_000 } else { 0 });
        Outcome {
            run: self.order.run,
            exit: self.exit(completed),
            label,
            cause,
            agents,
            starts: self.starts.clone(),
            coverage_ppm: u32::try_from(coverage).unwrap_or(1_000_000),
            results_failure: self.results_failure.clone(),
        }
    }

    /// An interrupt outranks everything; then the earliest cause; results that could not be written replace success.
    fn exit(&self, completed: usize) -> ExitCode {
        let by_count = match completed {
            0 => ExitCode::NoneCompleted,
            some if some < self.peers.len() => ExitCode::SomeCompleted,
            _ => ExitCode::AllCompleted,
        };
        let exit = self.condemned.as_ref().and_then(|condemned| condemned.exit).unwrap_or(by_count);
        match exit {
            ExitCode::AllCompleted | ExitCode::SomeCompleted if !self.results_failure.is_empty() => {
                ExitCode::ResultsUnwritten
            }
            exit => exit,
        }
    }
}

fn agent_outcome(peer: &Peer, planned: u64) -> AgentOutcome {
    let (end, reason) = match &peer.step {
        Step::Over { end, reason } => (*end, reason.clone()),
        _ => (AgentEnd::Aborted, "the run ended before it did".to_owned()),
    };
    let ran = if end == AgentEnd::Completed { planned } else { peer.ran.min(planned) };
    AgentOutcome {
        id: peer.spec.id.clone(),
        address: peer.spec.address.clone(),
        end,
        reason,
        ran,
        planned,
        invalid: peer.invalid,
        merged: peer.merged,
        missing: peer.delivery.missing(),
    }
}

fn first_failure(agents: &[AgentOutcome]) -> String {
    let failed: Vec<_> = agents.iter().filter(|agent| agent.end != AgentEnd::Completed).collect();
    match failed.as_slice() {
        [] => String::new(),
        [only] => format!("agent {} failed: {}", only.id, only.reason),
        [first, rest @ ..] => {
            format!("agent {} failed: {}; and {} more", first.id, first.reason, rest.len())
        }
    }
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
