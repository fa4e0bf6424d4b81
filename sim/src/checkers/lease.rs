//! Invariant 5: no load goes on for longer than the lease once its controller is not heard any more.
//!
//! The lease is computed here again, from what reached the agent: the newest of its own stamps that a Ping of its
//! run has echoed. And once more from the truth: when the controller's process ended.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::{Input, StateName};
use iobench_core::message::{Control, RunId, Session, StreamId};
use iobench_core::time::{Mono, Now};
use std::time::Duration;

/// A process that wakes up handles one thing after another; and clocks drift.
const SLACK: Duration = Duration::from_millis(200);

/// Keeps each agent's lease.
#[derive(Debug, Default)]
pub(super) struct Lease {
    run: RunId,
    ready: Duration,
    lease: Duration,
    abort: Duration,
    /// Since when there is no controller, in true time.
    orphaned: Option<Mono>,
    hosts: PerHost<Host>,
}

#[derive(Debug, Default)]
struct Host {
    claim: Option<Claim>,
    /// What the last Configure asks for. It may take the place of a claim that has ended within the same input.
    asked: Option<Claim>,
    load: bool,
    /// It is stopped since, or was last stopped until.
    stalled: bool,
    resumed: Mono,
}

#[derive(Debug)]
struct Claim {
    whose: (StreamId, RunId, Session),
    lease: Duration,
    /// On the agent's clock.
    echoed: Mono,
}

impl Checker for Lease {
    const NAME: &'static str = "lease";

    #[inline(always)]
    fn see(&mut self, at: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, .. } => {
                self.run = order.run;
                self.ready = order.outline.timeouts.ready;
                self.lease = order.outline.timeouts.lease;
                self.abort = order.outline.timeouts.abort;
                self.orphaned = None;
            }
            Seen::Down(Process::Controller) => self.orphaned = Some(at),
            Seen::Up(Process::Agent(host)) | Seen::Down(Process::Agent(host)) => {
                *self.hosts.at(*host) = Host::default();
            }
            Seen::Stalled(Process::Agent(host)) => self.hosts.at(*host).stalled = true,
            Seen::Resumed(Process::Agent(host)) => {
                let host = self.hosts.at(*host);
                (host.stalled, host.resumed) = (false, at);
            }
            Seen::LoadBegins { host, .. } => self.hosts.at(*host).load = true,
            Seen::LoadEnds { host } => self.hosts.at(*host).load = false,
            Seen::AgentInput(host, now, Input::Received(stream, message)) => {
                let ordered = (message.run == self.run).then_some(self.lease);
                let host = self.hosts.at(*host);
                if let Control::Configure(configure) = &message.body {
                    let whose = (*stream, message.run, message.session);
                    let lease = ordered.unwrap_or(configure.lease);
                    host.asked = Some(Claim { whose, lease, echoed: now.mono });
                }
                if let Control::Ping(ping) = &message.body
                    && let Some(claim) = &mut host.claim
                    && claim.whose == (*stream, message.run, message.session)
                    && let Some(newest) = ping.newest.filter(|newest| *newest <= now.mono)
                {
                    claim.echoed = claim.echoed.max(newest);
                }
            }
            Seen::AgentSettled(host, now, machine) => {
                let (current, state) = (machine.current(), machine.status().state);
                let ready = self.ready;
                let entry = self.hosts.at(*host);
                if entry.claim.as_ref().map(|claim| claim.whose) != current {
                    entry.claim = entry.asked.take_if(|asked| current == Some(asked.whose));
                }
                return entry.judge(*now, state, ready).map_err(|text| format!("agent {host} {text}"));
            }
            Seen::End => {
                if let Some(host) = self.hosts.0.iter().position(|host| host.load) {
                    return Err(format!("agent {host} issues operations for ever"));
                }
            }
            _ => {}
        }
        match self.orphaned {
            Some(orphaned) => self.judge_orphans(at, orphaned),
            None => Ok(()),
        }
    }
}

impl Lease {
    /// However the agents judge: nothing is issued for longer than this after the controller is gone.
    fn judge_orphans(&mut self, at: Mono, orphaned: Mono) -> Verdict {
        if at <= orphaned.after(self.lease + SLACK) {
            return Ok(());
        }
        // What it does for another controller, that one answers for.
        let orphan =
            |host: &Host| host.claim.as_ref().is_none_or(|claim| claim.whose.1 == self.run) && host.load;
        let late = |host: &Host| orphan(host) && !host.stalled && at > host.resumed.after(SLACK);
        match self.hosts.0.iter().position(late) {
            Some(host) => {
                self.orphaned = None;
                let age = at.since(orphaned);
                Err(format!("agent {host} still issues operations {age:?} after its controller has gone"))
            }
            None => Ok(()),
        }
    }
}

impl Host {
    fn judge(&mut self, now: Now, state: StateName, ready: Duration) -> Verdict {
        let Some(claim) = &self.claim else { return Ok(()) };
        let lease = match state {
            StateName::ConfigReceived | StateName::Running => claim.lease,
            StateName::Ready => claim.lease.max(ready),
            _ => return Ok(()),
        };
        if now.mono >= claim.echoed.after(lease) {
            let age = now.mono.since(claim.echoed);
            return Err(format!("is {state} although its controller was last heard {age:?} ago"));
        }
        Ok(())
    }
}
