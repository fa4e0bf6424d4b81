//! A scripted run: what a controller would have journalled, without one.

use super::record::{AgentEntry, AgentRecord, Event, FORMAT, Header, Record, StageEntry, Stamp};
use super::run::{Place, Results};
use super::{Condition, Source};
use iobench_core::controller::{
    AgentEnd, AgentOutcome, ExitCode, Label, Level, Notice, Outcome, Skew, StageStart,
};
use iobench_core::message::{
    AgentIndex, AgentMessage, Capabilities, Failure, FailureClass, Report, RunId, Session,
};
use iobench_core::stats::{Band, CpuShare, Interval, Operation, Recorder, StageTotals, Tally};
use iobench_core::time::{Mono, Now, Unix};
use std::time::Duration;

pub(crate) const SECOND: u64 = 1_000_000_000;
/// The wall clock of the test's controller when its monotonic clock shows 0.
pub(crate) const EPOCH: u64 = 1_772_368_205 * SECOND;
pub(crate) const RUN: RunId = RunId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

/// The stages of every scripted run.
pub(crate) const PREPARE: u32 = 0;
pub(crate) const WORKLOAD: u32 = 1;

/// A moment on the controller's clocks.
pub(crate) fn at(seconds: u64) -> Now {
    Now { mono: Mono(seconds * SECOND), unix: Unix(EPOCH + seconds * SECOND) }
}

/// A header of a run with so many agents: prepare, then a workload of so many seconds.
pub(crate) fn header(agents: u32, seconds: u64) -> Header {
    let entry = |index| AgentEntry { id: format!("agent-{index}"), address: format!("host{index}:7420") };
    Header {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        run: RUN,
        name: "nightly".to_owned(),
        labels: vec![("site".to_owned(), "lab".to_owned())],
        seed: 42,
        started: Stamp::from(at(0)),
        config: "duration: 10s\n".to_owned(),
        agents: (0..agents).map(entry).collect(),
        stages: vec![
            StageEntry { name: "prepare".to_owned(), timed: None },
            StageEntry { name: "workload".to_owned(), timed: Some(Duration::from_secs(seconds)) },
        ],
        interval: Duration::from_secs(1),
    }
}

/// Successes of one operation: their size, and the latency of each in nanoseconds.
pub(crate) fn tally(operation: Operation, bytes: u64, latencies: &[u64]) -> Tally {
    let mut recorder = Recorder::new(&[(operation, Band::of(bytes))]);
    latencies.iter().for_each(|&nanos| recorder.record(operation, bytes, nanos));
    recorder.tally()
}

/// One agent's side of the run, with a clock of its own.
pub(crate) struct Agent {
    pub(crate) index: u32,
    /// Its monotonic clock minus the controller's, seconds.
    pub(crate) ahead: u64,
    sequence: u64,
    sum: Tally,
    pub(crate) records: Vec<Record>,
}

impl Agent {
    pub(crate) fn new(index: u32, ahead: u64) -> Self {
        Self { index, ahead, sequence: 0, sum: Tally::default(), records: Vec::new() }
    }

    /// A message that leaves at this second of the controller's clock, and arrives at once.
    pub(crate) fn say(&mut self, second: u64, body: Report) -> &mut Self {
        let message = AgentMessage {
            run: RUN,
            session: Session(1),
            sequence: self.sequence,
            stamp: self.clock(second),
            kept_before: None,
            body,
        };
        self.sequence += 1;
        let record = AgentRecord { agent: AgentIndex(self.index), received: at(second), message };
        self.records.push(Record::Agent(Box::new(record)));
        self
    }

    pub(crate) fn clock(&self, second: u64) -> Mono {
        Mono((second + self.ahead) * SECOND)
    }

    pub(crate) fn accepted(&mut self) -> &mut Self {
        let capabilities = Capabilities {
            version: "0.1.0".to_owned(),
            host: format!("host{}", self.index),
            cores: 8,
            memory: 16 << 30,
            facts: vec![("kernel".to_owned(), "6.8".to_owned())],
            warnings: Vec::new(),
        };
        self.say(1, Report::Accepted(Box::new(capabilities)))
    }

    pub(crate) fn prepared(&mut self, from: u64, to: u64, tally: Tally) -> &mut Self {
        let totals = self.totals(PREPARE, from, to, tally);
        self.say(to, Report::StageDone(Box::new(totals)))
    }

    /// The interval that ends at this second.
    pub(crate) fn interval(&mut self, second: u64, tally: Tally) -> &mut Self {
        self.sum.merge(&tally).unwrap();
        let interval = Interval {
            stage: WORKLOAD,
            from: self.clock(second - 1),
            to: self.clock(second),
            tally,
            in_flight: 4,
            oldest: 2_000_000,
            cpu: Some(CpuShare { user: 1_000, system: 500, iowait: 250 }),
            process_cpu: SECOND / 2,
            lag: 200_000,
            ..Interval::default()
        };
        self.say(second, Report::Running(Box::new(interval)))
    }

    pub(crate) fn totals(&self, stage: u32, from: u64, to: u64, tally: Tally) -> StageTotals {
        StageTotals {
            stage,
            from: self.clock(from),
            to: self.clock(to),
            tally,
            cpu: Some(CpuShare { user: 1_000, system: 500, iowait: 250 }),
            process_cpu: (to - from) * SECOND / 2,
            lag: 200_000,
            facts: vec![("device".to_owned(), "nvme0n1".to_owned())],
        }
    }

