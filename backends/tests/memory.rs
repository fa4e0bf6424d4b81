//! Nothing is held for a key: a hundred million of them cost no more memory than a thousand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use iobench_backends::LocalEngine;
use iobench_core::engine::{Engine, EngineCommand, EngineEvent, Epoch};
use iobench_core::message::Configure;
use iobench_core::plan::{
    Entry, ErrorPolicy, FileOptions, Fill, Naming, Pattern, Plan, Pool, PoolId, Share, SizeSpec, Stage,
    StageKind, StorageOptions, Timeouts,
};
use iobench_core::stats::Operation;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const KIB_MAX: u64 = 64 << 10;

#[test]
fn a_hundred_million_keys_cost_no_more_memory_than_a_thousand() {
    run(1_000);
    let few = peak_kib();
    run(100_000_000);
    let many = peak_kib();
    assert!(many - few <= KIB_MAX, "{few} KiB with a thousand, {many} KiB with a hundred million");
}

/// Works on so many keys in every way for a while.
fn run(keys: u64) {
    let entry = |operation, pattern| Entry {
        operation,
        weight: 1,
        pool: PoolId(0),
        pattern,
        block_size: (operation == Operation::Read).then_some(4096),
        page_size: 1000,
        detail: iobench_core::plan::Detail::None,
        verify: false,
        concurrency: None,
    };
    let entries = vec![
        entry(Operation::Get, Pattern::Random),
        entry(Operation::Stat, Pattern::Sequential),
        entry(Operation::Read, Pattern::Zipf { theta: 0.9 }),
        entry(Operation::Put, Pattern::Random),
        entry(Operation::List, Pattern::Random),
        entry(Operation::Delete, Pattern::Random),
    ];
    let kind = StageKind::Execute { duration: Duration::from_millis(700), warmup: Duration::ZERO, entries };
    let plan = Plan {
        name: "memory".to_owned(),
        labels: Vec::new(),
        seed: 3,
        target: "null://".parse().unwrap(),
        concurrency: 32,
        interval: Duration::from_millis(100),
        share: Share::WHOLE,
        pools: vec![Pool {
            base: "data/".to_owned(),
            naming: Naming::Prepared,
            count: keys,
            sizes: SizeSpec::Fixed(1 << 20),
            fill: Fill::Random,
        }],
        stages: vec![Stage { name: "execute".to_owned(), kind }],
        errors: ErrorPolicy::default(),
        file: FileOptions::default(),
        storage: StorageOptions::default(),
        timeouts: Timeouts::default(),
    };
    let (sender, events) = channel();
    let callback = Arc::new(move |_, event| drop(sender.send(event)));
    let mut engine =
        LocalEngine::with_loader(Instant::now(), callback, Arc::new(move |_: &Configure| Ok(plan.clone())));
    engine.command(Epoch(0), EngineCommand::Validate(Box::default()));
    assert!(matches!(events.recv().unwrap(), EngineEvent::Validated { .. }));
    // How long it takes to do enough is for the host to say.
    let (begun, mut done) = (Instant::now(), 0);
    while done <= 10_000 {
        assert!(begun.elapsed() < Duration::from_secs(60), "only {done} operations");
        engine.command(Epoch(0), EngineCommand::Run { stage: 0 });
        done += loop {
            match events.recv().unwrap() {
                EngineEvent::StageDone(totals) => break totals.tally.count(),
                EngineEvent::Interval(_) => {}
                other => panic!("{other:?}"),
            }
        };
    }
}

/// The most memory that this process has had resident.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
