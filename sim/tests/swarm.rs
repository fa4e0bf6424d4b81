//! Runs drawn at random over the whole stack, a few in each test run; `SIM_SEED` and `SIM_SEEDS` say which others.

/// Seeds that once showed a fault, and what it was.
const PINNED: [u64; 0] = [];

#[test]
fn drawn_runs_keep_every_invariant() {
    let first: u64 = std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40);
    let mut exits = std::collections::BTreeMap::new();
    for seed in PINNED.into_iter().chain(first..first + count) {
        match sim::swarm::check(seed) {
            Ok(played) => *exits.entry(played.exit.map(|exit| exit.code())).or_insert(0) += 1,
            Err(found) => panic!("seed {seed}:\n{found}"),
        }
    }
    // A sweep in which nothing goes wrong proves nothing.
    println!("runs by exit code: {exits:?}");
    for exit in [None, Some(0), Some(1), Some(2), Some(3), Some(6)] {
        assert!(count < 40 || exits.contains_key(&exit), "no run ended with {exit:?}: {exits:?}");
    }
}
