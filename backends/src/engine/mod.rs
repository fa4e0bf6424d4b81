//! Runs a plan against a backend.
//!
//! [`LocalEngine`] hands commands to a coordinator thread and returns at once. The coordinator validates, starts a
//! stage's threads and collects what they count; each thread keeps its share of the concurrency in flight on its own
//! executor. They meet only at the start, at the end, and once an interval when a thread swaps its recorder.

mod advice;
mod after;
mod connect;
mod control;
mod coordinator;
mod dataset;
mod foreign;
mod preflight;
mod prepared;
mod seat;
mod source;
mod stage;
#[cfg(test)]
mod tests;
mod timeline;
mod validate;
mod verify;
mod worker;

pub use connect::connect;
pub use validate::Loader;

use crate::backend::UringProbe;
use crate::executor::Clock;
use control::Stops;
use coordinator::{Coordinator, Job, Message};
use iobench_core::engine::{Engine, EngineCommand, EngineEvent, EngineEvents, Epoch};
use iobench_core::message::{Failure, FailureClass};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;
use validate::Limits;

/// The engine of an agent on this host.
///
/// Its answers come by the callback, from the engine's own thread. Dropping it ends what is going on.
pub struct LocalEngine {
    coordinator: Option<Sender<Message>>,
    events: EngineEvents,
    stops: Stops,
}

impl LocalEngine {
    /// An engine whose stamps count from `origin`, the instant that is [`Mono`](iobench_core::time::Mono) zero.
    #[must_use]
    pub fn new(origin: Instant, events: EngineEvents) -> Self {
        Self::with(origin, events, validate::loader(), crate::file::uring::probe)
    }

    /// An engine that makes its plans in another way than from a configuration file.
    #[must_use]
    pub fn with_loader(origin: Instant, events: EngineEvents, loader: Loader) -> Self {
        Self::with(origin, events, loader, crate::file::uring::probe)
    }

    /// The same, with another way to ask for `io_uring`: a test says that there is none.
    #[must_use]
    pub fn with(origin: Instant, events: EngineEvents, loader: Loader, probe: UringProbe) -> Self {
        let (sender, inbox) = channel();
        let stops = Stops::default();
        let coordinator = Coordinator {
            events: Arc::clone(&events),
            clock: Clock(origin),
            stops: stops.clone(),
            loader,
            limits: Limits { probe },
            sender: sender.clone(),
            prepared: None,
            job: Job::Idle,
            ticket: 0,
            abandoned: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("engine".to_owned());
        let started = thread.spawn(move || coordinator.run(&inbox)).is_ok();
        Self { coordinator: started.then_some(sender), events, stops }
    }
}

impl Engine for LocalEngine {
    fn command(&mut self, epoch: Epoch, command: EngineCommand) {
        if command == EngineCommand::Stop {
            // From this instant, whatever the coordinator is doing.
            self.stops.stop();
        }
        let message = Message::Command(epoch, command, self.stops.count());
        let taken = self.coordinator.as_ref().is_some_and(|coordinator| coordinator.send(message).is_ok());
        if !taken {
            let failure = Failure::new(
                FailureClass::Internal,
                "the engine's thread could not be started, or has ended",
                "raise this user's limit on threads (ulimit -u) and start the agent again",
            );
            (self.events)(epoch, EngineEvent::Failed { failure, totals: None });
        }
    }
}

impl Drop for LocalEngine {
    fn drop(&mut self) {
        self.stops.stop();
        if let Some(coordinator) = &self.coordinator {
            // It may have gone already.
            let _told = coordinator.send(Message::Quit);
        }
    }
}
