//! What a person writes, key for key. docs/CONFIG.md explains every one of them.
//!
//! These types only read and write; what a value means, and whether values fit together, is decided in
//! `build`. The defaults stand here, so that writing a value back gives the effective configuration.

mod access;
mod distributed;
mod limits;
mod prepare;
mod stages;
mod storage;
mod workload;

pub use access::{Cache, Engine, FileAccess, Fsync, Put};
pub use distributed::{Agent, Distributed, TreeCreation};
pub use limits::{ErrorHandling, Policy, Timeouts};
pub use prepare::{
    CleanupMode, DirectoryStructure, Distribution, DistributionKind, EnsureObjects, Fill, Levels, Prepare,
};
pub use stages::{Completion, Stage, StageKind};
pub use storage::{Checksum, MultiEndpoint, Multipart, RangeEngine, Ranges, Sse, Storage, Strategy};
pub use workload::{Entry, Op, Pattern, Range};

use super::units::{Count, TimeSpan};
use super::values::Label;
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
