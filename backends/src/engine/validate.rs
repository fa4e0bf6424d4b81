//! From a configuration to a run that can be carried out here. Writes nothing, changes nothing.

use super::advice::advice;
use super::dataset::Dataset;
use super::prepared::{Left, Prepared};
use super::{connect, foreign, preflight};
use crate::backend::{Backend, UringProbe};
use crate::host::{self, Mount};
use crate::storage::Storage;
use iobench_core::message::{Capabilities, Configure, Failure, FailureClass};
use iobench_core::plan::{Plan, Scheme};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Makes an agent's plan of what it was sent.
pub type Loader = Arc<dyn Fn(&Configure) -> Result<Plan, Failure> + Send + Sync>;

/// What tests set differently.
#[derive(Copy, Clone)]
pub(super) struct Limits {
    pub(super) probe: UringProbe,
}

/// The loader of real configurations.
pub(super) fn loader() -> Loader {
    Arc::new(|configure| {
        let run = iobench_core::config::load(&configure.yaml, &configure.overrides, "the configuration");
        match run {
            Ok(run) => Ok(run.plan(configure.index, configure.seed)),
            Err(diagnostics) => Err(Failure::new(FailureClass::Config, diagnostics.to_string(), "")),
        }
    })
}

/// Looks whether the configuration can be run here.
pub(super) fn validate(
    configure: &Configure,
    loader: &dyn Fn(&Configure) -> Result<Plan, Failure>,
    limits: Limits,
) -> Result<(Prepared, Capabilities), Failure> {
    let plan = loader(configure)?;
    preflight::check_plan(&plan)?;
    let backend = Backend::open_with(&plan.target, &plan.file, &plan.storage, limits.probe)?;
    preflight::check_target(&plan)?;
    foreign::check_links(&plan)?;
    connect::reach(&plan, &backend)?;
    let dataset = Dataset::resolve(&plan, &**backend.storage())?;
    preflight::check_objects(&plan, &dataset, &**backend.storage())?;
    let threads = plan.file.threads.unwrap_or_else(host::cores).clamp(1, plan.concurrency);
    preflight::check_threads(backend.threads(plan.concurrency), threads, host::thread_limit())?;
    let files = preflight::check_resources(&plan, &dataset, threads)?;
    let mut capabilities = capabilities(&plan, &dataset, &backend);
    capabilities.warnings.extend(foreign::look_at_puts(&plan, &dataset, &**backend.storage())?);
    capabilities.warnings.extend(foreign::look_at_leftovers(&plan));
    let prepared = Prepared {
        empty_before: empty_directories(&plan, &**backend.storage()),
        target_is_ours: is_file(&plan) && !Path::new(&plan.target.path).exists(),
        dataset: Arc::new(dataset),
        left: Left::default(),
        backend,
        threads,
        files,
        plan,
    };
    Ok((prepared, capabilities))
}

/// The directories of the run's objects that are there and empty: they are somebody's, and are not removed.
fn empty_directories(plan: &Plan, storage: &dyn Storage) -> BTreeSet<Vec<u8>> {
    let bases = plan.pools.iter().filter(|_| is_file(plan)).flat_map(|pool| {
        let base = pool.base.as_bytes();
        base.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &base[..=at])
    });
    let empty = |base: &&[u8]| storage.list(base, None, 1).is_ok_and(|page| page.is_empty());
    bases.filter(empty).map(|base| base[..base.len() - 1].to_vec()).collect()
}

/// Whether the target is in a file system.
pub(super) fn is_file(plan: &Plan) -> bool {
    matches!(plan.target.scheme, Scheme::File | Scheme::Direct)
}

/// Whether the page cache is passed by.
pub(super) fn is_direct(plan: &Plan) -> bool {
    plan.target.scheme == Scheme::Direct || (plan.target.scheme == Scheme::File && plan.file.direct)
}

fn capabilities(plan: &Plan, dataset: &Dataset, backend: &Backend) -> Capabilities {
    let memory = host::memory_available();
    let mut facts = host::facts();
    facts.push(("engine".to_owned(), backend.engine().to_owned()));
    let mut warnings = backend.warnings().to_vec();
    if is_file(plan) {
        let mount = host::mount_of(&host::nearest_existing(Path::new(&plan.target.path)));
        facts.extend(mount.iter().flat_map(Mount::facts));
        warnings.extend(advice(plan, dataset, mount.as_ref(), memory));
    }
    Capabilities {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host::name(),
        cores: host::cores(),
        memory,
        facts,
        warnings,
    }
}
