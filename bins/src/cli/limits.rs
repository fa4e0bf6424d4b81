//! What the system may do to a process that goes beyond its limits.

use tokio::signal::unix::{SignalKind, signal};

/// Makes a write beyond the largest file this process may write (`ulimit -f`) an error like that of a full disk, which
/// is told and survived. Without anybody who takes the signal the process would end in the middle of it, silently.
pub(super) fn fail_writes_beyond_the_largest_file() {
    // A signal that was asked for once is taken for as long as the process lives. Where that is not to be had, all is
    // as it was.
    let _stream = signal(SignalKind::from_raw(libc::SIGXFSZ));
}
