//! Objects that are no files.

mod inline;
mod mem;
mod null;
mod store;

pub(crate) use inline::InlineExecutor;
pub(crate) use mem::Mem;
pub(crate) use null::Null;
pub(crate) use store::Stores;