    /// The end, with totals that are the sum of the intervals.
    pub(crate) fn completed(&mut self, from: u64, to: u64) -> &mut Self {
        let totals = vec![self.totals(WORKLOAD, from, to, self.sum.clone())];
        self.say(to, Report::Completed { totals })
    }

    pub(crate) fn failed(&mut self, from: u64, to: u64, cause: &str) -> &mut Self {
        let totals = vec![self.totals(WORKLOAD, from, to, self.sum.clone())];
        let failure = Failure::new(FailureClass::ControllerLost, cause, "");
        self.say(to, Report::Error { failure, totals })
    }
}

/// A get of 4 KiB for each latency, in microseconds.
pub(crate) fn gets(micros: &[u64]) -> Tally {
    let nanos: Vec<u64> = micros.iter().map(|micros| micros * 1_000).collect();
    tally(Operation::Get, 4_096, &nanos)
}

/// The agent's first operation this many microseconds after the start, give or take 300.
pub(crate) fn skew(agent: &Agent, micros: i64) -> Option<Skew> {
    let offset = i64::try_from(agent.ahead * SECOND).unwrap();
    Some(Skew { nanos: micros * 1_000, bound: 300_000, offset })
}

/// How an agent ended after so many of ten seconds.
pub(crate) fn ended(index: u32, end: AgentEnd, ran: u64, reason: &str) -> AgentOutcome {
    AgentOutcome {
        id: format!("agent-{index}"),
        address: format!("host{index}:7420"),
        end,
        reason: reason.to_owned(),
        ran: ran * SECOND,
        planned: 10 * SECOND,
        invalid: 0,
        merged: 0,
        missing: 0,
    }
}

/// What the controller says at the end; the workload started when its clock showed 10 s.
pub(crate) fn outcome(label: Label, agents: Vec<AgentOutcome>, skews: Vec<Option<Skew>>) -> Outcome {
    let ran: u64 = agents.iter().map(|agent| agent.ran).sum();
    let planned: u64 = agents.iter().map(|agent| agent.planned).sum();
    let exit = match label {
        Label::Complete => ExitCode::AllCompleted,
        Label::Aborted => ExitCode::Interrupted,
        Label::Partial | Label::Unrepresentative => ExitCode::SomeCompleted,
    };
    Outcome {
        run: RUN,
        exit,
        label,
        cause: if label == Label::Complete { String::new() } else { "some agents are missing".to_owned() },
        agents,
        starts: vec![StageStart { stage: WORKLOAD, at: at(10).mono, unix: at(10).unix, skews }],
        coverage_ppm: u32::try_from(ran * 1_000_000 / planned).unwrap(),
        results_failure: String::new(),
    }
}

pub(crate) fn warning(second: u64, who: &str, text: &str) -> Record {
    let notice = Notice { level: Level::Warning, agent: None, text: text.to_owned() };
    Record::Event(Event::notice(at(second), who, &notice))
}

/// Agents' messages as they would arrive: in the order of time, whoever sent them.
pub(crate) fn interleaved(agents: impl IntoIterator<Item = Agent>) -> Vec<Record> {
    let mut records: Vec<Record> = agents.into_iter().flat_map(|agent| agent.records).collect();
    records.sort_by_key(|record| match record {
        Record::Agent(record) => record.received.mono,
        _ => Mono(0),
    });
    records
}

/// The results of these records after a header, from memory.
pub(crate) fn results(header: Header, records: Vec<Record>) -> Results {
    let (source, place) = (memory(header, records), Place::Directory("/results/nightly".into()));
    Results::fold(&source, Condition::Finished, place).unwrap()
}

pub(crate) fn memory(header: Header, records: Vec<Record>) -> Source {
    let header = Record::Header(Box::new(header));
    Source { journals: Vec::new(), open: None, unwritten: [header].into_iter().chain(records).collect() }
}

/// Two agents, ten seconds each, whose clocks differ by 500 s; both complete.
pub(crate) fn complete_run() -> Scripted {
    let (mut a, mut b) = (Agent::new(0, 0), Agent::new(1, 500));
    for (agent, micros) in [(&mut a, [100, 200]), (&mut b, [300, 400])] {
        agent.accepted().prepared(2, 4, tally(Operation::Put, 4_096, &[1_000_000; 50]));
        (11..=20).for_each(|second| {
            agent.interval(second, gets(&micros));
        });
        agent.completed(10, 20);
    }
    let ends = (0..2).map(|index| ended(index, AgentEnd::Completed, 10, ""));
    let outcome = outcome(Label::Complete, ends.collect(), vec![skew(&a, 0), skew(&b, 1_500)]);
    (header(2, 10), interleaved([a, b]), outcome)
}

/// The same, but the second agent's stream breaks after four seconds.
pub(crate) fn partial_run() -> Scripted {
    let (header, records, whole) = complete_run();
    let lost = |record: &Record| match record {
        Record::Agent(record) => record.agent == AgentIndex(1) && record.received.mono > at(14).mono,
        _ => false,
    };
    let records = records.into_iter().filter(|record| !lost(record)).collect();
    let ends = vec![
        ended(0, AgentEnd::Completed, 10, ""),
        ended(1, AgentEnd::Failed, 4, "its stream broke; look at its log"),
    ];
    let skews = whole.starts[0].skews.clone();
    (header, records, outcome(Label::Partial, ends, skews))
}

/// A run as far as it got: header, messages, and what the controller said at the end.
pub(crate) type Scripted = (Header, Vec<Record>, Outcome);
