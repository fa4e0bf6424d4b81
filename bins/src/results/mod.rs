//! The results of a run: kept while it goes on, whole when it ends, readable whatever happens in between.
//!
//! ```text
//! messages, events ──► ResultsWriter ──► journal ──fold──► Results ──► report (text, TSV, JSON)
//!                                                                 └──► final files of the directory
//! kept by agents   ──► keep ───────────► kept ────merge──┘
//! ```
//! Everything final is a pure fold over the journal. So the end of a run, a report of an interrupted one and a
//! merge of several places are the same code, and no number exists that could not be computed again.

mod directory;
mod ending;
mod files;
mod fold;
pub mod journal;
mod keeper;
mod kept;
mod memory;
mod merge;
mod record;
mod run;
mod series;
mod source;
mod timeline;
mod together;
mod writer;

pub use directory::{Condition, Directory, JOURNAL, PathError, RUNNING, condition};
pub use files::rebuild;
pub use journal::ReadError;
pub use keeper::{Keeper, KeeperQueue};
pub use kept::{KEPT, KEPT_MAX, keep, kept_runs};
pub use memory::Memory;
pub use merge::{MergeError, merge};
pub use record::{
    AgentEntry, AgentRecord, Event, FORMAT, Header, KeptHeader, Record, Severity, StageEntry, Stamp,
};
pub use run::{AgentResult, AgentStage, Basis, Measured, Place, Results, StageResult};
pub use series::{Point, each_point};
pub use source::{Gaps, Losses, Source};
pub use timeline::Timeline;
pub use together::{Rate, Together};
pub use writer::{Finished, Persisted, ResultsWriter, Sink};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
