//! Many seeds: what they find, what they reach, how fast.

use crate::coverage::{Coverage, Mark};
use crate::des::{Scenario, run_with};
use crate::swarm;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Each hundredth seed of tier 1 is run twice, and both runs must leave the same trace; of tier 2, each.
const TWICE: u64 = 100;
/// A sweep that has not reached all that it should goes on until it is this many times as long: what one seed of 30
/// reaches (a controller that is killed, in tier 2) is missed by one sweep of 300 in 20,000, but of 1,200 by none.
pub const LONGER: u64 = 4;
/// So many failures are kept.
const KEPT: usize = 16;

/// Which simulation.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Tier {
    /// The machines alone.
    Machines,
    /// The shipping drivers and everything below them.
    Drivers,
}

impl Tier {
    /// So many seeds reach every corner.
    #[must_use]
    pub fn enough(self) -> u64 {
        match self {
            Self::Machines => 20_000,
            Self::Drivers => 300,
        }
    }

    /// Cells of (state × input) that so many seeds reach, one a line. The others are too rare to ask for, or cannot be:
    /// an idle agent, for instance, has no engine at work.
    #[must_use]
    pub fn cells(self) -> &'static str {
        match self {
            Self::Machines => include_str!("cells/machines.txt"),
            Self::Drivers => include_str!("cells/drivers.txt"),
        }
    }
}

/// What a sweep has come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sweep {
    /// Of which simulation.
    pub tier: Tier,
    /// Seeds that were run.
    pub seeds: u64,
    /// Seeds that were run twice.
    pub twice: u64,
    /// Inputs that machines have handled.
    pub inputs: u64,
    /// True time that has passed in all simulations, nanoseconds.
    pub simulated: u128,
    /// Seeds that showed something wrong.
    pub failed: u64,
    /// The first of them, and what.
    pub failures: Vec<(u64, String)>,
    /// What the machines have met.
    pub coverage: Coverage,
    /// How often each corner of the swarm was reached.
    corners: BTreeMap<String, u64>,
}

impl Sweep {
    /// Nothing yet.
    #[must_use]
    pub fn new(tier: Tier) -> Self {
        Self {
            tier,
            seeds: 0,
            twice: 0,
            inputs: 0,
            simulated: 0,
            failed: 0,
            failures: Vec::new(),
            coverage: Coverage::default(),
            corners: BTreeMap::new(),
        }
    }

    /// Runs these seeds.
    #[must_use]
    pub fn of(tier: Tier, seeds: Range<u64>) -> Self {
        let mut sweep = Self::new(tier);
        seeds.for_each(|seed| sweep.run(seed));
        sweep
    }

    /// So many seeds, played by `part`, and as many once more, up to [`LONGER`] times, while nothing has failed and
    /// something is missing.
    #[must_use]
    pub fn far_enough(tier: Tier, from: u64, seeds: u64, mut part: impl FnMut(Range<u64>) -> Self) -> Self {
        let mut total = Self::new(tier);
        for round in 0..LONGER {
            let start = from + round * seeds;
            total.merge(part(start..start + seeds));
            if total.failed > 0 || total.shortfall().is_none() {
                break;
            }
        }
        total
    }

    /// Runs one more seed.
    pub fn run(&mut self, seed: u64) {
        self.seeds += 1;
        match self.tier {
            Tier::Machines => self.run_machines(seed),
            Tier::Drivers => self.run_drivers(seed),
        }
    }

    fn run_machines(&mut self, seed: u64) {
        let scenario = Scenario::draw(seed);
        let traced = seed.is_multiple_of(TWICE);
        let report = run_with(&scenario, &mut self.coverage, traced);
        self.inputs += report.inputs;
        self.simulated += u128::from(report.simulated);
        if traced {
            self.twice += 1;
            let again = run_with(&scenario, &mut Coverage::default(), true);
            if again.trace != report.trace {
                self.fail(seed, "two runs of it leave different traces".to_owned());
            }
        }
        if !report.violations.is_empty() {
            let told: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
            self.fail(seed, told.join("\n"));
        }
    }

