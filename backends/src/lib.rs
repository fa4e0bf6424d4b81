//! Storage backends, and the engine that runs a plan against them.
//!
//! Top-down: [`LocalEngine`] obeys the commands of an agent; it gives each of its threads an
//! [`Executor`](executor::Executor) of the target's [`Backend`](backend::Backend), which keeps the thread's share of
//! the concurrency in flight. What is not measured goes through [`Storage`](storage::Storage), the plain view of a
//! store that the [`conformance`] suite proves.

pub mod backend;
pub mod conformance;
pub mod engine;
pub mod error;
pub mod executor;
pub mod storage;

mod file;
pub mod host;
mod object;

pub use engine::{LocalEngine, connect};
