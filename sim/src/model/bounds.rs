//! What a model is bounded by.

use iobench_core::controller::{AgentSpec, Lead, Order};
use iobench_core::message::RunId;
use iobench_core::plan::{Outline, Policy, StageOutline, Timeouts};
use iobench_core::time::nanos;
use std::time::Duration;

/// No run takes longer, whatever breaks: connecting, answers, sampling, the stage, its silence, the last results.
pub(super) const LONGEST: Duration = Duration::from_secs(90);
/// After the run every agent is idle again: beside its lease the last message, stopping, waiting for a confirmation.
const AFTERWARDS: Duration = Duration::from_secs(18);

/// When time passes.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Pace {
    /// At any moment: a message may take as long as it likes.
    Any,
    /// Only when nothing is on its way.
    Prompt,
}

/// Runs of so many agents in which so much goes wrong.
#[derive(Clone, Debug)]
pub struct Runs {
    pub(super) faults: u8,
    pub(super) pace: Pace,
    pub(super) order: Order,
    #[cfg(feature = "mutants")]
    mutant: Option<&'static str>,
}

impl Runs {
    /// So many agents; so many faults in one run.
    #[must_use]
    pub fn of(agents: usize, faults: u8, pace: Pace) -> Self {
        let s = Duration::from_secs;
        // When messages may be late, each second of the run costs a multiple of states.
        // A long lease keeps regular pings out of runs so short.
        let (stage, interval, wait, silence, lease) = match pace {
            Pace::Any => (s(1), s(1), s(4), s(3), s(40)),
            Pace::Prompt => (s(8), s(4), s(6), s(5), s(6)),
        };
        let timeouts = Timeouts {
            connect: s(2),
            stream: s(2),
            progress: wait,
            ready: wait,
            first_stats: silence,
            silence,
            ping: s(2),
            ping_tries: 1,
            hung: wait,
            lease,
            abort: s(1),
            abort_wait: s(2),
            ..Timeouts::default()
        };
        let spec = |index| AgentSpec { id: format!("a{index}"), address: String::new() };
        let execute = StageOutline { name: "execute".to_owned(), timed: Some(stage) };
        let order = Order {
            run: RunId(1),
            agents: (0..agents).map(spec).collect(),
            yaml: String::new(),
            overrides: Vec::new(),
            seed: 0,
            outline: Outline { stages: vec![execute], interval, timeouts },
            policy: Policy { min_alive_ppm: 0, ..Policy::default() },
            lead: Lead::Ahead(Duration::from_millis(200)),
        };
        Self {
            faults,
            pace,
            order,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }

    /// How long a lease is.
    pub(super) fn lease(&self) -> Duration {
        self.order.outline.timeouts.lease
    }

    /// How long after the run agents may not be idle.
    pub(super) fn afterwards(&self) -> Duration {
        self.lease() + AFTERWARDS
    }

    /// Intervals of the timed stage.
    pub(super) fn intervals(&self) -> u64 {
        let stage = self.order.outline.stages.last().and_then(|stage| stage.timed).unwrap_or_default();
        nanos(stage) / nanos(self.order.outline.interval)
    }

    /// Before the workload the agents prepare.
    #[must_use]
    pub fn prepared(mut self) -> Self {
        self.order.outline.stages.insert(0, StageOutline { name: "prepare".to_owned(), timed: None });
        self
    }

    /// With a check of the core broken.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn broken(mut self, mutant: &'static str) -> Self {
        self.mutant = Some(mutant);
        self
    }

    /// Breaks on this thread what is to be broken.
    pub(super) fn arm(&self) {
        #[cfg(feature = "mutants")]
        iobench_core::mutants::set_mutant(self.mutant);
    }
}
