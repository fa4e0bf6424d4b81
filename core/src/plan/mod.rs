//! What a run will do: checked once, valid ever after.
//!
//! A [`Plan`] is built from a configuration by [`crate::config`]; every field is resolved, every default filled in.
//! Engines read it; the machines see only its [`Outline`].

mod glob;
mod storage;
mod uri;

pub use glob::glob_matches;
pub use storage::{Checksum, Credentials, Encryption, Multipart, Ranges, Reference, Spread, StorageOptions};
pub use uri::{Bucket, Scheme, Uri, UriError};

use crate::stats::Operation;
use std::time::Duration;

/// As much of a plan as a state machine needs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Outline {
    /// The stages in order.
    pub stages: Vec<StageOutline>,
    /// How often an engine reports.
    pub interval: Duration,
    /// The deadlines.
    pub timeouts: Timeouts,
}

/// One stage as a machine sees it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StageOutline {
    /// For people.
    pub name: String,
    /// How long it is measured; `None` for a stage that takes as long as it takes (prepare, cleanup).
    pub timed: Option<Duration>,
}

/// Every deadline of both machines. The defaults are those of `timeouts{}` in the configuration.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Timeouts {
    /// Controller: a TCP connection must stand within this.
    pub connect: Duration,
    /// Controller: TLS and the stream must stand within this, after TCP.
    pub stream: Duration,
    /// Agent: a stream must say Configure within this.
    pub idle: Duration,
    /// Both: an untimed stage must make progress within this.
    pub progress: Duration,
    /// Agent: the lease while READY.
    pub ready: Duration,
    /// Controller: the first interval must arrive within this after the start instant.
    pub first_stats: Duration,
    /// Controller: an agent that says nothing for this long is pinged.
    pub silence: Duration,
    /// Controller: a ping must be answered within this.
    pub ping: Duration,
    /// Controller: so many pings in a row may go unanswered.
    pub ping_tries: u32,
    /// Controller: an agent that answers but sends no interval for this long hangs.
    pub hung: Duration,
    /// Agent: work goes on for this long after the controller was last heard.
    pub lease: Duration,
    /// Agent: the terminal message leaves within this after work must stop.
    pub abort: Duration,
    /// Controller: final statistics are awaited for this long after an abort.
    pub abort_wait: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            connect: s(5),
            stream: s(15),
            idle: s(30),
            progress: s(30),
            ready: s(60),
            first_stats: s(10),
            silence: s(10),
            ping: s(5),
            ping_tries: 3,
            hung: s(60),
            lease: s(30),
            abort: s(3),
            abort_wait: s(5),
        }
    }
}

/// When a run goes on and when it does not.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Policy {
    /// The share of agents, in parts per million, that must stay alive for the result to represent the system.
    pub min_alive_ppm: u32,
    /// An agent that sends more invalid messages than this in a minute has failed.
    pub max_invalid_per_minute: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { min_alive_ppm: 500_000, max_invalid_per_minute: 100 }
    }
}

/// Everything one agent does in a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The run's name, for people and the results directory.
    pub name: String,
    /// Free labels that go into the results.
    pub labels: Vec<(String, String)>,
    /// Everything random derives from it.
    pub seed: u64,
    /// Where this agent works: the configured target with this agent's override and path template applied.
    pub target: Uri,
    /// Operations in flight on this agent.
    pub concurrency: u32,
    /// How often statistics are reported.
    pub interval: Duration,
    /// Which part of the data set this agent prepares and cleans up.
    pub share: Share,
    /// The sets of objects or files that stages work on.
    pub pools: Vec<Pool>,
    /// What to do, in order.
    pub stages: Vec<Stage>,
    /// What happens on errors.
    pub errors: ErrorPolicy,
    /// How files are accessed.
    pub file: FileOptions,
    /// How object stores are reached and used.
    pub storage: StorageOptions,
    /// Deadlines.
    pub timeouts: Timeouts,
}

impl Plan {
    /// What the machines need to know of it.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let stages = self
            .stages
            .iter()
            .map(|stage| StageOutline { name: stage.name.clone(), timed: stage.kind.duration() })
            .collect();
        Outline { stages, interval: self.interval, timeouts: self.timeouts }
    }
}

