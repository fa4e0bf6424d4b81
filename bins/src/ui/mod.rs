//! What a person sees while a run goes on.

mod log;
mod plain;
mod stderr;

pub use log::LogAgent;
pub use plain::Plain;
pub use stderr::{Stderr, stderr};
