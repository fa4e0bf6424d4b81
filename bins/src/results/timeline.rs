//! One time for all: a stage's agents, each with a clock of its own, placed on the stage's common time.

use super::fold::{Fold, nanos};
use super::record::Header;
use iobench_core::controller::{Outcome, StageStart};
use iobench_core::message::AgentIndex;
use iobench_core::time::{Mono, Unix};
use std::collections::BTreeMap;

/// The common time of one stage: nanoseconds since its start, also of what happened before (negative).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Timeline {
    /// The start on the controller's wall clock.
    pub start: Unix,
    /// Per agent, what its own monotonic clock showed at the start.
    zeros: BTreeMap<AgentIndex, i64>,
}

impl Timeline {
    /// A timed stage starts at the instant that was agreed on, any other when its first agent began.
    pub(super) fn of(stage: u32, fold: &Fold, header: &Header, outcome: &Outcome) -> Self {
        let start = outcome.starts.iter().find(|start| start.stage == stage);
        let began: BTreeMap<AgentIndex, i64> = fold
            .agents
            .iter()
            .filter_map(|(&agent, seen)| Some((agent, nanos(seen.extents.get(&stage)?.from.0))))
            .collect();
        let offset = |agent: AgentIndex| offset(agent, start, fold, outcome);
        let first = began.iter().filter_map(|(&agent, &from)| Some(from - offset(agent)?)).min();
        let at = start.map(|start| nanos(start.at.0)).or(first);
        let zeros = began
            .iter()
            .map(|(&agent, &from)| {
                // An agent whose clock is unknown is taken to have begun with the stage.
                let zero = at.zip(offset(agent)).map_or(from, |(at, offset)| at.saturating_add(offset));
                (agent, zero)
            })
            .collect();
        let since_began = at.map_or(0, |at| at - nanos(header.started.mono.0));
        let start = start.map_or(Unix(header.started.unix.0.saturating_add_signed(since_began)), |s| s.unix);
        Self { start, zeros }
    }

    /// An instant of the agent's monotonic clock on the common time, nanoseconds; 0 for an agent that sent nothing.
    #[must_use]
    pub fn elapsed(&self, agent: AgentIndex, instant: Mono) -> i64 {
        self.zeros.get(&agent).map_or(0, |&zero| nanos(instant.0).saturating_sub(zero))
    }

    /// A common time on the controller's wall clock.
    #[must_use]
    pub fn unix(&self, elapsed: i64) -> Unix {
        Unix(self.start.0.saturating_add_signed(elapsed))
    }
}

/// The agent's monotonic clock minus the controller's: as measured for this start, else for another, else as
/// estimated from what arrived.
fn offset(agent: AgentIndex, start: Option<&StageStart>, fold: &Fold, outcome: &Outcome) -> Option<i64> {
    let measured =
        |start: &StageStart| start.skews.get(agent.0 as usize).copied().flatten().map(|skew| skew.offset);
    start
        .and_then(measured)
        .or_else(|| outcome.starts.iter().find_map(measured))
        .or_else(|| fold.agents.get(&agent)?.offset)
}
