//! How an agent introduces itself.

use crate::convert::{cut, halves, nanos, run_id};
use crate::wire;
use iobench_core::message::RunId;
use std::fmt;
use std::time::Duration;

/// The protocol versions this build speaks. A version is a meaning of messages; new fields alone do not make one.
pub const PROTOCOL: ProtocolRange = ProtocolRange { min: 1, max: 1 };

/// Consecutive protocol versions.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct ProtocolRange {
    /// The oldest.
    pub min: u32,
    /// The newest; not below `min`.
    pub max: u32,
}

impl ProtocolRange {
    /// The newest version that both sides speak; `None` when they cannot speak to each other.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.max.min(other.max);
        (newest >= self.min && newest >= other.min).then_some(newest)
    }
}

impl fmt::Display for ProtocolRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.max) } else { write!(f, "{}-{}", self.min, self.max) }
    }
}

/// Who and in what state an agent is: the answer to Describe. For people, so nothing in it can be invalid.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Description {
    /// Its version.
    pub version: String,
    /// The protocol versions it speaks.
    pub protocol: ProtocolRange,
    /// Its host's name.
    pub host: String,
    /// CPUs it may use.
    pub cores: u32,
    /// Memory available, bytes.
    pub memory: u64,
    /// Its state, by the name in the documentation of the agent's state machine.
    pub state: String,
    /// Its name: in the current run, or else the one it was started with; may be empty.
    pub agent_id: String,
    /// The run that holds it.
    pub current: Option<CurrentRun>,
}

/// The run that holds an agent.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct CurrentRun {
    /// Which.
    pub run: RunId,
    /// How long ago it claimed the agent.
    pub age: Duration,
}

impl From<Description> for wire::Description {
    fn from(description: Description) -> Self {
        Self {
            version: cut(description.version),
            protocol_min: description.protocol.min,
            protocol_max: description.protocol.max,
            host: cut(description.host),
            cores: description.cores,
            memory_bytes: description.memory,
            state: cut(description.state),
            agent_id: cut(description.agent_id),
            current: description.current.map(wire::CurrentRun::from),
        }
    }
}

impl From<wire::Description> for Description {
    fn from(wire: wire::Description) -> Self {
        Self {
            version: cut(wire.version),
            protocol: ProtocolRange { min: wire.protocol_min, max: wire.protocol_max },
            host: cut(wire.host),
            cores: wire.cores,
            memory: wire.memory_bytes,
            state: cut(wire.state),
            agent_id: cut(wire.agent_id),
            current: wire.current.map(CurrentRun::from),
        }
    }
}

impl From<CurrentRun> for wire::CurrentRun {
    fn from(current: CurrentRun) -> Self {
        let (run_high, run_low) = halves(current.run);
        Self { run_high, run_low, age_ns: nanos(current.age) }
    }
}

impl From<wire::CurrentRun> for CurrentRun {
    fn from(wire: wire::CurrentRun) -> Self {
        Self { run: run_id(wire.run_high, wire.run_low), age: Duration::from_nanos(wire.age_ns) }
    }
}
