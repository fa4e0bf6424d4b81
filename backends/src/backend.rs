//! From a target to the backend that its scheme chooses.

use crate::error::StorageError;
use crate::executor::{Executor, ExecutorSpec};
use crate::file::posix::{PosixExecutor, PosixFiles};
use crate::file::target::FileTarget;
use crate::file::uring::{self, UringExecutor};
use crate::object::{InlineExecutor, Mem, Null, Stores};
use crate::storage::Storage;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{FileEngine, FileOptions, Scheme, StorageOptions, Uri};
use std::sync::Arc;

/// One target, opened: plain storage, and executors for what is measured.
#[derive(Clone)]
pub struct Backend {
    storage: Arc<dyn Storage>,
    kind: Kind,
    engine: String,
    warnings: Vec<String>,
}

#[derive(Clone)]
enum Kind {
    Uring(Arc<FileTarget>),
    Posix(PosixFiles),
    Mem(Arc<Mem>),
    Null(Arc<Null>),
    Stores(Stores),
}

/// Asks the kernel for its `io_uring`: what it offers, or why it cannot be used.
pub type UringProbe = fn() -> Result<String, String>;

impl Backend {
    /// The backend of this target. Touches nothing but what credentials are read from.
    pub fn open(target: &Uri, file: &FileOptions, storage: &StorageOptions) -> Result<Self, Failure> {
        Self::open_with(target, file, storage, uring::probe)
    }

    /// The same with another way to ask for `io_uring`: a test says that there is none.
    pub fn open_with(
        target: &Uri,
        file: &FileOptions,
        storage: &StorageOptions,
        probe: UringProbe,
    ) -> Result<Self, Failure> {
        match target.scheme {
            Scheme::File | Scheme::Direct => Self::files(target, file, probe),
            Scheme::Mem => {
                let mem = Arc::new(Mem::new(&target.path));
                Ok(Self::plain(Arc::clone(&mem) as _, Kind::Mem(mem), "memory of this process"))
            }
            Scheme::Null => Ok(Self::plain(Arc::new(Null), Kind::Null(Arc::new(Null)), "none")),
            Scheme::S3 | Scheme::Az | Scheme::Gs => Self::stores(target, storage),
        }
    }

    fn stores(target: &Uri, options: &StorageOptions) -> Result<Self, Failure> {
        let stores = Stores::open(target, options)?;
        let warnings = stores.warnings().to_vec();
        let storage = Arc::new(stores.objects());
        let backend = Self::plain(storage, Kind::Stores(stores), "object_store 0.14, HTTP/1.1");
        Ok(Self { warnings, ..backend })
    }

    fn files(target: &Uri, options: &FileOptions, probe: UringProbe) -> Result<Self, Failure> {
        let direct = options.direct || target.scheme == Scheme::Direct;
        let options = FileOptions { direct, ..*options };
        let target = Arc::new(FileTarget::new(&target.path, &options));
        let files = PosixFiles { target: Arc::clone(&target) };
        let storage = Arc::new(files.clone());
        let offered = match options.engine {
            FileEngine::Posix => None,
            FileEngine::Auto | FileEngine::Uring => Some(probe()),
        };
        match offered {
            None => Ok(Self::plain(storage, Kind::Posix(files), "posix")),
            Some(Ok(features)) => {
                Ok(Self::plain(storage, Kind::Uring(target), format!("io_uring ({features})")))
            }
            Some(Err(reason)) if options.engine == FileEngine::Auto => {
                let mut backend = Self::plain(storage, Kind::Posix(files), "posix");
                backend.warnings.push(format!(
                    "io_uring cannot be used here ({reason}): files are accessed by positioned I/O on a thread for each \
                     operation in flight, which costs more CPU; allow io_uring (sysctl kernel.io_uring_disabled, the \
                     container's seccomp profile, Linux 5.15 or later) or set `file.engine: posix`"
                ));
                Ok(backend)
            }
            Some(Err(reason)) => Err(Failure::new(
                FailureClass::Config,
                format!("`file.engine: uring` cannot be used here: {reason}"),
                "allow io_uring (sysctl kernel.io_uring_disabled, the container's seccomp profile, Linux 5.15 or \
                 later) or set `file.engine: auto`",
            )),
        }
    }

    fn plain(storage: Arc<dyn Storage>, kind: Kind, engine: impl Into<String>) -> Self {
        Self { storage, kind, engine: engine.into(), warnings: Vec::new() }
    }

    /// Plain storage, one operation at a time.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// How it does its I/O, for the record.
    #[must_use]
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// What a person should know about it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Threads that its executors start for so many operations in flight.
    #[must_use]
    pub fn threads(&self, operations: u32) -> u32 {
        if matches!(self.kind, Kind::Posix(_)) { operations } else { 0 }
    }

    /// An executor; call it on the thread that will use it.
    pub fn executor(&self, spec: ExecutorSpec) -> Result<Box<dyn Executor>, StorageError> {
        Ok(match &self.kind {
            Kind::Uring(target) => Box::new(UringExecutor::new(Arc::clone(target), spec)?),
            Kind::Posix(files) => Box::new(PosixExecutor::new(files, spec)?),
            Kind::Mem(mem) => Box::new(InlineExecutor::new(Arc::clone(mem) as _, spec)),
            Kind::Null(null) => Box::new(InlineExecutor::new(Arc::clone(null) as _, spec)),
            Kind::Stores(stores) => Box::new(stores.executor(spec)?),
        })
    }
}
