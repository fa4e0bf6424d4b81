//! What a controller and an agent say to each other.
//!
//! These are values, not wire bytes: the `iobench-proto` crate converts them and stops bad bytes there, except for
//! [`Control::Undecodable`] and [`Report::Undecodable`], with which a codec tells a machine that a frame arrived
//! that nobody can read.

use crate::stats::{Interval, StageTotals};
use crate::time::{Mono, Unix};
use std::fmt;
use std::time::Duration;

/// One stream between a controller and an agent, numbered by the driver that owns it. Never reused in a process.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u64);

/// An agent's place in the configured list, from 0.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AgentIndex(pub u32);

/// 128 random bits, new for each run. Prints as 32 hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RunId(pub u128);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The attempt within a run: fences off messages of earlier streams. Compared only within one run.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Session(pub u64);

/// Why a stream is gone. None of these means "finished": only a terminal message does.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Gone {
    /// The peer closed its side. A keep-alive time-out looks the same.
    Ended,
    /// Reset, protocol error, or anything else the transport reports.
    Broken,
    /// We could not queue another message: the peer has stopped reading.
    Overflow,
}

/// From the controller to an agent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ControlMessage {
    /// The run it belongs to.
    pub run: RunId,
    /// The attempt within that run.
    pub session: Session,
    /// What it says.
    pub body: Control,
}

/// What a controller says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Control {
    /// Claim the agent, validate, touch nothing.
    Configure(Box<Configure>),
    /// Do this untimed stage now.
    Begin {
        /// Index into the plan's stages.
        stage: u32,
    },
    /// Do this timed stage from the given instant on.
    Start {
        /// Index into the plan's stages.
        stage: u32,
        /// When; without it: at once (only an in-process agent may be told so).
        at: Option<StartAt>,
    },
    /// Liveness and clock sample; renews the lease.
    Ping(Ping),
    /// Everything up to and including this sequence number is persisted: the agent may forget it.
    Acknowledge {
        /// The highest persisted sequence number.
        sequence: u64,
    },
    /// Stop now.
    Abort {
        /// For a person.
        reason: String,
    },
    /// Reserved: resume after a broken stream.
    Attach {
        /// The highest sequence number held.
        sequence: u64,
    },
    /// A frame that could not be decoded, or whose body this version does not know.
    Undecodable {
        /// What was wrong with it, for a person.
        detail: String,
    },
}

/// The first phase of a start.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Configure {
    /// The run's configuration, as its user wrote it.
    pub yaml: String,
    /// `key.path=value` settings that go over it, in order.
    pub overrides: Vec<String>,
    /// The agent's name in this run.
    pub agent_id: String,
    /// The agent's place among `count`, from 0.
    pub index: u32,
    /// How many agents the run has.
    pub count: u32,
    /// Everything random derives from it.
    pub seed: u64,
    /// How long the agent may work without hearing from the controller.
    pub lease: Duration,
}

/// A start instant: on the agent's own monotonic clock, and as wall clock for people.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct StartAt {
    /// What counts.
    pub mono: Mono,
    /// What is shown.
    pub unix: Unix,
}

/// A controller's question "are you there, and what time is it?".
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ping {
    /// Counts from 0 on each stream.
    pub number: u64,
    /// The controller's monotonic clock when it was sent.
    pub stamp: Mono,
    /// The newest of the agent's own stamps that the controller has received: what renews the lease.
    pub newest: Option<Mono>,
    /// Something did not arrive: the agent is to send again what it keeps from this message on, counted as in
    /// [`AgentMessage::kept_before`].
    pub again_from: Option<u64>,
}

/// From an agent to the controller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AgentMessage {
    /// The run it belongs to; zero before Configure.
    pub run: RunId,
    /// The session it answers.
    pub session: Session,
    /// From 0, one more with each message of the session.
    pub sequence: u64,
    /// The agent's monotonic clock when it was sent; the controller echoes the newest.
    pub stamp: Mono,
    /// How many messages of the session that [are kept](Report::is_kept) were sent before this one: by this the
    /// controller finds what did not arrive. `None`: the agent's version does not say.
    pub kept_before: Option<u64>,
    /// What it says.
    pub body: Report,
}

/// What an agent says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Report {
    /// The configuration is understood and can be run here.
    Accepted(Box<Capabilities>),
    /// An untimed stage is making progress.
    Preparing(Progress),
    /// A stage is done.
    StageDone(Box<StageTotals>),
    /// All before the first timed stage is done. Exactly once a run.
    Ready {
        /// The agent's wall clock.
        unix: Unix,
    },
    /// One interval of a timed stage.
    Running(Box<Interval>),
    /// The run is complete.
    Completed {
        /// One entry for each stage of the plan, in order.
        totals: Vec<StageTotals>,
    },
    /// The run failed here.
    Error {
        /// What and why.
        failure: Failure,
        /// What was done before, one entry a stage begun.
        totals: Vec<StageTotals>,
    },
    /// The run was stopped here because the controller said so.
    Aborted {
        /// The controller's reason.
        reason: String,
        /// What was done before, one entry a stage begun.
        totals: Vec<StageTotals>,
    },
    /// The answer to a [`Ping`].
    Acknowledge(Pong),
    /// A frame that could not be decoded, or whose body this version does not know.
    Undecodable {
        /// What was wrong with it, for a person.
        detail: String,
    },
}

