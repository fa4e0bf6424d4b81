//! The mix of operations.

use crate::config::units::{Count, Size};
use crate::config::values::{Offset, SizeSpec};
use serde::{Deserialize, Serialize};

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
