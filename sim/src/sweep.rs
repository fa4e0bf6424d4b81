//! Many seeds: what they find, what they reach, how fast.

use crate::coverage::{Coverage, Mark};
use crate::des::{Scenario, run_with};
use crate::swarm;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Each hundredth seed of tier 1 is run twice, and both runs must leave the same trace; of tier 2, each.
const TWICE: u64 = 100;
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
