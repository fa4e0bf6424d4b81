//! Agents that die, hang or fall silent while they measure.

use super::started;
use crate::agent;
use crate::controller::{AgentEnd, ExitCode, Label};
use crate::harness::{Harness, SECOND, order, outline};
use std::time::Duration;

#[test]
fn when_one_of_three_dies_in_the_workload_the_others_go_on_and_the_result_is_partial() {
    for fin in [true, false] {
        let mut harness = started(3);
        harness.kill_agent(1, fin);
        let outcome = harness.finish();
        assert_eq!((outcome.exit, outcome.label), (ExitCode::SomeCompleted, Label::Partial));
        let ends: Vec<_> = outcome.agents.iter().map(|agent| agent.end).collect();
        assert_eq!(ends, [AgentEnd::Completed, AgentEnd::Failed, AgentEnd::Completed]);
        let lost = &outcome.agents[1];
        assert!((4 * SECOND..=6 * SECOND).contains(&lost.ran), "its acknowledged time is kept: {lost:?}");
        assert!((730_000..780_000).contains(&outcome.coverage_ppm), "{}", outcome.coverage_ppm);
        let told = if fin {
            "after 5 s of 20 s (25 %): closed its stream"
        } else {
            "after 4 s of 20 s (20 %): has been silent"
        };
        assert!(harness.said(&format!("agent a1 (h1:7420) failed {told}")), "{:?}", harness.notices);
    }
}

#[test]
fn when_more_than_half_die_the_rest_is_stopped_and_the_result_does_not_represent_the_system() {
    let mut harness = started(3);
    harness.kill_agent(0, true);
    harness.run_for(2);
    harness.kill_agent(1, true);
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.label), (ExitCode::NoneCompleted, Label::Unrepresentative));
    assert!(!harness.hosts[2].load, "the survivor has stopped");
    assert!(outcome.cause.contains("2 of 3 agents failed"));
}

#[test]
fn exactly_half_is_enough_by_default() {
    let mut harness = started(2);
    harness.kill_agent(0, true);
    assert_eq!(harness.finish().exit, ExitCode::SomeCompleted);
}

#[test]
fn an_agent_whose_engine_hangs_is_failed_after_60_s_without_statistics() {
    let mut harness = Harness::of(order(&outline(&[("execute", Some(200))]), 3));
    harness.begin();
    harness.run_until("load", |h| h.hosts.iter().all(|host| !host.began.is_empty()));
    harness.run_for(5);
    harness.hosts[0].engine_hangs = true;
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::SomeCompleted);
    assert!(outcome.agents[0].reason.contains("hangs: it answers, but has sent no statistics for 60 s"));
}

#[test]
fn an_agent_that_answers_and_sends_no_first_interval_is_asked_and_failed_only_when_it_hangs() {
    let mut harness = started_late(false);
    harness
        .run_until("a warning", |h| h.said("a1 (h1:7420) has sent no statistics for 10 s after the start"));
    assert!(!harness.said("failed"), "{:?}", harness.notices);
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::SomeCompleted);
    let told = "answers, but has sent no statistics for 60 s after the start";
    assert!(outcome.agents[1].reason.contains(told), "{}", outcome.agents[1].reason);
}

#[test]
fn who_is_late_with_its_first_interval_but_answers_completes() {
    for silent in [false, true] {
        let mut harness = started_late(silent);
        harness.run_for(20);
        assert!(harness.said("has sent no statistics for 10 s after the start"), "{:?}", harness.notices);
        harness.hosts[1].engine_hangs = false;
        harness.hosts[1].cut = false;
        assert_eq!(harness.finish().exit, ExitCode::AllCompleted, "{:?}", harness.notices);
    }
}

/// Two agents have just begun; one says nothing that it measures, or nothing at all.
fn started_late(silent: bool) -> Harness {
    let mut harness = Harness::of(order(&outline(&[("execute", Some(100))]), 2));
    harness.begin();
    harness.run_until("load on all agents", |h| h.hosts.iter().all(|host| !host.began.is_empty()));
    harness.hosts[1].engine_hangs = !silent;
    harness.hosts[1].cut = silent;
    harness
}

#[test]
fn a_silent_agent_is_pinged_three_times_and_then_given_up() {
    let mut harness = started(3);
    harness.hosts[2].cut = true;
    harness.run_until("a warning", |h| {
        h.said("agent a2 (h2:7420) has been silent for 10 s: it is asked 3 times")
    });
    assert!(!harness.said("failed"), "{:?}", harness.notices);
    harness.run_until("the failure", |h| h.said("a2 (h2:7420) failed"));
    assert!(harness.said("silent for 25 s and did not answer 3 pings"), "{:?}", harness.notices);
    assert_eq!(harness.finish().exit, ExitCode::SomeCompleted);
    harness.run_for(30);
    assert!(!harness.hosts[2].load, "the lease has stopped the load");
    assert_eq!(harness.hosts[2].kept.len(), 1, "what nobody confirmed is kept");
}

#[test]
fn an_agent_that_is_silent_for_less_than_its_tries_is_warned_about_and_completes() {
    let mut harness = started(2);
    harness.hosts[1].cut = true;
    harness.run_until("a warning", |h| h.said("silent for 10 s"));
    harness.hosts[1].cut = false;
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
}

#[test]
fn high_latency_fails_nobody_and_is_warned_about() {
    let mut harness = Harness::of(order(&outline(&[("prepare", None), ("execute", Some(120))]), 2));
    harness.latency = Duration::from_secs(2);
    harness.begin();
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.label), (ExitCode::AllCompleted, Label::Complete));
    let warnings =
        harness.notices.iter().filter(|notice| notice.text.contains("high latency, round trip 4.0s"));
    assert!((4..=10).contains(&warnings.count()), "one a minute and agent: {:?}", harness.notices);
}

#[test]
fn an_agent_process_that_is_told_to_end_says_so_and_delivers_what_it_has() {
    let mut harness = started(3);
    harness.agent_gets(0, agent::Input::Shutdown);
    harness.run_for(2);
    assert!(harness.hosts[0].exited && !harness.hosts[0].load && harness.hosts[0].kept.is_empty());
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::SomeCompleted);
    assert!(outcome.agents[0].reason.contains("the agent process is ending"));
}

#[test]
fn what_a_stage_does_after_its_work_may_take_longer_than_any_deadline_while_it_shows_that_it_goes_on() {
    // A rest after preparing, then a flush after measuring: each longer than `progress` and `hung` together.
    let mut harness = Harness::new(2);
    harness.tail = Duration::from_secs(100);
    harness.begin();
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::AllCompleted, "{outcome:?}");
    assert_eq!(harness.journalled(0), 2_000);
}
