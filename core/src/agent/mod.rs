//! The agent: claims, prepares, runs and reports one run at a time.
//!
//! `IDLE → CONFIG_RECEIVED → READY → RUNNING → COMPLETED | ERROR | ABORTED → IDLE`; the table of all transitions and
//! deadlines is in `docs/AGENT_STATE_MACHINE.md`, and a test compares it with [`StateName::successors`].

mod claim;
mod deadlines;
mod inbox;
mod machine;
#[cfg(test)]
mod matrix;
mod port;
mod state;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use machine::{ABSENCE, GRACE};
pub use machine::{Agent, Status};
pub use port::{Input, KeptRun, Output};
pub use state::StateName;

/// Unclaimed streams that may wait at the same time.
pub const WAITING_STREAMS: usize = 8;
/// Intervals that an agent sends ahead of acknowledgement; later ones are merged. The end of a stage, and of its
/// warm-up, may add one.
pub const UNACKNOWLEDGED: usize = 32;
