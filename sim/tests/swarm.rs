//! Runs drawn at random over the whole stack, a few in each test run; `explore --tier 2` runs as many as one likes.

use sim::sweep::{Sweep, Tier};

/// Seeds that once showed a fault.
const PINNED: [u64; 0] = [];

#[test]
fn drawn_runs_keep_every_invariant() {
    let mut sweep = Sweep::of(Tier::Drivers, 0..40);
    PINNED.into_iter().for_each(|seed| sweep.run(seed));
    if let Some((seed, what)) = sweep.failures.first() {
        panic!("seed {seed:#x}:\n{what}");
    }
    // A sweep in which nothing goes wrong proves nothing.
    let corners = sweep.corners();
    for exit in ["exit none", "exit 0", "exit 1", "exit 2", "exit 3", "exit 6"] {
        assert!(corners[exit] > 0, "no run ended with {exit}: {corners:?}");
    }
}
