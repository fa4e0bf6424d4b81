//! One check of the core broken at a time: the simulation must notice, and say which invariant is violated.
//!
//! `cargo test --release -p sim --features mutants --test canaries`

use iobench_core::mutants::set_mutant;
use sim::des::canaries::{CANARIES, Canary};
use sim::des::pinned::PINNED;
use sim::des::{Scenario, run, shrink};
use sim::faults::Fault;
use sim::model::{Pace, Runs, check};
use sim::probes;
use sim::world::{Cluster, World, play};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A canary that sings in none of so many seeds is dead.
const SEEDS: u64 = 60_000;
/// The first seed that notices, and what it notices.
fn first_song(canary: &Canary) -> Option<(u64, &'static str)> {
    set_mutant(Some(canary.mutant));
    let song = (0..SEEDS).find_map(|seed| {
        let violations = run(&Scenario::draw(seed)).violations;
        violations.first().map(|violation| (seed, violation.checker))
    });
    set_mutant(None);
    song
}

#[test]
fn what_fails_is_made_small() {
    set_mutant(Some("stale_ping"));
    let scenario =
        (0..SEEDS).map(Scenario::draw).find(|it| it.schedule.len() > 2 && !run(it).violations.is_empty());
    let scenario = scenario.expect("some seed notices, with faults to spare");
    let small = shrink(&scenario);
    let checkers = |scenario: &Scenario| run(scenario).violations.first().map(|violation| violation.checker);
    assert_eq!(checkers(&small), checkers(&scenario), "it still fails in the same way");
    set_mutant(None);
    assert!(small.schedule.len() < scenario.schedule.len(), "{:#?}", small.schedule);
    let ends = |scenario: &Scenario| scenario.schedule.last().map_or(0, |(at, _)| *at) + scenario.healed_at;
    assert!(ends(&small) <= ends(&scenario) && small.ghosts_ppm == 0);
}

#[test]
fn every_broken_check_is_noticed() {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(canary) = CANARIES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let song = first_song(canary);
                    println!("{:22} {song:?}", canary.mutant);
                    if song.is_none_or(|(_, checker)| !canary.caught_by.contains(&checker)) {
                        wrong.lock().unwrap().push((canary.mutant, song));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "not noticed, or not as expected: {wrong:#?}");
}

/// Each pinned case shows what it was pinned for as soon as its mend is taken out.
#[test]
fn pinned_cases_still_show_what_was_mended() {
    for (seed, mend) in PINNED.iter().filter_map(|pinned| Some((pinned.seed, pinned.mend?))) {
        set_mutant(Some(mend));
        let violations = run(&Scenario::draw(seed)).violations;
        set_mutant(None);
        println!("{mend:22} {seed:#x} {:?}", violations.first());
        assert!(!violations.is_empty(), "seed {seed:#x} is the same without `{mend}`: pin another for it");
    }
}

/// Each probe holds (`sim/tests/checks.rs` says so, too), and does not with its check broken.
#[test]
fn every_probe_meets_its_check() {
    let broken = |mutant| {
        set_mutant(mutant);
        let wrong = probes::all().filter(|probe| mutant.is_none_or(|name| name == probe.mutant));
        wrong.filter(|probe| !(probe.holds)()).map(|probe| probe.mutant).collect::<Vec<_>>()
    };
    assert_eq!(broken(None), [""; 0]);
    for probe in probes::all() {
        assert_eq!(broken(Some(probe.mutant)), [probe.mutant], "{}", probe.breaks);
    }
    set_mutant(None);
}

/// Tier 2 can fail, too: its checkers are told of what the drivers do.
#[test]
fn the_drivers_are_watched() {
    for (mutant, faults, checker) in [
        ("early_acknowledgement", vec![], "acknowledged"),
        ("early_start", vec![], "issue"),
        ("ready_twice", vec![], "ready_once"),
        ("forget_abort", vec![Fault::Interrupt], "issue"),
        ("lease", vec![Fault::VanishController], "lease"),
        ("keep", vec![Fault::VanishController], "idle_again"),
        ("hung", vec![Fault::EngineHangs(0)], "deadlines"),
        ("abort", vec![Fault::OperationsStuck(0), Fault::Interrupt], "deadlines"),
    ] {
        let cluster = Cluster { broken: Some(mutant), ..Cluster::of(2).set("duration=90s") };
        let scenario = |world: &mut World<'_>| {
            world.run_until("the workload", |world| world.agents().all(|agent| world.works(agent)));
            world.run_for(Duration::from_secs(15));
            faults.iter().for_each(|fault| world.inject(fault.clone()));
            world.run_for(Duration::from_secs(120));
        };
        let told = catch_unwind(AssertUnwindSafe(|| play(&cluster, &scenario))).map(drop);
        let told = told.map_err(|words| *words.downcast::<String>().expect("a violation is told in words"));
        println!("{mutant:22} {:?}", told.as_ref().err().and_then(|words| words.lines().next()));
        assert!(told.is_err_and(|words| words.contains(&format!(": {checker} at"))), "{mutant}");
    }
}

/// Tier 3 can fail, too: on the shortest way, in a fraction of a second.
#[test]
fn the_model_notices_what_it_can() {
    let seen = "nothing that cannot be is seen on the way";
    let idle = "after the run every agent is idle again";
    for (mutant, agents, faults, pace, property) in [
        ("early_start", 1, 0, Pace::Any, seen),
        ("ready_twice", 1, 0, Pace::Any, seen),
        ("issue_after_abort", 1, 1, Pace::Any, seen),
        ("ready", 1, 1, Pace::Any, idle),
        ("lease", 2, 1, Pace::Prompt, idle),
        ("abort_wait", 1, 1, Pace::Any, "every run ends in time"),
    ] {
        let report = check(Runs::of(agents, faults, pace).broken(mutant), 5_000_000, 2);
        println!("{mutant:22} {report}");
        let violated: Vec<_> = report.violations.iter().map(|(name, _)| *name).collect();
        assert!(violated.contains(&property), "{mutant}: {report}");
    }
}
