//! What an engine thread counts while it works: no lock, no hashing, no allocation.

use super::histogram::Histogram;
use super::types::{Band, Cell, ErrorClass, ErrorCount, Operation, Tally};

const OPERATIONS: usize = Operation::ALL.len();
const CLASSES: usize = ErrorClass::ALL.len();
/// No slot yet in the index table.
const NONE: u8 = u8::MAX;
/// So many different (operation, class, code) are kept apart; further codes count as code 0 of their class.
const CODES_MAX: usize = 64;

/// Counts the operations of one thread between two snapshots.
///
/// Everything is laid out when it is made; recording is an index and a few additions. Cells that were not announced
/// are counted all the same: each of them allocates once, the first time.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Operation and band → index into `slots`.
    index: [[u8; Band::COUNT]; OPERATIONS],
    slots: Vec<Slot>,
    errors: Errors,
    retries: u64,
    retry_time: u64,
    cancelled: u64,
}

/// One operation in one band.
#[derive(Clone, Debug)]
struct Slot {
    operation: Operation,
    band: Band,
    bytes: u64,
    service_sum: u64,
    service: Histogram,
    response: Option<Box<Histogram>>,
}

/// Failures: known codes in a short list, everything beyond it as code 0.
#[derive(Clone, Debug)]
struct Errors {
    coded: Vec<ErrorCount>,
    uncoded: [[u64; CLASSES]; OPERATIONS],
}

impl Recorder {
    /// A recorder for these cells, as [`cells_of`](super::cells_of) lists them.
    #[must_use]
    pub fn new(cells: &[(Operation, Band)]) -> Self {
        let mut recorder = Self {
            index: [[NONE; Band::COUNT]; OPERATIONS],
            slots: Vec::with_capacity(cells.len()),
            errors: Errors { coded: Vec::with_capacity(CODES_MAX), uncoded: [[0; CLASSES]; OPERATIONS] },
            retries: 0,
            retry_time: 0,
            cancelled: 0,
        };
        for &(operation, band) in cells {
            recorder.slot(operation, band);
        }
        recorder
    }

    /// The same, laid out for response times as well: for runs with a rate.
    #[must_use]
    pub fn with_responses(cells: &[(Operation, Band)]) -> Self {
        let mut recorder = Self::new(cells);
        for slot in &mut recorder.slots {
            slot.response = Some(Box::default());
        }
        recorder
    }

    /// Counts a success: bytes moved, and the time from issue to completion in nanoseconds.
    #[inline]
    pub fn record(&mut self, operation: Operation, bytes: u64, service: u64) {
        self.slot(operation, Band::of(bytes)).record(bytes, service);
    }

    /// Counts a success whose start was scheduled: `response` is the time from then to completion, nanoseconds.
    #[inline]
    pub fn record_with_response(&mut self, operation: Operation, bytes: u64, service: u64, response: u64) {
        let slot = self.slot(operation, Band::of(bytes));
        slot.record(bytes, service);
        slot.response.get_or_insert_default().record(response);
    }

    /// Counts a failure: in no latency. `code` is errno or HTTP status, 0 when there is none.
    pub fn error(&mut self, operation: Operation, class: ErrorClass, code: u32) {
        self.errors.add(operation, class, code, 1);
    }

    /// Counts a further try of an operation, and the time lost before it: the failed try and the wait, nanoseconds.
    pub fn retry(&mut self, nanos: u64) {
        self.retries += 1;
        self.retry_time = self.retry_time.saturating_add(nanos);
    }

    /// Counts operations that were cancelled or abandoned at the end.
    pub fn cancelled(&mut self, operations: u64) {
        self.cancelled += operations;
    }

