//! Checks a model of the machines that is too large for the tests, and prints what it has seen.
//!
//! Exit code 1 when a property is violated, 64 for a wrong command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

use sim::model::{Pace, Runs, check};
use std::process::ExitCode;

const USAGE: &str = "usage: model AGENTS FAULTS [any|prompt] [STEPS]";

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let Some((runs, steps)) = parse(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = check(runs, steps, threads);
    println!("{report}");
    ExitCode::from(u8::from(!report.violations.is_empty()))
}

fn parse(words: &[String]) -> Option<(Runs, usize)> {
    let agents = words.first()?.parse().ok().filter(|agents| *agents > 0)?;
    let faults = words.get(1)?.parse().ok()?;
    let pace = match words.get(2).map(String::as_str) {
        Some("any") => Pace::Any,
        None | Some("prompt") => Pace::Prompt,
        Some(_) => return None,
    };
    let steps = words.get(3).map_or(Some(usize::MAX), |word| word.parse().ok())?;
    Some((Runs::of(agents, faults, pace), steps))
}
