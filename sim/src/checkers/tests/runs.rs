//! What is wrong with a controller, or with a run.

use super::{Bench, Case, MEASURED, RUN, STREAM, order, running, seconds, totals};
use crate::checkers::{Process, Seen};
use iobench_core::controller::{
    AgentEnd, AgentOutcome, AgentState, Controller, ExitCode, Input, Label, Level, Notice, Outcome, Output,
    RunState, Skew, StageStart,
};
use iobench_core::machine::Machine;
use iobench_core::message::{AgentIndex, Control, Report};
use iobench_core::plan::Timeouts;
use iobench_core::time::{Mono, Unix, nanos};

const READY: AgentState = AgentState::Ready;

/// How a run ends in which no agent has completed.
fn failed() -> Outcome {
    let agent = |index| AgentOutcome {
        id: format!("a{index}"),
        address: String::new(),
        end: AgentEnd::Failed,
        reason: "lost".to_owned(),
        ran: 0,
        planned: nanos(MEASURED),
        invalid: 0,
        merged: 0,
        missing: 0,
    };
    Outcome {
        run: RUN,
        exit: ExitCode::NoneCompleted,
        label: Label::Partial,
        cause: "lost".to_owned(),
        agents: (0..2).map(agent).collect(),
        starts: Vec::new(),
        coverage_ppm: 0,
        results_failure: String::new(),
    }
}

/// How one ends in which all have.
fn completed() -> Outcome {
    let mut outcome = failed();
    for agent in &mut outcome.agents {
        (agent.end, agent.ran, agent.reason) = (AgentEnd::Completed, nanos(MEASURED), String::new());
    }
    (outcome.exit, outcome.label, outcome.cause) = (ExitCode::AllCompleted, Label::Complete, String::new());
    outcome
}

fn finish(bench: &mut Bench, outcome: Outcome) {
    bench.controller_does(&Output::Finish(Box::new(outcome)));
}

/// The start of the stage with these skews, nanoseconds.
fn started(skews: [Option<i64>; 2]) -> Outcome {
    let skews = skews.map(|nanos| nanos.map(|nanos| Skew { nanos, bound: 0, offset: 0 })).to_vec();
    let start = StageStart { stage: 0, at: Mono(0), unix: Unix(0), skews };
    Outcome { starts: vec![start], ..completed() }
}

fn enters(to: RunState) -> Output {
    Output::RunEntered { from: RunState::WorkloadPhase, to }
}

/// Start is sent, its instant is now, and so many intervals of the stage before are not acknowledged.
fn start_with_unacknowledged(bench: &mut Bench, intervals: u64) {
    bench.peer_enters(READY, AgentState::StartSent);
    bench.controller_sends(Control::Start { stage: 0, at: None });
    (0..intervals).for_each(|sequence| bench.persists(sequence, running(1)));
    bench.pass(Timeouts::default().hung);
}

