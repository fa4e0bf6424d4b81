//! Deterministic simulation of iobench.

pub mod checkers;
pub mod des;
