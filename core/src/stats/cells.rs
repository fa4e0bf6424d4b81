//! Which cells a stage can touch, so that a recorder lays them out before it starts.

use super::types::{Band, Operation};
use crate::plan::{Fsync, Naming, Plan, Pool, PoolId, StageKind};
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
                    (Operation::Get | Operation::Put, Some(pool)) => {
                        add_sizes(&mut cells, entry.operation, pool)
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
