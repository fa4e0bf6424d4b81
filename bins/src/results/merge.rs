//! One result from several places: a controller's directory, its copies, and what agents kept themselves.

use super::directory::{Condition, JOURNAL, condition};
use super::fold::Fold;
use super::journal::{ReadError, Reader};
use super::kept::{KEPT, kept_runs};
use super::record::{AgentEntry, FORMAT, Header, Record, StageEntry, Stamp, stage_entries};
use super::run::{Place, Results};
use super::source::Source;
use iobench_core::config::{self, Run};
use iobench_core::message::RunId;
use iobench_core::plan::StageKind;
use iobench_core::time::Unix;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// More are damage, not a run.
const AGENTS_MAX: u32 = 100_000;
const STAGES_MAX: u32 = 1_000;
/// How often agents report unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why places cannot be merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// No place was given.
    #[error(
        "nothing to merge; give results directories, runs that agents kept, or the agents' state directories"
    )]
    Nothing,
    /// A place holds neither.
    #[error(
        "{path} holds neither a journal nor a kept run; give a results directory, one that an agent kept, or an agent's state directory"
    )]
    Neither {
        /// Where.
        path: String,
    },
    /// They are of different runs.
    #[error(
        "{first} is of run {first_run}, and {other} of run {other_run}; merge directories of one run only"
    )]
    OtherRun {
        /// A place.
        first: String,
        /// Its run.
        first_run: RunId,
        /// A place of another run.
        other: String,
        /// That run.
        other_run: RunId,
    },
    /// One cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Makes one result of all these places, each message counted once however many of them hold it.
pub fn merge(places: &[PathBuf]) -> Result<Results, MergeError> {
    let mut found = Vec::new();
    let mut states = Vec::new();
    for place in places {
        match kept_runs(place) {
            Ok(kept) if !kept.is_empty() => states.extend(kept),
            _ => found.push((place, find(place)?)),
        }
    }
    // Of an agent's state directory, which keeps several runs, what belongs to the run of the other places.
    let wanted = found.first().map(|(_, found)| found.run);
    for place in &states {
        let kept = find(place)?;
        if wanted.is_none_or(|wanted| wanted == kept.run) {
            found.push((place, kept));
        }
    }
    let Some((first, Found { run: first_run, .. })) = found.first() else { return Err(MergeError::Nothing) };
    if let Some((other, Found { run, .. })) = found.iter().find(|(_, found)| found.run != *first_run) {
        return Err(MergeError::OtherRun {
            first: first.display().to_string(),
            first_run: *first_run,
            other: other.display().to_string(),
            other_run: *run,
        });
    }
    // The controller's word first: its header is the run's.
    found.sort_by_key(|(_, found)| found.kept);
    let journals: Vec<PathBuf> = found.iter().map(|(_, found)| found.file.clone()).collect();
    let running = found.iter().any(|(place, found)| !found.kept && condition(place) == Condition::Running);
    let condition = match running {
        true => Condition::Running,
        false if found.iter().all(|(_, found)| found.kept) => Condition::Kept,
        false => Condition::Finished,
    };
    let source = Source { journals, open: None, unwritten: Vec::new() };
    Ok(Results::fold(&source, condition, Place::Merged(places.to_vec()))?)
}

struct Found {
    file: PathBuf,
    kept: bool,
    run: RunId,
}

fn find(place: &Path) -> Result<Found, MergeError> {
    let path = place.display().to_string();
    let (journal, kept) = (place.join(JOURNAL), place.join(KEPT));
    let file = match (journal.is_file(), kept.is_file(), place.is_file()) {
        (true, ..) => journal,
        (_, true, _) => kept,
        (.., true) => place.to_owned(),
        _ => return Err(MergeError::Neither { path }),
    };
    let (kept, run) = match Reader::open(&file)?.next() {
        Some(Record::Header(header)) => (false, header.run),
        Some(Record::Kept(header)) => (true, header.run),
        _ => return Err(ReadError::Headless { path }.into()),
    };
    Ok(Found { file, kept, run })
}

/// A header for a run of which only agents' kept results are at hand: as much as their configuration says, and
/// their messages where it cannot be read any more.
pub(super) fn header_of_kept(fold: &mut Fold) -> Option<Header> {
    let first = fold.kept.iter().min_by_key(|kept| kept.kept.unix)?.clone();
    let run = config::load(&first.config, &first.overrides, "the kept configuration").ok();
    for (index, stage) in (0..).zip(run.iter().flat_map(|run| run.plan(0, first.seed).stages)) {
        if let StageKind::Execute { warmup, .. } = stage.kind {
            fold.warmed_up(index, warmup);
        }
    }
    let stages = run.as_ref().map(|run| stage_entries(&run.outline()));
    Some(Header {
        format: FORMAT,
        version: first.version.clone(),
        run: first.run,
        name: run.as_ref().map_or_else(|| "kept".to_owned(), |run| run.name.clone()),
        labels: run.as_ref().map(|run| run.labels.clone()).unwrap_or_default(),
        seed: first.seed,
        // As no controller's clock is known, the wall clock is: see how a kept header relates an agent's clock. And
        // as nobody says when the controller began, the first stage does.
        started: fold.began().map_or_else(Stamp::default, |began| Stamp { mono: began, unix: Unix(began.0) }),
        config: run.as_ref().map_or_else(|| first.config.clone(), |run| run.resolved_yaml(Some(first.seed))),
        agents: agent_entries(fold, run.as_ref()),
        stages: stages.unwrap_or_else(|| observed_stages(fold)),
        interval: run.as_ref().map_or(INTERVAL, |run| run.interval),
    })
}

/// Every agent that was configured or that kept anything.
fn agent_entries(fold: &Fold, run: Option<&Run>) -> Vec<AgentEntry> {
    let configured = run.map(|run| run.agents.as_slice()).unwrap_or_default();
    let kept = fold.kept.iter().map(|kept| kept.index.saturating_add(1)).max().unwrap_or(0);
    let count = kept.max(u32::try_from(configured.len()).unwrap_or(u32::MAX));
    let entry = |index: u32| {
        let kept = fold.kept.iter().find(|kept| kept.index == index).map(|kept| kept.agent.clone());
        let known = configured.get(index as usize).map(|agent| (agent.id.clone(), agent.address.clone()));
        let (id, address) = known.unwrap_or_else(|| (format!("agent-{index}"), String::new()));
        AgentEntry { id: kept.unwrap_or(id), address }
    };
    (0..count.min(AGENTS_MAX)).map(entry).collect()
}

/// The stages that messages tell of. One with intervals was timed, for as long as the longest agent says.
fn observed_stages(fold: &Fold) -> Vec<StageEntry> {
    let last = fold.agents.values().filter_map(|seen| seen.extents.keys().next_back()).max();
    let stage = |index: u32| {
        let timed = fold.agents.values().filter(|seen| seen.last_interval.contains_key(&index));
        let spans =
            timed.filter_map(|seen| seen.extents.get(&index)).map(|extent| extent.to.since(extent.from));
        StageEntry { name: format!("stage {index}"), timed: spans.max() }
    };
    last.map_or_else(Vec::new, |&last| (0..=last.min(STAGES_MAX)).map(stage).collect())
}
