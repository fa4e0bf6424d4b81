//! Objects that are no files.

mod inline;
mod mem;
mod null;

pub(crate) use inline::InlineExecutor;
pub(crate) use mem::Mem;
pub(crate) use null::Null;
