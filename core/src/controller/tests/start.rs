//! From the first connection to the common start.

use super::{all_idle, started};
use crate::agent::{self, StateName};
use crate::controller::{AgentEnd, AgentState, ExitCode, Input, Label, Lead, RunState};
use crate::harness::{Harness, SECOND, agent_index, order, outline};
use crate::message::{AgentMessage, Failure, FailureClass, Pong, Report, RunId};
use crate::time::Mono;
use std::time::Duration;

#[test]
fn an_undisturbed_run_is_complete() {
    let mut harness = Harness::new(3);
    harness.begin();
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.label), (ExitCode::AllCompleted, Label::Complete));
    assert_eq!(outcome.coverage_ppm, 1_000_000);
    assert!(outcome.agents.iter().all(|agent| agent.end == AgentEnd::Completed && agent.missing == 0));
    for index in 0..3 {
        assert_eq!(harness.journalled(index), 2_000, "every interval is journalled once");
    }
    harness.run_for(20);
    assert!(all_idle(&harness));
    assert!(harness.hosts.iter().all(|host| host.kept.is_empty()), "what was confirmed is not kept");
}

#[test]
fn agents_start_together_whatever_their_clocks_say_and_the_skew_is_told() {
    let mut harness = started(3);
    let began: Vec<_> = harness.hosts.iter().map(|host| host.began[0]).collect();
    let spread = began.iter().max().unwrap() - began.iter().min().unwrap();
    assert!(spread < 5_000_000, "{began:?}");
    let outcome = harness.finish();
    for (index, skew) in outcome.starts[0].skews.iter().enumerate() {
        let skew = skew.expect("every agent has begun");
        let truth = began[index] as i64 - outcome.starts[0].at.0 as i64;
        assert!(skew.nanos.abs_diff(truth) <= skew.bound, "{skew:?} against {truth}");
    }
}

#[test]
fn stages_are_barriers_before_and_after_the_measurement() {
    let plan = outline(&[("prepare", None), ("one", Some(5)), ("two", Some(5)), ("cleanup", None)]);
    let mut harness = Harness::of(order(&plan, 2));
    harness.begin();
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::AllCompleted);
    assert_eq!(outcome.starts.iter().map(|start| start.stage).collect::<Vec<_>>(), [1, 2]);
    for stage in 0..2 {
        assert!(harness.hosts[0].began[stage].abs_diff(harness.hosts[1].began[stage]) < 5_000_000);
    }
}

#[test]
fn a_run_without_a_timed_stage_ends_without_a_start() {
    let mut harness = Harness::of(order(&outline(&[("prepare", None)]), 2));
    harness.begin();
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.coverage_ppm), (ExitCode::AllCompleted, 1_000_000));
    assert!(outcome.starts.is_empty());
}

#[test]
fn a_single_agent_of_the_same_process_starts_at_once() {
    let mut plan = order(&outline(&[("execute", Some(5))]), 1);
    plan.lead = Lead::AtOnce;
    let mut harness = Harness::of(plan);
    harness.begin();
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::AllCompleted);
    assert!(harness.hosts[0].began[0] < 2 * SECOND, "no lead, no sampling");
}

#[test]
fn an_agent_that_cannot_be_reached_ends_the_run_after_four_attempts() {
    let mut harness = Harness::new(3);
    harness.hosts[1].refuses = true;
    harness.begin();
    let outcome = harness.finish();
    assert_eq!((outcome.exit.code(), outcome.label), (4, Label::Aborted));
    assert!(
        outcome.cause.contains("a1 (h1:7420)") && outcome.cause.contains("4 attempts"),
        "{}",
        outcome.cause
    );
    assert!(outcome.cause.contains("connection refused"));
    let waited = harness.now / SECOND;
    assert!((8..=10).contains(&waited), "1 + 2 + 4 s of pauses, {waited}");
    assert!(harness.hosts.iter().all(|host| host.began.is_empty() && !host.load));
    harness.run_for(15);
    assert!(all_idle(&harness));
}

#[test]
fn a_black_hole_is_cut_off_at_every_attempt() {
    let mut harness = Harness::new(2);
    harness.hosts[1].cut = true;
    harness.begin();
    let outcome = harness.finish();
    assert_eq!(outcome.exit.code(), 4);
    assert!(outcome.cause.contains("no TCP connection within 5s"), "{}", outcome.cause);
    assert_eq!(harness.now / SECOND, 1 + 4 * 5 + 7);
}

