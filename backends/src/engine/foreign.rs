//! What is somebody else's, and must not be overwritten or removed unseen.

use super::dataset::Dataset;
use super::validate::is_file;
use crate::file::leftover;
use crate::storage::Storage;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Detail, Entry, Plan, PoolId, StageKind};
use iobench_core::stats::Operation;
use std::collections::BTreeSet;
use std::path::Path;

/// A directory of the run that is a link would lead it out of its target, to write and delete there.
pub(super) fn check_links(plan: &Plan) -> Result<(), Failure> {
    if !is_file(plan) {
        return Ok(());
    }
    for pool in changed(plan) {
        let base = plan.pools.get(usize::from(pool.0)).map_or("", |pool| pool.base.as_str());
        for (end, _) in base.match_indices('/') {
            let path = Path::new(&plan.target.path).join(&base[..end]);
            if path.is_symlink() {
                let message =
                    format!("`{}` is a symbolic link that leads out of `{}`", path.display(), plan.target);
                let next = "set `target` to where it leads, or replace it with a directory";
                return Err(Failure::new(FailureClass::Config, message, next));
            }
        }
    }
    Ok(())
}

/// Puts go on from `obj_0` whatever is there. What `if_absent` finds is not its own, but cleaning up, which computes
/// names, would remove it: that is refused. Otherwise a person is told.
pub(super) fn look_at_puts(
    plan: &Plan,
    dataset: &Dataset,
    storage: &dyn Storage,
) -> Result<Vec<String>, Failure> {
    let mut told = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in entries(plan).filter(|entry| entry.operation == Operation::Put) {
        let cleaned = is_cleaned(plan, entry.pool);
        let kept = entry.detail == Detail::IfAbsent;
        if (kept && !cleaned) || !seen.insert((entry.pool, kept)) {
            continue;
        }
        let Some(name) = taken(dataset, entry.pool, storage) else { continue };
        if kept {
            let message = format!(
                "`{name}` exists, and cleaning up could not tell it from what `if_absent` will write"
            );
            let next = "choose another `path`, empty this one, or leave out `prepare.cleanup`";
            return Err(Failure::new(FailureClass::Config, message, next));
        }
        let removed = if cleaned { ", and removed at the end" } else { "" };
        told.push(format!("`{name}` exists: objects of such names are overwritten{removed}"));
    }
    Ok(told)
}

/// What killed processes have left where the run writes.
pub(super) fn look_at_leftovers(plan: &Plan) -> Vec<String> {
    if !is_file(plan) {
        return Vec::new();
    }
    let base = |pool: PoolId| plan.pools.get(usize::from(pool.0)).map_or("", |pool| pool.base.as_str());
    let bases: BTreeSet<_> = changed(plan).into_iter().map(base).collect();
    let directories =
        bases.into_iter().map(|base| Path::new(&plan.target.path).join(base.trim_end_matches('/')));
    directories.flat_map(|directory| leftover::tell_of_the_dead(&directory)).collect()
}

/// The place of an object that has a name which the pool will use.
fn taken(dataset: &Dataset, pool: PoolId, storage: &dyn Storage) -> Option<String> {
    let keys = dataset.pool(pool);
    let prefix = [keys.base(), b"obj_"].concat();
    // Nothing is listed of a directory that is not there; anything worse shows when it is used.
    let page = storage.list(&prefix, None, 100).ok()?;
    let ours = |name: &[u8]| keys.index_of(name).is_some_and(|key| key < keys.count());
    page.objects.iter().find(|(name, _)| ours(name)).map(|(name, _)| storage.place(name))
}

/// The pools in which anything is written or removed.
fn changed(plan: &Plan) -> BTreeSet<PoolId> {
    let reads = |entry: &&Entry| {
        matches!(entry.operation, Operation::Get | Operation::Read | Operation::Stat | Operation::List)
    };
    let whole = plan.stages.iter().flat_map(|stage| match &stage.kind {
        StageKind::Prepare { pools, .. } | StageKind::Cleanup { pools, .. } => pools.as_slice(),
        StageKind::Execute { .. } => &[],
    });
    let timed = entries(plan).filter(|entry| !reads(entry)).map(|entry| entry.pool);
    whole.copied().chain(timed).collect()
}

fn entries(plan: &Plan) -> impl Iterator<Item = &Entry> {
    let timed = plan.stages.iter().filter_map(|stage| match &stage.kind {
        StageKind::Execute { entries, .. } => Some(entries),
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => None,
    });
    timed.flatten()
}

fn is_cleaned(plan: &Plan, pool: PoolId) -> bool {
    plan.stages.iter().any(|stage| match &stage.kind {
        StageKind::Cleanup { pools, .. } => pools.contains(&pool),
        StageKind::Execute { .. } | StageKind::Prepare { .. } => false,
    })
}
