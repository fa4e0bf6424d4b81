//! How files are accessed.

use crate::config::units::Count;
use serde::{Deserialize, Serialize};

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

/// The words for [`crate::plan::FileEngine`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of plan::FileEngine")]
pub enum Engine {
    Auto,
    Uring,
    Posix,
}

/// The words for [`crate::plan::Fsync`].
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