/// One of `count` equal parts: part `index`, from 0. An item `i` belongs to part `i % count`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Share {
    /// Which part.
    pub index: u64,
    /// Of how many.
    pub count: u64,
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Part `index` of `count` of this part, such that all parts together are this part, without overlap.
    #[must_use]
    pub fn split(self, index: u64, count: u64) -> Self {
        Self { index: self.index + index * self.count, count: self.count * count }
    }

    /// How many of `total` items belong to this part.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        total.saturating_sub(self.index).div_ceil(self.count)
    }
}

/// Index into [`Plan::pools`].
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolId(pub u16);

/// A set of keys with computed names and sizes: a billion of them cost no memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Pool {
    /// Prefix of every key, relative to the target; empty or ending in `/`.
    pub base: String,
    /// How keys are named below it.
    pub naming: Naming,
    /// How many there are; for [`Naming::Put`], after how many names begin again (`u64::MAX`: never).
    pub count: u64,
    /// How large each is.
    pub sizes: SizeSpec,
    /// What is in them.
    pub fill: Fill,
}

/// How the keys of a pool are named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Naming {
    /// `prepared-%08d.dat`.
    Prepared,
    /// `deletable-%08d.dat`: a second pool, so that DELETE mixed with reads never deletes what is read.
    Deletable,
    /// `obj_<u64>`: what PUT creates.
    Put,
    /// A tree of directories with `file_%08d.dat` in each.
    Tree(Tree),
    /// Exactly the base itself: one existing file or block device.
    Single,
    /// The directory that the base names, to be listed: it has no keys that anyone computes.
    Directory,
    /// Names found by listing the target when the configuration was validated, never inside a measured latency.
    /// The glob is relative to the target; an engine resolves it and then sets the pool's count.
    Listed {
        /// `*` within one path segment, `**` across segments.
        glob: String,
    },
}

/// A tree: `width` directories in each directory, `depth` levels, files at the bottom or in every directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    /// Directories in each directory.
    pub width: u32,
    /// Levels of directories below the base.
    pub depth: u32,
    /// Files in each directory that has any.
    pub files_per_dir: u32,
    /// Files in every directory, not only at the bottom.
    pub all_levels: bool,
}

/// A distribution of sizes in bytes; each object's draw is computed from the seed and its index.
#[derive(Clone, PartialEq, Debug)]
pub enum SizeSpec {
    /// All alike.
    Fixed(u64),
    /// Evenly from `min` to `max`, both included.
    Uniform {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A lognormal distribution with this mean and standard deviation *of the sizes*, clamped to `min`…`max`.
    Lognormal {
        /// Mean of the sizes before clamping.
        mean: f64,
        /// Standard deviation of the sizes before clamping.
        std_dev: f64,
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
}

impl SizeSpec {
    /// Smallest and largest possible size.
    #[must_use]
    pub fn bounds(&self) -> (u64, u64) {
        match *self {
            Self::Fixed(size) => (size, size),
            Self::Uniform { min, max } | Self::Lognormal { min, max, .. } => (min, max),
        }
    }

    /// Mean size in bytes, before clamping; for estimates shown to people and space checks.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Fixed(size) => size as f64,
            Self::Uniform { min, max } => (min as f64 + max as f64) / 2.0,
            Self::Lognormal { mean, min, max, .. } => mean.clamp(min as f64, max as f64),
        }
    }
}

/// What objects contain.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Fill {
    /// Pseudo-random bytes derived from the seed: incompressible.
    #[default]
    Random,
    /// Zero bytes.
    Zero,
}

/// One step of a run. All agents finish it before any begins the next.
#[derive(Clone, PartialEq, Debug)]
pub struct Stage {
    /// For people.
    pub name: String,
    /// What is done.
    pub kind: StageKind,
}

/// What a stage does.
#[derive(Clone, PartialEq, Debug)]
pub enum StageKind {
    /// Make sure that these pools exist, each object with its size; objects already right are kept.
    Prepare {
        /// Which, in order.
        pools: Vec<PoolId>,
        /// Write every object again, also those already right.
        overwrite: bool,
        /// Do not look at what exists: write all.
        skip_verification: bool,
        /// A rest at the end, for the storage to settle.
        settle: Duration,
    },
    /// Run the workload for a time.
    Execute {
        /// How long it is measured, warm-up not included.
        duration: Duration,
        /// How long it runs before measurement begins.
        warmup: Duration,
        /// The mix.
        entries: Vec<Entry>,
    },
    /// Delete these pools; also what PUT created.
    Cleanup {
        /// Which, in order.
        pools: Vec<PoolId>,
        /// A missing object is no error.
        tolerant: bool,
    },
}

