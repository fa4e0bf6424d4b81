//! What a step of a stream and a record of a latency cost, in nanoseconds, on one core:
//! `cargo run --release -p iobench-core --example hot_path`.
//!
//! Each figure is the best of five rounds, as everything else on the machine only adds to it.

#![expect(clippy::print_stdout, reason = "a figure on the terminal is what it is for")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use iobench_core::plan::{
    Entry, ErrorPolicy, FileOptions, Fill, Naming, Pattern, Plan, Pool, PoolId, Scheme, Share, SizeSpec,
    Stage, StageKind, StorageOptions, Timeouts, Uri,
};
use iobench_core::stats::{Histogram, Operation, Recorder, TallySum, cells_of};
use iobench_core::workload::{Keys, Next, Stream};
use std::hint::black_box;
use std::time::{Duration, Instant};

const TIMES: u64 = 2_000_000;

/// An entry of a mix: what, with which pool, in which order.
type Kind = (Operation, u16, Pattern);

fn main() {
    let fixed = SizeSpec::Fixed(1 << 20);
    let lognormal = SizeSpec::Lognormal { mean: 1e6, std_dev: 5e5, min: 1, max: 1 << 30 };
    let zipf = Pattern::Zipf { theta: 0.99 };
    let read = |pattern| (Operation::Read, 0, pattern);
    let get = |pool| (Operation::Get, pool, Pattern::Random);
    let put = (Operation::Put, 1, Pattern::Sequential);
    let cases: [(&str, &[Kind]); 6] = [
        ("random 4 KiB reads", &[read(Pattern::Random)]),
        ("sequential 4 KiB reads", &[read(Pattern::Sequential)]),
        ("zipf 4 KiB reads", &[read(zipf)]),
        ("gets of one size", &[get(0)]),
        ("gets of lognormal sizes", &[get(1)]),
        ("mix of get, put and read", &[get(0), put, read(Pattern::Random)]),
    ];
    for (name, entries) in cases {
        let plan = plan([fixed.clone(), lognormal.clone()], entries);
        let keys: Vec<Keys> =
            plan.pools.iter().zip(0..).map(|(pool, id)| Keys::new(pool, PoolId(id), plan.seed)).collect();
        let mut stream = Stream::new(&plan, 0, &keys, Share::WHOLE).expect("the plan is valid");
        report(&format!("next step, {name}"), TIMES, || {
            if let Next::Step(step) = black_box(stream.next()) {
                stream.refund(step.entry);
            }
        });
    }
    statistics(&plan([fixed, lognormal], &[read(Pattern::Random)]));
}

fn statistics(plan: &Plan) {
    let mut recorder = Recorder::with_responses(&cells_of(plan, 0));
    // Latencies that differ, as the same one again and again would never leave the first cache line.
    let mut latency = 0_u64;
    let mut next = || {
        latency = (latency.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1_442_695_040_888_963_407);
        20_000 + (latency >> 48)
    };
    report("record a latency", TIMES, || recorder.record(Operation::Read, 4096, black_box(next())));
    report("record with response", TIMES, || {
        recorder.record_with_response(Operation::Read, 4096, black_box(next()), 90_000);
    });
    report("encode a tally of one cell with responses", 1_000, || drop(black_box(recorder.tally())));
    let tally = recorder.tally();
    let mut sum = TallySum::new();
    report("add that tally to a sum", 1_000, || sum.add(black_box(&tally)).expect("we made it"));
    let (mut histogram, mut total) = (Histogram::new(), Histogram::new());
    total.record(1);
    report("clear a histogram", 1_000, || {
        histogram.record(1);
        histogram.clear();
    });
    histogram.record(5);
    report("merge a histogram", 1_000, || total.merge(black_box(&histogram)));
}

/// Prints the time of one call.
fn report(name: &str, times: u64, mut call: impl FnMut()) {
    let mut round = || {
        let start = Instant::now();
        (0..times).for_each(|_| call());
        start.elapsed()
    };
    let best = (0..5).map(|_| round()).min().expect("there are five rounds");
    println!("{:>10.1} ns  {name}", best.as_nanos() as f64 / times as f64);
}

fn plan(sizes: [SizeSpec; 2], entries: &[Kind]) -> Plan {
    let pool = |sizes| Pool {
        base: String::new(),
        naming: Naming::Prepared,
        count: 1_000_000,
        sizes,
        fill: Fill::Random,
    };
    let entry = |&(operation, pool, pattern): &Kind| {
        let block_size = (operation == Operation::Read).then_some(4096);
        Entry {
            operation,
            weight: 1,
            pool: PoolId(pool),
            pattern,
            block_size,
            detail: iobench_core::plan::Detail::None,
            verify: false,
            page_size: 1,
            concurrency: None,
        }
    };
    let entries = entries.iter().map(entry).collect();
    let kind = StageKind::Execute { duration: Duration::from_secs(1), warmup: Duration::ZERO, entries };
    Plan {
        name: String::new(),
        labels: Vec::new(),
        seed: 1,
        target: Uri { scheme: Scheme::Null, path: String::new() },
        concurrency: 32,
        interval: Duration::from_secs(1),
        share: Share::WHOLE,
        pools: sizes.map(pool).into(),
        stages: vec![Stage { name: "execute".into(), kind }],
        errors: ErrorPolicy::default(),
        file: FileOptions::default(),
        storage: StorageOptions::default(),
        timeouts: Timeouts::default(),
    }
}
