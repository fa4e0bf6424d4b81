//! A small plan for tests.

use crate::plan::{
    Detail, Entry, ErrorPolicy, FileOptions, Fill, Naming, Pattern, Plan, Pool, PoolId, Scheme, Share,
    SizeSpec, Stage, StageKind, StorageOptions, Timeouts, Uri,
};
use crate::stats::Operation;
use std::time::Duration;

/// A pool below `p/`.
pub(crate) fn pool(naming: Naming, count: u64, sizes: SizeSpec) -> Pool {
    Pool { base: "p/".into(), naming, count, sizes, fill: Fill::Random }
}

/// An entry of weight 1, with blocks of 4 KiB and pages of 100.
pub(crate) fn entry(operation: Operation, pool: u16, pattern: Pattern) -> Entry {
    let block_size = matches!(operation, Operation::Read | Operation::Write).then_some(4096);
    Entry {
        operation,
        weight: 1,
        pool: PoolId(pool),
        pattern,
        block_size,
        page_size: 100,
        detail: Detail::None,
        verify: false,
        concurrency: None,
    }
}

/// A plan with one timed stage.
pub(crate) fn plan(pools: Vec<Pool>, entries: Vec<Entry>) -> Plan {
    let kind = StageKind::Execute { duration: Duration::from_secs(1), warmup: Duration::ZERO, entries };
    Plan {
        name: String::new(),
        labels: Vec::new(),
        seed: 2026,
        target: Uri { scheme: Scheme::Null, path: String::new() },
        concurrency: 8,
        interval: Duration::from_secs(1),
        share: Share::WHOLE,
        pools,
        stages: vec![Stage { name: "execute".into(), kind }],
        errors: ErrorPolicy::default(),
        file: FileOptions::default(),
        storage: StorageOptions::default(),
        timeouts: Timeouts::default(),
    }
}
