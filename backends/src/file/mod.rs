//! Files, through the page cache (`file://`) or past it (`direct://`).

pub(crate) mod aligned;
pub(crate) mod leftover;
pub(crate) mod posix;
pub(crate) mod target;
pub(crate) mod uring;

/// A directory beside the test program, which is on a real disk.
#[cfg(test)]
pub(crate) fn on_disk() -> tempfile::TempDir {
    let program = std::env::current_exe().unwrap();
    tempfile::tempdir_in(program.parent().unwrap()).unwrap()
}
