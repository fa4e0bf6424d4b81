//! A machine never asks to be woken at once again, and never says more for one input than the roster allows.

use super::{Checker, PerHost, Seen, Verdict};
use iobench_core::machine::Machine;
use iobench_core::time::{Mono, Now};

/// Outputs that one input may cause, beside a few for each agent.
const OUTPUTS: usize = 64;
const OUTPUTS_PER_AGENT: usize = 16;

/// Compares promises with the time, and counts outputs.
#[derive(Debug, Default)]
pub(super) struct NoSpin {
    agents: usize,
    outputs: PerHost<usize>,
    controller: usize,
}

impl Checker for NoSpin {
    const NAME: &'static str = "no_spin";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, .. } => self.agents = order.agents.len(),
            Seen::AgentInput(host, ..) => *self.outputs.at(*host) = 0,
            Seen::AgentOutput(host, ..) => {
                *self.outputs.at(*host) += 1;
                if *self.outputs.at(*host) > OUTPUTS {
                    return Err(format!("agent {host} says more than {OUTPUTS} things for one input"));
                }
            }
            Seen::AgentSettled(host, now, machine) => {
                return promise(*now, *machine).map_err(|text| format!("agent {host} {text}"));
            }
            Seen::ControllerInput(..) => self.controller = 0,
            Seen::ControllerOutput(..) => {
                self.controller += 1;
                let most = OUTPUTS + OUTPUTS_PER_AGENT * self.agents;
                if self.controller > most {
                    return Err(format!("the controller says more than {most} things for one input"));
                }
            }
            Seen::ControllerSettled(now, machine) => {
                return promise(*now, *machine).map_err(|text| format!("the controller {text}"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn promise(now: Now, machine: &impl Machine) -> Verdict {
    match machine.poll_timeout() {
        Some(at) if at <= now.mono => Err(format!("spins: at {:?} it asks for {at:?}", now.mono)),
        _ => Ok(()),
    }
}