impl StageKind {
    /// The whole time a timed stage runs, warm-up included; `None` for an untimed stage.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        match self {
            Self::Execute { duration, warmup, .. } => Some(*duration + *warmup),
            Self::Prepare { .. } | Self::Cleanup { .. } => None,
        }
    }
}

/// One kind of operation in a mix.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// What is done.
    pub operation: Operation,
    /// Its share of the operations: `weight` in the sum of all weights.
    pub weight: u32,
    /// Which keys.
    pub pool: PoolId,
    /// In which order keys (whole objects) or blocks (read, write) are visited.
    pub pattern: Pattern,
    /// Block size of `read` and `write`; `None` for whole-object operations.
    pub block_size: Option<u64>,
    /// Keys per page of `list`.
    pub page_size: u32,
    /// What it says beyond that.
    pub detail: Detail,
    /// What `get` and `read` bring is compared with what was written.
    pub verify: bool,
    /// At most so many of this kind in flight; `None`: as many as the agent's concurrency.
    pub concurrency: Option<u32>,
}

/// What an entry says beyond its operation.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// `get`: only a part of each object.
    Range {
        /// Where it begins, bytes; `None`: at a multiple of the length, drawn anew each time.
        offset: Option<u64>,
        /// How many bytes.
        length: u64,
    },
    /// `put`: only where nothing is yet.
    IfAbsent,
    /// `delete`: so many consecutive keys in one request.
    Batch(u32),
    /// `copy`: to the keys of this pool.
    CopyTo(PoolId),
}

/// The order in which keys or blocks are visited.
#[derive(Copy, Clone, PartialEq, Debug)]
pub enum Pattern {
    /// One after another, each thread its own part.
    Sequential,
    /// Evenly at random, with replacement.
    Random,
    /// Zipf-distributed popularity with exponent `theta`, the popular ones scattered by a permutation.
    Zipf {
        /// Exponent, above 0.
        theta: f64,
    },
}

/// What happens when operations fail.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct ErrorPolicy {
    /// The stage fails after more errors than this.
    pub max_total_errors: u64,
    /// The stage fails when errors come faster than this, per second over `error_rate_window` …
    pub error_rate_threshold: f64,
    /// … the window.
    pub error_rate_window: Duration,
    /// How often one operation is tried again.
    pub max_retries: u32,
    /// The first wait between tries.
    pub initial_retry_delay: Duration,
    /// The longest wait between tries.
    pub max_retry_delay: Duration,
    /// Each wait is this many times the one before.
    pub retry_backoff_multiplier: f64,
    /// Each wait is varied by this share, up or down.
    pub retry_jitter_factor: f64,
    /// An operation that takes longer is given up and counted as a time-out.
    pub operation_timeout: Duration,
}

impl Default for ErrorPolicy {
    fn default() -> Self {
        Self {
            max_total_errors: 100,
            error_rate_threshold: 5.0,
            error_rate_window: Duration::from_secs(10),
            max_retries: 0,
            initial_retry_delay: Duration::from_millis(100),
            max_retry_delay: Duration::from_secs(5),
            retry_backoff_multiplier: 2.0,
            retry_jitter_factor: 0.25,
            operation_timeout: Duration::from_secs(120),
        }
    }
}

/// How files are accessed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct FileOptions {
    /// Which system interface.
    pub engine: FileEngine,
    /// Threads; `None`: one a core, never more than the concurrency.
    pub threads: Option<u32>,
    /// Bypass the page cache (`direct://` sets it).
    pub direct: bool,
    /// When written data is made durable.
    pub fsync: Fsync,
    /// Write objects under a temporary name and rename them when they are whole.
    pub rename: bool,
    /// Drop the page cache of the data set before each timed stage.
    pub drop_cache: bool,
    /// Register buffers and files with the kernel.
    pub registered: bool,
}

/// The system interface to files.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum FileEngine {
    /// `io_uring` where the kernel permits it, else positioned I/O, announced.
    #[default]
    Auto,
    /// `io_uring` or nothing.
    Uring,
    /// Positioned I/O on a thread per operation in flight.
    Posix,
}

/// When written data is made durable.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Fsync {
    /// When the system pleases.
    #[default]
    Never,
    /// After each whole object or block write, measured as an operation of its own.
    Each,
    /// Once for every file written, at the end of the stage.
    End,
}
