//! Tier 1: many seeds, the seeds that once failed, and single runs that would take long in any other tier.

use sim::des::pinned::PINNED;
use sim::des::{Fault, SECOND, Scenario, Way, run, shrink};
use sim::sweep::{Sweep, Tier};

#[test]
fn twenty_thousand_seeds_violate_nothing_and_reach_every_corner() {
    let sweep = Sweep::of(Tier::Machines, 0..20_000);
    assert_eq!(sweep.failures, []);
    assert_eq!(sweep.shortfall(), None);
}

#[test]
fn cases_that_once_failed_are_still_the_same_and_do_not_fail_any_more() {
    let changed: Vec<_> = PINNED.iter().filter_map(|pinned| pinned.case().err()).collect();
    assert!(changed.is_empty(), "{}", changed.join("\n"));
    for pinned in PINNED {
        assert_eq!(run(&Scenario::draw(pinned.seed)).violations, [], "seed {:#x}", pinned.seed);
    }
}

#[test]
fn a_calm_run_completes() {
    let report = run(&Scenario::calm(3, 20));
    assert_eq!(report.violations, []);
    assert_eq!(report.outcome.map(|outcome| outcome.exit.code()), Some(0));
}

#[test]
fn seven_days_of_one_run_take_bounded_memory() {
    let days = 7;
    let report = run(&Scenario::calm(1, days * 86_400));
    assert_eq!(report.violations, [], "the memory checker is one of them");
    assert!(report.simulated > days * 86_400 * SECOND);
    assert_eq!(report.outcome.map(|outcome| outcome.exit.code()), Some(0));
    assert!(report.queued_max < 100, "{} events were on their way", report.queued_max);
}

#[test]
fn a_thousand_agents_start_together_and_complete() {
    let report = run(&Scenario::calm(1_000, 60));
    assert_eq!(report.violations, []);
    assert_eq!(report.outcome.map(|outcome| outcome.exit.code()), Some(0));
}

/// One fault in a run of three agents that prepare for 3 s, start at about 14 s and measure for 40 s.
fn with(at: u64, fault: Fault) -> (u8, Vec<String>) {
    let mut scenario = Scenario::calm(3, 40);
    scenario.schedule = vec![(at * SECOND, fault)];
    scenario.healed_at = 300 * SECOND;
    scenario.again = true;
    let report = run(&scenario);
    assert_eq!(report.violations, []);
    let outcome = report.outcome.expect("the controller lives");
    let failed = outcome.agents.iter().filter(|agent| !agent.reason.is_empty());
    (outcome.exit.code(), failed.map(|agent| agent.reason.clone()).collect())
}

#[test]
fn single_faults_end_as_the_decision_table_says() {
    let lasting = 200 * SECOND;
    let host = 1;
    let cases = [
        ("unreachable", 0, Fault::Hold { host, way: Way::Both, lasting }, 4, "cannot be reached"),
        ("deaf", 0, Fault::Deaf { host, lasting }, 4, "no stream within"),
        ("reset while preparing", 2, Fault::Reset { host }, 1, "its stream broke"),
        ("silent while preparing", 2, Fault::Lose { host, way: Way::Both, lasting }, 6, "no progress"),
        ("rejected", 0, Fault::Rejects { host }, 5, "no such directory"),
        ("reset while running", 30, Fault::Reset { host }, 2, "its stream broke"),
        (
            "silent while running",
            30,
            Fault::Lose { host, way: Way::Both, lasting },
            2,
            "did not answer 3 pings",
        ),
        (
            "held while running",
            30,
            Fault::Hold { host, way: Way::Both, lasting },
            2,
            "did not answer 3 pings",
        ),
        ("vanished", 30, Fault::CrashAgent { host, fin: false, down: lasting }, 2, "did not answer 3 pings"),
        ("crashed", 30, Fault::CrashAgent { host, fin: true, down: lasting }, 2, "its stream broke"),
        ("storage fails", 30, Fault::EngineFails { host }, 2, "input/output error"),
        ("engine hangs", 20, Fault::EngineHangs { host, lasting }, 2, "hangs"),
        ("interrupted", 30, Fault::Interrupt, 3, "stopped: interrupted"),
        (
            "flooded with garbage",
            30,
            Fault::Noise { host, way: Way::Up, count: 200 },
            2,
            "violates the protocol",
        ),
    ];
    for (name, at, fault, exit, reason) in cases {
        let (code, reasons) = with(at, fault);
        assert_eq!(code, exit, "{name}: {reasons:?}");
        assert!(reasons.iter().any(|told| told.contains(reason)), "{name}: {reasons:?}");
    }
}

#[test]
fn what_harms_nobody_leaves_the_run_complete() {
    let (host, lasting) = (1, 20 * SECOND);
    let cases = [
        ("a stalled controller", Fault::StallController { lasting: 18 * SECOND }),
        ("stalled storage", Fault::StorageStalls { host, lasting }),
        ("a short stall", Fault::StallAgent { host, lasting: 3 * SECOND }),
        ("high latency", Fault::Slow { host, extra: 2 * SECOND, lasting }),
        ("a slow disk", Fault::SlowDisk { extra: 3 * SECOND, lasting }),
        ("a stepped clock", Fault::StepClock { host: Some(host), by: -9_000_000_000 }),
        ("a rival", Fault::Rival { host, lasting }),
        ("an idler", Fault::Idler { host }),
        ("some garbage", Fault::Noise { host, way: Way::Up, count: 50 }),
        ("repeated messages", Fault::Repeat { host, way: Way::Up, count: 5 }),
    ];
    for (name, fault) in cases {
        let (code, reasons) = with(20, fault);
        assert_eq!(code, 0, "{name}: {reasons:?}");
    }
    assert_eq!(with(20, Fault::DiskFull { lasting }).0, 7);
}

#[test]
fn a_scenario_that_violates_nothing_is_not_shrunk() {
    let scenario = Scenario::draw(7);
    assert_eq!(shrink(&scenario), scenario);
}
