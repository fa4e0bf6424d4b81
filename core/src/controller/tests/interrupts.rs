//! The controller's own end: interrupted, dead, or stopped for a while.

use super::{all_idle, started};
use crate::controller::{AgentState, ExitCode, Input, Label, RunState};
use crate::harness::{Harness, SECOND, order, outline};
use crate::message::{FailureClass, Report, RunId};
use std::time::Duration;

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
fn a_controller_that_was_stopped_for_less_than_the_lease_fails_nobody() {
    for seconds in [20, 24] {
        let mut harness = Harness::of(order(&outline(&[("execute", Some(120))]), 3));
        harness.begin();
        harness.run_until("load", |h| h.hosts.iter().all(|host| !host.began.is_empty()));
        harness.run_for(5);
        harness.controller_stopped = true;
        harness.run_for(seconds);
        harness.wake_controller();
        let outcome = harness.finish();
        assert_eq!((outcome.exit, outcome.label), (ExitCode::AllCompleted, Label::Complete), "{outcome:?}");
        for index in 0..3 {
            assert_eq!(harness.journalled(index), 12_000, "no interval is lost");
        }
    }
}

#[test]
fn last_results_that_came_while_the_controller_was_stopped_are_taken() {
    let mut harness = started(2);
    harness.controller_gets(Input::Interrupt);
    harness.controller_stopped = true;
    harness.run_for(8);
    harness.wake_controller();
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::Interrupted);
    assert!(outcome.agents.iter().all(|agent| agent.reason.starts_with("stopped: ")), "{outcome:?}");
}

#[test]
fn a_lease_shorter_than_the_usual_pause_between_pings_is_kept() {
    let mut plan = outline(&[("prepare", None), ("execute", Some(20))]);
    plan.timeouts.lease = Duration::from_secs(2);
    let mut harness = Harness::of(order(&plan, 2));
    harness.begin();
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
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
