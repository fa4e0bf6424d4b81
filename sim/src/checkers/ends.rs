//! Invariant 4, first half: every run ends, once, within a bound computed from its settings.

use super::{Checker, Process, Seen, Verdict};
use iobench_core::controller::{Lead, Order, Output};
use iobench_core::time::Mono;
use std::time::Duration;

/// Pings before each timed stage.
const SAMPLES: u32 = 8;
/// What the machines add to the settings: pauses between attempts, the lead's own limit, what the journal may take
/// at the end, what a peer is given after one's own absence.
const RETRIES: Duration = Duration::from_secs(7);
const ATTEMPTS: u32 = 4;
const LEAD_MAX: Duration = Duration::from_secs(290);
const LAST_WRITES: Duration = Duration::from_secs(30);

/// Waits for the end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    running: bool,
    late: bool,
    due: Mono,
    /// What a run takes that nothing disturbs.
    longest: Duration,
}

impl Checker for Ends {
    const NAME: &'static str = "ends";

    #[inline(always)]
    fn see(&mut self, at: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, untimed, latency } => {
                self.running = true;
                self.late = false;
                self.longest = longest(order, *untimed, *latency);
                self.due = at.after(self.longest);
            }
            // Whatever went wrong before.
            Seen::Healed => self.due = self.due.min(at.after(self.longest)),
            Seen::Fault { delay, .. } => self.due = self.due.after(*delay),
            Seen::Down(Process::Controller) => self.running = false,
            Seen::ControllerOutput(_, Output::Finish(_)) if !std::mem::take(&mut self.running) => {
                return Err("the run ends twice".to_owned());
            }
            Seen::End if self.running => return Err("the run never ends".to_owned()),
            _ => {}
        }
        if self.running && at > self.due && !std::mem::replace(&mut self.late, true) {
            return Err(format!("the run has not ended by {:?}", self.due));
        }
        Ok(())
    }
}

/// How long a run may take without faults that delay it: every phase as long as its deadlines allow.
fn longest(order: &Order, untimed: Duration, latency: Duration) -> Duration {
    let timeouts = &order.outline.timeouts;
    let answer = latency * 2;
    let connecting = (timeouts.connect + timeouts.stream) * ATTEMPTS + RETRIES;
    let sampling = (timeouts.ping * timeouts.ping_tries).max(answer) * SAMPLES;
    let lead = match order.lead {
        Lead::AtOnce => Duration::ZERO,
        Lead::Ahead(lead) => lead.max(latency * 8 + Duration::from_secs(1)).min(LEAD_MAX),
    };
    let stages = order.outline.stages.iter().map(|stage| match stage.timed {
        Some(timed) => {
            sampling
                + lead
                + timeouts.hung
                + timeouts.first_stats
                + timeouts.ping * timeouts.ping_tries
                + timed
                + timeouts.hung
        }
        None => timeouts.progress + answer,
    });
    let ending = timeouts.progress + LAST_WRITES.max(timeouts.abort_wait);
    connecting + timeouts.progress * 2 + untimed + stages.sum::<Duration>() + ending + answer
}
