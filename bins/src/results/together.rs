//! The time when all agents of a stage ran, also those that were lost later: between the last start and the first end.

use super::journal::ReadError;
use super::record::{AgentRecord, Record};
use super::run::StageResult;
use super::source::Source;
use iobench_core::message::{AgentIndex, Report};
use iobench_core::stats::{Interval, Operation};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was measured while all agents ran. Of an interval that is only partly in that time, the same part of its
/// counts is taken.
#[derive(Clone, PartialEq, Debug)]
pub struct Together {
    /// How many.
    pub agents: usize,
    /// When the last agent began to measure, nanoseconds after the stage's start.
    pub from: i64,
    /// When the first one ended.
    pub to: i64,
    /// The rate of each operation in it.
    pub rates: Vec<Rate>,
}

/// How fast an operation went, all agents together.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Rate {
    /// Which.
    pub operation: Operation,
    /// Successes per second.
    pub ops_per_sec: f64,
    /// MiB (2^20 bytes) per second.
    pub mib_per_sec: f64,
}

impl Together {
    /// How long all agents ran.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.to - self.from).unwrap_or(0))
    }
}

/// Finds that time in every timed stage of several agents, and what was measured in it.
pub(super) fn together(source: &Source, stages: &mut [StageResult]) -> Result<(), ReadError> {
    let mut windows: BTreeMap<u32, Window> =
        stages.iter().filter_map(|stage| Some((stage.index, Window::of(stage)?))).collect();
    if windows.is_empty() {
        return Ok(());
    }
    source.each(|record| {
        let Record::Agent(record) = record else { return };
        let AgentRecord { agent, message, .. } = &**record;
        let Report::Running(interval) = &message.body else { return };
        let stage = stages.iter().find(|stage| stage.index == interval.stage);
        if let Some((stage, window)) = stage.zip(windows.get_mut(&interval.stage)) {
            window.add(stage, *agent, interval);
        }
    })?;
    // Rates of a time series with holes would be too low.
    for stage in stages.iter_mut().filter(|stage| !stage.series_incomplete()) {
        stage.together = windows.remove(&stage.index).map(Window::finish);
    }
    Ok(())
}

struct Window {
    from: i64,
    to: i64,
    agents: BTreeMap<AgentIndex, Share>,
}

/// What one agent did in the window.
#[derive(Default)]
struct Share {
    time: Duration,
    /// Successes and bytes; parts of intervals count in part.
    operations: BTreeMap<Operation, (f64, f64)>,
}

impl Window {
    fn of(stage: &StageResult) -> Option<Self> {
        let several = stage.timed.is_some() && stage.agents.len() > 1;
        let at = |agent, instant| stage.timeline.elapsed(agent, instant);
        let from = stage.agents.iter().map(|part| at(part.agent, part.totals.from)).max()?;
        let to = stage.agents.iter().map(|part| at(part.agent, part.totals.to)).min()?;
        let agents = stage.agents.iter().map(|part| (part.agent, Share::default())).collect();
        (several && to > from).then_some(Self { from, to, agents })
    }

    fn add(&mut self, stage: &StageResult, agent: AgentIndex, interval: &Interval) {
        let Some(share) = self.agents.get_mut(&agent) else { return };
        let from = stage.timeline.elapsed(agent, interval.from);
        let to = stage.timeline.elapsed(agent, interval.to);
        let inside = Duration::from_nanos(u64::try_from(to.min(self.to) - from.max(self.from)).unwrap_or(0));
        let whole = interval.to.since(interval.from);
        if interval.warmup || inside.is_zero() || whole.is_zero() {
            return;
        }
        share.time += inside;
        let part = inside.as_secs_f64() / whole.as_secs_f64();
        for cell in interval.tally.cells.iter().filter(|cell| !cell.operation.is_part()) {
            let (count, bytes) = share.operations.entry(cell.operation).or_default();
            *count += cell.count as f64 * part;
            *bytes += cell.bytes as f64 * part;
        }
    }

    fn finish(self) -> Together {
        let agents = self.agents.len();
        let mut rates: BTreeMap<Operation, (f64, f64)> = BTreeMap::new();
        for share in self.agents.values().filter(|share| !share.time.is_zero()) {
            for (&operation, &(count, bytes)) in &share.operations {
                let (ops, mib) = rates.entry(operation).or_default();
                *ops += count / share.time.as_secs_f64();
                *mib += bytes / 1_048_576.0 / share.time.as_secs_f64();
            }
        }
        let rates = rates
            .into_iter()
            .map(|(operation, (ops_per_sec, mib_per_sec))| Rate { operation, ops_per_sec, mib_per_sec })
            .collect();
        Together { agents, from: self.from, to: self.to, rates }
    }
}
