//! One reading of a journal: sums and facts, whose memory does not grow with the length of the run.

use super::record::{AgentRecord, Event, Header, KeptHeader, Record, Severity, Stamp};
use iobench_core::controller::Outcome;
use iobench_core::message::{AgentIndex, Capabilities, Failure, Report};
use iobench_core::stats::{Ledger, StageTotals};
use iobench_core::time::{Mono, Unix, nanos as nanos_of};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many warnings are kept for the report; all of them are in `events.jsonl`.
const WARNINGS_MAX: usize = 20;

/// What one reading gives.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) header: Option<Header>,
    pub(super) kept: Vec<KeptHeader>,
    pub(super) outcome: Option<Outcome>,
    pub(super) ledger: Ledger,
    pub(super) agents: BTreeMap<AgentIndex, Seen>,
    pub(super) warnings: Vec<String>,
    pub(super) warnings_beyond: u64,
    /// Messages whose histograms could not be read, so that nothing of them counts.
    pub(super) damaged: u64,
    /// The newest stamp of any record: how far the journal reaches.
    pub(super) last: Option<Unix>,
}

/// What was heard of one agent.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) capabilities: Capabilities,
    pub(super) end: Option<End>,
    /// All time it reported about, warm-up included, by stage, on its own clock.
    pub(super) extents: BTreeMap<u32, Extent>,
    /// Where measurement began, by stage, as totals say: after the warm-up.
    measured: BTreeMap<u32, Mono>,
    /// Where its last interval of a stage ended.
    pub(super) last_interval: BTreeMap<u32, Mono>,
    /// Stages it said it had finished.
    pub(super) done: BTreeSet<u32>,
    /// The best estimate of its monotonic clock minus the controller's, nanoseconds: from the message that took
    /// least time to arrive. Late by that time, so a measured skew is better.
    pub(super) offset: Option<i64>,
}

/// How an agent itself said it ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Completed,
    Error(Failure),
    Aborted(String),
}

/// A span of an agent's clock.
#[derive(Copy, Clone, Debug)]
pub(super) struct Extent {
    pub(super) from: Mono,
    pub(super) to: Mono,
}

impl Fold {
    pub(super) fn record(&mut self, record: &Record) {
        match record {
            Record::Header(header) => {
                self.header.get_or_insert_with(|| (**header).clone());
            }
            Record::Kept(header) => self.kept(header),
            Record::Agent(record) => self.message(record),
            Record::Event(event) => self.event(event),
            Record::Outcome(outcome) => {
                self.outcome.get_or_insert_with(|| (**outcome).clone());
            }
        }
    }

    fn kept(&mut self, header: &KeptHeader) {
        // Without any controller's word the wall clocks are all there is to relate the agents' clocks.
        let started = self.header.as_ref().map_or_else(Stamp::default, |header| header.started);
        let controller = nanos(header.kept.unix.0) - nanos(started.unix.0) + nanos(started.mono.0);
        let seen = self.agents.entry(AgentIndex(header.index)).or_default();
        seen.offset.get_or_insert(nanos(header.kept.mono.0) - controller);
        self.kept.push(header.clone());
    }

    /// Completes what agents kept, of which acknowledged intervals are no part, with the warm-up of a stage.
    pub(super) fn warmed_up(&mut self, stage: u32, warmup: Duration) {
        self.agents.values_mut().for_each(|seen| seen.warmed_up(stage, warmup));
    }

    /// When the first stage of any agent began, on the clock that all of them are related to.
    pub(super) fn began(&self) -> Option<Mono> {
        let began = |seen: &Seen| {
            let first = seen.extents.values().map(|extent| extent.from).min()?;
            u64::try_from(nanos(first.0) - seen.offset?).ok().map(Mono)
        };
        self.agents.values().filter_map(began).min()
    }

    fn event(&mut self, event: &Event) {
        self.last = self.last.max(Some(event.unix));
        // Errors are told by the outcome: why an agent failed, why the run was stopped.
        if event.level != Severity::Warning {
            return;
        }
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(event.text.clone());
        } else {
            self.warnings_beyond += 1;
        }
    }

    fn message(&mut self, record: &AgentRecord) {
        self.last = self.last.max(Some(record.received.unix));
        if self.ledger.record(record.agent, &record.message).is_err() {
            self.damaged += 1;
            return;
        }
        let seen = self.agents.entry(record.agent).or_default();
        if record.is_received() {
            let sample = nanos(record.message.stamp.0) - nanos(record.received.mono.0);
            seen.offset = seen.offset.max(Some(sample));
        }
        seen.report(&record.message.body);
    }
}

impl Seen {
    fn report(&mut self, report: &Report) {
        match report {
            Report::Accepted(capabilities) => self.capabilities = (**capabilities).clone(),
            Report::Running(interval) => {
                self.extend(interval.stage, interval.from, interval.to);
                let last = self.last_interval.entry(interval.stage).or_default();
                *last = interval.to.max(*last);
            }
            Report::StageDone(totals) => {
                self.totals(totals);
                self.done.insert(totals.stage);
            }
            Report::Completed { totals } => {
                for totals in totals {
                    self.totals(totals);
                    self.done.insert(totals.stage);
                }
                self.end = Some(End::Completed);
            }
            Report::Error { failure, totals } => {
                totals.iter().for_each(|totals| self.totals(totals));
                self.end.get_or_insert_with(|| End::Error(failure.clone()));
            }
            Report::Aborted { reason, totals } => {
                totals.iter().for_each(|totals| self.totals(totals));
                self.end.get_or_insert_with(|| End::Aborted(reason.clone()));
            }
            Report::Preparing(_)
            | Report::Ready { .. }
            | Report::Acknowledge(_)
            | Report::Undecodable { .. } => {}
        }
    }

    fn totals(&mut self, totals: &StageTotals) {
        self.extend(totals.stage, totals.from, totals.to);
        if totals.to > totals.from {
            self.measured.insert(totals.stage, totals.from);
        }
    }

    /// Who measured had warmed up before: so long, as the configuration says where no interval does.
    fn warmed_up(&mut self, stage: u32, warmup: Duration) {
        if let Some((extent, measured)) = self.extents.get_mut(&stage).zip(self.measured.get(&stage)) {
            extent.from = extent.from.min(Mono(measured.0.saturating_sub(nanos_of(warmup))));
        }
    }

    fn extend(&mut self, stage: u32, from: Mono, to: Mono) {
        // A stage that was never begun has totals without time.
        if to > from {
            let extent = self.extents.entry(stage).or_insert(Extent { from, to });
            *extent = Extent { from: extent.from.min(from), to: extent.to.max(to) };
        }
    }
}

/// A stamp as a signed number, so that differences of clocks can be taken; saturates after 292 years.
pub(super) fn nanos(stamp: u64) -> i64 {
    i64::try_from(stamp).unwrap_or(i64::MAX)
}
