//! The agent's states. A variant owns what makes sense in it, and nothing else.

use super::claim::Claim;
use crate::message::{Failure, Progress};
use crate::time::Mono;
use std::fmt;

/// Where an agent is. `Ended` keeps the name of how the run ended until its results are confirmed or kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum State {
    /// No run.
    Idle,
    /// Claimed: the engine validates, then untimed stages run as the controller begins them.
    ConfigReceived(Box<Claim>, Setup),
    /// READY was sent; waiting for Start, then for its instant.
    Ready(Box<Claim>, Option<Armed>),
    /// From the first timed stage to the last stage.
    Running(Box<Claim>, Work),
    /// The run is to end; the engine was told to stop and has not answered.
    Stopping(Box<Claim>, Ending, Mono),
    /// The terminal message was sent; waiting for its acknowledgement until the instant.
    Ended(Box<Claim>, StateName, Mono),
}

/// What a configured agent does before READY.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Setup {
    /// The engine looks whether the configuration can be run here. The agent does not know yet how long that may
    /// take: the controller does, and the lease ends with it.
    Validating,
    /// At a barrier: for Begin.
    Waiting,
    /// An untimed stage.
    Untimed(Untimed),
}

/// What a running agent does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Work {
    /// At a barrier: for Begin or Start.
    Waiting,
    /// An untimed stage.
    Untimed(Untimed),
    /// Start was received, its instant has not come.
    Armed(Armed),
    /// A timed stage, which must end by the instant or report another interval, which moves it.
    Timed(u32, Mono),
}

/// An untimed stage that is running.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Untimed {
    pub(super) stage: u32,
    /// The furthest it has come.
    pub(super) best: Progress,
    /// When it last came further.
    pub(super) moved: Mono,
}

/// A timed stage that waits for its instant.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Armed {
    pub(super) stage: u32,
    pub(super) at: Mono,
}

/// Why a run ends before it is complete.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Ending {
    Failed(Failure),
    Aborted(String),
}

impl Ending {
    /// Says with it how many operations the engine could not cancel.
    pub(super) fn abandoning(mut self, stuck: u64) -> Self {
        let text = match &mut self {
            Self::Failed(failure) => &mut failure.message,
            Self::Aborted(reason) => reason,
        };
        if stuck > 0 {
            *text += &format!(" ({stuck} operations are stuck in the kernel and were abandoned)");
        }
        self
    }

    pub(super) fn name(&self) -> StateName {
        match self {
            Self::Failed(_) => StateName::Error,
            Self::Aborted(_) => StateName::Aborted,
        }
    }
}

/// The documented states.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StateName {
    /// No run; streams may be open.
    Idle,
    /// Claimed, validating or preparing.
    ConfigReceived,
    /// All before the first timed stage is done.
    Ready,
    /// Measuring, or at a barrier after that.
    Running,
    /// All done.
    Completed,
    /// Failed here.
    Error,
    /// Stopped by the controller.
    Aborted,
}

impl StateName {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::ConfigReceived,
        Self::Ready,
        Self::Running,
        Self::Completed,
        Self::Error,
        Self::Aborted,
    ];

    /// As in documents and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::ConfigReceived => "CONFIG_RECEIVED",
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Error => "ERROR",
            Self::Aborted => "ABORTED",
        }
    }

    /// The states that may follow.
    #[must_use]
    pub fn successors(self) -> &'static [Self] {
        match self {
            Self::Idle => &[Self::ConfigReceived],
            Self::ConfigReceived => &[Self::Ready, Self::Completed, Self::Error, Self::Aborted],
            Self::Ready => &[Self::Running, Self::Error, Self::Aborted],
            Self::Running => &[Self::Completed, Self::Error, Self::Aborted],
            Self::Completed | Self::Error | Self::Aborted => &[Self::Idle],
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl State {
    pub(super) fn name(&self) -> StateName {
        match self {
            Self::Idle => StateName::Idle,
            Self::ConfigReceived(..) => StateName::ConfigReceived,
            Self::Ready(..) => StateName::Ready,
            Self::Running(..) => StateName::Running,
            Self::Stopping(_, ending, _) => ending.name(),
            Self::Ended(_, name, _) => *name,
        }
    }

    /// The run that is held or was held last, until its results are confirmed or kept.
    pub(super) fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Idle => None,
            Self::ConfigReceived(claim, _)
            | Self::Ready(claim, _)
            | Self::Running(claim, _)
            | Self::Stopping(claim, ..)
            | Self::Ended(claim, ..) => Some(claim),
        }
    }

    pub(super) fn into_claim(self) -> Option<Box<Claim>> {
        match self {
            Self::Idle => None,
            Self::ConfigReceived(claim, _)
            | Self::Ready(claim, _)
            | Self::Running(claim, _)
            | Self::Stopping(claim, ..)
            | Self::Ended(claim, ..) => Some(claim),
        }
    }

    pub(super) fn claim_mut(&mut self) -> Option<&mut Claim> {
        match self {
            Self::Idle => None,
            Self::ConfigReceived(claim, _)
            | Self::Ready(claim, _)
            | Self::Running(claim, _)
            | Self::Stopping(claim, ..)
            | Self::Ended(claim, ..) => Some(claim),
        }
    }

    /// Whether another Configure must be refused: everything between claim and terminal message.
    pub(super) fn is_claimed(&self) -> bool {
        !matches!(self, Self::Idle | Self::Ended(..))
    }

    /// Whether the engine is at work, or has set up work.
    pub(super) fn engine_works(&self) -> bool {
        matches!(
            self,
            Self::ConfigReceived(_, Setup::Validating | Setup::Untimed(_))
                | Self::Ready(_, Some(_))
                | Self::Running(_, Work::Untimed(_) | Work::Armed(_) | Work::Timed(..))
        )
    }
}
