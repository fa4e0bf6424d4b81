//! Tier 3: every interleaving of a few agents and faults. Larger ones: `cargo run --release -p sim --bin model -- 2 2`.

use sim::model::{Pace, Report, Runs, check};

/// More steps than any of these models has: all of their states are looked at.
const STEPS: usize = 5_000_000;

fn holds(runs: Runs) -> Report {
    let report = check(runs, STEPS, 2);
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.complete, "{report}");
    report
}

#[test]
fn one_agent_with_two_faults_however_late_messages_are() {
    println!("{}", holds(Runs::of(1, 2, Pace::Any)));
}

#[test]
fn one_agent_that_prepares_with_two_faults_however_late_messages_are() {
    println!("{}", holds(Runs::of(1, 2, Pace::Any).prepared()));
}

#[test]
fn two_agents_undisturbed() {
    println!("{}", holds(Runs::of(2, 0, Pace::Prompt).prepared()));
}

#[test]
fn two_agents_with_one_fault() {
    println!("{}", holds(Runs::of(2, 1, Pace::Prompt)));
}
