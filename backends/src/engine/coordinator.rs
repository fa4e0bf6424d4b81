//! The engine's own thread: takes commands, runs one thing at a time, answers. It never touches storage itself, so
//! nothing that hangs can keep it from answering.

use super::control::{Shared, Stops};
use super::prepared::Prepared;
use super::seat::Report;
use super::stage::{Ended, Stage};
use super::validate::{Limits, Loader, validate};
use crate::executor::Clock;
use crate::host;
use iobench_core::engine::{EngineCommand, EngineEvent, EngineEvents, Epoch};
use iobench_core::message::{Capabilities, Configure, Failure, FailureClass};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// What reaches the coordinator.
pub(super) enum Message {
    /// A command, and how many stops had been commanded when it was given.
    Command(Epoch, EngineCommand, u64),
    /// A validation is over.
    Validated(u64, Box<Result<(Prepared, Capabilities), Failure>>),
    /// Thread `.1` of job `.0` says something.
    Reported(u64, usize, Report),
    /// The engine is dropped.
    Quit,
}

/// The state behind a [`LocalEngine`](super::LocalEngine).
pub(super) struct Coordinator {
    pub(super) events: EngineEvents,
    pub(super) clock: Clock,
    pub(super) stops: Stops,
    pub(super) loader: Loader,
    pub(super) limits: Limits,
    pub(super) sender: Sender<Message>,
    pub(super) prepared: Option<Arc<Prepared>>,
    pub(super) job: Job,
    /// Numbers jobs, so that what threads of an abandoned one say is not taken for the current one's.
    pub(super) ticket: u64,
    /// Threads of earlier stages that have not come back.
    pub(super) abandoned: Vec<Arc<Shared>>,
}

/// The one thing that is going on.
pub(super) enum Job {
    Idle,
    Validating(Epoch),
    Running(Epoch, Box<Stage>),
    /// Halted by a stop, until the threads have let go.
    Stopping(Epoch, Box<Stage>),
}

