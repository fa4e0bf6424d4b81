//! Tier 3: the machines, unchanged, as a model: every order in which messages can be delivered, deadlines pass, dialling
//! succeed or fail, streams break, processes die and a person press Ctrl-C, up to a bound.
//!
//! [`check`] looks at every state that can be reached and says which property is violated, and on the shortest way
//! there. What is bounded, and what is left out:
//!
//! - the number of agents and of faults, one timed stage of one interval, deadlines of a few seconds;
//! - with [`Pace::Any`], which is feasible for one agent, a message may take as long as it likes, so that every deadline
//!   races with every delivery. With [`Pace::Prompt`] time passes when nothing is on its way, and everything that happens
//!   at one instant happens in every order; only what a broken stream's ends notice may take any time;
//! - all clocks are right, the disk is quick, an engine does what it is told (the other tiers have clocks, disks and
//!   engines that do not).

mod bounds;
mod steps;
mod world;

pub use bounds::{Pace, Runs};

use stateright::{Checker, HasDiscoveries, Model};
use std::fmt;
use std::time::{Duration, Instant};

/// What a check has seen.
#[derive(Clone, Debug)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// The longest way that was taken.
    pub depth: usize,
    /// All of the states were looked at.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// Properties that do not hold, each with a way to where it does not.
    pub violations: Vec<(&'static str, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = if self.complete { "all" } else { "the first" };
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{all} {} states, {} steps, at most {} deep, in {seconds:.1} s",
            self.states, self.steps, self.depth
        )?;
        self.violations.iter().try_for_each(|(property, way)| write!(f, "\nviolated: {property}\n{way}"))
    }
}

/// Looks at every state that can be reached, or, if there are more, at those within so many steps; the first violation
/// ends it.
#[must_use]
pub fn check(runs: Runs, steps: usize, threads: usize) -> Report {
    let began = Instant::now();
    let checker = steps::Space(runs)
        .checker()
        .threads(threads)
        .target_state_count(steps)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let steps_taken = checker.state_count();
    let mut violations = Vec::new();
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        if property.expectation.discovery_is_failure() {
            violations.extend(found.map(|path| (property.name, way(path.into_actions()))));
        } else if found.is_none() && violations.is_empty() && steps_taken < steps {
            violations.push((property.name, "never".to_owned()));
        }
    }
    Report {
        states: checker.unique_state_count(),
        steps: steps_taken,
        depth: checker.max_depth(),
        complete: violations.is_empty() && steps_taken < steps,
        took: began.elapsed(),
        violations,
    }
}

fn way(steps: Vec<steps::Step>) -> String {
    steps.iter().enumerate().map(|(number, step)| format!("{:3} {step:?}\n", number + 1)).collect()
}
