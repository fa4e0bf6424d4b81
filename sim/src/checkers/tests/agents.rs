//! What is wrong with an agent.

use super::{Bench, Case, RUN, STREAM, message, order, running, seconds, totals};
use crate::checkers::{Process, Seen};
use iobench_core::agent::{Input, Output, StateName};
use iobench_core::controller::Order;
use iobench_core::engine::{EngineCommand, EngineEvent, Epoch};
use iobench_core::machine::Machine;
use iobench_core::message::{
    Configure, Control, ControlMessage, Failure, FailureClass, Report, RunId, Session, StartAt, StreamId,
};
use iobench_core::plan::Timeouts;
use iobench_core::time::Unix;

pub(super) const CASES: &[Case] = &[
    ("counted_once", "its intervals add up to 5", |bench| {
        bench.agent_says(running(5));
        bench.agent_says(Report::StageDone(Box::new(totals(4))));
    }),
    ("counted_once", "it states 5", |bench| {
        bench.agent_says(Report::Completed { totals: vec![totals(5)] });
    }),
    ("deadlines", "although it was itself absent", |bench| {
        bench.drive_agent(Input::Opened(STREAM));
        bench.pass(seconds(40));
        bench.agent_gets(&Input::Timeout);
        let failure = Failure::new(FailureClass::Timeout, "late", "");
        bench.agent_says(Report::Error { failure, totals: Vec::new() });
        bench.agent_settles();
    }),
    ("deadlines", "without Configure", |bench| {
        bench.drive_agent(Input::Opened(STREAM));
        bench.pass(seconds(30));
        bench.agent_settles();
    }),
    ("deadlines", "for Progress", |bench| {
        bench.engine(1, EngineCommand::Run { stage: 0 });
        bench.pass(Timeouts::default().progress);
        bench.agent_settles();
    }),
    ("deadlines", "for Stop", |bench| {
        bench.engine(1, EngineCommand::Stop);
        bench.pass(Timeouts::default().abort);
        bench.agent_settles();
    }),
    ("deadlines", "for Confirmation", |bench| {
        *bench = Bench::claimed();
        bench.agent_says(Report::Completed { totals: Vec::new() });
        bench.pass(seconds(10));
        bench.agent_settles();
    }),
    ("engine_stop", "in epoch 1 again", |bench| {
        (0..2).for_each(|_| bench.engine(1, EngineCommand::Validate(Box::default())));
    }),
    ("engine_stop", "before its engine has stopped", |bench| {
        bench.engine(1, EngineCommand::Validate(Box::default()));
        bench.engine(1, EngineCommand::Stop);
        bench.engine(2, EngineCommand::Validate(Box::default()));
    }),
    ("engine_stop", "commands epoch 7", |bench| bench.engine(7, EngineCommand::Stop)),
    ("engine_stop", "after Stop", |bench| {
        bench.engine(0, EngineCommand::Stop);
        bench.engine(0, EngineCommand::Run { stage: 0 });
    }),
    ("engine_stop", "while the engine is at work", |bench| {
        bench.engine(0, EngineCommand::Run { stage: 0 });
        bench.engine(0, EngineCommand::Run { stage: 1 });
    }),
    ("idle_again", "is never idle again", |bench| {
        *bench = Bench::claimed();
        bench.see(&Seen::End);
    }),
    ("idle_again", "forgets results that nobody has confirmed", |bench| {
        *bench = Bench::claimed();
        bench.agent_says(running(5));
        // What another run confirms is nothing to this one.
        bench.agent_hears(RunId(9), Control::Acknowledge { sequence: 9 });
        bench.agent_does(&Output::Entered { from: StateName::Aborted, to: StateName::Idle });
    }),
    ("inert", "agent 0 is moved by what belongs to the past", |bench| {
        let machine = bench.agent.clone();
        bench.see(&Seen::AgentReplay(0, &machine));
        bench.agent_gets(&Input::Timeout);
        bench.agent_does(&Output::Warn(String::new()));
        bench.agent_settles();
    }),
    ("issue", "goes on although its run is to stop", |bench| {
        *bench = Bench::claimed();
        bench.see(&Seen::LoadBegins { host: 0, stage: 0, timed: true });
        bench.agent_hears(RUN, Control::Abort { reason: String::new() });
        bench.agent_settles();
    }),
    ("issue", "arms stage 0, but was asked for None", |bench| {
        bench.engine(0, EngineCommand::Arm { stage: 0 });
    }),
    ("issue", "runs stage 0 although its run is to stop", |bench| {
        *bench = Bench::claimed();
        bench.agent_gets(&Input::Closed(STREAM, iobench_core::message::Gone::Broken));
        bench.engine(1, EngineCommand::Run { stage: 0 });
    }),
    ("issue", "before its instant", |bench| {
        *bench = Bench::claimed();
        let at = Some(StartAt { mono: bench.at.after(seconds(10)), unix: Unix(0) });
        bench.agent_hears(RUN, Control::Start { stage: 0, at });
        bench.engine(1, EngineCommand::Run { stage: 0 });
    }),
    ("issue", "runs stage 0, but was asked for None", |bench| {
        bench.engine(0, EngineCommand::Run { stage: 0 });
    }),
    ("issue", "its run is over and issues operations", |bench| {
        *bench = Bench::claimed();
        bench.see(&Seen::LoadBegins { host: 0, stage: 0, timed: true });
        bench.agent_says(Report::Completed { totals: Vec::new() });
    }),
    ("lease", "issues operations for ever", |bench| {
        bench.see(&Seen::LoadBegins { host: 0, stage: 0, timed: true });
        bench.see(&Seen::End);
    }),
    ("lease", "after its controller has gone", |bench| {
        bench.see(&Seen::LoadBegins { host: 0, stage: 0, timed: true });
        bench.see(&Seen::Down(Process::Controller));
        bench.pass(Timeouts::default().lease + seconds(1));
        bench.see(&Seen::Healed);
    }),
    ("lease", "is CONFIG_RECEIVED although its controller was last heard", |bench| {
        *bench = Bench::claimed();
        bench.pass(Timeouts::default().lease);
        bench.agent_settles();
    }),
    ("memory", "agent 0 holds", |bench| {
        // Who is refused is answered, and nobody takes the answers.
        (0..40).for_each(|stream| bench.agent.handle(bench.now(), Input::Opened(StreamId(stream))));
        bench.agent_settles();
    }),
    ("no_spin", "agent 0 says more than 64 things", |bench| {
        (0..65).for_each(|_| bench.agent_does(&Output::Warn(String::new())));
    }),
    ("no_spin", "agent 0 spins", |bench| {
        bench.drive_agent(Input::Opened(STREAM));
        bench.pass(seconds(30));
        bench.agent_settles();
    }),
    ("ready_once", "says READY twice", |bench| {
        (0..2).for_each(|_| bench.agent_says(Report::Ready { unix: Unix(0) }));
    }),
    ("ready_once", "has never said READY", |bench| {
        bench.agent_does(&Output::Entered { from: StateName::Ready, to: StateName::Running });
    }),
    ("transitions", "agent 0 was IDLE and goes from READY to RUNNING", |bench| {
        bench.agent_does(&Output::Entered { from: StateName::Ready, to: StateName::Running });
    }),
    ("transitions", "agent 0 was IDLE and goes from IDLE to READY", |bench| {
        bench.agent_does(&Output::Entered { from: StateName::Idle, to: StateName::Ready });
    }),
    ("transitions", "agent 0 said that it was CONFIG_RECEIVED and is IDLE", |bench| {
        bench.agent_does(&Output::Entered { from: StateName::Idle, to: StateName::ConfigReceived });
        bench.agent_settles();
    }),
];

