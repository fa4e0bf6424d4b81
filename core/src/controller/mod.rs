//! The controller: brings all agents to a common start, collects what they measured, says what it is worth.

mod outcome;
mod port;

pub use outcome::{AgentEnd, AgentOutcome, ExitCode, Label, Outcome, Skew, StageStart};
pub use port::{AgentSpec, ConnectError, Input, Lead, Level, Notice, Order, Output};
