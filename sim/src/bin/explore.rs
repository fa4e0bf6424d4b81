//! Looks for the twentieth scenario: draws clusters, workloads and faults from seeds, and checks every invariant.
//!
//! A failure prints what was wrong, what is left of it after shrinking, and one line that reproduces it. Exit code 1
//! when anything failed, or when so many seeds did not reach what they must; 64 for a wrong command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

use sim::des::{Scenario, run, shrink};
use sim::swarm;
use sim::sweep::{LONGER, Sweep, Tier};
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const USAGE: &str =
    "usage: explore [--tier 1|2] [--seeds N] [--from S] [--jobs J] [--cells] | [--tier 1|2] --seed X";
/// How often a sweep says how far it is.
const SAY: Duration = Duration::from_secs(20);

struct Options {
    tier: Tier,
    seeds: Option<u64>,
    from: u64,
    jobs: u64,
    seed: Option<u64>,
    /// Every cell of (state × input) is shown.
    cells: bool,
    /// One of several processes: results go to the parent, as one line of JSON.
    part: bool,
}

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        println!(
            "{USAGE}\nSIM_TRACE=FILE writes down all that crosses a machine's boundary; see docs/TESTING.md"
        );
        return ExitCode::SUCCESS;
    }
    let options = match options(std::env::args().skip(1)).and_then(|options| begin_trace().map(|()| options))
    {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    quiet_panics();
    let well = match (options.seed, options.tier) {
        (Some(seed), Tier::Machines) => machines(seed),
        (Some(seed), Tier::Drivers) => drivers(seed),
        (None, _) if options.part => part(&options),
        (None, _) => explore(&options),
    };
    ExitCode::from(u8::from(!well))
}

/// A trace of this call alone.
fn begin_trace() -> Result<(), String> {
    let Some(path) = std::env::var_os("SIM_TRACE") else { return Ok(()) };
    let begun = std::fs::File::create(&path);
    begun.map(drop).map_err(|error| format!("SIM_TRACE={}: {error}", path.display()))
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        tier: Tier::Machines,
        seeds: None,
        from: 0,
        jobs: 1,
        seed: None,
        cells: false,
        part: false,
    };
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
            "--tier" => {
                options.tier = match number()? {
                    1 => Tier::Machines,
                    2 => Tier::Drivers,
                    tier => {
                        return Err(format!(
                            "there is no tier {tier} here; tier 3 is `cargo test -p sim --test model`"
                        ));
                    }
                }
            }
            "--seeds" => options.seeds = Some(number()?),
            "--from" => options.from = number()?,
            "--jobs" => options.jobs = number()?.max(1),
            "--seed" => options.seed = Some(number()?),
            "--cells" => options.cells = true,
            "--part" => options.part = true,
            _ => return Err(format!("unknown option {word}")),
        }
    }
    match options.seeds().checked_mul(LONGER).and_then(|most| options.from.checked_add(most)) {
        Some(_)
            if options.seed.is_some() && (options.seeds.is_some() || options.from > 0 || options.cells) =>
        {
            Err("--seed plays one; --seeds, --from and --cells are for many".to_owned())
        }
        Some(_) => Ok(options),
        None => Err("--from and --seeds go beyond the last seed".to_owned()),
    }
}

impl Options {
    fn seeds(&self) -> u64 {
        self.seeds.unwrap_or(self.tier.enough())
    }
}

/// In tier 2 a violation is a panic, which is caught and told once, after shrinking.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// One seed of tier 1, in detail.
fn machines(seed: u64) -> bool {
    let scenario = Scenario::draw(seed);
    println!("{scenario:#?}");
    let report = run(&scenario);
    let seconds = report.simulated as f64 / 1e9;
    println!("{} inputs in {seconds:.1} s; outcome: {:#?}", report.inputs, report.outcome);
    if report.violations.is_empty() {
        println!("seed {seed:#x}: nothing is violated");
        return true;
    }
    for violation in &report.violations {
        println!("seed {seed:#x}: {violation}");
    }
    let small = shrink(&scenario);
    println!("shrunk to {} agents and {:#?}", small.hosts.len(), small.schedule);
    for violation in run(&small).violations {
        println!("shrunk: {violation}");
    }
    false
}

/// One seed of tier 2, in detail.
fn drivers(seed: u64) -> bool {
    println!("{:#?}", swarm::draw(seed));
    match swarm::check(seed) {
        Ok(played) => {
            let exit = played.exit.map_or("none: it was killed".to_owned(), |exit| exit.code().to_string());
            let lines = played.record.trace.len();
            println!("the controller's exit code: {exit}; {lines} lines of trace, twice the same");
            println!("seed {seed:#x}: nothing is violated");
            true
        }
        Err(found) => {
            println!("seed {seed:#x}, shrunk:\n{found}");
            false
        }
    }
}

