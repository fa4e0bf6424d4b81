//! Every input in every state: the table of `docs/AGENT_STATE_MACHINE.md`, made from the machine.

use super::{Agent, Input, Output};
use crate::engine::{EngineCommand, EngineEvent, Epoch};
use crate::harness::{Harness, SECOND, Table, assert_documented, order, outline};
use crate::machine::Machine;
use crate::message::{
    Capabilities, Configure, Control, ControlMessage, Failure, FailureClass, Gone, Ping, Progress, Report,
    RunId, Session, StreamId,
};
use crate::stats::{Interval, StageTotals};
use crate::time::{Mono, Now};

/// A run with every kind of stage, stopped at the first moment that `reached` sees.
fn at(reached: impl Fn(&Harness) -> bool) -> Harness {
    let stages = [("prepare", None), ("one", Some(20)), ("two", Some(20)), ("cleanup", None)];
    let mut harness = Harness::of(order(&outline(&stages), 1));
    harness.begin();
    harness.run_until("the state of the table", reached);
    harness
}

fn debug(harness: &Harness) -> String {
    format!("{:?}", harness.hosts[0].machine.state)
}

fn states() -> Vec<(&'static str, Harness)> {
    let says = |start: &'static str, part: &'static str| {
        move |h: &Harness| debug(h).starts_with(start) && debug(h).contains(part)
    };
    let mut stopping = at(says("Running", "Timed(1"));
    stopping.run_for(2);
    let abort = control(&stopping, Control::Abort { reason: "the user".into() });
    stopping.hosts[0].engine_hangs = true;
    stopping.agent_gets(0, abort);
    let mut ended = at(says("Running", "Timed(1"));
    ended.run_for(2);
    let abort = control(&ended, Control::Abort { reason: "the user".into() });
    ended.disk_stalls = true;
    ended.agent_gets(0, abort);
    ended.run_until("ended", says("Ended", ""));
    vec![
        ("IDLE", at(|h| debug(h) == "Idle")),
        ("CONFIG_RECEIVED, validating", at(says("ConfigReceived", "Validating"))),
        ("CONFIG_RECEIVED, at a barrier", at(says("ConfigReceived", "}, Waiting)"))),
        ("CONFIG_RECEIVED, in an untimed stage", at(says("ConfigReceived", "Untimed { stage: 0"))),
        ("READY", at(says("Ready", ", None)"))),
        ("READY, start instant known", at(says("Ready", "Some(Armed"))),
        ("RUNNING, in a timed stage", at(says("Running", "Timed(1"))),
        ("RUNNING, at a barrier", at(says("Running", "}, Waiting)"))),
        ("RUNNING, start instant of the next stage known", at(says("Running", "Armed { stage: 2"))),
        ("RUNNING, in an untimed stage", at(says("Running", "Untimed { stage: 3"))),
        ("ERROR or ABORTED, the engine is stopping", stopping),
        ("COMPLETED, ERROR or ABORTED, not yet confirmed", ended),
    ]
}

fn control(harness: &Harness, body: Control) -> Input {
    let (stream, run, session) =
        harness.hosts[0].machine.current().unwrap_or((StreamId(1), RunId(7), Session(1)));
    Input::Received(stream, ControlMessage { run, session, body })
}

