//! What a journal holds.

use iobench_core::config::Run;
use iobench_core::controller::{Level, Notice, Order, Outcome};
use iobench_core::message::{AgentIndex, AgentMessage, RunId};
use iobench_core::plan::Outline;
use iobench_core::time::{Mono, Now, Unix, nanos};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version of the journal's records. A reader refuses a newer one instead of guessing.
pub const FORMAT: u32 = 1;

/// One record of a journal, in the order of its life: header first, outcome last.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    /// What the run is. The first record of a results directory.
    Header(Box<Header>),
    /// Whose results an agent kept. The first record of a kept run.
    Kept(Box<KeptHeader>),
    /// A message that counts.
    Agent(Box<AgentRecord>),
    /// Something that happened.
    Event(Event),
    /// How the run ended.
    Outcome(Box<Outcome>),
}

/// What a run is: known before its first message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The controller's own version.
    pub version: String,
    /// The run.
    #[serde(with = "hexadecimal")]
    pub run: RunId,
    /// Its name, for people.
    pub name: String,
    /// Free labels.
    pub labels: Vec<(String, String)>,
    /// Everything random derived from it.
    pub seed: u64,
    /// When the controller began.
    pub started: Stamp,
    /// The configuration with all defaults filled in and secrets masked, YAML.
    pub config: String,
    /// Who takes part, in configured order: an [`AgentIndex`] points here.
    pub agents: Vec<AgentEntry>,
    /// The stages, in order.
    pub stages: Vec<StageEntry>,
    /// How often agents report.
    pub interval: Duration,
}

/// One agent of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AgentEntry {
    /// Its name.
    pub id: String,
    /// Its address.
    pub address: String,
}

/// One stage of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StageEntry {
    /// Its name.
    pub name: String,
    /// How long it runs, warm-up included; `None`: as long as it takes.
    pub timed: Option<Duration>,
}

/// Both clocks of the process that wrote the journal. [`Now`] as it is stored.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// Nanoseconds since that process began.
    pub mono: Mono,
    /// Its wall clock.
    pub unix: Unix,
}

/// Whose results an agent kept because no controller confirmed them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KeptHeader {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The agent's own version.
    pub version: String,
    /// The run.
    #[serde(with = "hexadecimal")]
    pub run: RunId,
    /// The agent's name in it.
    pub agent: String,
    /// The agent's place in the run's list.
    pub index: u32,
    /// When the results were kept.
    pub kept: Stamp,
    /// The configuration as the agent received it.
    pub config: String,
    /// The settings that went over it.
    pub overrides: Vec<String>,
    /// What everything random derived from.
    pub seed: u64,
}

/// A message that counts, as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentRecord {
    /// Whose.
    pub agent: AgentIndex,
    /// When it arrived, on the clocks of the process that wrote the journal; zero when it never did.
    pub received: Now,
    /// What it says.
    pub message: AgentMessage,
}

impl AgentRecord {
    /// A message that its agent kept.
    #[must_use]
    pub fn never_received(agent: AgentIndex, message: AgentMessage) -> Self {
        Self { agent, received: Now::default(), message }
    }

    /// Whether a controller received it, so that its stamps relate the two clocks.
    #[must_use]
    pub fn is_received(&self) -> bool {
        self.received != Now::default()
    }
}

/// Something that happened in a run: a state transition, or a notice to a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When, for people.
    pub unix: Unix,
    /// When, on the controller's monotonic clock.
    pub mono: Mono,
    /// How much it matters.
    pub level: Severity,
    /// Whom it is about: an agent's id, or `controller`.
    pub who: String,
    /// The state left; empty for a notice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The state entered; empty for a notice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// What happened, in a sentence; may be empty for a transition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// How much an event matters. [`Level`] as it is stored.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It goes well.
    Info,
    /// The result may suffer.
    Warning,
    /// The run or an agent failed.
    Error,
}

impl Header {
    /// The header of a run that begins now: what was configured, and what was ordered of it.
    #[must_use]
    pub fn new(order: &Order, run: &Run, now: Now) -> Self {
        let agents = order
            .agents
            .iter()
            .map(|agent| AgentEntry { id: agent.id.clone(), address: agent.address.clone() })
            .collect();
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: order.run,
            name: run.name.clone(),
            labels: run.labels.clone(),
            seed: order.seed,
            started: now.into(),
            config: run.resolved_yaml(Some(order.seed)),
            agents,
            stages: stage_entries(&order.outline),
            interval: order.outline.interval,
        }
    }

    /// The agent's name; its number where the list does not hold it.
    #[must_use]
    pub fn agent_id(&self, agent: AgentIndex) -> String {
        let known = usize::try_from(agent.0).ok().and_then(|i| self.agents.get(i));
        known.map_or_else(|| format!("agent-{}", agent.0), |entry| entry.id.clone())
    }

    /// What one agent was to deliver in timed stages, nanoseconds.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.stages.iter().filter_map(|stage| stage.timed).map(nanos).fold(0, u64::saturating_add)
    }
}

/// An outline's stages as they are stored.
pub(super) fn stage_entries(outline: &Outline) -> Vec<StageEntry> {
    outline.stages.iter().map(|stage| StageEntry { name: stage.name.clone(), timed: stage.timed }).collect()
}

impl Event {
    /// A state transition.
    #[must_use]
    pub fn transition(now: Now, who: &str, from: &str, to: &str) -> Self {
        let Now { mono, unix } = now;
        Self {
            unix,
            mono,
            level: Severity::Info,
            who: who.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            text: String::new(),
        }
    }

    /// A notice to a person. `who` is the agent's id, or `controller`.
    #[must_use]
    pub fn notice(now: Now, who: &str, notice: &Notice) -> Self {
        let Now { mono, unix } = now;
        Self {
            unix,
            mono,
            level: notice.level.into(),
            who: who.to_owned(),
            from: String::new(),
            to: String::new(),
            text: notice.text.clone(),
        }
    }
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
            Level::Error => Self::Error,
        }
    }
}

impl From<Now> for Stamp {
    fn from(Now { mono, unix }: Now) -> Self {
        Self { mono, unix }
    }
}

/// A run id as 32 hexadecimal digits.
mod hexadecimal {
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
