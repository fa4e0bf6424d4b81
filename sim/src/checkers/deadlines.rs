//! Every documented deadline is kept, on both sides: what is waited for has come, or it is not waited for any more.
//!
//! This is the tables of the protocol a second time, from what crosses the machines' boundaries. A machine that was
//! itself absent gives its peers a while longer ([`Wake`]); the same is granted to it here.

mod agent;
mod controller;

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::time::{Mono, Now};
use std::time::Duration;

/// Watches the deadlines of both machines.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    agents: PerHost<agent::Watch>,
    controller: controller::Watch,
}

impl Checker for Deadlines {
    const NAME: &'static str = "deadlines";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, .. } => self.controller = controller::Watch::of(order),
            Seen::Up(Process::Agent(host)) => *self.agents.at(*host) = agent::Watch::default(),
            Seen::AgentInput(host, now, input) => self.agents.at(*host).input(*now, input),
            Seen::AgentOutput(host, now, output) => self.agents.at(*host).output(*now, output),
            Seen::AgentSettled(host, now, machine) => {
                let watch = self.agents.at(*host);
                return watch.settled(*now, machine).map_err(|text| format!("agent {host} {text}"));
            }
            Seen::ControllerInput(now, input) => self.controller.input(*now, input),
            Seen::ControllerOutput(now, output) => self.controller.output(*now, output),
            Seen::ControllerSettled(now, machine) => return self.controller.settled(*now, machine),
            _ => {}
        }
        Ok(())
    }
}

/// A process that wakes up more than a second late was absent: it judges nobody for five seconds.
#[derive(Copy, Clone, Debug, Default)]
struct Wake {
    promised: Option<Mono>,
    grace: Mono,
    /// When it last woke up from an absence.
    woke: Mono,
}

impl Wake {
    const ABSENCE: Duration = Duration::from_secs(1);
    const GRACE: Duration = Duration::from_secs(5);

    fn input(&mut self, now: Now) {
        if self.promised.is_some_and(|promised| now.mono > promised.after(Self::ABSENCE)) {
            self.grace = now.mono.after(Self::GRACE);
            self.woke = now.mono;
        }
    }

    /// Whether a wait from an instant on has ended by now, absence granted.
    fn is_over(&self, now: Now, since: Mono, limit: Duration) -> bool {
        now.mono >= since.after(limit).max(self.grace)
    }
}
