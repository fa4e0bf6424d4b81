//! Acknowledgement follows the disk, however slow or full that is.

use super::started;
use crate::controller::{AgentEnd, ExitCode, Input, Label};
use crate::harness::{Harness, agent_index, order, outline};

#[test]
fn an_agent_that_missed_an_acknowledgement_is_told_again_and_does_not_look_hung() {
    let mut harness = Harness::of(order(&outline(&[("execute", Some(200))]), 1));
    harness.begin();
    harness.run_until("load", |h| !h.hosts[0].began.is_empty());
    harness.disk_stalls = true;
    harness.run_for(50);
    harness.disk_stalls = false;
    harness.hosts[0].cut = true;
    persist_all(&mut harness);
    harness.run_for(3);
    harness.hosts[0].cut = false;
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
}

/// The journal answers for everything that it was given.
fn persist_all(harness: &mut Harness) {
    let held: Vec<u64> = harness.journal.iter().map(|(_, message)| message.sequence).collect();
    for sequence in held {
        harness.controller_gets(Input::Persisted { agent: agent_index(0), sequence });
    }
}

#[test]
fn when_the_disk_is_full_the_run_goes_on_and_agents_keep_what_was_not_confirmed() {
    let mut harness = started(2);
    harness.disk_full = true;
    let outcome = harness.finish();
    assert_eq!((outcome.exit.code(), outcome.label), (7, Label::Complete));
    assert!(outcome.results_failure.contains("/results/journal: no space left"));
    harness.run_for(15);
    assert!(harness.hosts.iter().all(|host| host.kept.len() == 1));
    assert!(harness.said("results cannot be written: /results/journal"));
}

#[test]
fn a_stalled_disk_costs_resolution_but_no_count_and_no_memory() {
    let mut harness = Harness::of(order(&outline(&[("execute", Some(200))]), 1));
    harness.begin();
    harness.run_until("load", |h| !h.hosts[0].began.is_empty());
    harness.disk_stalls = true;
    harness.run_for(100);
    harness.disk_stalls = false;
    persist_all(&mut harness);
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::AllCompleted);
    assert!(outcome.agents[0].merged > 50, "{:?}", outcome.agents[0]);
    assert_eq!(harness.journalled(0), 20_000);
}

#[test]
fn a_full_disk_does_not_fail_agents_that_may_not_send_intervals_of_the_next_stage() {
    let mut harness = Harness::of(order(&outline(&[("one", Some(40)), ("two", Some(40))]), 2));
    harness.disk_full = true;
    harness.begin();
    let outcome = harness.finish();
    assert!(outcome.agents.iter().all(|agent| agent.end == AgentEnd::Completed), "{}", outcome.cause);
    assert_eq!(outcome.exit, ExitCode::ResultsUnwritten);
}

#[test]
fn a_disk_that_catches_up_late_does_not_fail_an_agent_that_could_not_send_its_first_statistics() {
    let mut harness = Harness::of(order(&outline(&[("one", Some(40)), ("two", Some(40))]), 1));
    harness.begin();
    harness.run_until("load", |h| !h.hosts[0].began.is_empty());
    harness.disk_stalls = true;
    harness.run_until("load of the next stage", |h| h.hosts[0].began.len() > 1);
    harness.run_for(20);
    harness.disk_stalls = false;
    persist_all(&mut harness);
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted, "{:?}", harness.notices);
}
