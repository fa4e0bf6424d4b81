//! The time series: one row an agent and interval, and one for all agents from merged histograms.

use super::journal::ReadError;
use super::record::Record;
use super::run::{Results, StageResult};
use super::source::Source;
use iobench_core::message::{AgentIndex, Report};
use iobench_core::stats::summary::{Row, Scope, row};
use iobench_core::stats::{BadHistogram, Cell, CpuShare, Group, Interval, Tally, merge_tallies};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One row of the time series.
#[derive(Clone, PartialEq, Debug)]
pub struct Point<'a> {
    /// Whose; `None`: of all agents that ran then.
    pub agent: Option<AgentIndex>,
    /// How many agents it is made of.
    pub agents: usize,
    /// Of which stage.
    pub stage: &'a StageResult,
    /// When it ended, nanoseconds after the stage's start.
    pub elapsed: i64,
    /// How long it is.
    pub duration: Duration,
    /// Whether it belongs to the warm-up.
    pub warmup: bool,
    /// What completed in it.
    pub tally: Tally,
    /// Its data operations in, of this interval's own histograms.
    pub get: Option<Row>,
    /// Its data operations out.
    pub put: Option<Row>,
    /// Its metadata operations.
    pub meta: Option<Row>,
    /// Failures.
    pub errors: u64,
    /// The hosts' CPU, each host counting alike; `None` where none could be read.
    pub cpu: Option<CpuShare>,
    /// Operations in flight at its end.
    pub in_flight: u64,
    /// Age of the oldest of them, nanoseconds.
    pub oldest: u64,
    /// The longest time a completion waited for this tool, nanoseconds.
    pub lag: u64,
    /// Further intervals merged into it.
    pub merged: u64,
}

/// Visits the whole time series: each agent's rows in order, each row of all agents after the last of its parts.
///
/// What is held at a time: the intervals of the slots that some agent has not passed yet. Agents report live, and
/// one that is silent for a minute has failed, so that is about a minute of intervals.
pub fn each_point(
    source: &Source,
    results: &Results,
    mut visit: impl FnMut(Point<'_>),
) -> Result<(), ReadError> {
    let mut slots = Slots::new(results);
    source.each(|record| {
        let Record::Agent(record) = record else { return };
        let Report::Running(interval) = &record.message.body else { return };
        let Some(stage) = results.stages.iter().find(|stage| stage.index == interval.stage) else { return };
        let Ok(point) = Point::of_agent(stage, record.agent, interval) else { return };
        visit(point);
        slots.add(stage, record.agent, interval);
        while let Some(slot) = slots.pop_passed() {
            slot.point().into_iter().for_each(&mut visit);
        }
    })?;
    slots.open.into_values().filter_map(|slot| slot.point()).for_each(visit);
    Ok(())
}

impl<'a> Point<'a> {
    fn of_agent(
        stage: &'a StageResult,
        agent: AgentIndex,
        interval: &Interval,
    ) -> Result<Self, BadHistogram> {
        let duration = interval.to.since(interval.from);
        let group = |group| row(&interval.tally, Scope::Group(group), duration);
        Ok(Self {
            agent: Some(agent),
            agents: 1,
            stage,
            elapsed: stage.timeline.elapsed(agent, interval.to),
            duration,
            warmup: interval.warmup,
            get: group(Group::Get)?,
            put: group(Group::Put)?,
            meta: group(Group::Meta)?,
            errors: interval.tally.error_count(),
            cpu: interval.cpu,
            in_flight: interval.in_flight,
            oldest: interval.oldest,
            lag: interval.lag,
            merged: interval.merged.into(),
            tally: interval.tally.clone(),
        })
    }
}

/// Stage and number of the reporting interval in it.
type SlotKey = (u32, i64);

/// The intervals of all agents, sorted into reporting intervals of the stage's common time.
struct Slots<'a> {
    interval: i64,
    open: BTreeMap<SlotKey, Slot<'a>>,
    /// Per agent, the slot it reported last.
    reached: BTreeMap<AgentIndex, SlotKey>,
    /// Agents that will not add to a stage any more.
    finished: BTreeSet<(AgentIndex, u32)>,
}

struct Slot<'a> {
    stage: &'a StageResult,
    parts: Vec<(AgentIndex, Interval)>,
}

