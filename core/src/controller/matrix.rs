//! Every input in every state of an agent: the table of `docs/CONTROLLER_STATE_MACHINE.md`, made from the machine.

use super::{AgentState, ConnectError, Controller, Input, Output, RunState};
use crate::harness::{Harness, SECOND, Table, agent_index, assert_documented, order, outline};
use crate::machine::Machine;
use crate::message::{
    AgentMessage, Capabilities, Control, Failure, FailureClass, Gone, Pong, Progress, Report, RunId, Session,
    StreamId,
};
use crate::stats::{Interval, StageTotals};
use crate::time::{Mono, Now, Unix};

/// Two agents, every kind of stage, stopped at the first moment that `reached` sees.
fn at(reached: impl Fn(&Harness) -> bool) -> Harness {
    let stages = [("prepare", None), ("one", Some(20)), ("two", Some(20)), ("cleanup", None)];
    let mut harness = Harness::of(order(&outline(&stages), 2));
    harness.begin();
    harness.run_until("the state of the table", reached);
    harness
}

fn first(harness: &Harness) -> String {
    format!("{:?}", harness.controller.peers[0].step)
}

fn states() -> Vec<(&'static str, Harness)> {
    let says = |part: &'static str| move |h: &Harness| first(h).starts_with(part);
    let in_run = |state, part: &'static str| {
        move |h: &Harness| h.controller.state == state && first(h).starts_with(part)
    };
    let mut interrupted = at(says("Collecting(Timed { stage: 1"));
    interrupted.controller_gets(Input::Interrupt);
    vec![
        ("CONNECTING", at(says("Connecting"))),
        ("CONFIG_SENT, validating", at(says("ConfigSent(Validating"))),
        ("CONFIG_SENT, in an untimed stage", at(says("ConfigSent(Untimed"))),
        ("CONFIG_SENT, READY is due", at(says("ConfigSent(AnswerDue"))),
        ("READY, others are not", at(in_run(RunState::PreparePhase, "Ready"))),
        ("READY, clocks are being sampled", at(in_run(RunState::CoordinatingStart, "Ready"))),
        ("START_SENT", at(says("StartSent"))),
        ("COLLECTING_STATS, in a timed stage", at(says("Collecting(Timed"))),
        ("COLLECTING_STATS, at a barrier", at(says("Collecting(Waiting"))),
        ("COLLECTING_STATS, in an untimed stage", at(says("Collecting(Untimed"))),
        ("COLLECTING_STATS, COMPLETED is due", at(says("Collecting(EndDue"))),
        ("any, after the run was interrupted", interrupted),
        ("COMPLETED, another is not", at(says("Over { end: Completed"))),
    ]
}

/// Messages of the first agent, and what else can happen to it.
fn inputs(harness: &Harness) -> Vec<(&'static str, Input)> {
    let peer = &harness.controller.peers[0];
    let link = peer.link.as_ref();
    let stream = link.map_or(StreamId(99), |link| link.stream);
    let session = link.map_or(Session(1), |link| link.session);
    let now = harness.now;
    let stage = peer.done;
    let agent = agent_index(0);
    let taken = peer.delivery.taken();
    let counted = |run, session, sequence, kept_before, body| {
        let kept_before = Some(kept_before);
        AgentMessage { run, session, sequence, stamp: Mono(now), kept_before, body }
    };
    let whole = |run, session, sequence, body| counted(run, session, sequence, taken, body);
    let says = |body| Input::Received(agent, stream, whole(RunId(7), session, 1 << 40, body));
    let failure = |class| Report::Error { failure: Failure::new(class, "it failed", ""), totals: Vec::new() };
    let ready = || Report::Ready { unix: Unix(0) };
    let totals = |stage| Report::StageDone(Box::new(StageTotals { stage, ..StageTotals::default() }));
    let interval = |stage| Report::Running(Box::new(Interval { stage, ..Interval::default() }));
    let pong = |sent| Pong { number: 0, stamp: Mono(now - 10), received: Mono(20), sent: Mono(sent) };
    vec![
        ("the connection stands", Input::Connected { agent, attempt: 1 }),
        ("the stream is open", Input::Opened { agent, attempt: 1, stream: StreamId(77) }),
        (
            "the attempt failed",
            Input::ConnectFailed { agent, attempt: 1, cause: ConnectError { message: "refused".into() } },
        ),
        ("an earlier attempt reports", Input::Opened { agent, attempt: 0, stream: StreamId(78) }),
        ("ACCEPTED", says(Report::Accepted(Box::<Capabilities>::default()))),
        (
            "PREPARING of the current stage",
            says(Report::Preparing(Progress { stage, objects: 1 << 30, ..Progress::default() })),
        ),
        ("STAGE_DONE of the current stage", says(totals(stage))),
        ("STAGE_DONE of a later stage", says(totals(stage + 1))),
        ("READY", says(ready())),
        ("RUNNING of the current stage", says(interval(stage))),
        ("RUNNING of a later stage", says(interval(stage + 1))),
        ("COMPLETED", says(Report::Completed { totals: Vec::new() })),
        ("ERROR config", says(failure(FailureClass::Config))),
        ("ERROR busy", says(failure(FailureClass::Busy))),
        ("ERROR timeout", says(failure(FailureClass::Timeout))),
        ("ABORTED", says(Report::Aborted { reason: "told to".into(), totals: Vec::new() })),
        ("ACKNOWLEDGE", says(Report::Acknowledge(pong(20)))),
        ("ACKNOWLEDGE whose stamps contradict themselves", says(Report::Acknowledge(pong(19)))),
        (
            "RUNNING behind a message that is missing",
            Input::Received(agent, stream, counted(RunId(7), session, 1 << 40, taken + 1, interval(stage))),
        ),
        ("an undecodable message", says(Report::Undecodable { detail: "?".into() })),
        (
            "a message of another run",
            Input::Received(agent, stream, whole(RunId(8), session, 1 << 40, ready())),
        ),
        (
            "a message of an older session",
            Input::Received(agent, stream, whole(RunId(7), Session(0), 1 << 40, ready())),
        ),
        ("a message whose sequence has gone back", gone_back(harness, stream, session)),
        (
            "a message on a dead stream",
            Input::Received(agent, StreamId(1 << 20), whole(RunId(7), session, 1 << 40, ready())),
        ),
        ("its stream ends or breaks", Input::Closed(agent, stream, Gone::Broken)),
        ("another stream closes", Input::Closed(agent, StreamId(1 << 20), Gone::Broken)),
        ("the journal holds an unknown message", Input::Persisted { agent, sequence: 1 << 41 }),
        ("the journal fails", Input::PersistFailed { agent, sequence: 1 << 41, cause: "disk full".into() }),
        ("interrupt", Input::Interrupt),
        ("begin again", Input::Begin),
        ("a needless time-out", Input::Timeout),
    ]
}

