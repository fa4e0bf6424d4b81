//! What is acknowledged is safe on disk, and nothing is acknowledged past a gap, except by a terminal message.

use super::{Checker, PerHost, Seen, Verdict};
use iobench_core::controller::{Input, Output};
use iobench_core::message::{AgentMessage, Control, RunId, Session, StreamId};
use iobench_core::time::Mono;
use std::collections::BTreeSet;

/// Follows each message from the journal's queue to its acknowledgement.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    run: RunId,
    agents: PerHost<Agent>,
}

#[derive(Debug, Default)]
struct Agent {
    stream: Option<StreamId>,
    session: Session,
    /// Given to the journal, not yet on disk.
    writing: BTreeSet<u64>,
    /// The next sequence number if nothing is missing.
    expected: Option<u64>,
    /// The last received before the first gap.
    gap_after: Option<u64>,
    /// The sequence number of the terminal message, once it is on disk.
    terminal: Option<u64>,
}

impl Checker for Acknowledged {
    const NAME: &'static str = "acknowledged";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, .. } => *self = Self { run: order.run, ..Self::default() },
            Seen::ControllerInput(_, Input::Opened { agent, attempt, stream }) => {
                let session = Session(u64::from(*attempt));
                *self.agents.of(*agent) = Agent { stream: Some(*stream), session, ..Agent::default() };
            }
            Seen::ControllerInput(_, Input::Received(agent, stream, message)) => {
                let run = self.run;
                let agent = self.agents.of(*agent);
                if agent.stream == Some(*stream) && message.run == run && message.session == agent.session {
                    agent.received(message);
                }
            }
            Seen::ControllerOutput(_, Output::Persist(agent, message)) => {
                self.agents.of(*agent).writing.insert(message.sequence);
            }
            Seen::Journalled(agent, message) => {
                let agent = self.agents.of(*agent);
                agent.writing.remove(&message.sequence);
                if message.body.is_terminal() {
                    agent.terminal = Some(message.sequence);
                }
            }
            Seen::ControllerOutput(_, Output::Send(index, _, message)) => {
                if let Control::Acknowledge { sequence } = message.body {
                    let verdict = self.agents.of(*index).acknowledged(sequence);
                    return verdict.map_err(|text| format!("agent {}: {text}", index.0));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Agent {
    fn received(&mut self, message: &AgentMessage) {
        if self.expected.is_some_and(|next| message.sequence < next) {
            return;
        }
        if let Some(expected) = self.expected.filter(|next| message.sequence > *next) {
            self.gap_after = self.gap_after.or(expected.checked_sub(1));
        }
        self.expected = Some(message.sequence.saturating_add(1));
    }

    fn acknowledged(&self, sequence: u64) -> Verdict {
        if let Some(first) = self.writing.first().filter(|first| **first <= sequence) {
            return Err(format!("{sequence} is acknowledged, but {first} is not on disk"));
        }
        let past_gap = self.gap_after.is_some_and(|gap| sequence > gap);
        if past_gap && self.terminal != Some(sequence) {
            return Err(format!("{sequence} is acknowledged past the gap after {:?}", self.gap_after));
        }
        Ok(())
    }
}
