//! Tier 1: the two machines alone on virtual time, in a discrete-event simulation. No runtime, no sockets, no ticks:
//! time jumps from one event to the next.
//!
//! A [`Scenario`] is plain data: hosts with their clocks, the run, and a schedule of faults. It is written by hand
//! or drawn from a seed ([`Scenario::draw`]); [`run`] carries it out and gives a [`Report`] with every violation
//! that the [`checkers`](crate::checkers) saw. [`shrink`] makes a failing one small.

pub mod canaries;
mod clock;
mod dice;
mod draw;
mod engine;
mod faults;
mod ghosts;
mod network;
pub mod pinned;
mod processes;
mod queue;
mod scenario;
mod shrink;
mod world;

pub use scenario::{Fault, HostSpec, Nanos, SECOND, Scenario, Way};
pub use shrink::shrink;
pub use world::{PANIC, Report, run, run_with};
