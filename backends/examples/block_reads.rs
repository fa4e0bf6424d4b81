//! Random reads of one file by one thread, as the engine does them in a run: how fast, and at what cost.
//!
//! `cargo run --release -p iobench-backends --example block_reads -- TARGET [BLOCK] [IN_FLIGHT] [SECONDS] [MiB]`
//!
//! Prints `operations_per_second cpu_nanoseconds_per_operation p50_us p99_us`. The script
//! `backends/benches/versus_fio.sh` compares it with fio.

use iobench_backends::LocalEngine;
use iobench_core::engine::{Engine, EngineCommand, EngineEvent, Epoch};
use iobench_core::message::Configure;
use iobench_core::plan::{
    Entry, ErrorPolicy, FileOptions, Fill, Naming, Pattern, Plan, Pool, PoolId, Share, SizeSpec, Stage,
    StageKind, StorageOptions, Timeouts, Uri,
};
use iobench_core::stats::{Histogram, Operation, StageTotals};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let target: Uri = arguments.next().ok_or("give a target, for example file:///dev/shm/bench")?.parse()?;
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (block, in_flight, seconds, mib) = (number(4096)?, number(32)?, number(5)?, number(256)?);
    let plan = plan(target, block, u32::try_from(in_flight)?, Duration::from_secs(seconds), mib << 20);
    let totals = run(plan)?;
    report(&totals)
}

fn plan(target: Uri, block: u64, in_flight: u32, duration: Duration, size: u64) -> Plan {
    let pools = vec![PoolId(0)];
    let read = Entry {
        operation: Operation::Read,
        weight: 1,
        pool: PoolId(0),
        pattern: Pattern::Random,
        block_size: Some(block),
        page_size: 0,
        detail: iobench_core::plan::Detail::None,
        verify: false,
        concurrency: None,
    };
    let stage = |name: &str, kind| Stage { name: name.to_owned(), kind };
    Plan {
        name: "block reads".to_owned(),
        labels: Vec::new(),
        seed: 1,
        target,
        concurrency: in_flight,
        interval: Duration::from_secs(1),
        share: Share::WHOLE,
        pools: vec![Pool {
            base: String::new(),
            naming: Naming::Prepared,
            count: 1,
            sizes: SizeSpec::Fixed(size),
            fill: Fill::Random,
        }],
        stages: vec![
            stage(
                "prepare",
                StageKind::Prepare {
                    pools: pools.clone(),
                    overwrite: false,
                    skip_verification: false,
                    settle: Duration::ZERO,
                },
            ),
            stage(
                "read",
                StageKind::Execute { duration, warmup: Duration::from_millis(500), entries: vec![read] },
            ),
            stage("cleanup", StageKind::Cleanup { pools, tolerant: true }),
        ],
        errors: ErrorPolicy::default(),
        file: FileOptions { threads: Some(1), registered: true, ..FileOptions::default() },
        storage: StorageOptions::default(),
        timeouts: Timeouts::default(),
    }
}

/// Prepares, reads and cleans up; gives what the reads did.
fn run(plan: Plan) -> Result<StageTotals, Box<dyn std::error::Error>> {
    let (sender, events) = channel();
    let stages = plan.stages.len();
    let callback = Arc::new(move |_, event| drop(sender.send(event)));
    let loader = Arc::new(move |_: &Configure| Ok(plan.clone()));
    let mut engine = LocalEngine::with_loader(Instant::now(), callback, loader);
    engine.command(Epoch(0), EngineCommand::Validate(Box::default()));
    wait(&events)?;
    let mut totals = Vec::new();
    for stage in 0..stages {
        engine.command(Epoch(0), EngineCommand::Run { stage: u32::try_from(stage)? });
        totals.extend(wait(&events)?);
    }
    Ok(totals.swap_remove(1))
}

fn wait(events: &Receiver<EngineEvent>) -> Result<Option<StageTotals>, Box<dyn std::error::Error>> {
    loop {
        match events.recv()? {
            EngineEvent::Validated { .. } => return Ok(None),
            EngineEvent::StageDone(totals) => return Ok(Some(*totals)),
            EngineEvent::Failed { failure, .. } => return Err(failure.to_string().into()),
            _ => {}
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn report(totals: &StageTotals) -> Result<(), Box<dyn std::error::Error>> {
    let cell = totals.tally.cells.first().ok_or("nothing was read")?;
    let latency = Histogram::decode(&cell.service)?;
    let count = cell.count as f64;
    // The meters run from the start, the counts from the end of the warm-up.
    let measured = totals.to.since(totals.from).as_secs_f64();
    let rate = count / measured;
    let cpu = totals.process_cpu as f64 / (rate * (measured + 0.5));
    println!(
        "{rate:.0} {cpu:.0} {:.1} {:.1}",
        latency.percentile(50.0) as f64 / 1e3,
        latency.percentile(99.0) as f64 / 1e3
    );
    Ok(())
}
