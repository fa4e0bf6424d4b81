//! Exact merging: counts and sums are added, percentiles come from added histograms, nothing is averaged.

use super::histogram::{BadHistogram, Histogram};
use super::types::{Band, Cell, CpuShare, Encoded, ErrorClass, ErrorCount, Interval, Operation, Tally};
use crate::time::Mono;
use std::collections::BTreeMap;

/// A sum of tallies, decoded: cheap to add to. Holds a [`Histogram`] for each cell, two where there are response times.
#[derive(Clone, Debug, Default)]
pub struct TallySum {
    cells: BTreeMap<(Operation, Band), CellSum>,
    errors: BTreeMap<(Operation, ErrorClass, u32), u64>,
    retries: u64,
    retry_time: u64,
    cancelled: u64,
}

#[derive(Clone, Debug, Default)]
struct CellSum {
    count: u64,
    bytes: u64,
    service_sum: u64,
    service: Histogram,
    response: Option<Histogram>,
}

impl TallySum {
    /// Nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tally. If one of its histograms is bad, nothing of it is added.
    pub fn add(&mut self, tally: &Tally) -> Result<(), BadHistogram> {
        let open = |cell: &Cell| Ok((cell.service.open()?, cell.response.open()?));
        let opened = tally.cells.iter().map(open).collect::<Result<Vec<_>, BadHistogram>>()?;
        for (cell, (service, response)) in tally.cells.iter().zip(&opened) {
            let sum = self.cells.entry((cell.operation, cell.band)).or_default();
            sum.count = sum.count.saturating_add(cell.count);
            sum.bytes = sum.bytes.saturating_add(cell.bytes);
            sum.service_sum = sum.service_sum.saturating_add(cell.service_sum);
            sum.service.merge_opened(service);
            if !response.is_empty() {
                sum.response.get_or_insert_default().merge_opened(response);
            }
        }
        for error in &tally.errors {
            let count = self.errors.entry((error.operation, error.class, error.code)).or_default();
            *count = count.saturating_add(error.count);
        }
        self.retries = self.retries.saturating_add(tally.retries);
        self.retry_time = self.retry_time.saturating_add(tally.retry_time);
        self.cancelled = self.cancelled.saturating_add(tally.cancelled);
        Ok(())
    }

    /// Successes so far; parts of operations are not counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        let whole = self.cells.iter().filter(|((operation, _), _)| !operation.is_part());
        whole.fold(0, |sum, (_, cell)| sum.saturating_add(cell.count))
    }

    /// The sum, encoded again.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let cells = self.cells.iter().map(|(&(operation, band), sum)| sum.encode(operation, band)).collect();
        let errors = self.errors.iter();
        let errors = errors
            .map(|(&(operation, class, code), &count)| ErrorCount { operation, class, code, count })
            .collect();
        Tally { cells, errors, retries: self.retries, retry_time: self.retry_time, cancelled: self.cancelled }
    }
}

impl CellSum {
    fn encode(&self, operation: Operation, band: Band) -> Cell {
        Cell {
            operation,
            band,
            count: self.count,
            bytes: self.bytes,
            service_sum: self.service_sum,
            service: self.service.encode(),
            response: self.response.as_ref().map(Histogram::encode).unwrap_or_default(),
        }
    }
}

/// The sum of any number of tallies; exact, whatever the order and grouping.
pub fn merge_tallies<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> Result<Tally, BadHistogram> {
    let mut sum = TallySum::new();
    for tally in tallies {
        sum.add(tally)?;
    }
    Ok(sum.tally())
}

impl Tally {
    /// Adds another; exact. If a histogram is bad, nothing changes.
    pub fn merge(&mut self, other: &Self) -> Result<(), BadHistogram> {
        *self = merge_tallies([&*self, other])?;
        Ok(())
    }

    /// Whether every histogram can be read.
    pub fn check(&self) -> Result<(), BadHistogram> {
        let all = self.cells.iter().flat_map(|cell| [&cell.service, &cell.response]);
        all.map(Encoded::check).try_for_each(|checked| checked.map(drop))
    }

    /// Whether nothing at all was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Successes; parts of operations are not counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        let whole = self.cells.iter().filter(|cell| !cell.operation.is_part());
        whole.fold(0, |sum, cell| sum.saturating_add(cell.count))
    }

    /// Bytes moved by successes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.cells.iter().fold(0, |sum, cell| sum.saturating_add(cell.bytes))
    }

    /// Failures.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.errors.iter().fold(0, |sum, error| sum.saturating_add(error.count))
    }
}

/// Why two intervals cannot become one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CannotAbsorb {
    /// They belong to different stages, or only one of them to the warm-up.
    #[error(
        "intervals of different stages, or of warm-up and measurement, cannot be merged; keep them apart"
    )]
    Unlike,
    /// A histogram cannot be read.
    #[error(transparent)]
    BadHistogram(#[from] BadHistogram),
}

impl Interval {
    /// Whether a later interval may be merged into this one.
    #[must_use]
    pub fn absorbs(&self, later: &Self) -> bool {
        (self.stage, self.warmup) == (later.stage, later.warmup)
    }

    /// Merges a later interval into this one: resolution is lost and counted in `merged`, data is not.
    /// On an error nothing changes.
    pub fn absorb(&mut self, later: &Self) -> Result<(), CannotAbsorb> {
        if !self.absorbs(later) {
            return Err(CannotAbsorb::Unlike);
        }
        self.tally.merge(&later.tally)?;
        self.cpu = weighted(self.cpu, span(self.from, self.to), later.cpu, span(later.from, later.to));
        let last = if self.to > later.to { &*self } else { later };
        (self.in_flight, self.oldest) = (last.in_flight, last.oldest);
        self.from = self.from.min(later.from);
        self.to = self.to.max(later.to);
        self.process_cpu = self.process_cpu.saturating_add(later.process_cpu);
        self.lag = self.lag.max(later.lag);
        self.merged = self.merged.saturating_add(later.merged).saturating_add(1);
        Ok(())
    }
}

/// Length of a span of time, nanoseconds.
pub(super) fn span(from: Mono, to: Mono) -> u64 {
    to.0.saturating_sub(from.0)
}

/// The CPU share over two spans: each counts by its length; an unknown one does not count.
pub(super) fn weighted(
    a: Option<CpuShare>,
    a_span: u64,
    b: Option<CpuShare>,
    b_span: u64,
) -> Option<CpuShare> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    let total = (u128::from(a_span) + u128::from(b_span)).max(1);
    let mean = |x: u32, y: u32| {
        let sum = u128::from(x) * u128::from(a_span) + u128::from(y) * u128::from(b_span);
        u32::try_from((sum + total / 2) / total).unwrap_or(u32::MAX)
    };
    Some(CpuShare {
        user: mean(a.user, b.user),
        system: mean(a.system, b.system),
        iowait: mean(a.iowait, b.iowait),
    })
}

#[cfg(test)]
mod tests;