#[test]
fn a_rejected_configuration_ends_the_run_before_any_load() {
    let mut harness = Harness::new(3);
    harness.hosts[2].rejects =
        Some(Failure::new(FailureClass::Config, "no such directory /mnt/x", "mount it"));
    harness.begin();
    let outcome = harness.finish();
    assert_eq!(outcome.exit.code(), 5);
    assert!(outcome.cause.contains("a2 (h2:7420): no such directory /mnt/x; mount it"), "{}", outcome.cause);
    assert!(harness.hosts.iter().all(|host| !host.load));
    assert_eq!(harness.controller.state(), RunState::Failed);
}

#[test]
fn a_busy_agent_is_named_and_its_own_run_is_not_disturbed() {
    let mut harness = started(1);
    let mut second = Harness::new(1);
    std::mem::swap(&mut second.hosts[0].machine, &mut harness.hosts[0].machine);
    second.hosts[0].ahead = harness.hosts[0].ahead;
    second.now = harness.now;
    let mut other = order(&second.outline, 1);
    other.run = RunId(8);
    // Its streams are numbered from 1 again: step over the one that is in use.
    second.skip_streams(100);
    second.again(other);
    second.begin();
    let outcome = second.finish();
    assert_eq!(outcome.exit.code(), 4);
    assert!(
        outcome.cause.contains("run 00000000000000000000000000000007 holds this agent"),
        "{}",
        outcome.cause
    );
    assert_eq!(second.hosts[0].machine.status().state, StateName::Running);
}

#[test]
fn two_configured_agents_at_one_address_are_recognised() {
    let mut harness = Harness::new(1);
    harness.begin();
    harness.run_for(1);
    let message = Failure::new(FailureClass::Busy, format!("run {} holds this agent for 0 s", RunId(7)), "");
    harness.hosts[0].rejects = None;
    let (stream, run, session) = harness.hosts[0].machine.current().unwrap();
    let body = Report::Error { failure: message, totals: Vec::new() };
    let message = AgentMessage {
        run,
        session,
        sequence: 900,
        stamp: harness.agent_now(0).mono,
        kept_before: None,
        body,
    };
    harness.controller_gets(Input::Received(agent_index(0), stream, message));
    let outcome = harness.finish();
    assert_eq!(outcome.exit.code(), 4);
    assert!(outcome.cause.contains("two configured addresses lead to this one agent"));
}

#[test]
fn an_agent_that_dies_while_preparing_ends_the_run_at_once() {
    let mut harness = Harness::new(3);
    harness.prepare = Duration::from_secs(60);
    harness.begin();
    harness.run_for(5);
    harness.kill_agent(1, true);
    let outcome = harness.finish();
    assert_eq!((outcome.exit.code(), outcome.label), (1, Label::Aborted));
    assert!(harness.now < 8 * SECOND);
    assert!(harness.hosts.iter().all(|host| !host.load));
    harness.run_for(15);
    assert!(all_idle(&harness));
}

#[test]
fn an_agent_that_vanishes_while_preparing_ends_the_run_after_30_s_without_progress() {
    let mut harness = Harness::new(3);
    harness.prepare = Duration::from_secs(300);
    harness.begin();
    harness.run_for(10);
    harness.kill_agent(1, false);
    let outcome = harness.finish();
    assert_eq!(outcome.exit.code(), 6);
    assert!(outcome.cause.contains("no progress in stage `prepare` for 30 s"), "{}", outcome.cause);
}

#[test]
fn a_slow_prepare_that_makes_progress_is_never_failed() {
    let mut harness = Harness::new(2);
    harness.prepare = Duration::from_secs(3 * 3600);
    harness.begin();
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
}

#[test]
fn clock_samples_that_became_old_before_the_start_are_renewed() {
    let mut harness = Harness::new(2);
    harness.begin();
    harness.run_until("sampling", |h| h.controller.state() == RunState::CoordinatingStart);
    harness.hosts[1].cut = true;
    harness.run_for(4);
    harness.controller_stopped = true;
    harness.run_for(35);
    (harness.hosts[0].cut, harness.hosts[1].cut) = (true, false);
    harness.wake_controller();
    harness.run_for(1);
    harness.hosts[0].cut = false;
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
    let began: Vec<_> = harness.hosts.iter().map(|host| host.began[0]).collect();
    assert!(began[0].abs_diff(began[1]) < SECOND / 20, "together: {began:?}");
    assert!(harness.said("in 10.0s"), "our own absence is no latency of theirs: {:?}", harness.notices);
}