    /// Whether nothing at all was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| slot.service.is_empty())
            && self.errors.is_empty()
            && (self.retries, self.cancelled) == (0, 0)
    }

    /// Successes so far; parts of operations are not counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        let whole = self.slots.iter().filter(|slot| !slot.operation.is_part());
        whole.map(|slot| slot.service.count()).sum()
    }

    /// Failures so far.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.errors.all().map(|error| error.count).sum()
    }

    /// Adds all that another recorder counted; exact.
    pub fn merge(&mut self, other: &Self) {
        for theirs in other.slots.iter().filter(|slot| !slot.service.is_empty()) {
            self.slot(theirs.operation, theirs.band).merge(theirs);
        }
        for error in other.errors.all() {
            self.errors.add(error.operation, error.class, error.code, error.count);
        }
        self.retries += other.retries;
        self.retry_time = self.retry_time.saturating_add(other.retry_time);
        self.cancelled += other.cancelled;
    }

    /// Forgets what was counted; keeps the cells and their memory.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(Slot::clear);
        self.errors.coded.clear();
        self.errors.uncoded = [[0; CLASSES]; OPERATIONS];
        (self.retries, self.retry_time, self.cancelled) = (0, 0, 0);
    }

    /// What was counted, encoded for a message. Not for the hot path.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut cells: Vec<Cell> =
            self.slots.iter().filter(|slot| !slot.service.is_empty()).map(Slot::encode).collect();
        cells.sort_unstable_by_key(|cell| (cell.operation, cell.band));
        let mut errors: Vec<ErrorCount> = self.errors.all().collect();
        errors.sort_unstable();
        Tally { cells, errors, retries: self.retries, retry_time: self.retry_time, cancelled: self.cancelled }
    }

    /// The slot of a cell, made when it is new.
    #[inline]
    fn slot(&mut self, operation: Operation, band: Band) -> &mut Slot {
        let mut index = self.index[operation as usize][band.index()];
        if index == NONE {
            index = self.add_slot(operation, band);
        }
        &mut self.slots[usize::from(index)]
    }

    #[cold]
    fn add_slot(&mut self, operation: Operation, band: Band) -> u8 {
        let index = u8::try_from(self.slots.len()).expect("operations times bands are fewer");
        self.index[operation as usize][band.index()] = index;
        let service = Histogram::new();
        self.slots.push(Slot { operation, band, bytes: 0, service_sum: 0, service, response: None });
        index
    }
}

impl Slot {
    #[inline]
    fn record(&mut self, bytes: u64, service: u64) {
        self.bytes += bytes;
        self.service_sum = self.service_sum.saturating_add(service);
        self.service.record(service);
    }

    fn merge(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.service_sum = self.service_sum.saturating_add(other.service_sum);
        self.service.merge(&other.service);
        if let Some(response) = &other.response {
            self.response.get_or_insert_default().merge(response);
        }
    }

    fn clear(&mut self) {
        (self.bytes, self.service_sum) = (0, 0);
        self.service.clear();
        if let Some(response) = &mut self.response {
            response.clear();
        }
    }

    fn encode(&self) -> Cell {
        Cell {
            operation: self.operation,
            band: self.band,
            count: self.service.count(),
            bytes: self.bytes,
            service_sum: self.service_sum,
            service: self.service.encode(),
            response: self.response.as_ref().map(|response| response.encode()).unwrap_or_default(),
        }
    }
}

impl Errors {
    fn add(&mut self, operation: Operation, class: ErrorClass, code: u32, count: u64) {
        let same =
            |error: &&mut ErrorCount| (error.operation, error.class, error.code) == (operation, class, code);
        if code == 0 {
            self.uncoded[operation as usize][class as usize] += count;
        } else if let Some(error) = self.coded.iter_mut().find(same) {
            error.count += count;
        } else if self.coded.len() < CODES_MAX {
            self.coded.push(ErrorCount { operation, class, code, count });
        } else {
            self.uncoded[operation as usize][class as usize] += count;
        }
    }

    fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    fn all(&self) -> impl Iterator<Item = ErrorCount> {
        let uncoded = Operation::ALL.into_iter().flat_map(move |operation| {
            ErrorClass::ALL.into_iter().map(move |class| {
                let count = self.uncoded[operation as usize][class as usize];
                ErrorCount { operation, class, code: 0, count }
            })
        });
        uncoded.filter(|error| error.count > 0).chain(self.coded.iter().cloned())
    }
}

#[cfg(test)]
mod tests;
