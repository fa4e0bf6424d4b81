//! Invariant 5, second half: when all is over every agent is idle again, and what nobody confirmed was kept.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::{Input, Output, StateName};
use iobench_core::message::{Control, Report, RunId, Session, StreamId};
use iobench_core::time::Mono;

/// Looks at each agent when a run is over there, and at the end.
#[derive(Debug, Default)]
pub(super) struct IdleAgain {
    hosts: PerHost<Host>,
}

#[derive(Debug, Default)]
struct Host {
    busy: bool,
    /// Whose messages count.
    current: Option<(StreamId, RunId, Session)>,
    /// The newest message with measurements, and the newest confirmation.
    newest: Option<u64>,
    confirmed: Option<u64>,
    kept: bool,
}

impl Checker for IdleAgain {
    const NAME: &'static str = "idle_again";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::Up(Process::Agent(host)) | Seen::Down(Process::Agent(host)) => {
                *self.hosts.at(*host) = Host::default();
            }
            Seen::AgentInput(host, _, Input::Received(stream, message)) => {
                let host = self.hosts.at(*host);
                if let Control::Acknowledge { sequence } = message.body
                    && host.current == Some((*stream, message.run, message.session))
                {
                    host.confirmed = host.confirmed.max(Some(sequence));
                }
            }
            Seen::AgentOutput(host, _, output) => {
                let entry = self.hosts.at(*host);
                return entry.says(output).map_err(|text| format!("agent {host} {text}"));
            }
            Seen::AgentSettled(host, _, machine) => {
                let host = self.hosts.at(*host);
                host.busy = machine.status().state != StateName::Idle;
                host.current = machine.current();
            }
            Seen::End => {
                if let Some(host) = self.hosts.0.iter().position(|host| host.busy) {
                    return Err(format!("agent {host} is never idle again"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Host {
    fn says(&mut self, output: &Output) -> Verdict {
        match output {
            Output::Send(_, message) => match &message.body {
                Report::Running(_) => self.newest = self.newest.max(Some(message.sequence)),
                Report::Completed { totals }
                | Report::Error { totals, .. }
                | Report::Aborted { totals, .. }
                    if !totals.is_empty() =>
                {
                    self.newest = self.newest.max(Some(message.sequence));
                }
                _ => {}
            },
            Output::Keep(_) => self.kept = true,
            Output::Entered { to: StateName::ConfigReceived, .. } => {
                *self = Self { busy: self.busy, current: self.current, ..Self::default() };
            }
            Output::Entered { to: StateName::Idle, .. } => {
                let lost = !self.kept && self.confirmed < self.newest;
                *self = Self::default();
                if lost {
                    return Err("forgets results that nobody has confirmed".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}
