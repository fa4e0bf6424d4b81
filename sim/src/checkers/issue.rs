//! Invariant 2: no agent issues I/O before its start instant, after it must stop, or for a run that is not its own.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::{Input, Output};
use iobench_core::engine::EngineCommand;
use iobench_core::message::{Control, ControlMessage, RunId, Session, StreamId};
use iobench_core::time::{Mono, Now};
use std::time::Duration;

/// A start may be this far ahead.
const AHEAD_MAX: Duration = Duration::from_secs(300);

/// Follows who may make each engine work at what, and from when on.
#[derive(Debug, Default)]
pub(super) struct Issue {
    hosts: PerHost<Host>,
}

#[derive(Debug, Default)]
struct Host {
    /// Whose messages count.
    current: Option<(StreamId, RunId, Session)>,
    /// The stage that was asked for and not run yet, and its instant.
    granted: Option<(u32, Option<Mono>)>,
    /// The newest stage that was run.
    ran: Option<u32>,
    /// The current run is to stop.
    aborted: bool,
    load: bool,
}

impl Checker for Issue {
    const NAME: &'static str = "issue";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::Up(Process::Agent(host)) | Seen::Down(Process::Agent(host)) => {
                *self.hosts.at(*host) = Host::default();
            }
            Seen::AgentInput(host, now, Input::Received(stream, message)) => {
                self.hosts.at(*host).received(*now, *stream, message);
            }
            Seen::AgentInput(host, _, Input::Closed(stream, _)) => {
                let host = self.hosts.at(*host);
                if host.current.is_some_and(|(current, ..)| current == *stream) {
                    host.aborted = true;
                }
            }
            Seen::AgentOutput(host, now, output) => {
                return self
                    .hosts
                    .at(*host)
                    .says(*now, output)
                    .map_err(|text| format!("agent {host} {text}"));
            }
            Seen::AgentSettled(index, _, machine) => {
                let host = self.hosts.at(*index);
                let current = machine.current();
                if host.aborted && host.load {
                    host.load = false;
                    return Err(format!("agent {index} goes on although its run is to stop"));
                }
                if current != host.current {
                    *host = Host { current, load: host.load, ..Host::default() };
                }
            }
            Seen::LoadBegins { host, .. } => self.hosts.at(*host).load = true,
            Seen::LoadEnds { host } => self.hosts.at(*host).load = false,
            _ => {}
        }
        Ok(())
    }
}

impl Host {
    fn received(&mut self, now: Now, stream: StreamId, message: &ControlMessage) {
        if self.current != Some((stream, message.run, message.session)) {
            return;
        }
        match &message.body {
            Control::Begin { stage } => self.grant(*stage, None),
            Control::Start { stage, at } => {
                let at = at.map_or(now.mono, |at| at.mono);
                if at < now.mono || at > now.mono.after(AHEAD_MAX) {
                    // Such a start is refused.
                    self.aborted |= self.granted.is_none() && self.ran.is_none_or(|ran| *stage > ran);
                } else {
                    self.grant(*stage, Some(at));
                }
            }
            Control::Abort { .. } => self.aborted = true,
            _ => {}
        }
    }

    /// The first word about a stage counts; what repeats it changes nothing.
    fn grant(&mut self, stage: u32, at: Option<Mono>) {
        let known = self.granted.is_some_and(|(granted, _)| granted == stage);
        if !known && self.ran.is_none_or(|ran| stage > ran) {
            self.granted = Some((stage, at));
        }
    }

    fn says(&mut self, now: Now, output: &Output) -> Verdict {
        match output {
            Output::Engine(_, EngineCommand::Validate(_)) => {
                self.aborted = false;
                self.granted = None;
                self.ran = None;
            }
            Output::Engine(_, EngineCommand::Arm { stage }) => match self.granted {
                Some((wanted, Some(_))) if wanted == *stage && !self.aborted => {}
                other => return Err(format!("arms stage {stage}, but was asked for {other:?}")),
            },
            Output::Engine(_, EngineCommand::Run { stage }) => {
                let granted = self.granted.take();
                self.ran = Some(*stage);
                if self.aborted {
                    return Err(format!("runs stage {stage} although its run is to stop"));
                }
                match granted {
                    Some((wanted, at)) if wanted == *stage => {
                        if let Some(at) = at.filter(|at| now.mono < *at) {
                            let early = at.since(now.mono);
                            return Err(format!("runs stage {stage} {early:?} before its instant"));
                        }
                    }
                    other => return Err(format!("runs stage {stage}, but was asked for {other:?}")),
                }
            }
            Output::Send(stream, message)
                if message.body.is_terminal()
                    && self.load
                    && self.current == Some((*stream, message.run, message.session)) =>
            {
                return Err("says that its run is over and issues operations".to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}
