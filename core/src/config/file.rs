//! What a person writes, key for key. docs/CONFIG.md explains every one of them.
//!
//! These types only read and write; what a value means, and whether values fit together, is decided in
//! `build`. The defaults stand here, so that writing a value back gives the effective configuration.

mod storage;

pub use storage::{Checksum, MultiEndpoint, Multipart, RangeEngine, Ranges, Sse, Storage, Strategy};

use super::units::{Count, Size, TimeSpan};
use super::values::{Label, Offset, SizeSpec};
use crate::plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The whole file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a configuration (keys such as `target: file:///mnt/data`)"
)]
pub struct Config {
    /// What the run is called in results; by default the file's name without its extension.
    pub name: Option<String>,
    /// Free labels for the results.
    pub labels: BTreeMap<String, Label>,
    /// Where the data lies: the base of all other paths.
    pub target: Option<String>,
    /// Everything random derives from it; drawn and printed when absent.
    pub seed: Option<Count>,
    /// How long the workload is measured.
    pub duration: TimeSpan,
    /// How long it runs before measurement begins.
    pub warmup_period: TimeSpan,
    /// Operations in flight, on each agent.
    pub concurrency: Count,
    /// How often statistics are reported.
    pub interval: TimeSpan,
    /// Another place for `interval`.
    pub perf_log: Option<PerfLog>,
    /// Deadlines of the agents and the controller.
    pub timeouts: Timeouts,
    /// When a run goes on in spite of failures.
    pub policy: Policy,
    /// What happens when operations fail.
    pub error_handling: ErrorHandling,
    /// How files are accessed.
    pub file: FileAccess,
    /// How object stores are reached and used.
    pub storage: Storage,
    /// Several services with the same data.
    pub multi_endpoint: Option<MultiEndpoint>,
    /// Another place for `storage.ranges`.
    pub range_engine: Option<RangeEngine>,
    /// The data set, made before the workload runs.
    pub prepare: Prepare,
    /// The mix of operations.
    pub workload: Vec<Entry>,
    /// The hosts that run it; absent: this one.
    pub distributed: Option<Distributed>,
    /// What is done in which order; by default prepare, execute, cleanup, as far as configured.
    pub stages: Vec<Stage>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: None,
            labels: BTreeMap::new(),
            target: None,
            seed: None,
            duration: seconds(60),
            warmup_period: seconds(0),
            concurrency: Count(16),
            interval: seconds(1),
            perf_log: None,
            timeouts: Timeouts::default(),
            policy: Policy::default(),
            error_handling: ErrorHandling::default(),
            file: FileAccess::default(),
            storage: Storage::default(),
            multi_endpoint: None,
            range_engine: None,
            prepare: Prepare::default(),
            workload: Vec::new(),
            distributed: None,
            stages: Vec::new(),
        }
    }
}

fn seconds(seconds: u64) -> TimeSpan {
    TimeSpan(Duration::from_secs(seconds))
}

/// Another place for `interval`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section with the key `interval`")]
pub struct PerfLog {
    /// Another name for the `interval` of the run.
    pub interval: Option<TimeSpan>,
}

/// Every deadline; [`plan::Timeouts`] says who keeps it. Absent ones are as long as the interval needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `lease: 30s`")]
#[expect(missing_docs, reason = "each field is explained where the machines read it: in plan::Timeouts")]
pub struct Timeouts {
    pub connect: TimeSpan,
    pub stream: TimeSpan,
    pub idle: TimeSpan,
    pub progress: Option<TimeSpan>,
    pub ready: TimeSpan,
    pub first_stats: Option<TimeSpan>,
    pub silence: Option<TimeSpan>,
    pub ping: TimeSpan,
    pub ping_tries: Count,
    pub hung: Option<TimeSpan>,
    pub lease: TimeSpan,
    pub abort: TimeSpan,
    pub abort_wait: TimeSpan,
}

