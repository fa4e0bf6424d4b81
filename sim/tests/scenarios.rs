//! The 19 failure scenarios: what can go wrong with a run, and what must happen then.
//!
//! This file is the list. Each test says what is required; its body, in the module named in it, injects the fault in
//! all its forms and asks the controller, every agent, the exit code, the results and the summary. Every form is played
//! twice and must leave the same trace; all checkers of `sim::checkers` watch.

#![expect(clippy::panic, reason = "these are tests")]

#[path = "scenarios/agents.rs"]
mod agents;
#[path = "scenarios/controller.rs"]
mod controller;
#[path = "scenarios/hygiene.rs"]
mod hygiene;
#[path = "scenarios/judge.rs"]
mod judge;
#[path = "scenarios/network.rs"]
mod network;
#[path = "scenarios/resources.rs"]
mod resources;
#[path = "scenarios/timing.rs"]
mod timing;

use sim::world::{Cluster, simulate};

/// Nothing goes wrong: exit 0, all completed, true totals.
#[test]
fn s00_nothing_goes_wrong() {
    simulate(&Cluster::of(3), |world| {
        let end = world.ending();
        judge::all_completed(world, &end);
    });
    // What is measured while warming up is in no total.
    simulate(&Cluster::of(3).set("warmup_period=5s"), |world| {
        let end = world.ending();
        judge::all_completed(world, &end);
        assert_eq!(judge::measured(world, 0), 2_000, "20 of 25 s");
    });
    // Who reports seldom is not taken for silent, and needs no other setting.
    simulate(&Cluster::of(3).set("interval=10s").set("duration=45s"), |world| {
        let end = world.ending();
        judge::all_completed(world, &end);
        assert_eq!(judge::measured(world, 0), 4_500, "45 s");
    });
}

/// Refused, black-holed, no stream, wrong name: three retries after 1, 2 and 4 s, ABORT to the connected, exit 4.
#[test]
fn s01_an_agent_cannot_be_reached() {
    network::an_agent_cannot_be_reached();
}

/// Held, lossy, one way, FIN, RST, killed, vanished: that agent FAILED, the rest go on, its intervals are kept, exit 2; its own load
/// ends within the lease.
#[test]
fn s02_a_stream_breaks_in_the_workload() {
    network::a_stream_breaks();
}

/// 2 s one way with 400 ms of jitter: nobody fails, a warning a minute, exit 0.
#[test]
fn s03_high_latency() {
    network::high_latency();
}

/// Noticed at once or after 30 s without progress, ABORT to all, exit 1, 5 or 6; slow is not dead.
#[test]
fn s04_an_agent_dies_while_preparing() {
    agents::an_agent_dies_while_preparing();
}

/// Silent: three pings, FAILED. Answering without statistics: FAILED as hung after 60 s. Stalled storage: neither.
#[test]
fn s05_an_agent_hangs_in_the_workload() {
    agents::an_agent_hangs_in_the_workload();
}

/// Counted, warned about, ignored; more than a hundred in a minute: FAILED.
#[test]
fn s06_an_agent_sends_invalid_messages() {
    agents::an_agent_sends_invalid_messages();
    agents::an_agent_is_asked_again_for_what_nobody_could_read();
}

/// In any phase: ABORT to all, up to 5 s for last statistics, labelled aborted, exit 3; the second time at once.
#[test]
fn s07_the_user_interrupts() {
    controller::the_user_interrupts();
}

/// In any phase: agents stop within the lease, keep their results, and serve the next run; the journal is readable.
#[test]
fn s08_the_controller_dies() {
    controller::the_controller_dies();
}

/// A stop of 20 s on either side: nobody fails for it, no interval is lost, exit 0.
#[test]
fn s09_a_process_stalls() {
    controller::a_process_stalls();
}

/// The wait for the start ends at once; no operation is ever issued.
#[test]
fn s10_abort_before_the_start() {
    timing::abort_before_the_start();
}

/// Ignored and counted; nothing restarts.
#[test]
fn s11_a_second_start() {
    timing::a_second_start();
}

/// At the last number: ERROR protocol, once, no panic, no wrap.
#[test]
fn s12_sequence_numbers_end() {
    timing::sequence_numbers_end();
}

/// Skew of 10 s, drift of 200 ppm, steps, an hour of preparation: a start within 50 ms, its skew in the results; a start
/// in the past or too far ahead is refused.
#[test]
fn s13_clocks_are_skewed() {
    timing::clocks_are_skewed();
}

/// Refused up front with the numbers.
#[test]
fn s14_settings_that_cannot_fit_into_memory() {
    resources::settings_that_cannot_fit();
}

/// A hundred agents, ten times a second, a slow disk: bounded, and totals equal what the agents counted.
#[test]
fn s15_the_controller_is_flooded() {
    resources::the_controller_is_flooded();
}

/// Path and cause, the summary on standard output, exit 7; what was written stays readable.
#[test]
fn s16_results_cannot_be_written() {
    resources::results_cannot_be_written();
}

/// READY once a run; what is repeated is idempotent and warned about once.
#[test]
fn s17_messages_are_repeated() {
    hygiene::messages_are_repeated();
}

/// One agent at two addresses, one id twice, a port taken, an agent busy: refused by name, exit 4 or 5.
#[test]
fn s18_an_agent_is_missing_in_silence() {
    hygiene::an_agent_is_missing_in_silence();
}

/// More than half fail: ABORT the rest, unrepresentative, exit 2 or 1; the threshold is a setting.
#[test]
fn s19_most_agents_fail() {
    hygiene::most_agents_fail();
}
