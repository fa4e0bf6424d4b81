//! Drivers.
pub mod report;
pub mod results;