impl Default for Timeouts {
    fn default() -> Self {
        let default = plan::Timeouts::default();
        Self {
            connect: TimeSpan(default.connect),
            stream: TimeSpan(default.stream),
            idle: TimeSpan(default.idle),
            progress: None,
            ready: TimeSpan(default.ready),
            first_stats: None,
            silence: None,
            ping: TimeSpan(default.ping),
            ping_tries: Count(default.ping_tries.into()),
            hung: None,
            lease: TimeSpan(default.lease),
            abort: TimeSpan(default.abort),
            abort_wait: TimeSpan(default.abort_wait),
        }
    }
}

/// When a run goes on in spite of failures.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `min_alive: 0.5`")]
pub struct Policy {
    /// The share of agents, 0 to 1, that must stay alive.
    pub min_alive: f64,
    /// Invalid messages a minute beyond which an agent has failed.
    pub max_invalid_per_minute: Count,
}

impl Default for Policy {
    fn default() -> Self {
        let default = plan::Policy::default();
        Self {
            min_alive: f64::from(default.min_alive_ppm) / 1e6,
            max_invalid_per_minute: Count(default.max_invalid_per_minute.into()),
        }
    }
}

/// What happens when operations fail.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `max_total_errors: 100`")]
pub struct ErrorHandling {
    /// The stage fails after more errors than this.
    pub max_total_errors: Count,
    /// The stage fails when errors come faster than this, per second …
    pub error_rate_threshold: f64,
    /// … over this window.
    pub error_rate_window: TimeSpan,
    /// Whether failed operations are tried again.
    pub retry_on_error: bool,
    /// How often, if so.
    pub max_retries: Count,
    /// The first wait between tries, milliseconds.
    pub initial_retry_delay_ms: Count,
    /// The longest wait between tries, milliseconds.
    pub max_retry_delay_ms: Count,
    /// Each wait is this many times the one before.
    pub retry_backoff_multiplier: f64,
    /// Each wait is varied by this share, 0 to 1.
    pub retry_jitter_factor: f64,
    /// An operation that takes longer is given up.
    pub operation_timeout: TimeSpan,
}

impl Default for ErrorHandling {
    fn default() -> Self {
        let default = plan::ErrorPolicy::default();
        Self {
            max_total_errors: Count(default.max_total_errors),
            error_rate_threshold: default.error_rate_threshold,
            error_rate_window: TimeSpan(default.error_rate_window),
            retry_on_error: false,
            max_retries: Count(3),
            initial_retry_delay_ms: Count(100),
            max_retry_delay_ms: Count(5000),
            retry_backoff_multiplier: default.retry_backoff_multiplier,
            retry_jitter_factor: default.retry_jitter_factor,
            operation_timeout: TimeSpan(default.operation_timeout),
        }
    }
}

/// How files are accessed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `engine: uring`")]
pub struct FileAccess {
    /// The system interface.
    pub engine: Engine,
    /// Threads; absent: one a core.
    pub threads: Option<Count>,
    /// Bypass the page cache; absent: as the target's scheme says.
    pub direct: Option<bool>,
    /// When written data is made durable.
    pub fsync: Fsync,
    /// How objects come into being.
    pub put: Put,
    /// What happens to the page cache before each timed stage.
    pub cache: Cache,
    /// Register buffers and files with the kernel.
    pub registered: bool,
}

impl Default for FileAccess {
    fn default() -> Self {
        Self {
            engine: Engine::Auto,
            threads: None,
            direct: None,
            fsync: Fsync::Never,
            put: Put::Direct,
            cache: Cache::Keep,
            registered: true,
        }
    }
}

/// The words for [`plan::FileEngine`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of plan::FileEngine")]
pub enum Engine {
    Auto,
    Uring,
    Posix,
}

/// The words for [`plan::Fsync`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of plan::Fsync")]
pub enum Fsync {
    Never,
    Each,
    End,
}

/// How objects come into being.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Put {
    /// Written under their own name.
    Direct,
    /// Written under a temporary name and renamed when whole.
    Rename,
}

/// What happens to the page cache before each timed stage.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Nothing.
    Keep,
    /// The data set is dropped from it.
    Drop,
}

