//! Files, through the page cache (`file://`) or past it (`direct://`).

pub(crate) mod aligned;
pub(crate) mod posix;
pub(crate) mod target;
pub(crate) mod uring;
