//! Probes: for each check that no chain of honest machines ever meets, the few inputs that do meet it.
//!
//! A canary of [`des::canaries`](crate::des::canaries) is noticed by whoever plays runs at random. What is here needs a
//! peer that lies or a clock that waits on purpose: a start in an hour, a READY before Configure is answered, nine
//! streams. Each probe holds; with its check broken it does not.

mod agent;
mod controller;

pub use agent::AGENT;
pub use controller::CONTROLLER;

use iobench_core::plan::{Outline, StageOutline, Timeouts};
use std::time::Duration;

/// A check, and the inputs that meet it.
#[derive(Copy, Clone, Debug)]
pub struct Probe {
    /// Its name at the check, in the core.
    pub mutant: &'static str,
    /// What is broken.
    pub breaks: &'static str,
    /// Whether a machine does what it should.
    pub holds: fn() -> bool,
}

const fn probe(mutant: &'static str, breaks: &'static str, holds: fn() -> bool) -> Probe {
    Probe { mutant, breaks, holds }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Probe> {
    AGENT.iter().chain(CONTROLLER)
}

/// A run of these stages, timed or not.
fn outline(stages: &[(&str, bool)]) -> Outline {
    let stages = stages.iter().map(|&(name, timed)| StageOutline {
        name: name.to_owned(),
        timed: timed.then_some(Duration::from_secs(10)),
    });
    Outline { stages: stages.collect(), interval: Duration::from_secs(1), timeouts: Timeouts::default() }
}
