//! What of a run is kept in memory while its journal is written: enough for its summary, should the disk never answer.

use super::directory::Condition;
use super::record::{AgentRecord, Header, Record};
use super::run::{Place, Results};
use super::source::Source;
use super::writer::Finished;
use crate::report;
use iobench_core::controller::Outcome;
use iobench_core::message::{AgentIndex, AgentMessage, Report};
use iobench_core::time::Now;
use std::path::PathBuf;

/// The header and the messages that stand for all before them. Bounded by agents × stages, however long the run.
#[derive(Debug)]
pub struct Memory(Vec<Record>);

impl Memory {
    /// Of a run that begins.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self(vec![Record::Header(Box::new(header))])
    }

    /// Remembers a message, if it is one of those.
    pub fn message(&mut self, agent: AgentIndex, received: Now, message: &AgentMessage) {
        if stands_for_others(&message.body) {
            self.0.push(Record::Agent(Box::new(AgentRecord { agent, received, message: message.clone() })));
        }
    }

    /// The run as it is remembered. `cause`: why it is not on the disk; `partly`: where a part of it is.
    #[must_use]
    pub fn unwritten(self, outcome: Outcome, cause: String, partly: Option<PathBuf>) -> Finished {
        let mut records = self.0;
        records.push(Record::Outcome(Box::new(outcome)));
        let source = Source { journals: Vec::new(), open: None, unwritten: records };
        let place = Place::Unwritten { cause: cause.clone(), partly: partly.clone() };
        let results = Results::fold(&source, Condition::Finished, place)
            .expect("no disk is read, and the header is the first record");
        Finished { directory: partly, text: report::text(&results), results, failure: Some(cause) }
    }
}

fn stands_for_others(report: &Report) -> bool {
    match report {
        Report::Accepted(_)
        | Report::StageDone(_)
        | Report::Completed { .. }
        | Report::Error { .. }
        | Report::Aborted { .. } => true,
        Report::Preparing(_)
        | Report::Ready { .. }
        | Report::Running(_)
        | Report::Acknowledge(_)
        | Report::Undecodable { .. } => false,
    }
}
