//! What is acknowledged is safe on disk, and nothing is acknowledged past a message that is missing.

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
    /// Of the messages that an agent keeps: how many arrived with none missing, and the last one's sequence number.
    whole: u64,
    last: Option<u64>,
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
                let ours = message.run == run && message.session == agent.session;
                // Who takes no Configure at all does not know whose stream it refuses.
                let refusal = message.run == RunId::default() && message.body.is_terminal();
                if agent.stream == Some(*stream) && (ours || refusal) {
                    agent.received(message);
                }
            }
            Seen::ControllerOutput(_, Output::Persist(agent, message)) => {
                self.agents.of(*agent).writing.insert(message.sequence);
            }
            Seen::Journalled(agent, message) => {
                let agent = self.agents.of(*agent);
                agent.writing.remove(&message.sequence);
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
        let before = message.kept_before.filter(|before| message.body.is_kept() && *before <= self.whole);
        if let Some(before) = before {
            self.whole += u64::from(before == self.whole);
            self.last = self.last.max(Some(message.sequence));
        }
    }

    fn acknowledged(&self, sequence: u64) -> Verdict {
        if let Some(first) = self.writing.first().filter(|first| **first <= sequence) {
            return Err(format!("{sequence} is acknowledged, but {first} is not on disk"));
        }
        if Some(sequence) > self.last {
            return Err(format!("{sequence} is acknowledged past the gap after {:?}", self.last));
        }
        Ok(())
    }
}
