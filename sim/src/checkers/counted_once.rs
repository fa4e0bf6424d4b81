//! Invariant 3: every interval counts exactly once, and totals equal what the engines counted.
//!
//! Sums and newest sequence numbers, no sets: a run of weeks costs nothing.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::Output as AgentOutput;
use iobench_core::controller::{AgentEnd, ExitCode, Outcome, Output};
use iobench_core::message::{AgentMessage, Report, RunId, Session};
use iobench_core::stats::{Interval, StageTotals, Tally};
use iobench_core::time::{Mono, nanos};
use std::collections::BTreeMap;

/// Adds up operations along the way: engine, agent, controller, disk.
#[derive(Debug, Default)]
pub(super) struct CountedOnce {
    run: RunId,
    planned: u64,
    timed: Vec<bool>,
    /// What the engines of the current run did in each timed or untimed stage.
    truth: BTreeMap<(usize, u32), u64>,
    hosts: PerHost<Sent>,
    agents: PerHost<Kept>,
}

/// What an agent has sent of its current stage.
#[derive(Debug, Default)]
struct Sent {
    stage: u32,
    operations: u64,
    any: bool,
    /// Its newest message: what was sent before is sent again.
    newest: Option<(RunId, Session, u64)>,
}

/// What the controller has of an agent.
#[derive(Debug, Default)]
struct Kept {
    newest: Option<u64>,
    /// Operations in intervals given to the journal, and in those that are on disk.
    given: u64,
    on_disk: u64,
    /// Time that those intervals cover.
    ran: u64,
    /// What its COMPLETED states of each stage.
    totals: Option<Vec<(u32, u64)>>,
}

impl Checker for CountedOnce {
    const NAME: &'static str = "counted_once";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::RunBegins { order, .. } => {
                let stages = &order.outline.stages;
                self.run = order.run;
                self.planned = stages.iter().filter_map(|stage| stage.timed).map(nanos).sum();
                self.timed = stages.iter().map(|stage| stage.timed.is_some()).collect();
                self.truth.clear();
                self.agents = PerHost::default();
            }
            Seen::Up(Process::Agent(host)) => *self.hosts.at(*host) = Sent::default(),
            Seen::Counted { host, run, stage, operations } if *run == self.run => {
                self.truth.insert((*host, *stage), *operations);
            }
            Seen::AgentOutput(host, _, AgentOutput::Send(_, message)) => {
                return self.sent(*host, message).map_err(|text| format!("agent {host}: {text}"));
            }
            Seen::ControllerOutput(_, Output::Persist(agent, message)) => {
                let verdict = self.agents.of(*agent).given(message);
                return verdict.map_err(|text| format!("agent {}: {text}", agent.0));
            }
            Seen::Journalled(agent, message) => {
                if let Report::Running(interval) = &message.body {
                    self.agents.of(*agent).on_disk += measured(interval);
                }
            }
            Seen::ControllerOutput(_, Output::Finish(outcome)) => return self.finished(outcome),
            _ => {}
        }
        Ok(())
    }
}

impl CountedOnce {
    fn sent(&mut self, host: usize, message: &AgentMessage) -> Verdict {
        let sent = self.hosts.at(host);
        if matches!(message.body, Report::Accepted(_) | Report::Running(_)) {
            let this = (message.run, message.session, message.sequence);
            let again = |newest: (RunId, Session, u64)| {
                (newest.0, newest.1) == (message.run, message.session) && message.sequence <= newest.2
            };
            if sent.newest.is_some_and(again) {
                return Ok(());
            }
            sent.newest = Some(this);
        }
        match &message.body {
            Report::Accepted(_) => *sent = Sent { newest: sent.newest, ..Sent::default() },
            Report::Running(interval) => {
                if !sent.any || sent.stage != interval.stage {
                    *sent = Sent { stage: interval.stage, operations: 0, any: true, newest: sent.newest };
                }
                sent.operations += measured(interval);
            }
            Report::StageDone(totals) => {
                let stated = operations(&totals.tally);
                if sent.any && sent.stage == totals.stage && sent.operations != stated {
                    return Err(format!(
                        "stage {}: its intervals add up to {} operations, its totals to {stated}",
                        totals.stage, sent.operations
                    ));
                }
                return self.equals_truth(host, message.run, std::slice::from_ref(&**totals));
            }
            Report::Completed { totals } | Report::Error { totals, .. } | Report::Aborted { totals, .. } => {
                return self.equals_truth(host, message.run, totals);
            }
            _ => {}
        }
        Ok(())
    }

    fn equals_truth(&self, host: usize, run: RunId, totals: &[StageTotals]) -> Verdict {
        for totals in totals.iter().filter(|_| run == self.run) {
            let stated = operations(&totals.tally);
            match self.truth.get(&(host, totals.stage)) {
                Some(truth) if *truth == stated => {}
                truth => {
                    return Err(format!(
                        "stage {}: it states {stated}, the engine did {truth:?}",
                        totals.stage
                    ));
                }
            }
        }
        Ok(())
    }

    fn finished(&mut self, outcome: &Outcome) -> Verdict {
        for (index, agent) in outcome.agents.iter().enumerate() {
            let kept = self.agents.at(index);
            let completed = agent.end == AgentEnd::Completed;
            let ran = if completed { self.planned } else { kept.ran.min(self.planned) };
            if agent.ran != ran {
                return Err(format!("agent {index} delivered {ran} ns, the outcome says {}", agent.ran));
            }
            if completed != kept.totals.is_some() && completed {
                return Err(format!("agent {index} is COMPLETED without totals"));
            }
            // Who presses Ctrl-C twice does not wait for the disk.
            let waited = outcome.exit != ExitCode::Interrupted;
            if waited && outcome.results_failure.is_empty() && kept.on_disk != kept.given {
                return Err(format!(
                    "agent {index}: {} operations on disk of {} received, and no failure is told",
                    kept.on_disk, kept.given
                ));
            }
            let Some(totals) = kept.totals.as_ref().filter(|_| completed) else { continue };
            let is_timed = |stage: u32| self.timed.get(stage as usize) == Some(&true);
            let timed: u64 =
                totals.iter().filter(|(stage, _)| is_timed(*stage)).map(|(_, count)| count).sum();
            if agent.missing == 0 && kept.given != timed {
                return Err(format!(
                    "agent {index}: {} operations in intervals, {timed} in its totals, and nothing is missing",
                    kept.given
                ));
            }
        }
        Ok(())
    }
}

impl Kept {
    fn given(&mut self, message: &AgentMessage) -> Verdict {
        if self.newest.is_some_and(|newest| message.sequence <= newest) {
            return Err(format!("message {} counts twice", message.sequence));
        }
        self.newest = Some(message.sequence);
        match &message.body {
            Report::Running(interval) => {
                self.given += measured(interval);
                self.ran += nanos(interval.to.since(interval.from));
            }
            Report::Completed { totals } => {
                let of = |totals: &StageTotals| (totals.stage, operations(&totals.tally));
                self.totals = Some(totals.iter().map(of).collect());
            }
            _ => {}
        }
        Ok(())
    }
}

/// What an interval adds to totals: of the warm-up, nothing.
fn measured(interval: &Interval) -> u64 {
    if interval.warmup { 0 } else { operations(&interval.tally) }
}

fn operations(tally: &Tally) -> u64 {
    tally.cells.iter().map(|cell| cell.count).sum()
}
