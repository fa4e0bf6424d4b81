//! Many seeds: what they reach, what they find, how fast.

use super::coverage::Coverage;
use super::scenario::{Nanos, Scenario};
use super::world::run_with;
use crate::checkers::Violation;
use std::ops::Range;

/// Each hundredth seed is run twice, and both runs must leave the same trace.
const TWICE: u64 = 100;
/// So many failures are kept.
const KEPT: usize = 16;

/// What a sweep has come to.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// Seeds that were run.
    pub seeds: u64,
    /// Inputs that machines have handled.
    pub inputs: u64,
    /// True time that has passed in all simulations, nanoseconds.
    pub simulated: u128,
    /// Seeds with a violation.
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<(u64, Vec<Violation>)>,
    /// Seeds that were run twice, and those whose traces differed.
    pub twice: u64,
    /// Seeds whose two traces differed.
    pub unlike: Vec<u64>,
    /// What was reached.
    pub coverage: Coverage,
}

/// Runs these seeds.
#[must_use]
pub fn sweep(seeds: Range<u64>) -> Sweep {
    let mut sweep = Sweep::default();
    seeds.for_each(|seed| sweep.run(seed));
    sweep
}

impl Sweep {
    /// Runs one more seed.
    pub fn run(&mut self, seed: u64) {
        let scenario = Scenario::draw(seed);
        let traced = seed.is_multiple_of(TWICE);
        let report = run_with(&scenario, &mut self.coverage, traced);
        if traced {
            self.twice += 1;
            let again = run_with(&scenario, &mut Coverage::default(), true);
            if again.trace != report.trace {
                self.unlike.push(seed);
            }
        }
        self.seeds += 1;
        self.inputs += report.inputs;
        self.simulated += u128::from(report.simulated);
        if !report.violations.is_empty() {
            self.failed += 1;
            if self.failures.len() < KEPT {
                self.failures.push((seed, report.violations));
            }
        }
    }

    /// Adds what another sweep has come to.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.inputs += other.inputs;
        self.simulated += other.simulated;
        self.failed += other.failed;
        self.twice += other.twice;
        self.unlike.extend(other.unlike);
        self.failures.extend(other.failures);
        self.failures.truncate(KEPT);
        self.coverage.merge(&other.coverage);
    }

    /// Simulated seconds.
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        self.simulated as f64 / Nanos::from(1_000_000_000u32) as f64
    }
}
