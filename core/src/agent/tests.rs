//! What an agent makes of an engine that is told to stop, and of one that takes long to look at the storage.

use super::{Input, Output, StateName};
use crate::controller::ExitCode;
use crate::engine::{EngineEvent, Epoch};
use crate::harness::{Harness, order, outline};
use crate::machine::Machine;
use crate::message::{Control, ControlMessage, Failure, FailureClass, Ping, Report};
use crate::stats::StageTotals;
use crate::time::Mono;
use std::time::Duration;

/// An agent that measures stage 1 and was told to stop; its engine says what a test has it say.
fn stopping() -> (Harness, Epoch) {
    let mut harness = Harness::new(1);
    harness.begin();
    harness.run_until("load", |h| !h.hosts[0].began.is_empty());
    harness.run_for(5);
    harness.hosts[0].engine_hangs = true;
    let (stream, run, session) = harness.hosts[0].machine.current().expect("it is claimed");
    let body = Control::Abort { reason: "the user stopped the run".into() };
    harness.agent_gets(0, Input::Received(stream, ControlMessage { run, session, body }));
    assert_eq!(harness.hosts[0].machine.status().state, StateName::Aborted);
    let epoch = harness.hosts[0].machine.epoch;
    (harness, epoch)
}

fn totals(stage: u32) -> Box<StageTotals> {
    Box::new(StageTotals { stage, ..StageTotals::default() })
}

fn dead() -> EngineEvent {
    let failure = Failure::new(FailureClass::Internal, "the engine's thread has ended", "");
    EngineEvent::Failed { failure, totals: None }
}

/// The reason of the terminal message, and the stages whose totals it bears.
fn said(harness: &mut Harness) -> (String, Vec<u32>) {
    harness.run_for(1);
    let ended = harness.journal.iter().find_map(|(_, message)| match &message.body {
        Report::Aborted { reason, totals } => {
            Some((reason.clone(), totals.iter().map(|totals| totals.stage).collect()))
        }
        _ => None,
    });
    ended.expect("a terminal message")
}

#[test]
fn operations_that_cannot_be_cancelled_are_told_with_the_reason() {
    let (mut harness, epoch) = stopping();
    let stopped = EngineEvent::Stopped { totals: Some(totals(1)), stuck: 3 };
    harness.agent_gets(0, Input::Engine(epoch, stopped));
    let (reason, stages) = said(&mut harness);
    assert_eq!(reason, "the user stopped the run (3 operations are stuck in the kernel and were abandoned)");
    assert_eq!(stages, [0, 1]);
}

#[test]
fn a_stage_that_was_done_before_it_could_be_stopped_keeps_its_totals() {
    let (mut harness, epoch) = stopping();
    harness.agent_gets(0, Input::Engine(epoch, EngineEvent::StageDone(totals(1))));
    harness.agent_gets(0, Input::Engine(epoch, EngineEvent::Stopped { totals: None, stuck: 0 }));
    assert_eq!(said(&mut harness), ("the user stopped the run".to_owned(), vec![0, 1]));
}

#[test]
fn a_stage_that_had_failed_before_it_could_be_stopped_keeps_its_totals() {
    let (mut harness, epoch) = stopping();
    let failure = Failure::new(FailureClass::Storage, "input/output error", "");
    let failed = EngineEvent::Failed { failure, totals: Some(totals(1)) };
    harness.agent_gets(0, Input::Engine(epoch, failed));
    harness.agent_gets(0, Input::Engine(epoch, EngineEvent::Stopped { totals: None, stuck: 0 }));
    assert_eq!(said(&mut harness), ("the user stopped the run".to_owned(), vec![0, 1]));
}

#[test]
fn an_engine_that_is_dead_is_not_waited_for_and_not_called_stuck() {
    // At once, and when it says so only after it was given up.
    for late in [false, true] {
        let (mut harness, epoch) = stopping();
        if late {
            harness.run_for(4);
            assert_eq!(harness.hosts[0].machine.unstopped, Some(epoch));
        }
        harness.agent_gets(0, Input::Engine(epoch, dead()));
        assert_eq!(said(&mut harness).1, [0]);
        assert_eq!(harness.hosts[0].machine.unstopped, None, "the next run hears the true reason");
    }
}

/// An agent that measures, with an engine that never stops and a run that would wait for it for a day.
fn endless() -> Harness {
    let mut order = order(&outline(&[("execute", Some(100))]), 1);
    order.outline.timeouts.abort = Duration::from_secs(86_400);
    let mut harness = Harness::of(order);
    harness.begin();
    harness.run_until("load", |h| !h.hosts[0].began.is_empty());
    harness.run_for(5);
    harness.hosts[0].engine_hangs = true;
    harness
}