impl<'a> Slots<'a> {
    fn new(results: &'a Results) -> Self {
        let interval = i64::try_from(results.header.interval.as_nanos()).unwrap_or(i64::MAX).max(1);
        let silent = |stage: &'a StageResult| {
            let parts = stage.agents.iter().filter(|part| part.last_interval.is_none());
            parts.map(|part| (part.agent, stage.index))
        };
        let finished = results.stages.iter().flat_map(silent).collect();
        Self { interval, open: BTreeMap::new(), reached: BTreeMap::new(), finished }
    }

    /// The slot whose end is nearest.
    fn number(&self, end: i64) -> i64 {
        end.saturating_add(self.interval / 2).div_euclid(self.interval)
    }

    fn add(&mut self, stage: &'a StageResult, agent: AgentIndex, interval: &Interval) {
        let key = (stage.index, self.number(stage.timeline.elapsed(agent, interval.to)));
        self.open
            .entry(key)
            .or_insert_with(|| Slot { stage, parts: Vec::new() })
            .parts
            .push((agent, interval.clone()));
        self.reached.insert(agent, key);
        let part = stage.agents.iter().find(|part| part.agent == agent);
        if part.and_then(|part| part.last_interval).is_none_or(|last| interval.to >= last) {
            self.finished.insert((agent, stage.index));
        }
    }

    /// The first slot, if no agent will add to it any more.
    fn pop_passed(&mut self) -> Option<Slot<'a>> {
        let (&key, slot) = self.open.first_key_value()?;
        let passed = slot.stage.agents.iter().all(|part| {
            self.finished.contains(&(part.agent, key.0))
                || self.reached.get(&part.agent).is_some_and(|&reached| reached > key)
        });
        passed.then(|| self.open.remove(&key)).flatten()
    }
}

impl<'a> Slot<'a> {
    /// The row of all agents; `None` when a histogram cannot be read.
    fn point(&self) -> Option<Point<'a>> {
        let tally = merge_tallies(self.parts.iter().map(|(_, interval)| &interval.tally)).ok()?;
        let mut agents: BTreeMap<AgentIndex, Vec<&Interval>> = BTreeMap::new();
        for (agent, interval) in &self.parts {
            agents.entry(*agent).or_default().push(interval);
        }
        let duration = agents.values().map(|parts| time(parts)).max()?;
        let elapsed = self
            .parts
            .iter()
            .map(|(agent, interval)| self.stage.timeline.elapsed(*agent, interval.to))
            .max()?;
        let group = |group| {
            let row = row(&tally, Scope::Group(group), duration).ok().flatten()?;
            // Each agent's rate is over its own time: one that merged intervals must not dilute the others.
            let rate =
                |of: fn(&Cell) -> u64| agents.values().map(|parts| rate(parts, group, of)).sum::<f64>();
            let (ops_per_sec, mib_per_sec) = (rate(|cell| cell.count), rate(|cell| cell.bytes) / 1_048_576.0);
            Some(Row { ops_per_sec, mib_per_sec, ..row })
        };
        let intervals = || self.parts.iter().map(|(_, interval)| interval);
        let lasts = || agents.values().filter_map(|parts| parts.last());
        Some(Point {
            agent: None,
            agents: agents.len(),
            stage: self.stage,
            elapsed,
            duration,
            warmup: intervals().any(|interval| interval.warmup),
            get: group(Group::Get),
            put: group(Group::Put),
            meta: group(Group::Meta),
            errors: tally.error_count(),
            cpu: mean_cpu(lasts().filter_map(|interval| interval.cpu)),
            in_flight: lasts().map(|interval| interval.in_flight).sum(),
            oldest: lasts().map(|interval| interval.oldest).max().unwrap_or(0),
            lag: intervals().map(|interval| interval.lag).max().unwrap_or(0),
            merged: intervals().map(|interval| u64::from(interval.merged)).sum(),
            tally,
        })
    }
}

fn time(parts: &[&Interval]) -> Duration {
    parts.iter().map(|part| part.to.since(part.from)).sum()
}

/// Something of a group's cells, per second, in one agent's intervals.
fn rate(parts: &[&Interval], group: Group, of: fn(&Cell) -> u64) -> f64 {
    let cells = parts.iter().flat_map(|part| &part.tally.cells);
    let sum: u64 = cells.filter(|cell| cell.operation.group() == Some(group)).map(of).sum();
    let seconds = time(parts).as_secs_f64();
    if seconds > 0.0 { sum as f64 / seconds } else { 0.0 }
}

/// The mean of several hosts.
fn mean_cpu(shares: impl Iterator<Item = CpuShare>) -> Option<CpuShare> {
    let shares: Vec<_> = shares.collect();
    let count = u64::try_from(shares.len()).ok().filter(|&count| count > 0)?;
    let mean = |of: fn(&CpuShare) -> u32| {
        u32::try_from(shares.iter().map(|share| u64::from(of(share))).sum::<u64>() / count)
            .unwrap_or(u32::MAX)
    };
    Some(CpuShare { user: mean(|s| s.user), system: mean(|s| s.system), iowait: mean(|s| s.iowait) })
}