/// The data set.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `ensure_objects`")]
pub struct Prepare {
    /// Sets of objects.
    pub ensure_objects: Vec<EnsureObjects>,
    /// A tree of directories with files; the one entry of `ensure_objects` then says where and how large.
    pub directory_structure: Option<DirectoryStructure>,
    /// Delete the data set at the end, and what PUT made.
    pub cleanup: bool,
    /// Do nothing but clean up.
    pub cleanup_only: bool,
    /// Whether a missing object is an error when cleaning up.
    pub cleanup_mode: CleanupMode,
    /// Whether cleaning up may delete at the root of a bucket.
    pub yes_delete_everything: bool,
    /// Do not look at what exists: write all.
    pub skip_verification: bool,
    /// Write also what is there and right.
    pub force_overwrite: bool,
    /// A rest after preparing.
    pub post_prepare_delay: TimeSpan,
}

/// Whether a missing object is an error when cleaning up.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanupMode {
    /// No.
    #[default]
    Tolerant,
    /// Yes.
    Strict,
    /// No error at all matters: not yet.
    #[serde(alias = "best_effort")]
    Besteffort,
}

/// A set of objects with computed names.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `count: 1000`")]
pub struct EnsureObjects {
    /// The directory or prefix they lie in, relative to the target or a URI below it.
    pub base_uri: String,
    /// How many.
    pub count: Option<Count>,
    /// Smallest size, of evenly distributed ones.
    pub min_size: Option<Size>,
    /// Largest size, of evenly distributed ones.
    pub max_size: Option<Size>,
    /// The size of all.
    pub size: Option<Size>,
    /// A distribution of sizes.
    #[serde(alias = "size_distribution")]
    pub size_spec: Option<SizeSpec>,
    /// What is in them.
    pub fill: Fill,
}

/// What is in objects.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Incompressible bytes derived from the seed.
    #[default]
    #[serde(alias = "prand")]
    Random,
    /// Zero bytes.
    Zero,
}

/// A distribution of sizes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a size, or a section with `type` and its keys")]
pub struct Distribution {
    /// Which.
    #[serde(rename = "type")]
    pub kind: DistributionKind,
    /// The size, when fixed.
    pub size: Option<Size>,
    /// Smallest.
    pub min: Option<Size>,
    /// Largest.
    pub max: Option<Size>,
    /// Mean of the sizes, when lognormal.
    pub mean: Option<Size>,
    /// Standard deviation of the sizes, when lognormal.
    pub std_dev: Option<Size>,
}

/// The kinds of [`Distribution`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of plan::SizeSpec")]
pub enum DistributionKind {
    Fixed,
    Uniform,
    Lognormal,
}

/// A tree of directories.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section with `width`, `depth` and `files_per_dir`")]
pub struct DirectoryStructure {
    /// Directories in each directory.
    pub width: Count,
    /// Levels of directories.
    pub depth: Count,
    /// Files in each directory that has any.
    pub files_per_dir: Count,
    /// Which directories have files.
    #[serde(default)]
    pub distribution: Levels,
}

/// Which directories of a tree have files.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Levels {
    /// Those at the bottom.
    #[default]
    Bottom,
    /// All of them.
    All,
}

/// One kind of operation in the mix.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section with keys such as `op: get`")]
pub struct Entry {
    /// What is done.
    pub op: Op,
    /// To what: a directory, a key or a glob, relative to the target or a URI below it; absent: the target itself.
    #[serde(default)]
    pub path: String,
    /// Its share of the operations.
    #[serde(default = "one")]
    pub weight: Count,
    /// At most so many of this kind in flight.
    pub concurrency: Option<Count>,
    /// put: the size of all objects.
    pub object_size: Option<Size>,
    /// put: a size or a distribution of sizes.
    #[serde(alias = "size_distribution")]
    pub size_spec: Option<SizeSpec>,
    /// put, copy: after so many objects names begin again.
    pub count: Option<Count>,
    /// put: only where nothing is yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub if_absent: bool,
    /// get: a part of each object.
    pub range: Option<Range>,
    /// get, read: compare what comes with what was written.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verify: bool,
    /// copy: where to.
    pub to: Option<String>,
    /// delete: objects a request.
    pub batch: Option<Count>,
    /// list: keys a page.
    pub page_size: Option<Count>,
    /// read, write: bytes an operation.
    pub block_size: Option<Size>,
    /// In which order keys or blocks are visited.
    #[serde(default, serialize_with = "serde_yaml::with::singleton_map_recursive::serialize")]
    pub pattern: Option<Pattern>,
}

