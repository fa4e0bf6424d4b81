//! What all agents measured, each message counted once.

use super::histogram::BadHistogram;
use super::merge::{TallySum, span, weighted};
use super::types::{CpuShare, Interval, StageTotals, Tally};
use crate::message::{AgentIndex, AgentMessage, Report, Session};
use crate::time::Mono;
use std::collections::BTreeMap;

/// The measurements of a run, by agent and stage.
///
/// Feed it every message that was kept, in any order and as often as they turn up (a journal, then what an agent
/// kept itself): a sequence number counts once. It holds sums, not intervals, so its memory does not grow with the
/// length of a run; an agent's histograms are decoded only while its stage runs.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    agents: BTreeMap<AgentIndex, Account>,
}

/// What became of a message.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// It counts.
    Counted,
    /// It was counted before, and does not count again.
    Duplicate,
    /// It carries no measurements.
    Immaterial,
}

/// One agent's stages.
#[derive(Clone, Debug, Default)]
struct Account {
    seen: BTreeMap<Session, Sequences>,
    stages: BTreeMap<u32, StageAccount>,
    completed: bool,
}

/// What one agent measured in one stage.
#[derive(Clone, Debug, Default)]
pub struct StageAccount {
    stage: u32,
    intervals: IntervalSum,
    totals: Option<StageTotals>,
}

/// The sum of measured intervals (warm-up excluded).
#[derive(Clone, Debug, Default)]
struct IntervalSum {
    sum: Sum,
    window: Option<(Mono, Mono)>,
    cpu: Option<CpuShare>,
    process_cpu: u64,
    lag: u64,
    counted: u64,
    warmup: u64,
    merged: u64,
}

/// Decoded while it grows, encoded when it rests.
#[derive(Clone, Debug)]
enum Sum {
    Growing(TallySum),
    Resting(Tally),
}

/// The totals that an agent stated for a stage against the sum of the intervals that arrived.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Difference {
    /// Successes in the totals and in the intervals.
    pub count: (u64, u64),
    /// Bytes in the totals and in the intervals.
    pub bytes: (u64, u64),
    /// Failures in the totals and in the intervals.
    pub errors: (u64, u64),
}

/// What a set of agents measured in one stage.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Merged {
    /// Everything that completed, percentiles to be taken from its histograms.
    pub tally: Tally,
    /// How many of the agents measured anything in the stage.
    pub agents: u32,
    /// The longest time that any of them measured, nanoseconds.
    pub longest: u64,
    /// The sum of the times that each of them measured, nanoseconds.
    pub agent_time: u64,
    /// The longest lag of any of them, nanoseconds.
    pub lag: u64,
    /// CPU time of all their processes, nanoseconds.
    pub process_cpu: u64,
    /// How many of them have no totals, so that the sum of their intervals stands for them.
    pub without_totals: u32,
    /// How many of them stated totals that differ from their intervals.
    pub differing: u32,
}

impl Ledger {
    /// Nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a message, once. If a histogram in it is bad, nothing of it is counted, now or later.
    pub fn record(&mut self, agent: AgentIndex, message: &AgentMessage) -> Result<Recorded, BadHistogram> {
        let account = self.agents.entry(agent).or_default();
        let totals: &[StageTotals] = match &message.body {
            Report::Running(_) => &[],
            Report::StageDone(totals) => std::slice::from_ref(totals),
            Report::Completed { totals } | Report::Error { totals, .. } | Report::Aborted { totals, .. } => {
                totals
            }
            _ => return Ok(Recorded::Immaterial),
        };
        if !account.seen.entry(message.session).or_default().insert(message.sequence) {
            return Ok(Recorded::Duplicate);
        }
        if let Report::Running(interval) = &message.body {
            account.add_interval(interval)?;
        }
        totals.iter().try_for_each(|totals| totals.tally.check())?;
        for totals in totals {
            account.set_totals(totals);
        }
        account.completed |= matches!(message.body, Report::Completed { .. });
        Ok(Recorded::Counted)
    }

    /// The agents that sent anything.
    pub fn agents(&self) -> impl Iterator<Item = AgentIndex> {
        self.agents.keys().copied()
    }

    /// Whether the agent's COMPLETED was counted.
    #[must_use]
    pub fn completed(&self, agent: AgentIndex) -> bool {
        self.agents.get(&agent).is_some_and(|account| account.completed)
    }

    /// What one agent measured in one stage; `None` when it sent nothing about it.
    #[must_use]
    pub fn stage(&self, agent: AgentIndex, stage: u32) -> Option<&StageAccount> {
        self.agents.get(&agent)?.stages.get(&stage)
    }

    /// What these agents measured in one stage together. Agents that sent nothing about it do not count.
    pub fn merged(
        &self,
        agents: impl IntoIterator<Item = AgentIndex>,
        stage: u32,
    ) -> Result<Merged, BadHistogram> {
        let mut sum = TallySum::new();
        let mut merged = Merged::default();
        for account in agents.into_iter().filter_map(|agent| self.stage(agent, stage)) {
            let totals = account.totals();
            sum.add(&totals.tally)?;
            let time = span(totals.from, totals.to);
            merged.agents += 1;
            merged.longest = merged.longest.max(time);
            merged.agent_time = merged.agent_time.saturating_add(time);
            merged.lag = merged.lag.max(totals.lag);
            merged.process_cpu = merged.process_cpu.saturating_add(totals.process_cpu);
            merged.without_totals += u32::from(!account.has_totals());
            merged.differing += u32::from(account.difference().is_some());
        }
        merged.tally = sum.tally();
        Ok(merged)
    }
}

