//! Every assertion of every checker fails when it should: each is shown what it must object to. Which checker notices a
//! broken machine, the canaries say; that none of them says anything that it cannot, this does.

mod agents;
mod runs;

use super::{Process, Seen, Suite};
use iobench_core::agent::{self, Agent};
use iobench_core::controller::{self, AgentSpec, AgentState, Controller, Lead, Order};
use iobench_core::engine::{EngineCommand, Epoch};
use iobench_core::machine::Machine;
use iobench_core::message::{
    AgentIndex, AgentMessage, Configure, Control, ControlMessage, Report, RunId, Session, StreamId,
};
use iobench_core::plan::{Outline, Policy, StageOutline, Timeouts};
use iobench_core::stats::{Band, Cell, Encoded, Interval, Operation, StageTotals, Tally};
use iobench_core::time::{Mono, Now, Unix, nanos};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checker, some words of what it says, and what makes it say so.
type Case = (&'static str, &'static str, fn(&mut Bench));

const STREAM: StreamId = StreamId(1);
const RUN: RunId = RunId(1);
const MEASURED: Duration = Duration::from_secs(10);

/// All checkers, and two machines for them to look at, which do what they should: what is wrong is what is said of them.
struct Bench {
    suite: Suite,
    at: Mono,
    agent: Agent,
    controller: Controller,
    said: u64,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two agents, one timed stage.
fn order(agents: usize) -> Order {
    let spec = |index| AgentSpec { id: format!("a{index}"), address: String::new() };
    Order {
        run: RUN,
        agents: (0..agents).map(spec).collect(),
        yaml: String::new(),
        overrides: Vec::new(),
        seed: 0,
        outline: Outline {
            stages: vec![StageOutline { name: "execute".to_owned(), timed: Some(MEASURED) }],
            interval: seconds(1),
            timeouts: Timeouts::default(),
        },
        policy: Policy::default(),
        lead: Lead::Ahead(seconds(10)),
    }
}

fn tally(count: u64) -> Tally {
    let (service, response) = (Encoded::default(), Encoded::default());
    let (operation, band) = (Operation::Get, Band::of(1));
    let cell = Cell { operation, band, count, bytes: count, service_sum: count, service, response };
    Tally { cells: vec![cell], ..Tally::default() }
}

/// An interval with so many operations.
fn running(count: u64) -> Report {
    Report::Running(Box::new(Interval { tally: tally(count), ..Interval::default() }))
}

fn totals(count: u64) -> StageTotals {
    StageTotals { tally: tally(count), ..StageTotals::default() }
}

fn message(sequence: u64, body: Report) -> AgentMessage {
    AgentMessage { run: RUN, session: Session(1), sequence, stamp: Mono(0), kept_before: None, body }
}

impl Bench {
    /// A run of two agents begins.
    fn new() -> Self {
        let order = order(2);
        let mut bench = Self {
            suite: Suite::default(),
            at: Mono(nanos(seconds(1_000))),
            agent: Agent::new(),
            controller: Controller::new(order.clone()),
            said: 0,
        };
        bench.see(&Seen::Up(Process::Agent(0)));
        bench.see(&Seen::RunBegins { order: &order, untimed: Duration::ZERO, latency: seconds(1) });
        bench
    }

    fn now(&self) -> Now {
        Now { mono: self.at, unix: Unix(0) }
    }

    fn see(&mut self, seen: &Seen<'_>) {
        self.suite.see(self.at, seen);
    }

    fn pass(&mut self, time: Duration) {
        self.at = self.at.after(time);
    }

    fn agent_gets(&mut self, input: &agent::Input) {
        self.see(&Seen::AgentInput(0, self.now(), input));
    }

    fn agent_does(&mut self, output: &agent::Output) {
        self.see(&Seen::AgentOutput(0, self.now(), output));
    }

    fn agent_hears(&mut self, run: RunId, body: Control) {
        let message = ControlMessage { run, session: Session(1), body };
        self.agent_gets(&agent::Input::Received(STREAM, message));
    }

    fn agent_says(&mut self, body: Report) {
        self.said += 1;
        self.agent_does(&agent::Output::Send(STREAM, message(self.said, body)));
    }

    fn engine(&mut self, epoch: u64, command: EngineCommand) {
        self.agent_does(&agent::Output::Engine(Epoch(epoch), command));
    }

    fn agent_settles(&mut self) {
        self.suite.see(self.at, &Seen::AgentSettled(0, self.now(), &self.agent));
    }

    /// The machine really handles something, and the checkers see it do so.
    fn drive_agent(&mut self, input: agent::Input) {
        self.agent_gets(&input);
        self.agent.handle(self.now(), input);
        while let Some(output) = self.agent.poll_output() {
            self.agent_does(&output);
        }
        self.agent_settles();
    }