fn one() -> Count {
    Count(1)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A part of each object.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section with `length` and `offset`")]
pub struct Range {
    /// Where it begins.
    #[serde(default)]
    pub offset: Offset,
    /// How many bytes.
    pub length: Size,
}

/// The operations of a workload.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of stats::Operation; mkdir, rmdir and rename not yet")]
pub enum Op {
    Get,
    Put,
    Stat,
    List,
    Delete,
    Read,
    Write,
    Mkdir,
    Rmdir,
    Copy,
    Rename,
}

/// The order in which keys or blocks are visited.
#[derive(Copy, Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pattern {
    /// One after another.
    Sequential,
    /// Evenly at random.
    Random,
    /// Popular ones more often; written `{zipf: {theta: 0.9}}`.
    Zipf {
        /// The exponent, above 0.
        theta: f64,
    },
}

/// The hosts that run it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `agents`")]
pub struct Distributed {
    /// Who.
    pub agents: Vec<Agent>,
    /// Whether all agents see the same files: then they share one data set.
    pub shared_filesystem: bool,
    /// Who makes the directory tree.
    pub tree_creation_mode: Option<TreeCreation>,
    /// Between the moment all agents are ready and the common start.
    pub start_delay: Option<TimeSpan>,
    /// Where below the target each agent works, when they share nothing.
    pub path_template: Option<String>,
    /// Another name for `timeouts.progress`.
    pub agent_ready_timeout: Option<TimeSpan>,
    /// Another place for `stages`.
    pub stages: Vec<Stage>,
}

/// Who makes the directory tree.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeCreation {
    /// Each agent its own.
    Isolated,
    /// One for all; here each agent makes its share.
    Coordinator,
    /// One for all, made by all together; here each agent makes its share.
    Concurrent,
}

/// One agent, or several alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an address such as `host1:7420`, or a section with `address`")]
pub struct Agent {
    /// `host`, `host:port` or `host[1-8]:port`.
    pub address: String,
    /// What it is called in results.
    pub id: Option<String>,
    /// Another target for this agent.
    pub target_override: Option<String>,
    /// Another concurrency for this agent.
    pub concurrency_override: Option<Count>,
    /// Another path template for this agent.
    pub path_template: Option<String>,
    /// Other services for this agent.
    pub multi_endpoint: Option<MultiEndpoint>,
}

/// One step of the run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section with keys such as `type: execute`")]
pub struct Stage {
    /// What it is called in results.
    pub name: Option<String>,
    /// Its place; absent: as listed.
    pub order: Option<Count>,
    /// What is done.
    #[serde(rename = "type")]
    pub kind: StageKind,
    /// How long it is measured, when executing.
    pub duration: Option<TimeSpan>,
    /// When it is done.
    pub completion: Option<Completion>,
}

/// What a stage does.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// Run the workload.
    Execute,
    /// Make the data set.
    Prepare,
    /// Delete it.
    Cleanup,
    /// Look whether all is well: always done before the first stage, so that this one adds nothing.
    Validation,
    /// Run a command: not yet.
    Custom,
    /// Until its duration or its work ends: not yet.
    Hybrid,
}

/// When a stage is done.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// After its duration: execute.
    Duration,
    /// When all objects are done: prepare and cleanup.
    TasksDone,
    /// When all checks have passed: validation.
    ValidationPassed,
    /// When a command ends: not yet.
    ScriptExit,
    /// Whichever comes first: not yet.
    DurationOrTasks,
}
