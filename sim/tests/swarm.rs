//! Runs drawn at random over the whole stack, a few in each test run; `SIM_SEED` and `SIM_SEEDS` say which others.

/// Seeds that once showed a fault, and what it was.
const PINNED: [u64; 0] = [];

#[test]
fn drawn_runs_keep_every_invariant() {
    let first: u64 = std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40);
    for seed in PINNED.into_iter().chain(first..first + count) {
        if let Err(found) = sim::swarm::check(seed) {
            panic!("seed {seed}:\n{found}");
        }
    }
}
