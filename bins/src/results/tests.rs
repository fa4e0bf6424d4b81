//! What results promise: nothing that was acknowledged is lost, nothing counts twice, nothing is claimed that
//! was not measured.

mod disk;
mod figures;
mod merging;
