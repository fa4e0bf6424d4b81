//! The results of a run: a pure fold over its journal, whether its controller finished, still works or was killed.

use super::directory::{Condition, JOURNAL, condition};
use super::ending;
use super::fold::{Fold, Seen};
use super::journal::ReadError;
use super::kept::{KEPT, kept_runs};
use super::merge::header_of_kept;
use super::record::{Header, StageEntry};
use super::source::{Gaps, Losses, Source};
use super::timeline::Timeline;
use super::together::{Together, together};
use iobench_core::controller::{AgentEnd, AgentOutcome, Label, Outcome};
use iobench_core::message::{AgentIndex, Capabilities};
use iobench_core::stats::summary::{self, EndpointRow, Row, rows};
use iobench_core::stats::{Difference, StageAccount, StageTotals, Tally, merge_tallies};
use iobench_core::time::Mono;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything a report shows. Bounded by agents × stages, however long the run.
#[derive(Clone, PartialEq, Debug)]
pub struct Results {
    /// What the run was.
    pub header: Header,
    /// How it ended, and what its numbers may claim.
    pub outcome: Outcome,
    /// Whether the controller itself said how.
    pub end_told: bool,
    /// Whether that is final.
    pub condition: Condition,
    /// Where the results are.
    pub place: Place,
    /// In configured order.
    pub agents: Vec<AgentResult>,
    /// In order; those that anybody reported about.
    pub stages: Vec<StageResult>,
    /// What a person was warned of while it ran: the first twenty.
    pub warnings: Vec<String>,
    /// How many warnings came after those.
    pub warnings_beyond: u64,
    /// What could not be read or written, one sentence each.
    pub losses: Losses,
}

/// Where results are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In this directory.
    Directory(PathBuf),
    /// Merged from these.
    Merged(Vec<PathBuf>),
    /// Not, or not wholly, on any disk.
    Unwritten {
        /// Path and cause.
        cause: String,
        /// Where a part of them is.
        partly: Option<PathBuf>,
    },
}

/// One agent of the run.
#[derive(Clone, PartialEq, Debug)]
pub struct AgentResult {
    /// How it ended.
    pub outcome: AgentOutcome,
    /// What it is and has; empty when it never said.
    pub capabilities: Capabilities,
}

/// One stage of the run.
#[derive(Clone, PartialEq, Debug)]
pub struct StageResult {
    /// Index into the plan's stages.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// How long it was to run; `None`: as long as it takes.
    pub timed: Option<Duration>,
    /// Whose measurements are the result.
    pub basis: Basis,
    /// Those together.
    pub total: Measured,
    /// The time when all that measured anything ran; `None` for one agent, and where there is no such time.
    pub together: Option<Together>,
    /// Everyone who measured anything, in configured order.
    pub agents: Vec<AgentStage>,
    /// When everything was.
    pub timeline: Timeline,
}

/// Whose measurements are a stage's result.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Basis {
    /// Those of the agents that completed the run.
    Completed,
    /// Of an untimed stage: those of the agents that finished it.
    Finished,
    /// There are none of those: everything that was measured at all.
    Everything,
}

/// What one agent or several measured in a stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    /// From the first that began to the last that ended.
    pub duration: Duration,
    /// What completed.
    pub tally: Tally,
    /// Its table: each operation after its size bands, then the groups.
    pub rows: Vec<Row>,
    /// The endpoints of an object store, where there are several.
    pub endpoints: Vec<EndpointRow>,
}

/// What one agent measured in a stage.
#[derive(Clone, PartialEq, Debug)]
pub struct AgentStage {
    /// Who.
    pub agent: AgentIndex,
    /// Whether it is part of the stage's result.
    pub counts: bool,
    /// Its measurements. Rows are of its own time.
    pub measured: Measured,
    /// Its totals as it stated them, or as its intervals add up to.
    pub totals: StageTotals,
    /// How its stated totals differ from its intervals: then the time series is incomplete.
    pub difference: Option<Difference>,
    /// Intervals that were merged into others: resolution lost, not data.
    pub merged: u64,
    /// Where its last interval ended, on its own clock; `None` in a stage without intervals.
    pub last_interval: Option<Mono>,
}

impl Results {
    /// Reads a results directory: finished, still written or interrupted.
    pub fn open(directory: &Path) -> Result<Self, ReadError> {
        let journal = directory.join(JOURNAL);
        if !journal.try_exists().unwrap_or(true) {
            let path = directory.display().to_string();
            let kept =
                directory.join(KEPT).is_file() || kept_runs(directory).is_ok_and(|runs| !runs.is_empty());
            return Err(if kept { ReadError::Kept { path } } else { ReadError::Missing { path } });
        }
        let source = Source::journal(journal);
        Self::fold(&source, condition(directory), Place::Directory(directory.to_owned()))
    }

    /// Makes the results of what a source holds.
    pub fn fold(source: &Source, condition: Condition, place: Place) -> Result<Self, ReadError> {
        let mut fold = Fold::default();
        let Gaps { mut losses, broken } = source.each(|record| fold.record(record))?;
        let Some(header) = fold.header.clone().or_else(|| header_of_kept(&mut fold)) else {
            let path = source.journals.first().map_or_else(String::new, |path| path.display().to_string());
            return Err(ReadError::Headless { path });
        };
        if fold.damaged > 0 {
            losses.push(format!(
                "{} messages hold histograms that cannot be read, and count for nothing; \
                 use the same version on all hosts",
                fold.damaged
            ));
        }
        let outcome = ending::outcome(&fold, &header, condition, broken.as_ref());
        let mut stages = stages(&fold, &header, &outcome, &mut losses);
        together(source, &mut stages)?;
        Ok(Self {
            end_told: fold.outcome.is_some(),
            agents: agents(&fold, &outcome),
            header,
            outcome,
            condition,
            place,
            stages,
            warnings: fold.warnings,
            warnings_beyond: fold.warnings_beyond,
            losses,
        })
    }