    fn run_drivers(&mut self, seed: u64) {
        self.twice += 1;
        match swarm::check(seed) {
            Ok(played) => {
                self.inputs += played.record.trace.len() as u64;
                self.simulated += played.record.simulated.as_nanos();
                played.corners.into_iter().for_each(|corner| *self.corners.entry(corner).or_default() += 1);
                self.coverage.merge(&played.record.coverage);
            }
            Err(found) => self.fail(seed, found.to_string()),
        }
    }

    fn fail(&mut self, seed: u64, what: String) {
        self.failed += 1;
        if self.failures.len() < KEPT {
            self.failures.push((seed, what));
        }
    }

    /// Adds what another sweep has come to.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.twice += other.twice;
        self.inputs += other.inputs;
        self.simulated += other.simulated;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.failures.truncate(KEPT);
        self.coverage.merge(&other.coverage);
        for (corner, times) in other.corners {
            *self.corners.entry(corner).or_default() += times;
        }
    }

    /// Every corner that matters, and how often it was reached.
    #[must_use]
    pub fn corners(&self) -> BTreeMap<String, u64> {
        match self.tier {
            Tier::Machines => {
                Mark::ALL.iter().map(|mark| (format!("{mark:?}"), self.coverage.count(*mark))).collect()
            }
            Tier::Drivers => {
                let times = |corner: &str| self.corners.get(corner).copied().unwrap_or(0);
                swarm::CORNERS.iter().map(|corner| ((*corner).to_owned(), times(corner))).collect()
            }
        }
    }

    /// Corners that were never reached.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        self.corners().into_iter().filter(|(_, times)| *times == 0).map(|(corner, _)| corner).collect()
    }

    /// Why the sweep proves less than it should, though no seed failed; `None` when it does, or was too short to tell.
    #[must_use]
    pub fn shortfall(&self) -> Option<String> {
        let mut missed = self.missed();
        let reached: BTreeSet<_> =
            self.coverage.cells().filter(|(_, times)| *times > 0).map(|(cell, _)| cell).collect();
        missed.extend(self.tier.cells().lines().filter(|cell| !reached.contains(*cell)).map(str::to_owned));
        (self.seeds >= self.tier.enough() && !missed.is_empty()).then(|| format!("never reached: {missed:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sweep of so many seeds that has reached everything, or nothing.
    fn swept(seeds: u64, everything: bool) -> Sweep {
        let times = if everything { "1" } else { "0" };
        let nothing = serde_json::to_string(&Coverage::default()).expect("plain data");
        let coverage = serde_json::from_str(&nothing.replace('0', times)).expect("the same shape");
        Sweep { seeds, coverage, ..Sweep::new(Tier::Machines) }
    }

    /// The first seed of each part that is played, and whether something is missing at the end.
    fn parts(seeds: u64, part: impl Fn(usize) -> Sweep) -> (Vec<u64>, bool) {
        let mut starts = Vec::new();
        let sweep = Sweep::far_enough(Tier::Machines, 7, seeds, |range| {
            starts.push(range.start);
            part(starts.len())
        });
        (starts, sweep.shortfall().is_some())
    }

    #[test]
    fn a_sweep_that_misses_something_goes_on_until_it_has_it_or_is_long_enough_to_tell() {
        let many = Tier::Machines.enough();
        let starts = |parts: u64| (0..parts).map(|part| 7 + part * many).collect::<Vec<_>>();
        assert_eq!(parts(many, |_| swept(many, true)), (starts(1), false));
        assert_eq!(parts(many, |part| swept(many, part == 3)), (starts(3), false));
        assert_eq!(parts(many, |_| swept(many, false)), (starts(LONGER), true));
        // What has failed is told at once.
        assert_eq!(parts(many, |_| Sweep { failed: 1, ..swept(many, false) }), (starts(1), true));
        // A short one proves nothing, and is not asked.
        assert_eq!(parts(10, |_| swept(10, false)), (vec![7], false));
    }
}