fn inputs(harness: &Harness) -> Vec<(&'static str, Vec<Input>)> {
    let (stream, run, session) =
        harness.hosts[0].machine.current().unwrap_or((StreamId(1), RunId(7), Session(1)));
    let claim = harness.hosts[0].machine.state.claim();
    let configure = claim.map_or_else(Configure::default, |claim| claim.configure.clone());
    let fresh = Configure { lease: std::time::Duration::from_secs(30), ..Configure::default() };
    let next = claim.map_or(0, |claim| claim.next_stage);
    let now = harness.agent_now(0).mono;
    let other = StreamId(1 << 20);
    let of = |run, session, body| Input::Received(stream, ControlMessage { run, session, body });
    let from_other =
        |body| Input::Received(other, ControlMessage { run: RunId(9), session: Session(1), body });
    let epoch = harness.hosts[0].machine.epoch;
    let engine = |event| vec![Input::Engine(epoch, event)];
    let failure = || Failure::new(FailureClass::Storage, "it failed", "");
    let totals = || Box::new(StageTotals { stage: next, ..StageTotals::default() });
    let ping = |newest, again_from| Control::Ping(Ping { number: 3, stamp: Mono(5), newest, again_from });
    let abort = || Control::Abort { reason: "the user".into() };
    let c = |body| vec![control(harness, body)];
    vec![
        (
            "Configure on a new stream",
            vec![Input::Opened(other), from_other(Control::Configure(Box::new(fresh)))],
        ),
        ("Configure again", c(Control::Configure(Box::new(configure)))),
        (
            "another Configure on the same stream",
            c(Control::Configure(Box::new(Configure { seed: 99, ..Configure::default() }))),
        ),
        ("Begin of the next stage", c(Control::Begin { stage: next })),
        ("Begin of a later stage", c(Control::Begin { stage: next + 1 })),
        ("Start of the next stage", c(Control::Start { stage: next, at: Some(in_a_while(now)) })),
        (
            "Start in the past",
            c(Control::Start {
                stage: next,
                at: Some(crate::message::StartAt { mono: Mono(now.0 - 1), ..in_a_while(now) }),
            }),
        ),
        (
            "Start more than 300 s ahead",
            c(Control::Start {
                stage: next,
                at: Some(crate::message::StartAt { mono: Mono(now.0 + 301 * SECOND), ..in_a_while(now) }),
            }),
        ),
        ("Ping", c(ping(Some(now), None))),
        ("Ping that asks for all that is kept", c(ping(Some(now), Some(0)))),
        ("Ping with a stamp from the future", c(ping(Some(Mono(now.0 + 1)), None))),
        ("Acknowledge of the newest message", c(Control::Acknowledge { sequence: newest(harness) })),
        ("Acknowledge of a message that was never sent", c(Control::Acknowledge { sequence: 1 << 40 })),
        ("Abort", c(abort())),
        ("Attach", c(Control::Attach { sequence: 0 })),
        ("an undecodable message", c(Control::Undecodable { detail: "?".into() })),
        ("a message of another run", vec![of(RunId(99), session, abort())]),
        ("a message of an older session", vec![of(run, Session(0), abort())]),
        (
            "a message on a dead stream",
            vec![Input::Received(StreamId(1 << 21), ControlMessage { run, session, body: abort() })],
        ),
        ("its stream closes", vec![Input::Closed(stream, Gone::Ended)]),
        ("another stream closes", vec![Input::Closed(other, Gone::Broken)]),
        (
            "engine: validated",
            engine(EngineEvent::Validated {
                outline: Box::new(harness.outline.clone()),
                capabilities: Box::<Capabilities>::default(),
            }),
        ),
        (
            "engine: progress",
            engine(EngineEvent::Progress(Progress { stage: next, objects: 1 << 30, ..Progress::default() })),
        ),
        (
            "engine: interval",
            engine(EngineEvent::Interval(Box::new(Interval { stage: next, ..Interval::default() }))),
        ),
        ("engine: stage done", engine(EngineEvent::StageDone(totals()))),
        ("engine: failed", engine(EngineEvent::Failed { failure: failure(), totals: Some(totals()) })),
        ("engine: stopped", engine(EngineEvent::Stopped { totals: None, stuck: 0 })),
        (
            "an engine event of an earlier run",
            vec![Input::Engine(Epoch(0), EngineEvent::Failed { failure: failure(), totals: None })],
        ),
        ("shutdown", vec![Input::Shutdown]),
        ("a needless time-out", vec![Input::Timeout]),
    ]
}

