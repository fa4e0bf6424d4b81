//! One result from several places: a controller's directory, its copies, and what agents kept themselves.

use super::directory::{Condition, JOURNAL, condition};
use super::fold::Fold;
use super::journal::{ReadError, Reader};
use super::kept::KEPT;
use super::record::{AgentEntry, FORMAT, Header, Record, StageEntry, Stamp};
use super::run::{Place, Results};
use super::source::Source;
use iobench_core::message::RunId;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// How often agents report unless told otherwise: all that is known of a run whose controller left no header.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why places cannot be merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// No place was given.
    #[error("nothing to merge; give results directories, or runs that agents kept")]
    Nothing,
    /// A place holds neither.
    #[error(
        "{path} holds neither a journal nor a kept run; give a results directory, or one that an agent kept"
    )]
    Neither {
        /// Where.
        path: String,
    },
    /// They are of different runs.
    #[error("{first} is of run {first_run}, and {other} of run {other_run}; merge places of one run only")]
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
    for place in places {
        found.push((place, find(place)?));
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
    let condition = if running { Condition::Running } else { Condition::Finished };
    let source = Source { journals, unwritten: Vec::new() };
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

/// A header for a run of which only agents' kept results are at hand: as much as they and their messages say.
pub(super) fn header_of_kept(fold: &Fold) -> Option<Header> {
    let first = fold.kept.iter().min_by_key(|kept| kept.kept.unix)?;
    let count =
        fold.kept.iter().map(|kept| kept.index).chain(fold.agents.keys().map(|agent| agent.0)).max()?;
    let agents = (0..=count).map(|index| {
        let kept = fold.kept.iter().find(|kept| kept.index == index);
        let id = kept.map_or_else(|| format!("agent-{index}"), |kept| kept.agent.clone());
        AgentEntry { id, address: String::new() }
    });
    Some(Header {
        format: FORMAT,
        version: first.version.clone(),
        run: first.run,
        name: "kept".to_owned(),
        labels: Vec::new(),
        seed: 0,
        // As no controller's clock is known, the wall clock is: see how a kept header relates an agent's clock.
        started: Stamp::default(),
        config: first.config.clone(),
        agents: agents.collect(),
        stages: observed_stages(fold),
        interval: INTERVAL,
    })
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
    last.map_or_else(Vec::new, |&last| (0..=last).map(stage).collect())
}
