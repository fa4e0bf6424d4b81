//! A controller and its agents, run by run, on virtual time.

use super::{AgentEnd, ExitCode, Input, Label, Lead, RunState};
use crate::agent::{self, StateName};
use crate::controller::AgentState;
use crate::harness::{Harness, SECOND, agent_index, order, outline};
use crate::message::{AgentMessage, Control, Failure, FailureClass, Gone, Report, RunId, Session};
use std::time::Duration;

fn started(agents: usize) -> Harness {
    let mut harness = Harness::new(agents);
    harness.begin();
    harness.run_until("load on all agents", |h| h.hosts.iter().all(|host| !host.began.is_empty()));
    harness.run_for(5);
    harness
}

fn all_idle(harness: &Harness) -> bool {
    harness.hosts.iter().all(|host| host.dead || host.machine.status().state == StateName::Idle)
}

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
    let message = AgentMessage { run, session, sequence: 900, stamp: harness.agent_now(0).mono, body };
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
fn a_silent_agent_is_pinged_three_times_and_then_given_up() {
    let mut harness = started(3);
    harness.hosts[2].cut = true;
    harness.run_until("the failure", |h| h.said("a2"));
    assert!(harness.said("silent for 25 s and did not answer 3 pings"), "{:?}", harness.notices);
    assert_eq!(harness.finish().exit, ExitCode::SomeCompleted);
    harness.run_for(30);
    assert!(!harness.hosts[2].load, "the lease has stopped the load");
    assert_eq!(harness.hosts[2].kept.len(), 1, "what nobody confirmed is kept");
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
fn an_interrupt_in_any_phase_stops_everything_and_keeps_what_there_is() {
    for seconds in [0, 1, 2, 4, 12, 18, 32] {
        let mut harness = Harness::new(3);
        harness.begin();
        harness.run_for(seconds);
        let pressed = harness.now;
        harness.controller_gets(Input::Interrupt);
        let outcome = harness.finish();
        assert_eq!((outcome.exit.code(), outcome.label), (3, Label::Aborted), "after {seconds} s");
        assert!(harness.now - pressed <= 6 * SECOND);
        assert!(harness.hosts.iter().all(|host| !host.load));
        assert_eq!(harness.controller.state(), RunState::Aborted);
        harness.run_for(12);
        assert!(all_idle(&harness));
    }
}

#[test]
fn an_interrupted_run_delivers_the_totals_so_far() {
    let mut harness = started(2);
    harness.controller_gets(Input::Interrupt);
    harness.finish();
    let terminal = |index| {
        harness.journal.iter().any(|(agent, message)| {
            *agent == index && matches!(&message.body, Report::Aborted { totals, .. } if totals.len() == 2)
        })
    };
    assert!(terminal(0) && terminal(1));
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let mut harness = started(2);
    harness.latency = Duration::from_secs(3);
    harness.controller_gets(Input::Interrupt);
    harness.controller_gets(Input::Interrupt);
    assert_eq!(harness.outcome.as_ref().unwrap().exit.code(), 3);
}

#[test]
fn an_interrupt_after_all_agents_have_ended_changes_nothing() {
    let mut harness = Harness::new(2);
    harness.begin();
    harness.run_until("all completed", |h| {
        h.controller.agent_states().all(|state| state == AgentState::Completed)
    });
    harness.controller_gets(Input::Interrupt);
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
}

#[test]
fn agents_outlive_their_controller_by_no_more_than_the_lease_and_serve_the_next_run() {
    for (fin, within) in [(true, 1), (false, 36)] {
        let mut harness = Harness::of(order(&outline(&[("execute", Some(120))]), 2));
        harness.begin();
        harness.run_until("load", |h| h.hosts.iter().all(|host| !host.began.is_empty()));
        harness.run_for(5);
        harness.kill_controller(fin);
        harness.run_for(within);
        assert!(harness.hosts.iter().all(|host| !host.load), "fin: {fin}");
        harness.run_for(15);
        assert!(all_idle(&harness));
        assert!(harness.hosts.iter().all(|host| host.kept.len() == 1), "each keeps its own results");
        let last = harness.hosts[0].kept[0].messages.last().unwrap();
        assert!(
            matches!(&last.body, Report::Error { failure, .. } if failure.class == FailureClass::ControllerLost)
        );
        for host in &mut harness.hosts {
            host.cut = false;
        }
        harness.controller_stopped = false;
        let mut next = order(&harness.outline, 2);
        next.run = RunId(9);
        harness.again(next);
        harness.begin();
        assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
    }
}

#[test]
fn a_controller_that_was_stopped_for_20_s_fails_nobody() {
    let mut harness = Harness::of(order(&outline(&[("execute", Some(120))]), 3));
    harness.begin();
    harness.run_until("load", |h| h.hosts.iter().all(|host| !host.began.is_empty()));
    harness.run_for(5);
    harness.controller_stopped = true;
    harness.run_for(20);
    harness.wake_controller();
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.label), (ExitCode::AllCompleted, Label::Complete), "{outcome:?}");
    for index in 0..3 {
        assert_eq!(harness.journalled(index), 12_000, "no interval is lost");
    }
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