/// What is of the same run on the same stream confirms, and what was kept is not lost: neither is objected to.
#[test]
fn what_was_confirmed_or_kept_may_be_forgotten() {
    let forgets: [fn(&mut Bench); 2] = [
        |bench| bench.agent_hears(RUN, Control::Acknowledge { sequence: 9 }),
        |bench| {
            let messages = vec![message(1, running(5))];
            let (agent_id, yaml, overrides) = (String::new(), String::new(), Vec::new());
            let kept = iobench_core::agent::KeptRun {
                run: RUN,
                agent_id,
                index: 0,
                yaml,
                overrides,
                seed: 0,
                messages,
            };
            bench.agent_does(&Output::Keep(Box::new(kept)));
        },
    ];
    for rescue in forgets {
        let mut bench = Bench::claimed();
        bench.agent_says(running(5));
        rescue(&mut bench);
        bench.agent_does(&Output::Entered { from: StateName::Aborted, to: StateName::Idle });
        assert!(bench.suite.violations().iter().all(|violation| violation.checker != "idle_again"));
    }
}

/// What an agent does for another controller, that one answers for.
#[test]
fn work_for_another_controller_is_no_orphan() {
    let mut bench = Bench::claimed();
    let order = Order { run: RunId(7), ..order(2) };
    bench.see(&Seen::RunBegins { order: &order, untimed: seconds(0), latency: seconds(1) });
    bench.see(&Seen::LoadBegins { host: 0, stage: 0, timed: true });
    bench.see(&Seen::Down(Process::Controller));
    bench.pass(Timeouts::default().lease + seconds(1));
    bench.see(&Seen::Healed);
    assert!(bench.suite.violations().iter().all(|violation| violation.checker != "lease"));
}

/// Also when it took the place of a run that had ended, but was not confirmed yet.
#[test]
fn work_for_whoever_comes_next_is_no_orphan() {
    let mut bench = Bench::claimed();
    let failure = Failure::new(FailureClass::Storage, "not here", "");
    bench.drive_agent(Input::Engine(Epoch(1), EngineEvent::Failed { failure, totals: None }));
    let next = StreamId(STREAM.0 + 1);
    bench.drive_agent(Input::Opened(next));
    let body = Control::Configure(Box::new(Configure { lease: seconds(30), ..Configure::default() }));
    let message = ControlMessage { run: RunId(7), session: Session(1), body };
    bench.drive_agent(Input::Received(next, message));
    assert_eq!(bench.agent.current().map(|(stream, run, _)| (stream, run)), Some((next, RunId(7))));
    bench.see(&Seen::LoadBegins { host: 0, stage: 0, timed: true });
    bench.see(&Seen::Down(Process::Controller));
    bench.pass(Timeouts::default().lease + seconds(1));
    bench.see(&Seen::Healed);
    assert!(bench.suite.violations().iter().all(|violation| violation.checker != "lease"));
}