    /// The agent's name.
    #[must_use]
    pub fn agent_id(&self, agent: AgentIndex) -> String {
        self.header.agent_id(agent)
    }
}

impl StageResult {
    /// The agents whose measurements are the result.
    pub fn counted(&self) -> impl Iterator<Item = &AgentStage> {
        self.agents.iter().filter(|agent| agent.counts)
    }

    /// What its numbers may claim, in a run with this label: a stage that every agent finished is whole.
    #[must_use]
    pub fn label(&self, run: Label, agents: usize) -> Label {
        let whole = self.basis == Basis::Finished && self.counted().count() == agents;
        if whole { Label::Complete } else { run }
    }

    /// Whether intervals are missing from the time series, so that it does not add up to the totals.
    #[must_use]
    pub fn series_incomplete(&self) -> bool {
        self.agents.iter().any(|agent| agent.difference.is_some())
    }
}

fn agents(fold: &Fold, outcome: &Outcome) -> Vec<AgentResult> {
    let capabilities = |index| fold.agents.get(&AgentIndex(index)).map(|seen| seen.capabilities.clone());
    (0..)
        .zip(&outcome.agents)
        .map(|(index, agent)| AgentResult {
            outcome: agent.clone(),
            capabilities: capabilities(index).unwrap_or_default(),
        })
        .collect()
}

fn stages(fold: &Fold, header: &Header, outcome: &Outcome, losses: &mut Losses) -> Vec<StageResult> {
    (0..)
        .zip(&header.stages)
        .filter_map(|(index, entry)| match stage(index, entry, fold, header, outcome) {
            Ok(stage) => stage,
            Err(error) => {
                losses.push(format!("stage {}: {error}", entry.name));
                None
            }
        })
        .collect()
}

type Unreadable = iobench_core::stats::BadHistogram;

fn stage(
    index: u32,
    entry: &StageEntry,
    fold: &Fold,
    header: &Header,
    outcome: &Outcome,
) -> Result<Option<StageResult>, Unreadable> {
    let mut agents: Vec<AgentStage> = fold
        .agents
        .iter()
        .filter(|(_, seen)| seen.extents.contains_key(&index))
        .filter_map(|(&agent, seen)| Some((agent, seen, fold.ledger.stage(agent, index)?)))
        .map(|(agent, seen, account)| agent_stage(agent, account, seen.last_interval.get(&index).copied()))
        .collect::<Result<_, _>>()?;
    if agents.is_empty() {
        return Ok(None);
    }
    let basis = choose(&mut agents, entry.timed.is_some(), |agent| standing(agent, index, fold, outcome));
    let timeline = Timeline::of(index, fold, header, outcome);
    let total = total(&agents, &timeline)?;
    Ok(Some(StageResult {
        index,
        name: entry.name.clone(),
        timed: entry.timed,
        basis,
        total,
        together: None,
        agents,
        timeline,
    }))
}

fn agent_stage(
    agent: AgentIndex,
    account: &StageAccount,
    last_interval: Option<Mono>,
) -> Result<AgentStage, Unreadable> {
    let totals = account.totals();
    let measured = Measured::new(totals.tally.clone(), totals.to.since(totals.from))?;
    let (difference, merged) = (account.difference(), account.merged());
    Ok(AgentStage { agent, counts: false, measured, totals, difference, merged, last_interval })
}

/// What an agent achieved.
struct Standing {
    completed: bool,
    finished: bool,
}

fn standing(agent: AgentIndex, stage: u32, fold: &Fold, outcome: &Outcome) -> Standing {
    let end = outcome.agents.get(agent.0 as usize).map(|agent| agent.end);
    let done = |seen: &Seen| seen.done.contains(&stage);
    Standing {
        completed: end == Some(AgentEnd::Completed),
        finished: fold.agents.get(&agent).is_some_and(done),
    }
}

/// Marks the agents whose measurements are the result.
fn choose(agents: &mut [AgentStage], timed: bool, standing: impl Fn(AgentIndex) -> Standing) -> Basis {
    let wanted: fn(&Standing) -> bool = if timed { |s| s.completed } else { |s| s.completed || s.finished };
    for agent in &mut *agents {
        agent.counts = wanted(&standing(agent.agent));
    }
    if agents.iter().any(|agent| agent.counts) {
        return if timed { Basis::Completed } else { Basis::Finished };
    }
    agents.iter_mut().for_each(|agent| agent.counts = true);
    Basis::Everything
}

fn total(agents: &[AgentStage], timeline: &Timeline) -> Result<Measured, Unreadable> {
    let counted = || agents.iter().filter(|agent| agent.counts);
    let tally = merge_tallies(counted().map(|agent| &agent.totals.tally))?;
    let begins = counted().map(|part| timeline.elapsed(part.agent, part.totals.from)).min();
    let ends = counted().map(|part| timeline.elapsed(part.agent, part.totals.to)).max();
    let span = begins.zip(ends).map_or(0, |(begin, end)| u64::try_from(end - begin).unwrap_or(0));
    Measured::new(tally, Duration::from_nanos(span))
}

impl Measured {
    fn new(tally: Tally, duration: Duration) -> Result<Self, Unreadable> {
        let endpoints = summary::endpoints(&tally, duration)?;
        Ok(Self { rows: rows(&tally, duration)?, endpoints, duration, tally })
    }
}
