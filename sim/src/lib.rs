//! Deterministic simulation of iobench.
//!
//! Tier 1 ([`des`]) plays the two machines alone, as discrete events. Tier 2 ([`world`]) runs the shipping drivers,
//! gRPC code and codec of one controller and its agents on one thread, over turmoil: a modelled network ([`faults`]), a
//! clock for each host ([`clock`]), modelled engines that know what they truly did ([`engine`]), and a modelled disk
//! under a real journal ([`disk`]). Every scenario is played twice and must give the same trace ([`trace`]). What must
//! hold whatever happens is the same in both ([`checkers`]). A [`sweep`] looks at many seeds of either, and counts what it
//! has reached ([`coverage`]).

pub mod checkers;
pub mod clock;
pub mod coverage;
pub mod des;
pub mod disk;
pub mod engine;
pub mod faults;
mod faulty;
mod hosts;
pub mod model;
pub mod probes;
mod socket;
pub mod state;
pub mod swarm;
pub mod sweep;
pub mod trace;
pub mod world;
