//! Invariant 6: without a fault, exit 0, all agents COMPLETED, and a common start within bounds, in true time.

use super::{Checker, PerHost, Seen, Verdict};
use iobench_core::controller::{AgentEnd, Label, Lead, Outcome, Output, Skew, StageStart};
use iobench_core::time::Mono;
use std::time::Duration;

/// A sample of a clock is not older than this when the start is set.
const FRESH: Duration = Duration::from_secs(30);
/// Two clocks may part by so many millionths.
const DRIFT_PPM: u32 = 400;

/// Watches runs that nothing disturbs.
#[derive(Debug, Default)]
pub(super) struct FaultFree {
    disturbed: bool,
    healed: bool,
    latency: Duration,
    at_once: bool,
    /// What clocks may drift between their samples and the start.
    drift: Duration,
    /// The stage that began last on each host, and when, in true time.
    began: PerHost<Option<(u32, Mono)>>,
}

impl Checker for FaultFree {
    const NAME: &'static str = "fault_free";

    #[inline(always)]
    fn see(&mut self, at: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::Fault { .. } => self.disturbed = true,
            Seen::RunBegins { order, latency, .. } => {
                self.disturbed &= !std::mem::take(&mut self.healed);
                self.latency = *latency;
                self.at_once = order.lead == Lead::AtOnce;
                let ahead = match order.lead {
                    Lead::AtOnce => Duration::ZERO,
                    Lead::Ahead(lead) => lead,
                };
                self.drift = (FRESH + ahead) * DRIFT_PPM / 1_000_000;
                self.began = PerHost::default();
            }
            // The next run is not disturbed any more.
            Seen::Healed => self.healed = true,
            Seen::LoadBegins { host, stage, timed: true } => {
                *self.began.at(*host) = Some((*stage, at));
                return self.skew(*stage, at);
            }
            Seen::ControllerOutput(_, Output::Finish(outcome)) if !self.disturbed => {
                return self.finished(outcome);
            }
            _ => {}
        }
        Ok(())
    }
}

impl FaultFree {
    /// The offset of a clock is known to half a round trip, and clocks drift during the lead.
    fn skew(&self, stage: u32, at: Mono) -> Verdict {
        if self.disturbed || self.at_once {
            return Ok(());
        }
        let bound = self.latency * 2 + self.drift;
        let others = self.began.0.iter().flatten().filter(|(other, _)| *other == stage);
        match others.map(|(_, began)| at.since(*began)).max() {
            Some(skew) if skew > bound => {
                Err(format!("stage {stage} begins {skew:?} after another agent's, more than {bound:?}"))
            }
            _ => Ok(()),
        }
    }

    fn finished(&self, outcome: &Outcome) -> Verdict {
        let all = outcome.agents.iter().all(|agent| agent.end == AgentEnd::Completed && agent.missing == 0);
        if outcome.exit.code() != 0 || outcome.label != Label::Complete || !all {
            return Err(format!(
                "nothing happened, but the run ends with {} ({}): {}",
                outcome.exit.code(),
                outcome.label,
                outcome.cause
            ));
        }
        outcome.starts.iter().filter(|_| !self.at_once).try_for_each(|start| self.stated(start))
    }

    /// The stated skews against the true ones: agents are compared with each other, so that the controller's own
    /// clock does not matter.
    fn stated(&self, start: &StageStart) -> Verdict {
        let mut first: Option<(Skew, Mono)> = None;
        for (index, skew) in start.skews.iter().enumerate() {
            let stage = start.stage;
            let Some(skew) = skew else {
                return Err(format!("stage {stage}: the start skew of agent {index} is not known"));
            };
            let began = self.began.0.get(index).copied().flatten().filter(|(other, _)| *other == stage);
            let Some((_, began)) = began else { continue };
            let (other, reference) = *first.get_or_insert((*skew, began));
            let stated = i128::from(skew.nanos) - i128::from(other.nanos);
            let truth = i128::from(began.0) - i128::from(reference.0);
            let bound = u128::from(skew.bound) + u128::from(other.bound) + self.drift.as_nanos();
            if stated.abs_diff(truth) > bound {
                return Err(format!(
                    "stage {stage}: agent {index} is said to begin {stated} ns after the first, and does so after {truth} ns"
                ));
            }
        }
        Ok(())
    }
}
