//! What goes into the controller's machine and what comes out.

use super::outcome::Outcome;
use super::state::{AgentState, RunState};
use crate::message::{AgentIndex, AgentMessage, ControlMessage, Gone, RunId, StreamId};
use crate::plan::{Outline, Policy};
use std::fmt;
use std::time::Duration;

/// The run that a controller is to carry out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Order {
    /// New for each run.
    pub run: RunId,
    /// Who takes part; ids and addresses are unique.
    pub agents: Vec<AgentSpec>,
    /// The configuration that every agent receives.
    pub yaml: String,
    /// `key.path=value` settings that go over it.
    pub overrides: Vec<String>,
    /// Everything random derives from it.
    pub seed: u64,
    /// The stages, the reporting interval and the deadlines.
    pub outline: Outline,
    /// When to go on without an agent.
    pub policy: Policy,
    /// How far ahead a timed stage's start is set.
    pub lead: Lead,
}

/// One agent of a run.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AgentSpec {
    /// Its name in results.
    pub id: String,
    /// Where it listens.
    pub address: String,
}

/// How far ahead the start of a timed stage is set.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Lead {
    /// Start at once, without an instant: for a single agent in the same process.
    AtOnce,
    /// At least this far ahead, more when the network needs it.
    Ahead(Duration),
}

/// What can happen to a controller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// Go.
    Begin,
    /// The TCP connection of this attempt stands; TLS and the stream come next.
    Connected {
        /// Whose.
        agent: AgentIndex,
        /// The attempt, as in [`Output::Connect`].
        attempt: u32,
    },
    /// The stream of this attempt is open.
    Opened {
        /// Whose.
        agent: AgentIndex,
        /// The attempt, as in [`Output::Connect`].
        attempt: u32,
        /// The stream.
        stream: StreamId,
    },
    /// The attempt failed.
    ConnectFailed {
        /// Whose.
        agent: AgentIndex,
        /// The attempt, as in [`Output::Connect`].
        attempt: u32,
        /// Why.
        cause: ConnectError,
    },
    /// A message arrived.
    Received(AgentIndex, StreamId, AgentMessage),
    /// A stream is gone.
    Closed(AgentIndex, StreamId, Gone),
    /// The message with this sequence number is safe on disk.
    Persisted {
        /// Whose.
        agent: AgentIndex,
        /// Which.
        sequence: u64,
    },
    /// The message with this sequence number could not be written.
    PersistFailed {
        /// Whose.
        agent: AgentIndex,
        /// Which.
        sequence: u64,
        /// Path and cause, for a person.
        cause: String,
    },
    /// Ctrl-C or SIGTERM.
    Interrupt,
    /// The instant of `poll_timeout` has come.
    Timeout,
}

/// Why an agent could not be reached.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConnectError {
    /// For a person: refused, no such host, certificate not trusted …
    pub message: String,
}

/// What a controller wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Connect and open a stream; report [`Input::Connected`], then [`Input::Opened`] or [`Input::ConnectFailed`].
    Connect {
        /// To whom.
        agent: AgentIndex,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// Give up the attempt in progress; nothing more is wanted of it.
    Disconnect {
        /// To whom.
        agent: AgentIndex,
    },
    /// Queue a message. If the queue is full or the stream is gone, the driver says so with [`Input::Closed`].
    Send(AgentIndex, StreamId, ControlMessage),
    /// Send what is queued, then end our side; go on receiving until [`Input::Closed`] or [`Output::Drop`].
    HalfClose(AgentIndex, StreamId),
    /// Forget the stream at once.
    Drop(AgentIndex, StreamId),
    /// Write this message to the journal; answer [`Input::Persisted`] or [`Input::PersistFailed`].
    Persist(AgentIndex, Box<AgentMessage>),
    /// The documented state of one agent, as the controller sees it, has changed.
    AgentEntered {
        /// Whose.
        agent: AgentIndex,
        /// From this one …
        from: AgentState,
        /// … to this one, which is among its successors.
        to: AgentState,
    },
    /// The documented state of the run has changed.
    RunEntered {
        /// From this one …
        from: RunState,
        /// … to this one, which is among its successors.
        to: RunState,
    },
    /// Something a person should read.
    Notice(Notice),
    /// The run is over. The last output.
    Finish(Box<Outcome>),
}

/// Something a person should read while the run goes on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// Whom it is about.
    pub agent: Option<AgentIndex>,
    /// Who, what, after how long, what to do.
    pub text: String,
}

/// How much a notice matters.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// It goes well.
    Info,
    /// The result may suffer.
    Warning,
    /// The run or an agent failed.
    Error,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
