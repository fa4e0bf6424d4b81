//! Messages that are repeated, invalid, late or of another run.

use super::started;
use crate::agent;
use crate::controller::{AgentState, ExitCode, Input};
use crate::harness::{Harness, agent_index, order, outline};
use crate::message::{AgentMessage, Control, FailureClass, Gone, Report, RunId, Session, StreamId};

/// Sends a hand-made message of agent 0 on its current stream.
fn forge(harness: &mut Harness, change: impl FnOnce(&mut AgentMessage)) {
    let (stream, run, session) = harness.hosts[0].machine.current().unwrap();
    let stamp = harness.agent_now(0).mono;
    let body = Report::Ready { unix: harness.agent_now(0).unix };
    let mut message = AgentMessage { run, session, sequence: 1 << 40, stamp, kept_before: None, body };
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
fn an_agent_that_takes_no_configuration_is_heard_although_it_does_not_know_the_run() {
    let mut harness = Harness::new(2);
    for stranger in 0..8 {
        harness.agent_gets(1, agent::Input::Opened(StreamId(1_000 + stranger)));
    }
    harness.begin();
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.agents[1].invalid), (ExitCode::Rejected, 0));
    assert!(
        outcome.cause.contains("8 streams are waiting to configure this agent already"),
        "{}",
        outcome.cause
    );
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
    let old = AgentMessage { run, session: Session(0), sequence: 0, stamp, kept_before: None, body };
    harness.controller_gets(Input::Received(agent_index(0), stream, old.clone()));
    let dead = StreamId(4_711);
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