fn in_a_while(now: Mono) -> crate::message::StartAt {
    crate::message::StartAt { mono: Mono(now.0 + SECOND), unix: crate::time::Unix(0) }
}

fn newest(harness: &Harness) -> u64 {
    harness.hosts[0].machine.state.claim().and_then(super::claim::Claim::newest).unwrap_or(0)
}

/// What the machine does with the inputs, in the words of the table.
fn effect(machine: &Agent, now: Now, inputs: Vec<Input>) -> String {
    let mut after = machine.clone();
    let mut words: Vec<String> = Vec::new();
    for input in inputs {
        after.handle(now, input);
        while let Some(output) = after.poll_output() {
            words.extend(word(&output));
        }
    }
    let counted = |count: fn(&super::claim::Claim) -> u64| {
        let of = |machine: &Agent| machine.state.claim().map_or(0, count);
        of(&after) > of(machine)
    };
    if counted(|claim| claim.invalid) {
        words.push("counted as invalid".into());
    }
    if counted(|claim| claim.repeated) {
        words.push("counted as repeated".into());
    }
    match (words.is_empty(), after.state == machine.state) {
        (true, true) => "inert".into(),
        (true, false) => "noted".into(),
        (false, _) => words.join("; "),
    }
}

fn word(output: &Output) -> Option<String> {
    Some(match output {
        Output::Entered { to, .. } => format!("→ {to}"),
        Output::Send(_, message) => match &message.body {
            Report::Error { failure, .. } => format!("sends ERROR {}", failure.class),
            body => format!("sends {}", name(body)),
        },
        Output::Close(_) => "closes the stream".into(),
        Output::Keep(_) => "keeps the results".into(),
        Output::Engine(_, EngineCommand::Validate(_)) => "engine: validate".into(),
        Output::Engine(_, EngineCommand::Arm { .. }) => "engine: arm".into(),
        Output::Engine(_, EngineCommand::Run { .. }) => "engine: run".into(),
        Output::Engine(_, EngineCommand::Stop) => "engine: stop".into(),
        Output::Exit => "the process may end".into(),
        Output::Warn(_) => return None,
    })
}

fn name(body: &Report) -> &'static str {
    match body {
        Report::Accepted(_) => "ACCEPTED",
        Report::Preparing(_) => "PREPARING",
        Report::StageDone(_) => "STAGE_DONE",
        Report::Ready { .. } => "READY",
        Report::Running(_) => "RUNNING",
        Report::Completed { .. } => "COMPLETED",
        Report::Error { .. } => "ERROR",
        Report::Aborted { .. } => "ABORTED",
        Report::Acknowledge(_) => "ACKNOWLEDGE",
        Report::Undecodable { .. } => "undecodable",
    }
}

#[test]
fn every_input_in_every_state_does_what_the_document_says() {
    let mut table = Table::default();
    for (state, harness) in states() {
        let machine = &harness.hosts[0].machine;
        for (input, inputs) in inputs(&harness) {
            table.add(state, input, effect(machine, harness.agent_now(0), inputs));
        }
        let overdue = machine.poll_timeout().map(|at| Now { mono: at, ..harness.agent_now(0) });
        let effect = overdue.map_or("inert".into(), |now| effect(machine, now, vec![Input::Timeout]));
        table.add(state, "its earliest deadline passes", effect);
    }
    assert_documented("AGENT_STATE_MACHINE.md", include_str!("../../../docs/AGENT_STATE_MACHINE.md"), &table);
}

#[test]
fn the_document_lists_every_transition() {
    let document = include_str!("../../../docs/AGENT_STATE_MACHINE.md");
    for from in super::StateName::ALL {
        let followers: Vec<_> = from.successors().iter().map(|state| state.as_str()).collect();
        let row = format!("| {from} | {} |", followers.join(", "));
        assert!(document.contains(&row), "docs/AGENT_STATE_MACHINE.md lacks the row `{row}`");
    }
}
