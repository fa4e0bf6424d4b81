//! Object stores: S3, Azure Blob Storage and Google Cloud Storage.
//!
//! Top-down: [`Stores`] is a target with its credentials resolved. [`Objects`] is its plain view; [`StoreExecutor`]
//! keeps requests in flight ([`work`], [`upload`]), each one of them a single try (`requests`): retries and deadlines
//! are the engine's. The protocols are `object_store`'s, HTTP is [`transport`], and [`fault`] says what went wrong.

mod address;
mod board;
mod credentials;
mod executor;
mod fault;
mod plain;
mod requests;
mod site;
#[cfg(test)]
mod tests;
mod transport;
mod upload;
mod work;

use executor::StoreExecutor;
use plain::Objects;

use crate::error::StorageError;
use crate::executor::ExecutorSpec;
use iobench_core::message::Failure;
use iobench_core::plan::{StorageOptions, Uri};
use site::Site;
use std::sync::Arc;

/// A target of an object store, ready to be connected to.
#[derive(Clone)]
pub(crate) struct Stores {
    site: Arc<Site>,
}

impl Stores {
    /// Resolves references on this host and checks all that can be checked without a connection.
    pub(crate) fn open(target: &Uri, options: &StorageOptions) -> Result<Self, Failure> {
        let env = |name: &str| std::env::var(name).ok();
        Site::open(target, options, &env).map(|site| Self { site: Arc::new(site) })
    }

    /// The plain view.
    pub(crate) fn objects(&self) -> Objects {
        Objects::new(Arc::clone(&self.site))
    }

    /// An executor with connections of its own.
    pub(crate) fn executor(&self, spec: ExecutorSpec) -> Result<StoreExecutor, StorageError> {
        StoreExecutor::new(&self.site, spec)
    }

    /// What a person should know.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.site.warnings
    }
}
