//! The controller: brings all agents to a common start, collects what they measured, says what it is worth.
//!
//! Per agent `CONNECTING → CONFIG_SENT → READY → START_SENT → COLLECTING_STATS → COMPLETED | FAILED`, and for the
//! run `INIT → CONNECTING_ALL → CONFIG_PHASE → PREPARE_PHASE → COORDINATING_START → WORKLOAD_PHASE →
//! COLLECTING_RESULTS → COMPLETED | PARTIAL_SUCCESS | FAILED | ABORTED`. The tables of all transitions and deadlines
//! are in `docs/CONTROLLER_STATE_MACHINE.md`, and a test compares them with [`AgentState::successors`] and
//! [`RunState::successors`].

mod clock;
mod connect;
mod deadlines;
mod delivery;
mod endings;
mod inbox;
mod machine;
#[cfg(test)]
mod matrix;
mod outcome;
mod port;
mod roster;
mod stages;
mod state;
#[cfg(test)]
mod tests;

pub use machine::Controller;
pub use outcome::{AgentEnd, AgentOutcome, ExitCode, Label, Outcome, Skew, StageStart};
pub use port::{AgentSpec, ConnectError, Input, Lead, Level, Notice, Order, Output};
pub use state::{AgentState, RunState};