impl Report {
    /// Kept by the agent until it is acknowledged, and sent again when it did not arrive. Progress and answers to pings
    /// are followed by newer ones.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !matches!(self, Self::Preparing(_) | Self::Acknowledge(_) | Self::Undecodable { .. })
    }

    /// The terminal messages: nothing follows them in a session.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Error { .. } | Self::Aborted { .. })
    }
}

/// The answer to a [`Ping`]; with the controller's receive stamp it makes one clock sample.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Pong {
    /// The Ping's number.
    pub number: u64,
    /// The Ping's own stamp, on the controller's clock.
    pub stamp: Mono,
    /// When the Ping arrived, on the agent's clock.
    pub received: Mono,
    /// When this answer left, on the agent's clock.
    pub sent: Mono,
}

/// What an agent is and has.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Capabilities {
    /// The agent's own version.
    pub version: String,
    /// Its host's name.
    pub host: String,
    /// CPUs it may use.
    pub cores: u32,
    /// Memory available, bytes.
    pub memory: u64,
    /// Facts for the record, by name: kernel, CPU model, device, file system, scheduler, engine, limits …
    pub facts: Vec<(String, String)>,
    /// What a person should know before trusting the result, one sentence each.
    pub warnings: Vec<String>,
}

/// How far an untimed stage has come. Whoever waits for it takes each report by [`grow`](Self::grow).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Progress {
    /// Index into the plan's stages.
    pub stage: u32,
    /// Objects done.
    pub objects: u64,
    /// Objects to do; 0 when not known.
    pub objects_total: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes to do; 0 when not known.
    pub bytes_total: u64,
    /// What else was done, which is neither an object nor a byte: a directory removed, a file flushed, a moment of a
    /// rest that was asked for, a look at operations that still have time.
    pub steps: u64,
}

impl Progress {
    /// Takes over what has grown in a newer report; gives whether anything has. What shrinks is no loss of what was
    /// seen before: an object that is written a second time has its bytes once more to go.
    pub fn grow(&mut self, newer: &Self) -> bool {
        let counts = |progress: &Self| [progress.objects, progress.bytes, progress.steps];
        let before = counts(self);
        self.objects = self.objects.max(newer.objects);
        self.bytes = self.bytes.max(newer.bytes);
        self.steps = self.steps.max(newer.steps);
        counts(self) != before
    }
}

/// What went wrong, and what to do about it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Failure {
    /// The kind, which decides exit codes.
    pub class: FailureClass,
    /// What and where.
    pub message: String,
    /// The next step for a person; may be empty.
    pub next_step: String,
}

impl Failure {
    /// A failure with a next step.
    pub fn new(class: FailureClass, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { class, message: message.into(), next_step: next_step.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.next_step.is_empty() {
            write!(f, "; {}", self.next_step)?;
        }
        Ok(())
    }
}

/// Kinds of failure, as on the wire.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum FailureClass {
    /// The configuration cannot be run here.
    Config,
    /// Storage refused or failed.
    Storage,
    /// Memory, file descriptors, stuck operations …
    Resource,
    /// A peer broke the protocol, or a counter is used up.
    Protocol,
    /// Something did not happen in time.
    Timeout,
    /// Another run holds the agent.
    Busy,
    /// The lease ran out or the stream closed.
    ControllerLost,
    /// A bug.
    Internal,
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "config",
            Self::Storage => "storage",
            Self::Resource => "resource",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::ControllerLost => "controller_lost",
            Self::Internal => "internal",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(objects: u64, bytes: u64, steps: u64) -> Progress {
        Progress { objects, bytes, steps, ..Progress::default() }
    }

    #[test]
    fn any_count_that_grows_is_progress_and_one_that_shrinks_hides_no_other() {
        let mut best = Progress::default();
        assert!(!best.grow(&progress(0, 0, 0)), "a report alone is none");
        for grown in [progress(0, 0, 1), progress(0, 10, 1), progress(1, 10, 1), progress(0, 5, 2)] {
            assert!(best.grow(&grown), "{grown:?}");
            assert!(!best.grow(&grown), "once: {grown:?}");
        }
        assert_eq!(best, progress(1, 10, 2));
        assert!(!best.grow(&Progress { objects_total: 9, bytes_total: 9, ..progress(1, 9, 2) }));
    }
}