/// Sends a hand-made message of agent 0 on its current stream.
fn forge(harness: &mut Harness, change: impl FnOnce(&mut AgentMessage)) {
    let (stream, run, session) = harness.hosts[0].machine.current().unwrap();
    let stamp = harness.agent_now(0).mono;
    let body = Report::Ready { unix: harness.agent_now(0).unix };
    let mut message = AgentMessage { run, session, sequence: 1 << 40, stamp, body };
    change(&mut message);
    harness.controller_gets(Input::Received(agent_index(0), stream, message));
}

#[test]
fn invalid_messages_are_counted_and_ignored() {
    let mut harness = started(3);
    let states: Vec<_> = harness.controller.agent_states().collect();
    forge(&mut harness, |m| m.run = RunId(99));
    forge(&mut harness, |m| m.session = Session(99));
    forge(&mut harness, |m| m.sequence = 0);
    forge(&mut harness, |m| m.body = Report::Undecodable { detail: "bad tag".into() });
    assert_eq!(harness.controller.agent_states().collect::<Vec<_>>(), states);
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.agents[0].invalid), (ExitCode::AllCompleted, 4));
    assert!(harness.said("agent a0 (h0:7420): ignored invalid message 0: its sequence number has gone back"));
}

#[test]
fn more_than_a_hundred_invalid_messages_in_a_minute_fail_an_agent() {
    let mut harness = started(3);
    for _ in 0..100 {
        forge(&mut harness, |m| m.run = RunId(99));
    }
    assert_eq!(harness.controller.agent_states().next(), Some(AgentState::CollectingStats));
    forge(&mut harness, |m| m.run = RunId(99));
    assert_eq!(harness.controller.agent_states().next(), Some(AgentState::Failed));
    assert_eq!(harness.finish().exit, ExitCode::SomeCompleted);
}

#[test]
fn a_repeated_ready_is_idempotent_and_warned_about_once() {
    let mut harness = started(2);
    forge(&mut harness, |m| m.sequence += 1);
    forge(&mut harness, |m| m.sequence += 2);
    let warnings = harness.notices.iter().filter(|notice| notice.text.contains("only repeats what is known"));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn messages_of_an_older_session_or_a_dead_stream_are_inert() {
    let mut harness = started(2);
    let before = harness.controller.clone();
    let (stream, run, _) = harness.hosts[0].machine.current().unwrap();
    let stamp = harness.agent_now(0).mono;
    let body = Report::Ready { unix: harness.agent_now(0).unix };
    let old = AgentMessage { run, session: Session(0), sequence: 0, stamp, body };
    harness.controller_gets(Input::Received(agent_index(0), stream, old.clone()));
    let dead = crate::message::StreamId(4_711);
    harness.controller_gets(Input::Received(agent_index(0), dead, old));
    harness.controller_gets(Input::Closed(agent_index(0), dead, Gone::Broken));
    assert_eq!(harness.controller, before, "not even a counter moves");
}

#[test]
fn a_run_that_uses_up_its_sequence_numbers_ends_as_a_protocol_error_without_a_panic() {
    let mut harness = Harness::of(order(&outline(&[("execute", Some(20))]), 1));
    harness.hosts[0].machine = agent::Agent::with_first_sequence(u64::MAX - 10);
    harness.begin();
    let outcome = harness.finish();
    assert_ne!(outcome.exit, ExitCode::AllCompleted);
    let terminal = &harness.journal.last().unwrap().1;
    assert_eq!(terminal.sequence, u64::MAX);
    assert!(
        matches!(&terminal.body, Report::Error { failure, .. } if failure.class == FailureClass::Protocol)
    );
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
fn a_late_message_of_an_agent_that_was_given_up_is_still_kept() {
    let mut harness = started(3);
    for _ in 0..101 {
        forge(&mut harness, |m| m.run = RunId(99));
    }
    harness.finish();
    let aborted = harness.journal.iter().any(|(agent, message)| {
        *agent == 0 && matches!(&message.body, Report::Aborted { totals, .. } if totals.len() == 2)
    });
    assert!(aborted, "its totals so far came after we had given it up");
    assert!(harness.hosts[0].kept.is_empty(), "and were confirmed");
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
fn a_stray_control_message_does_not_move_an_agent() {
    let mut harness = started(1);
    let (stream, run, session) = harness.hosts[0].machine.current().unwrap();
    let stray =
        |session, body| agent::Input::Received(stream, crate::message::ControlMessage { run, session, body });
    let before = harness.hosts[0].machine.clone();
    harness.agent_gets(0, stray(Session(0), Control::Abort { reason: "an old session".into() }));
    assert_eq!(harness.hosts[0].machine, before);
    harness.agent_gets(0, stray(session, Control::Start { stage: 1, at: None }));
    assert_eq!(harness.hosts[0].began.len(), 1, "a second Start restarts nothing");
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
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

#[test]
fn a_second_interrupt_that_comes_when_the_wait_is_over_ends_the_run_once() {
    let mut harness = started(2);
    harness.hosts[0].cut = true;
    harness.controller_gets(Input::Interrupt);
    harness.now += 60 * SECOND;
    harness.controller_gets(Input::Interrupt);
    let outcome = harness.outcome.expect("a second interrupt ends the run at once");
    assert_eq!(outcome.exit, ExitCode::Interrupted);
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
