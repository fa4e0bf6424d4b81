//! Invariant 1: READY is sent exactly once for each agent and run; sent again, it is the same message.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::{Output, StateName};
use iobench_core::message::{Report, RunId};
use iobench_core::time::Mono;

/// Counts READY.
#[derive(Debug, Default)]
pub(super) struct ReadyOnce {
    /// The run, and the message's number.
    hosts: PerHost<Option<(RunId, u64)>>,
}

impl Checker for ReadyOnce {
    const NAME: &'static str = "ready_once";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::Up(Process::Agent(host))
            | Seen::AgentOutput(host, _, Output::Entered { to: StateName::ConfigReceived, .. }) => {
                *self.hosts.at(*host) = None;
            }
            Seen::AgentOutput(host, _, Output::Send(_, message))
                if matches!(message.body, Report::Ready { .. })
                    && self
                        .hosts
                        .at(*host)
                        .replace((message.run, message.sequence))
                        .is_some_and(|(run, number)| run == message.run && number != message.sequence) =>
            {
                return Err(format!("agent {host} says READY twice in run {}", message.run));
            }
            Seen::AgentOutput(
                host,
                _,
                Output::Entered { from: StateName::Ready, to: StateName::Running },
            ) if self.hosts.at(*host).is_none() => {
                return Err(format!("agent {host} runs and has never said READY"));
            }
            _ => {}
        }
        Ok(())
    }
}
