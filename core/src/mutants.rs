//! Checks that can be broken on purpose, one at a time, to prove that the simulation notices.
//!
//! Without the hidden feature `mutants` every question here is answered with a constant "no": a build that ships
//! holds none of this. The simulator's table of mutants says which checker catches each.

use crate::plan::Timeouts;
use std::time::Duration;

/// Whether this check is broken now.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn mutant(_: &str) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use switch::{mutant, set_mutant};

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;

    thread_local! {
        static BROKEN: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Whether this check is broken now, on this thread.
    #[must_use]
    pub fn mutant(name: &str) -> bool {
        BROKEN.get() == Some(name)
    }

    /// Breaks this check from now on, on this thread, and mends the one before.
    pub fn set_mutant(name: Option<&'static str>) {
        BROKEN.set(name);
    }
}

/// The deadlines, with the broken one out of reach. Every row of `timeouts{}` has its mutant: a new one does not
/// compile without.
pub(crate) fn deadlines(timeouts: Timeouts) -> Timeouts {
    if !cfg!(feature = "mutants") {
        return timeouts;
    }
    let never = |name, limit| match () {
        () if mutant(name) => Duration::from_secs(1 << 30),
        () if mutant("hasty") => limit / 4,
        () => limit,
    };
    let Timeouts {
        connect,
        stream,
        idle,
        progress,
        ready,
        first_stats,
        silence,
        ping,
        ping_tries,
        hung,
        lease,
        abort,
        abort_wait,
    } = timeouts;
    Timeouts {
        connect: never("connect", connect),
        stream: never("stream", stream),
        idle: never("idle", idle),
        progress: never("progress", progress),
        ready: never("ready", ready),
        first_stats: never("first_stats", first_stats),
        silence: never("silence", silence),
        ping: never("ping", ping),
        ping_tries: if mutant("ping_tries") { u32::MAX } else { ping_tries },
        hung: never("hung", hung),
        lease: never("lease", lease),
        abort: never("abort", abort),
        abort_wait: never("abort_wait", abort_wait),
    }
}
