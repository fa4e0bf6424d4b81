//! The drivers: one loop for both machines, and the ports through which the world reaches them.
//!
//! A driver decides nothing. It reads the clock, hands one input at a time to its machine, and executes what comes
//! out without waiting for it. Everything that waits (streams, connections, the engine, the disk) runs elsewhere and
//! reports back into the one [`Inbox`]. Production and simulation run the code of this module; they differ in ports.

pub mod agent;
mod clock;
pub mod controller;
mod inbox;

pub use clock::SystemClock;
pub use inbox::{Inbox, Local, Remote};

use iobench_core::machine::Machine;
use iobench_core::time::{Mono, Now};
use std::future::Future;
use std::ops::ControlFlow;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Time enters here and nowhere else.
pub trait Clock: Clone + Send + Sync + 'static {
    /// Both clocks of this host, read together.
    fn now(&self) -> Now;

    /// Waits until the monotonic clock shows this instant.
    fn sleep_until(&self, at: Mono) -> impl Future<Output = ()> + Send;

    /// Waits while this process is stopped. Only a simulated process is ever stopped without noticing.
    fn while_stopped(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Sees everything that crosses a machine's boundary: the log in production, trace and invariants in simulation.
pub trait Observer<M: Machine> {
    /// Before the machine handles it.
    fn input(&mut self, now: Now, input: &M::Input);
    /// Before the driver executes it.
    fn output(&mut self, now: Now, output: &M::Output);
    /// After all outputs were executed.
    fn settled(&mut self, now: Now, machine: &M);
}

/// What differs between the drivers: how events become inputs, and what outputs do.
trait Edge<M: Machine> {
    /// What arrives in the inbox.
    type Event: Send;
    /// What the driver returns when the machine is done.
    type End;

    /// The input that an event is; `None` for an event that is no business of the machine.
    fn admit(&mut self, machine: &M, now: Now, event: Self::Event) -> Option<M::Input>;

    /// Does what the machine wants; returns at once.
    fn execute(&mut self, now: Now, output: M::Output) -> ControlFlow<Self::End>;

    /// What the machine handles when its time-out has come.
    fn timeout() -> M::Input;
}

/// Drain, wait for exactly one thing, feed it: until an output ends it or nobody can send any more.
async fn drive<M: Machine, E: Edge<M>>(
    machine: &mut M,
    clock: &impl Clock,
    inbox: &mut Inbox<E::Event>,
    edge: &mut E,
    observer: &mut impl Observer<M>,
) -> Option<E::End> {
    loop {
        let now = clock.now();
        while let Some(output) = machine.poll_output() {
            observer.output(now, &output);
            if let ControlFlow::Break(end) = edge.execute(now, output) {
                return Some(end);
            }
        }
        observer.settled(now, machine);
        let wake = machine.poll_timeout();
        let event = tokio::select! {
            biased;
            event = inbox.next() => Some(event?),
            () = sleep(clock, wake) => None,
        };
        clock.while_stopped().await;
        let now = clock.now();
        let input = match event {
            Some(event) => edge.admit(machine, now, event),
            None => Some(E::timeout()),
        };
        if let Some(input) = input {
            observer.input(now, &input);
            machine.handle(now, input);
        }
    }
}

/// Queues a message for a stream; `false` when its reader has not kept up. A stream that is over takes nothing and says
/// so by its pump, after all that has come on it.
fn offer<T>(sender: &mpsc::Sender<T>, message: T) -> bool {
    !matches!(sender.try_send(message), Err(TrySendError::Full(_)))
}

async fn sleep(clock: &impl Clock, wake: Option<Mono>) {
    match wake {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
