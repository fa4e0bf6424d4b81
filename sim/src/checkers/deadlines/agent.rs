//! The agent's deadlines: Configure, progress, the end of a stage, stopping, confirmation. Its lease, which is also what
//! ends a validation, has a checker of its own.

use super::Wake;
use crate::checkers::Verdict;
use iobench_core::agent::{Agent, Input, Output, StateName};
use iobench_core::engine::{EngineCommand, EngineEvent, Epoch};
use iobench_core::machine::Machine;
use iobench_core::message::{Control, FailureClass, Report, StreamId};
use iobench_core::plan::Timeouts;
use iobench_core::time::{Mono, Now};
use std::collections::BTreeMap;
use std::time::Duration;

/// A terminal message is to be confirmed within this.
const CONFIRM: Duration = Duration::from_secs(10);

/// What one agent waits for.
#[derive(Debug, Default)]
pub(super) struct Watch {
    wake: Wake,
    /// The settings, as validation has made them known.
    timeouts: Timeouts,
    durations: Vec<Option<Duration>>,
    /// Streams that have not said Configure, since.
    waiting: BTreeMap<StreamId, Mono>,
    /// The stream of the newest Configure, and the one that holds the agent.
    configured: Option<StreamId>,
    claim: Option<StreamId>,
    epoch: Epoch,
    wait: Option<(Wait, Mono)>,
    best: (u64, u64, u64),
    /// It says that something did not happen in time, and has not been back for long.
    blames: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Wait {
    Validation,
    /// The stage makes progress.
    Progress,
    /// A timed stage ends, or reports an interval.
    Stage,
    /// The engine answers Stop, or is given up.
    Stop,
    /// The terminal message is confirmed.
    Confirmation,
}

impl Watch {
    pub(super) fn input(&mut self, now: Now, input: &Input) {
        self.wake.input(now);
        match input {
            Input::Opened(stream) => {
                self.waiting.insert(*stream, now.mono);
            }
            Input::Closed(stream, _) => {
                self.waiting.remove(stream);
            }
            Input::Received(stream, message) if matches!(message.body, Control::Configure(_)) => {
                self.waiting.remove(stream);
                self.configured = Some(*stream);
            }
            Input::Engine(epoch, event) if *epoch == self.epoch => self.engine(now, event),
            _ => {}
        }
    }

    fn engine(&mut self, now: Now, event: &EngineEvent) {
        match event {
            // After Stop the run is over before its settings are known: the defaults hold.
            EngineEvent::Validated { outline, .. }
                if self.wait.is_some_and(|(wait, _)| wait == Wait::Validation) =>
            {
                self.timeouts = outline.timeouts;
                self.durations = outline.stages.iter().map(|stage| stage.timed).collect();
                self.wait = None;
            }
            EngineEvent::Progress(progress) => {
                let come = (progress.objects, progress.bytes, progress.steps);
                if let Some((Wait::Progress, since)) = &mut self.wait
                    && come > self.best
                {
                    (self.best, *since) = (come, now.mono);
                }
            }
            EngineEvent::StageDone(_) => {
                self.wait.take_if(|(wait, _)| matches!(wait, Wait::Progress | Wait::Stage));
            }
            EngineEvent::Failed { .. } | EngineEvent::Stopped { .. } => {
                self.wait.take_if(|(wait, _)| *wait != Wait::Confirmation);
            }
            EngineEvent::Interval(_) => {
                if let Some((Wait::Stage, since)) = &mut self.wait {
                    *since = (*since).max(now.mono);
                }
            }
            EngineEvent::Validated { .. } => {}
        }
    }

    pub(super) fn output(&mut self, now: Now, output: &Output) {
        match output {
            Output::Send(_, message)
                if now.mono < self.wake.grace
                    && matches!(&message.body, Report::Error { failure, .. } if failure.class == FailureClass::Timeout) =>
            {
                self.blames = true;
            }
            _ => {}
        }
        match output {
            Output::Close(stream) => {
                self.waiting.remove(stream);
            }
            Output::Engine(epoch, command) => {
                self.epoch = *epoch;
                self.best = (0, 0, 0);
                let mut since = now.mono;
                let wait = match command {
                    EngineCommand::Validate(_) => {
                        self.claim = self.configured;
                        self.timeouts = Timeouts::default();
                        Wait::Validation
                    }
                    // What is waited for is the start, the agent's own duty.
                    EngineCommand::Arm { .. } => return,
                    EngineCommand::Run { stage } => {
                        let timed = self.durations.get(*stage as usize).copied().flatten();
                        since = since.after(timed.unwrap_or_default());
                        if timed.is_some() { Wait::Stage } else { Wait::Progress }
                    }
                    EngineCommand::Stop => Wait::Stop,
                };
                self.wait = Some((wait, since));
            }
            Output::Send(stream, message) if message.body.is_terminal() && self.claim == Some(*stream) => {
                self.wait = Some((Wait::Confirmation, now.mono));
            }
            Output::Entered { to: StateName::Idle, .. } => self.wait = None,
            _ => {}
        }
    }

    pub(super) fn settled(&mut self, now: Now, machine: &Agent) -> Verdict {
        self.wake.promised = machine.poll_timeout();
        if std::mem::take(&mut self.blames) {
            return Err("finds somebody late although it was itself absent just now".to_owned());
        }
        let idle = Timeouts::default().idle;
        if let Some((stream, since)) = self.waiting.iter().find(|(_, at)| self.wake.is_over(now, **at, idle))
        {
            let age = now.mono.since(*since);
            return Err(format!("lets stream {} wait {age:?} without Configure", stream.0));
        }
        let Some((wait, since)) = self.wait else { return Ok(()) };
        let limit = match wait {
            Wait::Validation => return Ok(()),
            Wait::Progress | Wait::Stage => self.timeouts.progress,
            Wait::Stop => self.timeouts.abort,
            Wait::Confirmation => CONFIRM,
        };
        if self.wake.is_over(now, since, limit) {
            self.wait = None;
            return Err(format!("waits {:?} for {wait:?}, more than {limit:?}", now.mono.since(since)));
        }
        Ok(())
    }
}
