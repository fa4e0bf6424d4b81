//! The port between an agent and whatever does its I/O: real backends in production, a model in simulation.

use crate::message::{Capabilities, Configure, Failure, Progress};
use crate::plan::Outline;
use crate::stats::{Interval, StageTotals};
use std::sync::Arc;

/// Which run of an agent an engine command or event belongs to: an event of an older epoch is ignored.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch(pub u64);

/// What an agent asks of its engine. At most one stage runs at a time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EngineCommand {
    /// Read the configuration and look whether it can be run here; write nothing, change nothing.
    /// Answer: [`EngineEvent::Validated`] or [`EngineEvent::Failed`].
    Validate(Box<Configure>),
    /// Set up what takes time before this timed stage begins: threads, memory, open files, the page cache. Nothing of
    /// the stage itself is issued. Answer: none, or [`EngineEvent::Failed`].
    Arm {
        /// Index into the outline's stages.
        stage: u32,
    },
    /// Run the stage with this index, at once if it is armed. Answer: progress or intervals, then
    /// [`EngineEvent::StageDone`] or [`EngineEvent::Failed`].
    Run {
        /// Index into the outline's stages.
        stage: u32,
    },
    /// Issue nothing more from this instant; cancel what is in flight; abandon what cannot be cancelled, early enough to
    /// answer within `timeouts.abort`. Answer, always: [`EngineEvent::Stopped`], after what was said of the stage before.
    Stop,
}

/// What an engine tells its agent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EngineEvent {
    /// The configuration can be run here.
    Validated {
        /// The stages, as far as a machine needs to know them.
        outline: Box<Outline>,
        /// What this host is and has.
        capabilities: Box<Capabilities>,
    },
    /// An untimed stage goes on. Sent every interval, also when nothing changed.
    Progress(Progress),
    /// One interval of a timed stage. Sent every interval, also when nothing completed.
    Interval(Box<Interval>),
    /// The stage is done, and all of it was measured.
    StageDone(Box<StageTotals>),
    /// Validation or the stage failed, and the engine has stopped: nothing is issued any more.
    Failed {
        /// Why.
        failure: Failure,
        /// What the stage did before; `None` in validation.
        totals: Option<Box<StageTotals>>,
    },
    /// The answer to [`EngineCommand::Stop`].
    Stopped {
        /// What the interrupted stage did; `None` when none was running.
        totals: Option<Box<StageTotals>>,
        /// Operations stuck in the kernel, which no one can cancel.
        stuck: u64,
    },
}

/// How an engine answers: called from any of its threads, returns at once.
pub type EngineEvents = Arc<dyn Fn(Epoch, EngineEvent) + Send + Sync>;

/// The engine itself. Commands return at once; the work is done on the engine's own threads.
pub trait Engine: 'static {
    /// Obeys a command for the run of this epoch.
    fn command(&mut self, epoch: Epoch, command: EngineCommand);
}
