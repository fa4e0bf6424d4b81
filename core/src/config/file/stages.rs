//! What is done in which order.

use crate::config::units::{Count, TimeSpan};
use serde::{Deserialize, Serialize};

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