    /// The run really holds the agent.
    fn claimed() -> Self {
        let mut bench = Self::new();
        bench.drive_agent(agent::Input::Opened(STREAM));
        let body = Control::Configure(Box::new(Configure { lease: seconds(30), ..Configure::default() }));
        let message = ControlMessage { run: RUN, session: Session(1), body };
        bench.drive_agent(agent::Input::Received(STREAM, message));
        bench
    }

    fn controller_gets(&mut self, input: &controller::Input) {
        self.see(&Seen::ControllerInput(self.now(), input));
    }

    fn controller_does(&mut self, output: &controller::Output) {
        self.see(&Seen::ControllerOutput(self.now(), output));
    }

    fn controller_sends(&mut self, body: Control) {
        let message = ControlMessage { run: RUN, session: Session(1), body };
        self.controller_does(&controller::Output::Send(AgentIndex(0), STREAM, message));
    }

    fn controller_hears(&mut self, sequence: u64, body: Report) {
        let message = message(sequence, body);
        self.controller_gets(&controller::Input::Received(AgentIndex(0), STREAM, message));
    }

    fn persists(&mut self, sequence: u64, body: Report) {
        let message = Box::new(message(sequence, body));
        self.controller_does(&controller::Output::Persist(AgentIndex(0), message));
    }

    fn is_journalled(&mut self, sequence: u64, body: Report) {
        self.see(&Seen::Journalled(AgentIndex(0), &message(sequence, body)));
    }

    fn peer_enters(&mut self, from: AgentState, to: AgentState) {
        self.controller_does(&controller::Output::AgentEntered { agent: AgentIndex(0), from, to });
    }

    fn controller_settles(&mut self) {
        self.suite.see(self.at, &Seen::ControllerSettled(self.now(), &self.controller));
    }

    fn drive_controller(&mut self, input: controller::Input) {
        self.controller_gets(&input);
        self.controller.handle(self.now(), input);
        while let Some(output) = self.controller.poll_output() {
            self.controller_does(&output);
        }
        self.controller_settles();
    }

    /// Its stream is open.
    fn opened() -> Self {
        let mut bench = Self::new();
        bench.controller_gets(&controller::Input::Opened {
            agent: AgentIndex(0),
            attempt: 1,
            stream: STREAM,
        });
        bench
    }
}

fn cases() -> impl Iterator<Item = &'static Case> {
    agents::CASES.iter().chain(runs::CASES)
}

/// What the checkers say of a case.
fn told(case: fn(&mut Bench)) -> Vec<(&'static str, String)> {
    let mut bench = Bench::new();
    case(&mut bench);
    let violations = bench.suite.violations().iter();
    violations.map(|violation| (violation.checker, violation.text.clone())).collect()
}

#[test]
fn each_checker_objects_to_what_it_should() {
    let mute = cases().filter_map(|(checker, words, case)| {
        let told = told(*case);
        let objects = told.iter().any(|(by, text)| by == checker && text.contains(words));
        (!objects).then_some((checker, words, told))
    });
    let mute: Vec<_> = mute.collect();
    assert!(mute.is_empty(), "these do not object; what was said instead: {mute:#?}");
}

/// An assertion that is added without a case fails here.
#[test]
fn each_assertion_of_a_checker_has_a_case() {
    let told: Vec<_> = cases().flat_map(|(_, _, case)| told(*case)).collect();
    let silent: Vec<_> = assertions()
        .into_iter()
        .filter(|(checker, pieces)| {
            !told.iter().any(|(by, text)| by == checker && contains_in_order(text, pieces))
        })
        .collect();
    assert!(assertions().len() > 60, "the sources look different: {}", assertions().len());
    assert!(silent.is_empty(), "nothing in checkers/tests makes these fire: {silent:#?}");
}

fn contains_in_order(text: &str, pieces: &[String]) -> bool {
    let rest = pieces.iter().try_fold(text, |rest, piece| Some(rest.split_once(piece.as_str())?.1));
    rest.is_some()
}

/// What each `Err(…)` in the sources says, without what is filled in; with the checker that says it.
fn assertions() -> Vec<(String, Vec<String>)> {
    let checkers = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checkers");
    let files = |of: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(of).expect("the checkers are where they are");
        entries.map(|entry| entry.expect("a file").path()).filter(|path| path.is_file()).collect()
    };
    let stem = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut sources: Vec<_> = files(&checkers).into_iter().map(|path| (stem(&path), path)).collect();
    sources.extend(files(&checkers.join("deadlines")).into_iter().map(|path| ("deadlines".to_owned(), path)));
    let mut found = Vec::new();
    for (checker, path) in sources {
        let text = std::fs::read_to_string(path).expect("text");
        for said in text.split("Err(").skip(1) {
            let said = said.trim_start();
            let said = said.strip_prefix("format!(").map_or(said, str::trim_start);
            let Some(literal) = said.strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            let pieces =
                literal.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, rest)| rest));
            found.push((checker.clone(), pieces.map(str::to_owned).collect()));
        }
    }
    found
}
