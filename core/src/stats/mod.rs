//! What happened, in numbers that can be merged exactly.
//!
//! An engine thread counts in a [`Recorder`]; its [`Tally`] travels in an [`Interval`]; a [`Ledger`] counts each
//! interval once; [`summary`] makes the rows of result tables. Percentiles are only ever computed from merged
//! histograms.

mod cells;
mod endpoints;
mod histogram;
mod ledger;
mod merge;
mod recorder;
pub mod summary;
mod types;

pub use cells::cells_of;
pub use histogram::{BadHistogram, HIGHEST, Histogram};
pub use ledger::{Difference, Ledger, Merged, Recorded, StageAccount};
pub use merge::{CannotAbsorb, TallySum, merge_tallies};
pub use recorder::Recorder;
pub use types::{
    Band, Cell, CpuShare, Encoded, EndpointTally, ErrorClass, ErrorCount, Group, Interval, Operation,
    StageTotals, Tally,
};