#[test]
fn answers_that_waited_while_the_controller_was_stopped_are_no_samples_and_fail_nobody() {
    let mut harness = Harness::new(2);
    harness.begin();
    harness.run_until("sampling", |h| h.controller.state() == RunState::CoordinatingStart);
    harness.controller_stopped = true;
    harness.run_for(20);
    harness.wake_controller();
    let before = Mono(harness.now - 20 * SECOND);
    for (number, agent) in (0..40).map(|turn| (turn / 2, (turn % 2) as usize)) {
        let (stream, run, session) = harness.hosts[agent].machine.current().unwrap();
        let stamp = harness.agent_now(agent).mono;
        let pong = Pong { number, stamp: before, received: stamp, sent: stamp };
        let sequence = (1 << 40) + number;
        let message = AgentMessage {
            run,
            session,
            sequence,
            stamp,
            kept_before: None,
            body: Report::Acknowledge(pong),
        };
        harness.controller_gets(Input::Received(agent_index(agent), stream, message));
    }
    assert_eq!(harness.controller.state(), RunState::CoordinatingStart, "{:?}", harness.notices);
}

#[test]
fn whoever_answers_across_an_absence_of_the_controller_is_asked_as_often_as_at_first() {
    let mut harness = Harness::new(1);
    harness.begin();
    harness.run_until("sampling", |h| h.controller.state() == RunState::CoordinatingStart);
    harness.hosts[0].cut = true;
    let asked = Mono(harness.now);
    harness.run_for(9);
    harness.controller_stopped = true;
    harness.run_for(3);
    harness.wake_controller();
    let (stream, run, session) = harness.hosts[0].machine.current().unwrap();
    let stamp = harness.agent_now(0).mono;
    let pong = Pong { number: 0, stamp: asked, received: stamp, sent: stamp };
    let message = AgentMessage {
        run,
        session,
        sequence: 1 << 40,
        stamp,
        kept_before: None,
        body: Report::Acknowledge(pong),
    };
    harness.controller_gets(Input::Received(agent_index(0), stream, message));
    harness.run_for(14);
    assert_eq!(harness.controller.state(), RunState::CoordinatingStart, "{:?}", harness.notices);
    harness.run_for(2);
    assert_eq!(harness.controller.state(), RunState::CollectingResults, "for ever is too long");
}

#[test]
fn nothing_begins_before_all_have_accepted() {
    let mut harness = Harness::new(2);
    harness.hosts[1].engine_hangs = true;
    harness.begin();
    harness.run_for(20);
    assert!(harness.hosts.iter().all(|host| !host.load));
    assert_eq!(harness.finish().exit.code(), 6);
}

#[test]
fn an_agent_whose_lease_ran_out_while_it_waited_for_the_start_does_not_begin() {
    let mut plan = order(&outline(&[("execute", Some(20))]), 2);
    plan.lead = Lead::Ahead(Duration::from_secs(45));
    let mut harness = Harness::of(plan);
    harness.begin();
    harness.run_until("start sent to all", |h| {
        h.controller.agent_states().all(|state| state == AgentState::StartSent)
    });
    harness.run_for(1);
    harness.hosts[1].cut = true;
    // READY has a lease of 60 s, RUNNING one of 30 s: at the instant, 44 s have gone by.
    harness.run_for(60);
    assert!(!harness.hosts[0].began.is_empty());
    assert!(harness.hosts[1].began.is_empty(), "work that would have to stop at once does not begin");
}

#[test]
fn an_agent_that_fails_while_its_clock_is_sampled_does_not_stop_the_controller() {
    let mut plan = outline(&[("one", Some(5)), ("two", Some(5))]);
    plan.timeouts.ping_tries = 1;
    let mut harness = Harness::of(order(&plan, 3));
    harness.latency = Duration::from_millis(900);
    harness.begin();
    harness
        .run_until("the clocks are sampled again", |h| h.controller.coordinating && h.controller.begun == 1);
    // Its last words are not on disk yet, so that its stream stays open, when the answer to a Ping is due.
    harness.disk_stalls = true;
    harness.agent_gets(1, agent::Input::Shutdown);
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::ResultsUnwritten);
    assert_eq!(outcome.agents[1].end, AgentEnd::Failed);
}
