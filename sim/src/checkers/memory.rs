//! Invariant 8: what a controller and an agent hold stays under a stated bound.

use super::{Checker, Seen, Verdict};
use iobench_core::time::Mono;

/// What the protocol lets an agent hold: intervals that are not acknowledged, and streams that wait.
const UNACKNOWLEDGED: usize = 32;
const WAITING_STREAMS: usize = 8;

/// Counts what the machines hold.
#[derive(Debug, Default)]
pub(super) struct Memory {
    agents: usize,
    stages: usize,
    settled: u64,
}

/// The controller is looked at after so many inputs: adding up its whole roster each time would cost too much.
const EVERY: u64 = 32;

impl Checker for Memory {
    const NAME: &'static str = "memory";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, .. } => {
                self.agents = order.agents.len();
                self.stages = order.outline.stages.len();
            }
            Seen::AgentSettled(host, _, machine) => {
                // Unacknowledged intervals, two more a stage, its end, and its totals; ACCEPTED, READY, the pending one, the
                // terminal message; streams.
                let most = UNACKNOWLEDGED + 4 * self.stages + 4 + WAITING_STREAMS;
                if machine.held() > most {
                    return Err(format!("agent {host} holds {} things, more than {most}", machine.held()));
                }
            }
            Seen::ControllerSettled(_, machine) => {
                self.settled += 1;
                if !self.settled.is_multiple_of(EVERY) {
                    return Ok(());
                }
                // Of each agent: numbers being written, intervals not acknowledged, clock samples.
                let most = self.agents * (2 * UNACKNOWLEDGED + 4 * self.stages + 24) + self.stages;
                if machine.held() > most {
                    return Err(format!("the controller holds {} things, more than {most}", machine.held()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
