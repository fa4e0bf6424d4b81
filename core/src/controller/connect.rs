//! From an address to a stream that has been told what to do.

use super::machine::{Controller, agent_index};
use super::outcome::{AgentEnd, ExitCode};
use super::port::{Level, Output};
use super::roster::{Link, RETRY_AFTER, Setup, Step, Wait, ping_period};
use super::state::RunState;
use crate::message::{AgentIndex, Configure, Control, Gone, Session, StreamId};
use crate::mutants::mutant;
use crate::time::{Mono, Now};
use std::time::Duration;

/// How long an agent may take to end its side of a stream after we have ended ours.
const HANG_UP: Duration = Duration::from_secs(2);

impl Controller {
    pub(super) fn begin(&mut self, now: Now) {
        if self.state == RunState::Init {
            self.enter(RunState::ConnectingAll);
            for index in 0..self.peers.len() {
                self.connect(now, index, 1);
            }
        }
    }

    pub(super) fn connect(&mut self, now: Now, index: usize, attempt: u32) {
        let until = now.mono.after(self.order.outline.timeouts.connect);
        self.enter_agent(index, Step::Connecting { attempt, wait: Wait::Tcp, until });
        self.out.push_back(Output::Connect { agent: agent_index(index), attempt });
    }

    pub(super) fn connected(&mut self, now: Now, agent: AgentIndex, attempt: u32) {
        let until = now.mono.after(self.order.outline.timeouts.stream);
        if self.is_current(agent, attempt, &[Wait::Tcp]) {
            let step = Step::Connecting { attempt, wait: Wait::Stream, until };
            self.enter_agent(agent.0 as usize, step);
        }
    }

    pub(super) fn opened(&mut self, now: Now, agent: AgentIndex, attempt: u32, stream: StreamId) {
        if !self.is_current(agent, attempt, &[Wait::Tcp, Wait::Stream]) && !mutant("late_stream") {
            self.out.push_back(Output::Drop(agent, stream));
            return;
        }
        let index = agent.0 as usize;
        let period = ping_period(&self.order.outline.timeouts);
        self.peers[index].link = Some(Link::new(stream, Session(u64::from(attempt)), now.mono, period));
        self.enter_agent(index, Step::ConfigSent(Setup::Validating(now.mono)));
        let configure = Configure {
            yaml: self.order.yaml.clone(),
            overrides: self.order.overrides.clone(),
            agent_id: self.peers[index].spec.id.clone(),
            index: agent.0,
            count: agent_index(self.peers.len()).0,
            seed: self.order.seed,
            lease: self.order.outline.timeouts.lease,
        };
        self.send(index, Control::Configure(Box::new(configure)));
    }

    pub(super) fn connect_failed(&mut self, now: Now, agent: AgentIndex, attempt: u32, cause: &str) {
        if self.is_current(agent, attempt, &[Wait::Tcp, Wait::Stream]) {
            self.retry(now, agent.0 as usize, cause);
        }
    }

    /// The attempt's time is up: it is cut off, or the next one begins.
    pub(super) fn connect_due(&mut self, now: Now, index: usize) {
        let Step::Connecting { attempt, wait, .. } = self.peers[index].step else { return };
        let timeouts = self.order.outline.timeouts;
        let cause = match wait {
            Wait::Retry => return self.connect(now, index, attempt + 1),
            Wait::Tcp => format!("no TCP connection within {:?}", timeouts.connect),
            Wait::Stream => format!("connected, but no stream within {:?}", timeouts.stream),
        };
        self.out.push_back(Output::Disconnect { agent: agent_index(index) });
        self.retry(now, index, &cause);
    }

    fn retry(&mut self, now: Now, index: usize, cause: &str) {
        let Step::Connecting { attempt, .. } = self.peers[index].step else { return };
        let name = self.peers[index].name();
        if let Some(pause) = RETRY_AFTER.get(if mutant("retries") { 0 } else { attempt as usize - 1 }) {
            let until = now.mono.after(*pause);
            self.enter_agent(index, Step::Connecting { attempt, wait: Wait::Retry, until });
            let text = format!("agent {name}: attempt {attempt} failed: {cause}; next in {pause:?}");
            self.notice(Level::Warning, Some(index), text);
        } else {
            let reason = format!(
                "cannot be reached after {attempt} attempts: {cause}; is iobench-agent running there and the port open?"
            );
            self.fail(now, index, ExitCode::Unreachable, &reason);
        }
    }

    fn is_current(&mut self, agent: AgentIndex, attempt: u32, waits: &[Wait]) -> bool {
        self.peer(agent).is_some_and(|peer| {
            matches!(peer.step, Step::Connecting { attempt: current, wait, .. }
                if current == attempt && waits.contains(&wait))
        })
    }

    pub(super) fn closed(&mut self, now: Now, agent: AgentIndex, stream: StreamId, gone: Gone) {
        let Some(peer) = self.peer(agent) else { return };
        if peer.link.as_ref().is_none_or(|link| link.stream != stream) {
            return;
        }
        peer.link = None;
        let index = agent.0 as usize;
        self.schedule(index);
        if self.peers[index].is_over() {
            return;
        }
        let reason = match gone {
            Gone::Ended => "closed its stream before it had finished (did its process end?)",
            Gone::Broken => "its stream broke (did its process or host die, or the network fail?)",
            Gone::Overflow => "it stopped reading its stream",
        };
        self.fail(now, index, ExitCode::NoneCompleted, reason);
    }

    /// We have nothing more to say to an agent: end our side, and forget the stream after a while.
    pub(super) fn hang_up(&mut self, now: Mono, index: usize) {
        let Some(link) = &mut self.peers[index].link else { return };
        link.closing = Some(now.after(if mutant("hang_up") { HANG_UP * 1_000 } else { HANG_UP }));
        self.out.push_back(Output::HalfClose(agent_index(index), link.stream));
        self.schedule(index);
    }

    /// Forgets an agent's stream, or the attempt to open one.
    pub(super) fn drop_link(&mut self, index: usize) {
        if let Some(link) = self.peers[index].link.take() {
            self.out.push_back(Output::Drop(agent_index(index), link.stream));
        } else if matches!(self.peers[index].step, Step::Connecting { wait: Wait::Tcp | Wait::Stream, .. }) {
            self.out.push_back(Output::Disconnect { agent: agent_index(index) });
        }
        self.schedule(index);
    }

    /// Nothing more is expected of an agent, no answer to a ping either.
    pub(super) fn over(&mut self, index: usize, end: AgentEnd, reason: String) {
        if let Some(link) = &mut self.peers[index].link {
            link.sampling = None;
            link.probe = None;
        }
        self.enter_agent(index, Step::Over { end, reason });
    }
}
