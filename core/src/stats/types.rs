//! The shapes of measurements: what engines make, machines carry, journals keep and reports read.

use crate::time::Mono;
use std::fmt;

/// What was done to storage.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// Read a whole object or file.
    Get,
    /// Write a whole object or file.
    Put,
    /// Metadata of one object.
    Stat,
    /// All keys directly below a prefix, page by page.
    List,
    /// Remove one object.
    Delete,
    /// Read one block of a file.
    Read,
    /// Write one block of a file.
    Write,
    /// Make what was written durable.
    Fsync,
    /// Make a directory.
    Mkdir,
    /// Remove a directory.
    Rmdir,
    /// Copy an object within the store.
    Copy,
    /// A part of [`Get`](Self::Get): until the first byte of the object came.
    FirstByte,
    /// A part of [`List`](Self::List): one page of it.
    ListPage,
}

impl Operation {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 13] = [
        Self::Get,
        Self::Put,
        Self::Stat,
        Self::List,
        Self::Delete,
        Self::Read,
        Self::Write,
        Self::Fsync,
        Self::Mkdir,
        Self::Rmdir,
        Self::Copy,
        Self::FirstByte,
        Self::ListPage,
    ];

    /// How it is written in configurations and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Stat => "stat",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::Write => "write",
            Self::Fsync => "fsync",
            Self::Mkdir => "mkdir",
            Self::Rmdir => "rmdir",
            Self::Copy => "copy",
            Self::FirstByte => "first_byte",
            Self::ListPage => "list_page",
        }
    }

    /// Which summary row it counts in; a part of an operation counts in none.
    #[must_use]
    pub fn group(self) -> Option<Group> {
        match self {
            Self::Get | Self::Read => Some(Group::Get),
            Self::Put | Self::Write => Some(Group::Put),
            Self::FirstByte | Self::ListPage => None,
            _ => Some(Group::Meta),
        }
    }

    /// Whether it is a part of another operation: it has rows of its own and is in no sum of operations.
    #[must_use]
    pub fn is_part(self) -> bool {
        self.group().is_none()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The three kinds of operation that summaries distinguish.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Group {
    /// No data moves.
    Meta,
    /// Data comes.
    Get,
    /// Data goes.
    Put,
}

/// A band of sizes. Nine of them, from [`Band::ZERO`] up.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Band(u8);

impl Band {
    /// Operations that move no data, and empty objects.
    pub const ZERO: Self = Self(0);
    /// How many bands there are.
    pub const COUNT: usize = 9;
    /// The exclusive upper ends of bands 1 to 7, bytes.
    const ENDS: [u64; 7] = [8 << 10, 64 << 10, 512 << 10, 4 << 20, 32 << 20, 256 << 20, 2 << 30];
    const NAMES: [&'static str; Self::COUNT] = [
        "zero",
        "1B-8KiB",
        "8KiB-64KiB",
        "64KiB-512KiB",
        "512KiB-4MiB",
        "4MiB-32MiB",
        "32MiB-256MiB",
        "256MiB-2GiB",
        ">2GiB",
    ];

    /// The band of a size in bytes. A band's upper end belongs to the next band.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        if bytes == 0 {
            return Self::ZERO;
        }
        let index = Self::ENDS.iter().take_while(|&&end| bytes >= end).count() + 1;
        Self(index as u8)
    }

    /// The band with this index; `None` beyond the last.
    #[must_use]
    pub fn from_index(index: u32) -> Option<Self> {
        u8::try_from(index).ok().filter(|&i| usize::from(i) < Self::COUNT).map(Self)
    }

    /// From 0 (zero bytes) to 8 (above 2 GiB).
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// As in result files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self.index()]
    }
}

/// A latency histogram in nanoseconds (3 significant digits, up to one hour) in HdrHistogram's V2 + DEFLATE
/// encoding; empty when nothing was recorded.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Encoded(pub Vec<u8>);

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({} bytes, crc-like {:016x})", self.0.len(), xxhash_rust::xxh3::xxh3_64(&self.0))
    }
}

/// Successes of one operation in one size band.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cell {
    /// What was done.
    pub operation: Operation,
    /// To how much.
    pub band: Band,
    /// How often it succeeded.
    pub count: u64,
    /// Bytes moved.
    pub bytes: u64,
    /// Sum of service times, nanoseconds; exact, for means.
    pub service_sum: u64,
    /// Service time: from issue to completion.
    pub service: Encoded,
    /// Response time: from intended start to completion; empty unless a rate is set.
    pub response: Encoded,
}

/// Failures of one operation for one reason.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ErrorCount {
    /// What was tried.
    pub operation: Operation,
    /// Why it failed.
    pub class: ErrorClass,
    /// The number behind it: errno or HTTP status; 0 when there is none.
    pub code: u32,
    /// How often.
    pub count: u64,
}

