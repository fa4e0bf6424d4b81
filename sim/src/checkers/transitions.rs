//! Invariant 7: no state transition outside the documented tables, on either side.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::{self, StateName};
use iobench_core::controller::{self, AgentState, RunState};
use iobench_core::time::Mono;

/// Follows every announced transition, and compares with where the machine says it is.
#[derive(Debug, Default)]
pub(super) struct Transitions {
    agents: PerHost<Option<StateName>>,
    run: Option<RunState>,
    peers: PerHost<Option<AgentState>>,
}

impl Checker for Transitions {
    const NAME: &'static str = "transitions";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::Up(Process::Agent(host)) => *self.agents.at(*host) = None,
            Seen::RunBegins { .. } => {
                self.run = None;
                self.peers = PerHost::default();
            }
            Seen::AgentOutput(host, _, agent::Output::Entered { from, to }) => {
                let known = self.agents.at(*host).replace(*to).unwrap_or(StateName::Idle);
                if known != *from || !from.successors().contains(to) {
                    return Err(format!("agent {host} was {known} and goes from {from} to {to}"));
                }
            }
            Seen::AgentSettled(host, _, machine) => {
                let (said, is) = (self.agents.at(*host).unwrap_or(StateName::Idle), machine.status().state);
                if said != is {
                    return Err(format!("agent {host} said that it was {said} and is {is}"));
                }
            }
            Seen::ControllerOutput(_, controller::Output::RunEntered { from, to }) => {
                let known = self.run.replace(*to).unwrap_or(RunState::Init);
                if known != *from || !from.successors().contains(to) {
                    return Err(format!("the run was {known} and goes from {from} to {to}"));
                }
            }
            Seen::ControllerOutput(_, controller::Output::AgentEntered { agent, from, to }) => {
                let known = self.peers.of(*agent).replace(*to).unwrap_or(AgentState::Connecting);
                if known != *from || !from.successors().contains(to) {
                    return Err(format!("agent {} was {known} and goes from {from} to {to}", agent.0));
                }
            }
            Seen::ControllerSettled(_, machine) => {
                if machine.state() != self.run.unwrap_or(RunState::Init) {
                    return Err(format!("the run did not say that it is {}", machine.state()));
                }
                for (index, is) in machine.agent_states().enumerate() {
                    let said = self.peers.at(index).unwrap_or(AgentState::Connecting);
                    if said != is {
                        return Err(format!("agent {index} was said to be {said} and is {is}"));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
