//! Tier 1: seeds, and single runs that would take long in any other tier.

use sim::des::sweep::sweep;

#[test]
fn twenty_thousand_seeds_violate_nothing() {
    let sweep = sweep(0..20_000);
    assert_eq!(sweep.failures, []);
    assert_eq!(sweep.unlike, [0; 0], "two runs of one seed leave the same trace");
}
