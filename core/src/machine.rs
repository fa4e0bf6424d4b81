//! The shape that both state machines share.

use crate::time::{Mono, Now};
use std::fmt::Debug;

/// A sans-I/O state machine.
///
/// The driver's contract, in order and for ever: call [`handle`](Machine::handle) with one input and the time it
/// arrived; then call [`poll_output`](Machine::poll_output) **until it gives `None`** and execute each output
/// without waiting; then wait for the next input or for the instant of [`poll_timeout`](Machine::poll_timeout),
/// whichever is first, and in the latter case handle the machine's time-out input. An early or needless time-out
/// is a no-op.
///
/// The machine's promise: `handle` never blocks and never fails, whatever a peer sends; deadlines are judged in
/// every `handle`, so a busy inbox cannot starve them; after `handle` at or past the promised instant the next
/// promise is later (no spin); memory is bounded by the configuration.
pub trait Machine: Debug {
    /// What can happen to it.
    type Input: Debug;
    /// What it wants done.
    type Output: Debug;

    /// The only mutation.
    fn handle(&mut self, now: Now, input: Self::Input);

    /// The next thing to do; drain to `None` after every `handle`.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// The earliest instant at which a time-out input is wanted; `None` while nothing is awaited.
    fn poll_timeout(&self) -> Option<Mono>;
}
