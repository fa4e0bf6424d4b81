//! What goes into the agent's machine and what comes out.

use super::state::StateName;
use crate::engine::{EngineCommand, EngineEvent, Epoch};
use crate::message::{AgentMessage, ControlMessage, Gone, RunId, StreamId};

/// What can happen to an agent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// A controller opened a stream.
    Opened(StreamId),
    /// A message arrived.
    Received(StreamId, ControlMessage),
    /// A stream is gone.
    Closed(StreamId, Gone),
    /// The engine said something.
    Engine(Epoch, EngineEvent),
    /// The agent process shall end: stop the run, tell its controller, then [`Output::Exit`].
    Shutdown,
    /// The instant of `poll_timeout` has come.
    Timeout,
}

/// What an agent wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Queue a message. If the queue is full or the stream is gone, the driver says so with [`Input::Closed`].
    Send(StreamId, AgentMessage),
    /// Send what is queued, then end our side of the stream and forget it.
    Close(StreamId),
    /// A command for the engine.
    Engine(Epoch, EngineCommand),
    /// The controller did not confirm these results: keep them under the state directory and say where.
    Keep(Box<KeptRun>),
    /// The documented state has changed.
    Entered {
        /// From this one …
        from: StateName,
        /// … to this one, which is among its successors.
        to: StateName,
    },
    /// Something the person who looks after this agent should read.
    Warn(String),
    /// After [`Input::Shutdown`]: everything is flushed, the process may end.
    Exit,
}

/// Results that no controller has confirmed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeptRun {
    /// The run.
    pub run: RunId,
    /// The agent's name in it.
    pub agent_id: String,
    /// The agent's place among the run's agents.
    pub index: u32,
    /// The configuration as the agent received it.
    pub yaml: String,
    /// The settings that went over it.
    pub overrides: Vec<String>,
    /// What everything random derived from.
    pub seed: u64,
    /// What was not acknowledged, oldest first; the last one is the terminal message with the totals.
    pub messages: Vec<AgentMessage>,
}
