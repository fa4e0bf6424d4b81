//! The iobench programs: drivers, gRPC, results, command lines.
//!
//! The binaries in `bin/` only call [`cli`]; what they do is here, so that the simulator can run it too.

pub mod cli;
pub mod drive;
pub mod grpc;
pub mod report;
pub mod results;
pub mod run;
pub mod signals;
pub mod ui;