impl Coordinator {
    /// Works until the engine is dropped.
    pub(super) fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            let message = match self.timeout() {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(timeout) => inbox.recv_timeout(timeout),
            };
            match message {
                Ok(Message::Quit) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Message::Command(epoch, command, stops)) => self.command(epoch, command, stops),
                Ok(Message::Validated(ticket, result)) => self.validated(ticket, *result),
                Ok(Message::Reported(ticket, thread, report)) => self.reported(ticket, thread, report),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.tick();
        }
        if let Job::Running(_, stage) | Job::Stopping(_, stage) = &mut self.job {
            stage.halt();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        match &self.job {
            Job::Idle | Job::Validating(_) => None,
            Job::Running(_, stage) | Job::Stopping(_, stage) => {
                Some(Duration::from_nanos(stage.next_tick().saturating_sub(self.clock.now())))
            }
        }
    }

    fn command(&mut self, epoch: Epoch, command: EngineCommand, stops: u64) {
        if let EngineCommand::Run { stage } = command
            && let Some(armed) = self.armed(stage)
        {
            return armed.release();
        }
        match command {
            EngineCommand::Stop => self.stop(epoch),
            _ if !matches!(self.job, Job::Idle) => {
                let message = "the engine is busy with another command";
                self.failed(epoch, Failure::new(FailureClass::Internal, message, ""));
            }
            EngineCommand::Validate(configure) => self.validate(epoch, *configure),
            EngineCommand::Arm { stage } => self.start(epoch, stage as usize, stops, true),
            EngineCommand::Run { stage } => self.start(epoch, stage as usize, stops, false),
        }
    }

    fn validate(&mut self, epoch: Epoch, configure: Configure) {
        self.prepared = None;
        self.abandoned.retain(|shared| shared.stuck() > 0);
        let stuck: u64 = self.abandoned.iter().map(|shared| shared.stuck()).sum();
        if stuck > 0 {
            let message = format!("{stuck} operations of an earlier run are still stuck in the kernel");
            let next = "look at the storage (a dead mount or device?); the agent recovers when the storage answers again";
            return self.failed(epoch, Failure::new(FailureClass::Resource, message, next));
        }
        self.ticket += 1;
        let (ticket, sender) = (self.ticket, self.sender.clone());
        let (loader, limits) = (Arc::clone(&self.loader), self.limits);
        let work = move || {
            let result = Box::new(validate(&configure, &*loader, limits));
            // Nobody waits for it after a stop.
            let _taken = sender.send(Message::Validated(ticket, result));
        };
        match std::thread::Builder::new().name("validate".to_owned()).spawn(work) {
            Ok(_) => self.job = Job::Validating(epoch),
            Err(error) => {
                let message = format!("cannot start a thread: {error}");
                self.failed(epoch, Failure::new(FailureClass::Resource, message, host::MORE_THREADS));
            }
        }
    }

    fn validated(&mut self, ticket: u64, result: Result<(Prepared, Capabilities), Failure>) {
        let Job::Validating(epoch) = self.job else { return };
        if ticket != self.ticket {
            return;
        }
        self.job = Job::Idle;
        match result {
            Ok((prepared, capabilities)) => {
                let (outline, capabilities) = (Box::new(prepared.plan.outline()), Box::new(capabilities));
                self.prepared = Some(Arc::new(prepared));
                self.send(epoch, EngineEvent::Validated { outline, capabilities });
            }
            Err(failure) => self.failed(epoch, failure),
        }
    }

    /// The stage with this index, if it is set up and waits for its start.
    fn armed(&mut self, index: u32) -> Option<&mut Stage> {
        match &mut self.job {
            Job::Running(_, stage) if stage.is_armed(index as usize) => Some(stage),
            _ => None,
        }
    }

    fn start(&mut self, epoch: Epoch, index: usize, stops: u64, armed: bool) {
        let Some(prepared) = self.prepared.as_ref().filter(|prepared| index < prepared.plan.stages.len())
        else {
            let message = format!("stage {index} is not part of a validated run");
            return self.failed(epoch, Failure::new(FailureClass::Internal, message, ""));
        };
        self.ticket += 1;
        let (ticket, sender) = (self.ticket, self.sender.clone());
        let report = |thread| {
            let sender = sender.clone();
            // Nobody listens when the engine is gone.
            move |report| drop(sender.send(Message::Reported(ticket, thread, report)))
        };
        match Stage::start(prepared, index, self.clock, (self.stops.clone(), stops), report) {
            Ok(mut stage) => {
                tracing::debug!(stage = index, armed, "stage begins");
                if armed {
                    stage.arm();
                }
                self.job = Job::Running(epoch, Box::new(stage));
            }
            Err(failure) => self.failed(epoch, failure),
        }
    }

    fn reported(&mut self, ticket: u64, thread: usize, report: Report) {
        if ticket != self.ticket {
            return;
        }
        if let Job::Running(_, stage) | Job::Stopping(_, stage) = &mut self.job {
            stage.reported(thread, report);
        }
    }

    fn stop(&mut self, epoch: Epoch) {
        match std::mem::replace(&mut self.job, Job::Idle) {
            Job::Running(_, mut stage) | Job::Stopping(_, mut stage) => {
                stage.halt();
                self.job = Job::Stopping(epoch, stage);
            }
            // A validation changes nothing: it may end when it likes.
            Job::Idle | Job::Validating(_) => {
                self.ticket += 1;
                let stuck = self.abandoned.iter().map(|shared| shared.stuck()).sum();
                self.send(epoch, EngineEvent::Stopped { totals: None, stuck });
            }
        }
    }

    fn tick(&mut self) {
        let (epoch, stopping, ended) = match &mut self.job {
            Job::Idle | Job::Validating(_) => return,
            Job::Running(epoch, stage) => {
                (*epoch, false, stage.tick(&mut |event| (self.events)(*epoch, event)))
            }
            Job::Stopping(epoch, stage) => {
                (*epoch, true, stage.tick(&mut |event| (self.events)(*epoch, event)))
            }
        };
        if let Some(ended) = ended {
            self.job = Job::Idle;
            self.end(epoch, stopping, ended);
        }
    }

    fn end(&mut self, epoch: Epoch, stopping: bool, ended: Ended) {
        let Ended { totals, begun, failure, abandoned } = ended;
        let stuck: u64 = abandoned.iter().map(|shared| shared.stuck()).sum();
        if stuck > 0 {
            tracing::warn!(
                stage = totals.stage,
                stuck,
                "operations are stuck in the kernel and were abandoned"
            );
        }
        tracing::debug!(stage = totals.stage, stopping, failed = failure.is_some(), "stage ends");
        self.abandoned.extend(abandoned);
        if failure.is_some() {
            // Nothing of this run begins any more: a stage that fails while it is armed may meet its Run on the way.
            self.prepared = None;
        }
        let event = match failure {
            _ if stopping => EngineEvent::Stopped { totals: begun.then_some(totals), stuck },
            Some(failure) => EngineEvent::Failed { failure, totals: begun.then_some(totals) },
            None => EngineEvent::StageDone(totals),
        };
        self.send(epoch, event);
    }

    fn failed(&self, epoch: Epoch, failure: Failure) {
        self.send(epoch, EngineEvent::Failed { failure, totals: None });
    }

    fn send(&self, epoch: Epoch, event: EngineEvent) {
        (self.events)(epoch, event);
    }
}
