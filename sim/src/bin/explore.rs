//! Looks for the twentieth scenario: draws clusters, workloads and faults from seeds, and checks every invariant.
//!
//! A failure prints one line that reproduces it, and what is left of it after shrinking. Exit code 1 when anything
//! failed, 64 for a wrong command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

use sim::des::sweep::{Sweep, sweep};
use sim::des::{Scenario, run, shrink};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: explore [--tier 1] [--seeds N] [--from S] [--jobs J] | --seed X";

struct Options {
    tier: u64,
    seeds: u64,
    from: u64,
    jobs: u64,
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let failed = match options.seed {
        Some(seed) => reproduce(seed),
        None => explore(&options),
    };
    ExitCode::from(u8::from(failed))
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { tier: 1, seeds: 100_000, from: 0, jobs: 1, seed: None };
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            let parsed = match value.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => value.parse(),
            };
            parsed.map_err(|_| format!("{word} {value}: not a number"))
        };
        match word.as_str() {
            "--tier" => options.tier = number()?,
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--jobs" => options.jobs = number()?.max(1),
            "--seed" => options.seed = Some(number()?),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    match options.tier {
        1 => Ok(options),
        tier => Err(format!("there is no tier {tier} here")),
    }
}

/// One seed, in detail.
fn reproduce(seed: u64) -> bool {
    let scenario = Scenario::draw(seed);
    println!("{scenario:#?}");
    let report = run(&scenario);
    let seconds = report.simulated as f64 / 1e9;
    println!("{} inputs in {seconds:.1} s; outcome: {:#?}", report.inputs, report.outcome);
    if report.violations.is_empty() {
        println!("seed {seed:#x}: nothing is violated");
        return false;
    }
    for violation in &report.violations {
        println!("seed {seed:#x}: {violation}");
    }
    let small = shrink(&scenario);
    println!("shrunk to {} agents and {:#?}", small.hosts.len(), small.schedule);
    for violation in run(&small).violations {
        println!("shrunk: {violation}");
    }
    true
}

fn explore(options: &Options) -> bool {
    let began = Instant::now();
    let end = options.from + options.seeds;
    let share = options.seeds.div_ceil(options.jobs);
    let mut total = Sweep::default();
    std::thread::scope(|scope| {
        let start = |job: u64| (options.from + job * share).min(end);
        let jobs: Vec<_> =
            (0..options.jobs).map(|job| scope.spawn(move || sweep(start(job)..start(job + 1)))).collect();
        for job in jobs {
            total.merge(job.join().expect("a sweep does not panic: what machines do wrong is a violation"));
        }
    });
    summary(&total, began.elapsed().as_secs_f64(), options.jobs);
    total.failed > 0 || !total.unlike.is_empty()
}

fn summary(sweep: &Sweep, seconds: f64, jobs: u64) {
    for (seed, violations) in &sweep.failures {
        for violation in violations {
            println!("{violation}");
        }
        println!("  reproduce: cargo run --release -p sim --bin explore -- --seed {seed:#x}");
    }
    for seed in &sweep.unlike {
        println!("two runs differ: cargo run --release -p sim --bin explore -- --seed {seed:#x}");
    }
    let reached = sweep.coverage.cells().filter(|(_, count)| *count > 0).count();
    println!(
        "{} seeds, {} failed, {} run twice, {} unlike; {:.0} seeds/s on {jobs} threads, {:.0} inputs/s, {:.1} days simulated in {seconds:.1} s",
        sweep.seeds,
        sweep.failed,
        sweep.twice,
        sweep.unlike.len(),
        sweep.seeds as f64 / seconds,
        sweep.inputs as f64 / seconds,
        sweep.simulated_seconds() / 86_400.0,
    );
    println!("(state × input) cells reached: {reached} of {}", sweep.coverage.cells().count());
    let missed = sweep.coverage.missed_marks();
    if !missed.is_empty() {
        println!("corners never reached: {missed:?}");
    }
}