fn explore(options: &Options) -> bool {
    let began = Instant::now();
    let total =
        Sweep::far_enough(options.tier, options.from, options.seeds(), |seeds| shared(options, &seeds));
    if options.cells {
        total.coverage.cells().for_each(|(cell, times)| println!("{times:9} {cell}"));
    }
    summary(&total, began.elapsed().as_secs_f64(), options.jobs);
    let shortfall = total.shortfall();
    if let Some(shortfall) = &shortfall {
        println!("this sweep proves too little: {shortfall}");
    }
    total.failed == 0 && shortfall.is_none()
}

/// These seeds, shared among the jobs.
fn shared(options: &Options, seeds: &Range<u64>) -> Sweep {
    let share = (seeds.end - seeds.start).div_ceil(options.jobs);
    let start = |job: u64| seeds.start.saturating_add(job * share).min(seeds.end);
    let mut total = Sweep::new(options.tier);
    std::thread::scope(|scope| {
        let sweeps = (0..options.jobs).map(|job| (job, start(job)..start(job + 1)));
        let jobs: Vec<_> = sweeps
            .map(|(job, seeds)| {
                scope.spawn(move || match options.tier {
                    Tier::Machines => sweep(options.tier, seeds, job == 0),
                    // Drivers are simulated one at a time in a process.
                    Tier::Drivers if options.jobs == 1 => sweep(options.tier, seeds, true),
                    Tier::Drivers => process(&seeds),
                })
            })
            .collect();
        for job in jobs {
            total.merge(job.join().expect("a sweep does not panic: what goes wrong is a failure"));
        }
    });
    total
}

fn sweep(tier: Tier, seeds: Range<u64>, says: bool) -> Sweep {
    let (mut sweep, mut said, all) = (Sweep::new(tier), Instant::now(), seeds.end - seeds.start);
    for seed in seeds {
        sweep.run(seed);
        if says && said.elapsed() >= SAY {
            eprintln!("{} of {all} seeds, {} failed", sweep.seeds, sweep.failed);
            said = Instant::now();
        }
    }
    sweep
}

/// Some seeds of tier 2 in a process of their own.
fn process(seeds: &Range<u64>) -> Sweep {
    let (from, count) = (seeds.start.to_string(), (seeds.end - seeds.start).to_string());
    let this = std::env::current_exe().expect("a running program has a file");
    let arguments = ["--tier", "2", "--part", "--from", &from, "--seeds", &count];
    let mut child = Command::new(this)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program that runs can be started again");
    let mut line = String::new();
    let output = child.stdout.take().expect("it is piped");
    let read = BufReader::new(output).read_line(&mut line);
    let ended = child.wait();
    read.ok().and_then(|_| serde_json::from_str(&line).ok()).unwrap_or_else(|| {
        let mut lost = Sweep::new(Tier::Drivers);
        lost.failed = 1;
        lost.failures = vec![(seeds.start, format!("the process for seeds {from}… has died: {ended:?}"))];
        lost
    })
}

fn part(options: &Options) -> bool {
    let sweep = sweep(options.tier, options.from..options.from + options.seeds(), true);
    println!("{}", serde_json::to_string(&sweep).expect("a sweep is plain data"));
    true
}

fn summary(sweep: &Sweep, seconds: f64, jobs: u64) {
    let tier = match sweep.tier {
        Tier::Machines => 1,
        Tier::Drivers => 2,
    };
    for (seed, what) in &sweep.failures {
        println!("{what}");
        println!("  reproduce: cargo run --release -p sim --bin explore -- --tier {tier} --seed {seed:#x}");
    }
    println!(
        "tier {tier}: {} seeds, {} failed, {} run twice; {:.1} seeds/s and {:.1} runs/s with {jobs} jobs, {:.0} inputs/s; {:.1} days simulated in {seconds:.1} s",
        sweep.seeds,
        sweep.failed,
        sweep.twice,
        sweep.seeds as f64 / seconds,
        (sweep.seeds + sweep.twice) as f64 / seconds,
        sweep.inputs as f64 / seconds,
        sweep.simulated as f64 / 1e9 / 86_400.0,
    );
    let cells = sweep.coverage.cells().count();
    println!("(state × input) cells reached: {} of {cells}", sweep.coverage.reached());
    let corners: Vec<_> = sweep.corners().iter().map(|(corner, times)| format!("{corner} {times}")).collect();
    println!("corners: {}", corners.join(", "));
}
