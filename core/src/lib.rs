//! The pure heart of iobench: everything that decides, nothing that does.
//!
//! No module here performs I/O, tells the time, spawns a thread or knows a runtime. The two state machines
//! ([`agent::Agent`], [`controller::Controller`]) take inputs stamped with [`time::Now`] and give outputs; the
//! drivers in the `iobench` crate and the simulator execute them. That is why every failure can be replayed.
//!
//! Top-down: a [`config`] file becomes a [`plan`]; the [`controller`] and its [`agent`]s exchange [`message`]s
//! about it; an [`engine`] runs its [`workload`]; [`stats`] says what happened.

pub mod agent;
pub mod config;
pub mod controller;
pub mod engine;
#[cfg(test)]
mod harness;
pub mod machine;
pub mod message;
#[cfg(feature = "mutants")]
#[doc(hidden)]
pub mod mutants;
#[cfg(not(feature = "mutants"))]
mod mutants;
pub mod plan;
pub mod stats;
pub mod time;
pub mod workload;
