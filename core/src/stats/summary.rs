//! The rows of result tables: rates and percentiles of a tally.

use super::histogram::{BadHistogram, Histogram};
use super::types::{Band, Cell, Encoded, Group, Operation, Tally};
use std::time::Duration;

/// Bytes in a MiB.
const MIB: f64 = 1_048_576.0;

/// What a row sums up.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// One operation in one size band.
    Band(Operation, Band),
    /// One operation in all bands.
    Operation(Operation),
    /// All operations of a group.
    Group(Group),
}

/// One row of a result table.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// What it sums up.
    pub scope: Scope,
    /// Successes.
    pub count: u64,
    /// Failures; known for operations and groups only, 0 for a band.
    pub errors: u64,
    /// Bytes moved.
    pub bytes: u64,
    /// Successes per second.
    pub ops_per_sec: f64,
    /// MiB (2^20 bytes) per second.
    pub mib_per_sec: f64,
    /// Mean bytes of a success; 0 without any.
    pub average_bytes: f64,
    /// Service time: from issue to completion.
    pub service: Latency,
    /// Response time: from scheduled start to completion; `None` when no rate was set.
    pub response: Option<Latency>,
}

/// A distribution of latencies in microseconds. All 0 when there was none.
#[derive(Copy, Clone, PartialEq, Debug, Default)]
pub struct Latency {
    /// Arithmetic mean; of service times exact, of response times to three digits.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p99_9: f64,
    /// Largest.
    pub max: f64,
}

/// All rows of a tally that was measured in `duration`: first each operation with its bands, in the order of
/// [`Operation::ALL`] (bands before their operation), then the groups. What did not occur has no row.
pub fn rows(tally: &Tally, duration: Duration) -> Result<Vec<Row>, BadHistogram> {
    let mut rows = Vec::new();
    for operation in Operation::ALL {
        let bands = tally.cells.iter().filter(|cell| cell.operation == operation);
        for cell in bands {
            rows.extend(row(tally, Scope::Band(operation, cell.band), duration)?);
        }
        rows.extend(row(tally, Scope::Operation(operation), duration)?);
    }
    for group in [Group::Meta, Group::Get, Group::Put] {
        rows.extend(row(tally, Scope::Group(group), duration)?);
    }
    Ok(rows)
}

/// The row of one scope; `None` when nothing in it succeeded or failed.
pub fn row(tally: &Tally, scope: Scope, duration: Duration) -> Result<Option<Row>, BadHistogram> {
    let cells: Vec<&Cell> =
        tally.cells.iter().filter(|cell| scope.contains(cell.operation, cell.band)).collect();
    let errors = tally.errors.iter().filter(|error| scope.contains_errors_of(error.operation));
    let errors = errors.fold(0_u64, |sum, error| sum.saturating_add(error.count));
    let sum = |of: fn(&Cell) -> u64| cells.iter().fold(0_u64, |sum, cell| sum.saturating_add(of(cell)));
    let (count, bytes) = (sum(|cell| cell.count), sum(|cell| cell.bytes));
    if count == 0 && errors == 0 {
        return Ok(None);
    }
    let service = merged(cells.iter().map(|cell| &cell.service))?;
    let response = merged(cells.iter().map(|cell| &cell.response))?;
    let exact_mean = ratio(cells.iter().map(|cell| cell.service_sum as f64).sum(), count as f64);
    let seconds = duration.as_secs_f64();
    Ok(Some(Row {
        scope,
        count,
        errors,
        bytes,
        ops_per_sec: ratio(count as f64, seconds),
        mib_per_sec: ratio(bytes as f64 / MIB, seconds),
        average_bytes: ratio(bytes as f64, count as f64),
        service: Latency { mean: exact_mean / 1_000.0, ..Latency::of(&service) },
        response: (!response.is_empty()).then(|| Latency::of(&response)),
    }))
}

impl Scope {
    /// Whether a cell counts in it.
    #[must_use]
    pub fn contains(self, operation: Operation, band: Band) -> bool {
        match self {
            Self::Band(of, in_band) => (of, in_band) == (operation, band),
            Self::Operation(of) => of == operation,
            Self::Group(group) => operation.group() == Some(group),
        }
    }

    /// Whether failures of an operation count in it. A failure has no size, so no band has any.
    fn contains_errors_of(self, operation: Operation) -> bool {
        !matches!(self, Self::Band(..)) && self.contains(operation, Band::ZERO)
    }
}

impl Latency {
    /// The figures of a histogram of nanoseconds, in microseconds.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        let percentile = |percent| micros(histogram.percentile(percent));
        Self {
            mean: histogram.mean() / 1_000.0,
            min: micros(histogram.min()),
            p50: percentile(50.0),
            p90: percentile(90.0),
            p95: percentile(95.0),
            p99: percentile(99.0),
            p99_9: percentile(99.9),
            max: micros(histogram.max()),
        }
    }
}

/// The sum of encoded histograms.
fn merged<'a>(parts: impl Iterator<Item = &'a Encoded>) -> Result<Histogram, BadHistogram> {
    let mut sum = Histogram::new();
    for part in parts {
        sum.merge_encoded(part)?;
    }
    Ok(sum)
}

/// `part / whole`, and 0 where there is no whole.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests;