/// Why an operation failed.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorClass {
    /// It does not exist.
    NotFound,
    /// It exists already.
    Exists,
    /// Not permitted, or not authenticated.
    Denied,
    /// No space or quota left.
    NoSpace,
    /// The request makes no sense to the storage (alignment, bad name …).
    Invalid,
    /// The storage asks to slow down.
    Throttled,
    /// The storage failed (EIO, HTTP 5xx).
    Storage,
    /// The operation took too long and was given up.
    Timeout,
    /// The connection failed: refused, reset, TLS, name resolution.
    Network,
    /// Less data came or went than there should be.
    Truncated,
    /// The content is not what was written.
    Corrupt,
    /// Anything else.
    Other,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NotFound,
        Self::Exists,
        Self::Denied,
        Self::NoSpace,
        Self::Invalid,
        Self::Throttled,
        Self::Storage,
        Self::Timeout,
        Self::Network,
        Self::Truncated,
        Self::Corrupt,
        Self::Other,
    ];

    /// Whether trying again may help: what failed was the way, not the request.
    #[must_use]
    pub fn may_heal(self) -> bool {
        match self {
            Self::Throttled
            | Self::Storage
            | Self::Timeout
            | Self::Network
            | Self::Truncated
            | Self::Other => true,
            Self::NotFound | Self::Exists | Self::Denied | Self::NoSpace | Self::Invalid | Self::Corrupt => {
                false
            }
        }
    }

    /// As in result files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::Denied => "denied",
            Self::NoSpace => "no_space",
            Self::Invalid => "invalid",
            Self::Throttled => "throttled",
            Self::Storage => "storage",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Other => "other",
        }
    }
}

/// Counts of operations: what intervals and totals have in common. Cells and errors are sorted and never empty.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Tally {
    /// Successes, sorted by operation and band; a cell's count is above 0.
    pub cells: Vec<Cell>,
    /// Failures, sorted; counts above 0.
    pub errors: Vec<ErrorCount>,
    /// Operations tried again after a failure (each try).
    pub retries: u64,
    /// Time spent in failed tries and the waits after them, nanoseconds.
    pub retry_time: u64,
    /// Operations cancelled or abandoned at the end of the stage: in no other count.
    pub cancelled: u64,
}

/// The host's CPU in a span of time, in hundredths of a percent of all its CPUs.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct CpuShare {
    /// In programs.
    pub user: u32,
    /// In the kernel.
    pub system: u32,
    /// Waiting for I/O.
    pub iowait: u32,
}

/// What one agent measured between two instants of a timed stage.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Interval {
    /// Index into the plan's stages.
    pub stage: u32,
    /// When it began, on the agent's monotonic clock. The first interval begins with the first operation issued.
    pub from: Mono,
    /// When it ended.
    pub to: Mono,
    /// Whether it belongs to the warm-up, and so to no result.
    pub warmup: bool,
    /// What completed in it.
    pub tally: Tally,
    /// Operations in flight when it ended.
    pub in_flight: u64,
    /// Age of the oldest of them, nanoseconds.
    pub oldest: u64,
    /// The host's CPU; `None` where it cannot be read.
    pub cpu: Option<CpuShare>,
    /// CPU time this process itself used in it, nanoseconds.
    pub process_cpu: u64,
    /// The longest time a ready completion waited for one of our threads, nanoseconds: above a few milliseconds
    /// the tool itself is a bottleneck.
    pub lag: u64,
    /// Further intervals merged into this one because the controller fell behind: resolution lost, not data.
    pub merged: u32,
}

/// All that one agent measured in one stage, warm-up excluded.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct StageTotals {
    /// Index into the plan's stages.
    pub stage: u32,
    /// When measurement began, on the agent's monotonic clock.
    pub from: Mono,
    /// When it ended.
    pub to: Mono,
    /// What completed in between.
    pub tally: Tally,
    /// The host's CPU in between.
    pub cpu: Option<CpuShare>,
    /// CPU time this process itself used, nanoseconds.
    pub process_cpu: u64,
    /// The longest [`Interval::lag`].
    pub lag: u64,
    /// Facts for the record, by name, e.g. device counters before and after.
    pub facts: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_ends_where_the_next_begins() {
        assert_eq!(Band::of(0).name(), "zero");
        assert_eq!(Band::of(1).name(), "1B-8KiB");
        assert_eq!(Band::of(8191).name(), "1B-8KiB");
        assert_eq!(Band::of(8192).name(), "8KiB-64KiB");
        assert_eq!(Band::of((2 << 30) - 1).name(), "256MiB-2GiB");
        assert_eq!(Band::of(2 << 30).name(), ">2GiB");
        assert_eq!(Band::of(u64::MAX).index(), Band::COUNT - 1);
    }
}
