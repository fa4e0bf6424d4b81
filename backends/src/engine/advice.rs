//! What a person should know before trusting what is measured in a file system, one sentence each.

use super::dataset::Dataset;
use super::preflight::{bytes, estimate};
use super::validate::is_direct;
use crate::host::{self, Mount};
use iobench_core::plan::{Fsync, Plan, PoolId, StageKind};
use iobench_core::stats::Operation;
use std::path::Path;

/// Everything there is to say; `memory`: bytes that are available.
pub(super) fn advice(plan: &Plan, dataset: &Dataset, mount: Option<&Mount>, memory: u64) -> Vec<String> {
    let in_memory = mount.is_some_and(Mount::is_memory);
    let mut advice: Vec<_> = missing_directory(plan, mount).into_iter().collect();
    if !is_direct(plan) && !in_memory {
        advice.extend(cached_reads(plan, dataset, memory));
        advice.extend(cached_writes(plan));
    }
    advice
}

/// A run makes its own directory. Where the one above it is missing as well, a name may be mistyped, or a disk not
/// mounted.
fn missing_directory(plan: &Plan, mount: Option<&Mount>) -> Option<String> {
    let target = Path::new(&plan.target.path);
    let missing = target.parent().filter(|parent| !parent.exists())?;
    let place = mount.map_or_else(
        || format!("below {}", host::nearest_existing(target).display()),
        |mount| format!("on {mount}"),
    );
    Some(format!(
        "{} does not exist and is created {place}; is a file system not mounted?",
        missing.display()
    ))
}

/// Reads that the page cache serves measure memory.
fn cached_reads(plan: &Plan, dataset: &Dataset, memory: u64) -> Option<String> {
    let reads = |operation| matches!(operation, Operation::Get | Operation::Read);
    let mut pools: Vec<_> = entries(plan, reads).collect();
    pools.sort_unstable();
    pools.dedup();
    let size = pools.iter().fold(0_u64, |sum, &id| sum.saturating_add(estimate(plan, dataset, id)));
    if pools.is_empty() || size >= memory {
        return None;
    }
    let what = if plan.file.drop_cache {
        "`file.cache: drop` empties the page cache only before the stage, and what is read again is read from it"
    } else {
        "reads will measure the page cache"
    };
    Some(format!(
        "the {} that are read fit into this host's memory ({} available): {what}; use direct://, or prepare more",
        bytes(size),
        bytes(memory)
    ))
}

/// Writes that nobody waits for measure memory, until the kernel has too much of them.
fn cached_writes(plan: &Plan) -> Option<String> {
    let writes = |operation| matches!(operation, Operation::Put | Operation::Write);
    let waits = plan.file.fsync != Fsync::Never;
    entries(plan, writes).next().filter(|_| !waits)?;
    let text = "writes end up in the page cache, and nothing waits for the device (`file.fsync: never`): they measure \
                memory; use direct://, or set `file.fsync: each`";
    Some(text.to_owned())
}

/// The pools of timed operations.
fn entries(plan: &Plan, wanted: fn(Operation) -> bool) -> impl Iterator<Item = PoolId> {
    let timed = plan.stages.iter().filter_map(|stage| match &stage.kind {
        StageKind::Execute { entries, .. } => Some(entries),
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => None,
    });
    timed.flatten().filter(move |entry| wanted(entry.operation)).map(|entry| entry.pool)
}
