//! Inertness: a message of an old session, on a dead stream, or of an old engine epoch is like a needless time-out.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::{self, Agent};
use iobench_core::controller::{self, Controller};
use iobench_core::machine::Machine;
use iobench_core::time::Mono;

/// Compares a machine with its clone that was handed a time-out instead.
#[derive(Debug, Default)]
pub(super) struct Inert {
    agents: PerHost<Option<Box<Twin<Agent, agent::Output>>>>,
    controller: Option<Box<Twin<Controller, controller::Output>>>,
}

#[derive(Debug)]
struct Twin<M, O> {
    machine: M,
    outputs: Vec<O>,
    expected: Option<Vec<O>>,
}

impl<M: Machine<Output = O> + Clone + PartialEq, O: PartialEq + Clone> Twin<M, O> {
    fn of(machine: &M) -> Box<Self> {
        Box::new(Self { machine: machine.clone(), outputs: Vec::new(), expected: None })
    }

    fn wake(&mut self, now: iobench_core::time::Now, timeout: M::Input) {
        self.machine.handle(now, timeout);
        self.expected = Some(std::iter::from_fn(|| self.machine.poll_output()).collect());
    }

    fn is_like(&self, machine: &M) -> bool {
        self.expected.as_ref() == Some(&self.outputs) && self.machine == *machine
    }
}

impl Checker for Inert {
    const NAME: &'static str = "inert";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::Up(Process::Agent(host)) => *self.agents.at(*host) = None,
            Seen::RunBegins { .. } => self.controller = None,
            Seen::AgentReplay(host, machine) => *self.agents.at(*host) = Some(Twin::of(machine)),
            Seen::ControllerReplay(machine) => self.controller = Some(Twin::of(machine)),
            Seen::AgentInput(host, now, _) => {
                if let Some(twin) = self.agents.at(*host) {
                    twin.wake(*now, agent::Input::Timeout);
                }
            }
            Seen::AgentOutput(host, _, output) => {
                if let Some(twin) = self.agents.at(*host) {
                    twin.outputs.push((*output).clone());
                }
            }
            Seen::AgentSettled(host, _, machine) => {
                if let Some(twin) = self.agents.at(*host).take()
                    && !twin.is_like(machine)
                {
                    return Err(format!("agent {host} is moved by what belongs to the past"));
                }
            }
            Seen::ControllerInput(now, _) => {
                if let Some(twin) = &mut self.controller {
                    twin.wake(*now, controller::Input::Timeout);
                }
            }
            Seen::ControllerOutput(_, output) => {
                if let Some(twin) = &mut self.controller {
                    twin.outputs.push((*output).clone());
                }
            }
            Seen::ControllerSettled(_, machine) => {
                if let Some(twin) = self.controller.take()
                    && !twin.is_like(machine)
                {
                    return Err("the controller is moved by what belongs to the past".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}
