//! The data set.

use crate::config::units::{Count, Size, TimeSpan};
use crate::config::values::SizeSpec;
use serde::{Deserialize, Serialize};

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
