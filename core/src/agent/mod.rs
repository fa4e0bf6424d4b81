//! The agent: claims, prepares, runs and reports one run at a time.

mod port;

pub use port::{Input, KeptRun, Output};