fn gone_back(harness: &Harness, stream: StreamId, session: Session) -> Input {
    let body = Report::Ready { unix: Unix(0) };
    let sequence = harness.controller.peers[0].delivery.newest().unwrap_or(0);
    let message = AgentMessage {
        run: RunId(7),
        session,
        sequence,
        stamp: Mono(harness.now),
        kept_before: Some(0),
        body,
    };
    Input::Received(agent_index(0), stream, message)
}

/// What the machine does with the input, in the words of the table. What it does to the other agent is left out,
/// except that the run is stopped.
fn effect(machine: &Controller, now: Now, input: Input) -> String {
    let mut after = machine.clone();
    after.handle(now, input);
    let mut words: Vec<String> = Vec::new();
    while let Some(output) = after.poll_output() {
        if let Some(word) = word(&output).filter(|word| !words.contains(word)) {
            words.push(word);
        }
    }
    let (before, peer) = (&machine.peers[0], &after.peers[0]);
    if peer.invalid > before.invalid {
        words.push("counted as invalid".into());
    }
    if peer.warned_repeat && !before.warned_repeat {
        words.push("warned about once".into());
    }
    match (words.is_empty(), after.peers == machine.peers) {
        (true, true) => "inert".into(),
        (true, false) => "noted".into(),
        (false, _) => words.join("; "),
    }
}

fn word(output: &Output) -> Option<String> {
    Some(match output {
        Output::AgentEntered { agent, to, .. } if agent.0 == 0 => format!("→ {to}"),
        Output::RunEntered { to, .. } => format!("run → {to}"),
        Output::Send(agent, _, message) if agent.0 == 0 => format!("sends {}", name(&message.body)),
        Output::Persist(..) => "to the journal".into(),
        Output::HalfClose(agent, _) if agent.0 == 0 => "ends our side".into(),
        Output::Drop(agent, _) if agent.0 == 0 => "drops the stream".into(),
        Output::Connect { agent, .. } if agent.0 == 0 => "connects".into(),
        Output::Disconnect { agent } if agent.0 == 0 => "gives the attempt up".into(),
        Output::Finish(outcome) => format!("finished, exit {}", outcome.exit.code()),
        _ => return None,
    })
}

fn name(body: &Control) -> &'static str {
    match body {
        Control::Configure(_) => "Configure",
        Control::Begin { .. } => "Begin",
        Control::Start { .. } => "Start",
        Control::Ping(_) => "Ping",
        Control::Acknowledge { .. } => "Acknowledge",
        Control::Abort { .. } => "Abort",
        Control::Attach { .. } => "Attach",
        Control::Undecodable { .. } => "undecodable",
    }
}

#[test]
fn every_input_in_every_state_does_what_the_document_says() {
    let mut table = Table::default();
    for (state, harness) in states() {
        let now = Now { mono: Mono(harness.now), unix: Unix(harness.now) };
        for (input, value) in inputs(&harness) {
            table.add(state, input, effect(&harness.controller, now, value));
        }
    }
    assert_documented(
        "CONTROLLER_STATE_MACHINE.md",
        include_str!("../../../docs/CONTROLLER_STATE_MACHINE.md"),
        &table,
    );
}

#[test]
fn after_the_end_nothing_moves() {
    let mut harness = at(|h| h.outcome.is_some());
    let before = harness.controller.clone();
    for (_, input) in inputs(&harness) {
        harness.controller_gets(input);
    }
    assert_eq!(harness.controller, before);
    assert_eq!(harness.controller.poll_timeout(), None);
    harness.run_for(SECOND / SECOND);
}

#[test]
fn the_document_lists_every_transition() {
    let document = include_str!("../../../docs/CONTROLLER_STATE_MACHINE.md");
    let row = |from: &str, to: Vec<&str>| {
        format!("| {from} | {} |", if to.is_empty() { "–".into() } else { to.join(", ") })
    };
    let agents = AgentState::ALL
        .map(|from| row(from.as_str(), from.successors().iter().map(|s| s.as_str()).collect()));
    let runs =
        RunState::ALL.map(|from| row(from.as_str(), from.successors().iter().map(|s| s.as_str()).collect()));
    for row in agents.iter().chain(&runs) {
        assert!(document.contains(row), "docs/CONTROLLER_STATE_MACHINE.md lacks the row `{row}`");
    }
}
