//! Which cells a stage can touch, so that a recorder lays them out before it starts.

use super::types::{Band, Operation};
use crate::plan::{Detail, Fsync, Naming, Plan, Pool, PoolId, StageKind};
use std::collections::BTreeSet;

/// The cells that the stage can touch, sorted. Sizes of listed objects are not known here; their bands are added by
/// the recorder when they first occur. A stage that the plan does not have touches none.
#[must_use]
pub fn cells_of(plan: &Plan, stage: usize) -> Vec<(Operation, Band)> {
    let mut cells = BTreeSet::new();
    match plan.stages.get(stage).map(|stage| &stage.kind) {
        None => {}
        Some(StageKind::Prepare { pools, .. }) => {
            for pool in pools.iter().filter_map(|&id| pool(plan, id)) {
                add_sizes(&mut cells, Operation::Put, pool);
                if matches!(pool.naming, Naming::Tree(_)) {
                    cells.insert((Operation::Mkdir, Band::ZERO));
                }
            }
        }
        Some(StageKind::Cleanup { pools, .. }) => {
            cells.insert((Operation::Delete, Band::ZERO));
            if pools
                .iter()
                .filter_map(|&id| pool(plan, id))
                .any(|pool| matches!(pool.naming, Naming::Tree(_)))
            {
                cells.insert((Operation::Rmdir, Band::ZERO));
            }
        }
        Some(StageKind::Execute { entries, .. }) => {
            for entry in entries {
                match (entry.operation, pool(plan, entry.pool)) {
                    (Operation::Read | Operation::Write, _) => {
                        cells.insert((entry.operation, Band::of(entry.block_size.unwrap_or(0))));
                    }
                    (Operation::Get, Some(pool)) => {
                        match entry.detail {
                            Detail::Range { length, .. } => {
                                _ = cells.insert((Operation::Get, Band::of(length)))
                            }
                            _ => add_sizes(&mut cells, Operation::Get, pool),
                        }
                        if plan.target.scheme.is_object_store() {
                            cells.insert((Operation::FirstByte, Band::ZERO));
                        }
                    }
                    (Operation::Put, Some(pool)) => add_sizes(&mut cells, Operation::Put, pool),
                    (Operation::List, _) => {
                        cells.extend([(Operation::List, Band::ZERO), (Operation::ListPage, Band::ZERO)]);
                    }
                    (operation, _) => {
                        cells.insert((operation, Band::ZERO));
                    }
                }
            }
        }
    }
    let writes = cells.iter().any(|(operation, _)| matches!(operation, Operation::Put | Operation::Write));
    if writes && plan.file.fsync != Fsync::Never {
        cells.insert((Operation::Fsync, Band::ZERO));
    }
    cells.into_iter().collect()
}

fn pool(plan: &Plan, id: PoolId) -> Option<&Pool> {
    plan.pools.get(usize::from(id.0))
}

fn add_sizes(cells: &mut BTreeSet<(Operation, Band)>, operation: Operation, pool: &Pool) {
    let (min, max) = pool.sizes.bounds();
    let bands = Band::of(min).index()..=Band::of(max).index();
    cells.extend(bands.filter_map(|index| Some((operation, Band::from_index(u32::try_from(index).ok()?)?))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Entry, Pattern, SizeSpec, Stage, Tree};
    use crate::workload::testing::{entry, plan, pool};
    use std::time::Duration;

    fn cells(plan: &Plan, stage: usize) -> Vec<(&'static str, usize)> {
        cells_of(plan, stage).into_iter().map(|(operation, band)| (operation.name(), band.index())).collect()
    }

    #[test]
    fn a_workload_touches_the_bands_of_its_sizes_and_blocks() {
        let sizes = SizeSpec::Uniform { min: 0, max: 64 << 10 };
        let entries =
            [(Operation::Get, 0), (Operation::Write, 1), (Operation::Stat, 0), (Operation::Stat, 1)];
        let entries = entries.map(|(operation, pool)| entry(operation, pool, Pattern::Random)).into();
        let pools = vec![pool(Naming::Prepared, 9, sizes), pool(Naming::Single, 1, SizeSpec::Fixed(1 << 40))];
        let mut plan = plan(pools, entries);
        let mut expected = vec![("get", 0), ("get", 1), ("get", 2), ("get", 3), ("stat", 0), ("write", 1)];
        assert_eq!(cells(&plan, 0), expected);
        plan.file.fsync = Fsync::End;
        expected.push(("fsync", 0));
        assert_eq!(cells(&plan, 0), expected);
    }

    #[test]
    fn parts_of_operations_have_cells_of_their_own() {
        let whole = entry(Operation::Get, 0, Pattern::Random);
        let range = Entry { detail: Detail::Range { offset: None, length: 100 }, ..whole };
        let entries = vec![range, entry(Operation::List, 0, Pattern::Random)];
        let mut plan = plan(vec![pool(Naming::Prepared, 9, SizeSpec::Fixed(1 << 30))], entries);
        assert_eq!(cells(&plan, 0), [("get", 1), ("list", 0), ("list_page", 0)]);
        plan.target = "s3://bucket".parse().unwrap();
        assert_eq!(cells(&plan, 0), [("get", 1), ("list", 0), ("first_byte", 0), ("list_page", 0)]);
    }

    #[test]
    fn prepare_puts_and_cleanup_deletes() {
        let tree = Naming::Tree(Tree { width: 1, depth: 1, files_per_dir: 1, all_levels: true });
        let mut plan = plan(vec![pool(tree, 1, SizeSpec::Fixed(100))], Vec::new());
        let pools = vec![PoolId(0)];
        let prepare = StageKind::Prepare {
            pools: pools.clone(),
            overwrite: false,
            skip_verification: false,
            settle: Duration::ZERO,
        };
        let cleanup = StageKind::Cleanup { pools, tolerant: true };
        plan.stages = [prepare, cleanup].map(|kind| Stage { name: String::new(), kind }).into();
        assert_eq!(cells(&plan, 0), [("put", 1), ("mkdir", 0)]);
        assert_eq!(cells(&plan, 1), [("delete", 0), ("rmdir", 0)]);
        assert_eq!(cells(&plan, 2), []);
    }
}