#[test]
fn a_process_that_is_told_to_end_does_so_however_long_the_run_would_wait_for_its_engine() {
    let mut harness = endless();
    harness.agent_gets(0, Input::Shutdown);
    harness.run_for(9);
    assert!(!harness.hosts[0].exited, "the engine has its time");
    harness.run_for(2);
    assert!(harness.hosts[0].exited);
    assert!(harness.finish().agents[0].reason.contains("the agent process is ending"));
}

#[test]
fn a_process_that_is_told_to_end_twice_waits_for_nobody() {
    for cut in [false, true] {
        let mut harness = endless();
        harness.hosts[0].cut = cut;
        harness.agent_gets(0, Input::Shutdown);
        assert!(!harness.hosts[0].exited);
        harness.agent_gets(0, Input::Shutdown);
        assert_eq!((harness.hosts[0].exited, harness.hosts[0].kept.len()), (true, 1), "results are kept");
    }
}

#[test]
fn a_process_that_is_told_to_end_ends_also_when_nobody_confirms_its_results() {
    let mut harness = endless();
    harness.hosts[0].cut = true;
    harness.agent_gets(0, Input::Shutdown);
    harness.run_for(21);
    assert_eq!((harness.hosts[0].exited, harness.hosts[0].kept.len()), (true, 1));
}

#[test]
fn looking_at_the_storage_may_take_as_long_as_the_controller_waits_for_it() {
    let mut order = order(&outline(&[("execute", Some(5))]), 1);
    order.outline.timeouts.progress = Duration::from_secs(100);
    let outline = Box::new(order.outline.clone());
    let mut harness = Harness::of(order);
    harness.hosts[0].engine_hangs = true;
    harness.begin();
    harness.run_for(90);
    assert_eq!(harness.hosts[0].machine.status().state, StateName::ConfigReceived);
    harness.hosts[0].engine_hangs = false;
    let epoch = harness.hosts[0].machine.epoch;
    let validated = EngineEvent::Validated { outline, capabilities: Box::default() };
    harness.agent_gets(0, Input::Engine(epoch, validated));
    assert_eq!(harness.finish().exit, ExitCode::AllCompleted);
}

#[test]
fn looking_at_the_storage_for_ever_is_ended_by_the_controller_or_with_it() {
    for alive in [true, false] {
        let mut harness = Harness::new(1);
        harness.hosts[0].engine_hangs = true;
        harness.begin();
        harness.run_for(10);
        if alive {
            assert_eq!(harness.finish().exit, ExitCode::TimedOut);
            assert!(harness.said("has not accepted the configuration for 30 s"), "{:?}", harness.notices);
        } else {
            harness.kill_controller(false);
            harness.run_for(40);
        }
        let state = harness.hosts[0].machine.status();
        assert!(state.run.is_none(), "{state:?}");
    }
}

/// How many copies of what is not acknowledged this ping brings, `after` so many milliseconds.
fn copies(harness: &mut Harness, after: u64, newest: Option<Mono>) -> usize {
    let mut now = harness.agent_now(0);
    now.mono = now.mono.after(Duration::from_millis(after));
    let machine = &mut harness.hosts[0].machine;
    let (stream, run, session) = machine.current().expect("it is claimed");
    let body = Control::Ping(Ping { number: 0, stamp: Mono(0), newest, again_from: Some(0) });
    machine.handle(now, Input::Received(stream, ControlMessage { run, session, body }));
    let sent = std::iter::from_fn(|| machine.poll_output());
    sent.filter(|output| matches!(output, Output::Send(_, message) if message.body.is_kept())).count()
}

#[test]
fn pings_that_were_held_up_bring_what_is_missing_once() {
    let mut harness = Harness::new(1);
    harness.begin();
    harness.run_until("load", |h| !h.hosts[0].began.is_empty());
    harness.hosts[0].cut = true;
    harness.run_for(5);
    let kept = copies(&mut harness, 0, None);
    assert!(kept >= 5, "{kept}");
    let resent = harness.agent_now(0).mono;
    let before = Some(resent.before(Duration::from_millis(1)));
    assert_eq!((1..8).map(|ping| copies(&mut harness, ping, before)).sum::<usize>(), 0);
    assert_eq!(copies(&mut harness, 8, Some(resent)), kept, "the answer has come, and it is still missing");
    assert_eq!(copies(&mut harness, 1008, before), kept, "nobody knows what became of the answer");
}
