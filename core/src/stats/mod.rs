//! What happened, in numbers that can be merged exactly.

mod types;

pub use types::{
    Band, Cell, CpuShare, Encoded, ErrorClass, ErrorCount, Group, Interval, Operation, StageTotals, Tally,
};