impl Account {
    fn add_interval(&mut self, interval: &Interval) -> Result<(), BadHistogram> {
        for (_, earlier) in self.stages.range_mut(..interval.stage) {
            earlier.intervals.sum.rest();
        }
        self.stage(interval.stage).intervals.add(interval)
    }

    fn stage(&mut self, stage: u32) -> &mut StageAccount {
        self.stages.entry(stage).or_insert_with(|| StageAccount { stage, ..StageAccount::default() })
    }

    fn set_totals(&mut self, totals: &StageTotals) {
        let stage = self.stage(totals.stage);
        stage.intervals.sum.rest();
        stage.totals = Some(totals.clone());
    }
}

impl StageAccount {
    /// What counts: the totals that the agent stated, else the sum of its intervals.
    #[must_use]
    pub fn totals(&self) -> StageTotals {
        self.totals.clone().unwrap_or_else(|| self.intervals.totals(self.stage))
    }

    /// Whether the agent stated totals.
    #[must_use]
    pub fn has_totals(&self) -> bool {
        self.totals.is_some()
    }

    /// Messages with intervals of the measurement that arrived; a merged one counts as one.
    #[must_use]
    pub fn intervals(&self) -> u64 {
        self.intervals.counted
    }

    /// Intervals that were merged into others because the controller fell behind.
    #[must_use]
    pub fn merged(&self) -> u64 {
        self.intervals.merged
    }

    /// Intervals of the warm-up that arrived; they are in no result.
    #[must_use]
    pub fn warmup(&self) -> u64 {
        self.intervals.warmup
    }

    /// How the totals differ from the sum of the intervals; `None` when they agree, when the agent stated no totals,
    /// and for a stage without intervals (an untimed one).
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        let totals = &self.totals.as_ref()?.tally;
        if self.intervals.counted + self.intervals.warmup == 0 {
            return None;
        }
        let intervals = self.intervals.sum.tally();
        let difference = Difference {
            count: (totals.count(), intervals.count()),
            bytes: (totals.bytes(), intervals.bytes()),
            errors: (totals.error_count(), intervals.error_count()),
        };
        difference.differs().then_some(difference)
    }
}

impl Difference {
    fn differs(&self) -> bool {
        [self.count, self.bytes, self.errors].iter().any(|(totals, intervals)| totals != intervals)
    }
}

impl IntervalSum {
    fn add(&mut self, interval: &Interval) -> Result<(), BadHistogram> {
        if interval.warmup {
            self.warmup += 1;
            return Ok(());
        }
        self.sum.add(&interval.tally)?;
        let (from, to) = self.window.unwrap_or((interval.from, interval.from));
        self.cpu = weighted(self.cpu, span(from, to), interval.cpu, span(interval.from, interval.to));
        let from = self.window.map_or(interval.from, |(from, _)| from.min(interval.from));
        self.window = Some((from, to.max(interval.to)));
        self.process_cpu = self.process_cpu.saturating_add(interval.process_cpu);
        self.lag = self.lag.max(interval.lag);
        self.counted += 1;
        self.merged += u64::from(interval.merged);
        Ok(())
    }

    fn totals(&self, stage: u32) -> StageTotals {
        let (from, to) = self.window.unwrap_or_default();
        StageTotals {
            stage,
            from,
            to,
            tally: self.sum.tally(),
            cpu: self.cpu,
            process_cpu: self.process_cpu,
            lag: self.lag,
            facts: Vec::new(),
        }
    }
}

impl Sum {
    fn add(&mut self, tally: &Tally) -> Result<(), BadHistogram> {
        if let Self::Resting(rested) = self {
            let mut sum = TallySum::new();
            sum.add(rested)?;
            *self = Self::Growing(sum);
        }
        match self {
            Self::Growing(sum) => sum.add(tally),
            Self::Resting(_) => Ok(()),
        }
    }

    fn rest(&mut self) {
        if let Self::Growing(sum) = self {
            *self = Self::Resting(sum.tally());
        }
    }

    fn tally(&self) -> Tally {
        match self {
            Self::Growing(sum) => sum.tally(),
            Self::Resting(tally) => tally.clone(),
        }
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self::Growing(TallySum::new())
    }
}

/// The sequence numbers that were seen, as ranges: one range as long as none is missing.
#[derive(Clone, Debug, Default)]
struct Sequences {
    /// First → last of each range; ranges do not touch.
    ranges: BTreeMap<u64, u64>,
}

impl Sequences {
    /// Adds a number; `false` when it was there.
    fn insert(&mut self, number: u64) -> bool {
        let before = self.ranges.range(..=number).next_back().map(|(&first, &last)| (first, last));
        if before.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        let first = before.filter(|&(_, last)| last + 1 == number).map_or(number, |(first, _)| first);
        let last = number.checked_add(1).and_then(|next| self.ranges.remove(&next)).unwrap_or(number);
        self.ranges.insert(first, last);
        true
    }
}

#[cfg(test)]
mod tests;
