//! The 19 failure scenarios.

use iobench_core::agent::StateName;
use iobench_core::controller::Label;
use sim::world::{Cluster, World, simulate};

#[test]
fn s00_nothing_goes_wrong() {
    simulate(&Cluster::of(3), |world: &mut World<'_>| {
        let end = world.ending();
        assert_eq!(end.exit.code(), 0, "{}", end.text);
        assert_eq!(end.outcome.label, Label::Complete);
        world.until_all(StateName::Idle);
        println!("{}", end.text);
    });
}
