//! What a person sees while a run goes on.

mod log;
mod plain;

pub use log::LogAgent;
pub use plain::Plain;