pub(super) const CASES: &[Case] = &[
    ("acknowledged", "0 is acknowledged, but 0 is not on disk", |bench| {
        bench.persists(0, running(1));
        bench.controller_sends(Control::Acknowledge { sequence: 0 });
    }),
    ("acknowledged", "2 is acknowledged past the gap", |bench| {
        *bench = Bench::opened();
        for sequence in [0, 2] {
            bench.controller_hears(sequence, running(1));
            bench.is_journalled(sequence, running(1));
        }
        bench.controller_sends(Control::Acknowledge { sequence: 2 });
    }),
    ("counted_once", "message 0 counts twice", |bench| {
        (0..2).for_each(|_| bench.persists(0, running(1)));
    }),
    ("counted_once", "the outcome says 7", |bench| {
        let mut outcome = failed();
        outcome.agents[0].ran = 7;
        finish(bench, outcome);
    }),
    ("counted_once", "is COMPLETED without totals", |bench| finish(bench, completed())),
    // Of an agent that has failed, too.
    ("counted_once", "0 operations on disk of 5 received", |bench| {
        bench.persists(0, running(5));
        finish(bench, failed());
    }),
    ("counted_once", "0 operations in intervals, 5 in its totals", |bench| {
        bench.persists(0, Report::Completed { totals: vec![totals(5)] });
        finish(bench, completed());
    }),
    ("deadlines", "after its own absence", |bench| {
        bench.drive_controller(Input::Begin);
        bench.pass(seconds(60));
        bench.controller_gets(&Input::Timeout);
        bench.peer_enters(AgentState::Connecting, AgentState::Failed);
        bench.controller_settles();
    }),
    ("deadlines", "before anything is late", |bench| {
        bench.peer_enters(AgentState::Connecting, AgentState::Failed);
        bench.controller_settles();
    }),
    // It could not send: it is not late the moment it can.
    ("deadlines", "before anything is late", |bench| {
        start_with_unacknowledged(bench, 32);
        bench.controller_sends(Control::Acknowledge { sequence: 31 });
        bench.peer_enters(AgentState::StartSent, AgentState::Failed);
        bench.controller_settles();
    }),
    ("deadlines", "still collects results", |bench| {
        bench.controller_does(&enters(RunState::CollectingResults));
        bench.pass(seconds(30));
        bench.controller_settles();
    }),
    ("deadlines", "201 unreadable frames a minute", |bench| {
        *bench = Bench::opened();
        for _ in 0..201 {
            let message = iobench_core::message::AgentMessage {
                run: iobench_core::message::RunId(0),
                ..super::message(0, Report::Undecodable { detail: String::new() })
            };
            bench.controller_gets(&Input::Received(AgentIndex(0), STREAM, message));
        }
        bench.controller_settles();
    }),
    ("deadlines", "makes attempt 5", |bench| {
        bench.controller_does(&Output::Connect { agent: AgentIndex(0), attempt: 5 });
        bench.controller_settles();
    }),
    ("deadlines", "for Tcp", |bench| {
        bench.controller_does(&Output::Connect { agent: AgentIndex(0), attempt: 1 });
        bench.pass(Timeouts::default().connect);
        bench.controller_settles();
    }),
    // What waits for the journal is no excuse before it is so much that the agent may send nothing.
    ("deadlines", "for FirstStatistics", |bench| {
        start_with_unacknowledged(bench, 31);
        bench.controller_settles();
    }),
    ("deadlines", "for statistics", |bench| {
        *bench = Bench::opened();
        bench.controller_hears(0, running(1));
        bench.peer_enters(AgentState::StartSent, AgentState::CollectingStats);
        bench.persists(0, running(1));
        bench.pass(Timeouts::default().hung);
        bench.controller_settles();
    }),
    ("deadlines", "hears nothing for", |bench| {
        bench.peer_enters(AgentState::Connecting, AgentState::ConfigSent);
        bench.peer_enters(AgentState::ConfigSent, READY);
        bench.pass(seconds(300));
        bench.controller_settles();
    }),
    ("ends", "ends twice", |bench| (0..2).for_each(|_| finish(bench, failed()))),
    ("ends", "never ends", |bench| bench.see(&Seen::End)),
    ("ends", "has not ended by", |bench| {
        // However long faults may have delayed it: once they are healed, it must go on as any other.
        bench.see(&Seen::Fault { host: None, harmless: true, delay: seconds(100_000) });
        bench.see(&Seen::Healed);
        bench.pass(seconds(10_000));
        bench.controller_gets(&Input::Timeout);
    }),
    ("exit_code", "the run ends with 0, the table says 1", |bench| finish(bench, completed())),
    ("exit_code", "the result is called COMPLETE, it is PARTIAL", |bench| {
        finish(bench, Outcome { label: Label::Complete, ..failed() });
    }),
    ("exit_code", "2 agents are said to have completed, 0 have", |bench| {
        finish(bench, Outcome { agents: completed().agents, ..failed() });
    }),
    ("exit_code", "PARTIAL, and the cause is ``", |bench| {
        finish(bench, Outcome { cause: String::new(), ..failed() });
    }),
    ("exit_code", "and nobody is told", |bench| {
        let cause = "full".to_owned();
        bench.controller_gets(&Input::PersistFailed { agent: AgentIndex(0), sequence: 0, cause });
        finish(bench, failed());
    }),
    ("fault_free", "after another agent's", |bench| {
        for host in 0..2 {
            bench.see(&Seen::LoadBegins { host, stage: 0, timed: true });
            bench.pass(seconds(10));
        }
    }),
    ("fault_free", "nothing happened, but the run ends with 1", |bench| finish(bench, failed())),
    ("fault_free", "the start skew of agent 1 is not known", |bench| {
        finish(bench, started([Some(0), None]));
    }),
    ("fault_free", "agent 1 is said to begin", |bench| {
        for host in 0..2 {
            bench.see(&Seen::LoadBegins { host, stage: 0, timed: true });
        }
        finish(bench, started([Some(0), Some(1_000_000_000)]));
    }),
    ("inert", "the controller is moved by what belongs to the past", |bench| {
        let machine = bench.controller.clone();
        bench.see(&Seen::ControllerReplay(&machine));
        bench.controller_gets(&Input::Timeout);
        bench.controller_does(&enters(RunState::CollectingResults));
        bench.controller_settles();
    }),
    ("liveness", "nothing harmed anyone, but the run ends with 1", |bench| finish(bench, failed())),
    ("liveness", "nothing harmed agent 1", |bench| {
        bench.see(&Seen::Fault { host: Some(0), harmless: false, delay: seconds(0) });
        finish(bench, failed());
    }),
    ("memory", "the controller holds", |bench| {
        bench.controller = Controller::new(order(200));
        bench.controller.handle(bench.now(), Input::Begin);
        (0..32).for_each(|_| bench.controller_settles());
    }),
    ("no_spin", "the controller says more than 96 things", |bench| {
        for _ in 0..97 {
            let notice = Notice { level: Level::Info, agent: None, text: String::new() };
            bench.controller_does(&Output::Notice(notice));
        }
    }),
    ("no_spin", "the controller spins", |bench| {
        bench.drive_controller(Input::Begin);
        bench.pass(seconds(60));
        bench.controller_settles();
    }),
    ("transitions", "the run was INIT and goes from WORKLOAD_PHASE", |bench| {
        bench.controller_does(&enters(RunState::CollectingResults));
    }),
    ("transitions", "the run did not say that it is INIT", |bench| {
        let (from, to) = (RunState::Init, RunState::ConnectingAll);
        bench.controller_does(&Output::RunEntered { from, to });
        bench.controller_settles();
    }),
    ("transitions", "agent 0 was CONNECTING and goes from READY", |bench| {
        bench.peer_enters(READY, AgentState::StartSent);
    }),
    ("transitions", "agent 0 was said to be CONFIG_SENT and is CONNECTING", |bench| {
        bench.peer_enters(AgentState::Connecting, AgentState::ConfigSent);
        bench.controller_settles();
    }),
];

/// Whoever may send nothing is not late.
#[test]
fn who_is_held_back_is_not_late() {
    let mut bench = Bench::new();
    start_with_unacknowledged(&mut bench, 32);
    bench.controller_settles();
    assert!(bench.suite.violations().iter().all(|violation| !violation.text.contains("FirstStatistics")));
}

/// Nobody sends statistics between two stages.
#[test]
fn who_has_ended_its_stage_owes_no_statistics_though_none_came() {
    let mut bench = Bench::opened();
    bench.controller_hears(0, Report::StageDone(Box::default()));
    bench.peer_enters(AgentState::StartSent, AgentState::CollectingStats);
    bench.pass(Timeouts::default().hung);
    bench.controller_settles();
    assert!(bench.suite.violations().iter().all(|violation| !violation.text.contains("for statistics")));
}

/// A controller that is gone ends its run.
#[test]
fn a_run_whose_controller_is_gone_need_not_end() {
    let mut bench = Bench::new();
    bench.see(&Seen::Down(Process::Controller));
    bench.see(&Seen::End);
    assert!(bench.suite.violations().iter().all(|violation| violation.checker != "ends"));
}
