//! The final files of a results directory.

use super::directory::{Condition, Directory, JOURNAL, PathError, file_safe};
use super::journal::ReadError;
use super::record::Record;
use super::run::{Results, StageResult};
use super::series::each_point;
use super::source::Source;
use crate::report;
use iobench_core::controller::{AgentEnd, Label};
use iobench_core::message::AgentIndex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why final files could not be written.
#[derive(Debug, Error)]
pub(super) enum FinalError {
    /// One of them, or their directory.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The journal they are made of.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Writes every final file and publishes them all; the directory is finished when this returns.
pub(super) fn write(
    mut directory: Directory,
    results: &Results,
    source: &Source,
) -> Result<PathBuf, FinalError> {
    put(&mut directory, "config.yaml", &results.header.config)?;
    put(&mut directory, "environment.json", &report::environment(results))?;
    put(&mut directory, "summary.json", &report::json(results))?;
    let folders = agent_folders(results);
    for (name, stage) in stage_files(results) {
        let label = stage.label(results.outcome.label, results.agents.len());
        put(&mut directory, &name, &report::stage_tsv(&stage.total, label))?;
        for part in &stage.agents {
            if let Some(folder) = folders.get(part.agent.0 as usize) {
                let own = own_label(results, part.agent);
                put(&mut directory, &format!("{folder}/{name}"), &report::stage_tsv(&part.measured, own))?;
            }
        }
    }
    if let Some(table) = report::endpoints_tsv(results) {
        put(&mut directory, "endpoints.tsv", &table)?;
    }
    series(&mut directory, results, source, &folders)?;
    events(&mut directory, source)?;
    Ok(directory.publish()?)
}

/// The results of a directory, whatever its condition. What an interrupted controller left is finished now, as
/// far as it reaches; a directory that is finished or still written is only read.
pub fn rebuild(path: &Path) -> Result<Results, ReadError> {
    let mut results = Results::open(path)?;
    if results.condition == Condition::Interrupted {
        // A directory that may only be read can still be reported.
        if let Err(error) = complete(path, &results) {
            results.losses.push(format!("the files that are missing there could not be written: {error}"));
        }
    }
    Ok(results)
}

fn complete(path: &Path, results: &Results) -> Result<(), FinalError> {
    match Directory::adopt(path)? {
        Some(directory) => write(directory, results, &Source::journal(path.join(JOURNAL))).map(drop),
        None => Ok(()),
    }
}

fn put(directory: &mut Directory, name: &str, text: &str) -> Result<(), PathError> {
    directory.stage(name, |out| out.write_all(text.as_bytes()))
}

/// What an agent's own numbers may claim.
fn own_label(results: &Results, agent: AgentIndex) -> Label {
    match results.agents.get(agent.0 as usize).map(|agent| agent.outcome.end) {
        Some(AgentEnd::Completed) => Label::Complete,
        Some(AgentEnd::Aborted) => Label::Aborted,
        Some(AgentEnd::Failed) | None => Label::Partial,
    }
}

/// Each stage and its file's name: `workload_results.tsv` for the first timed one, `prepare_results.tsv` for the
/// first before it, and `NN_<stage>_results.tsv` for each when there are others.
fn stage_files(results: &Results) -> Vec<(String, &StageResult)> {
    let stages = || results.stages.iter();
    let workload = stages().find(|stage| stage.timed.is_some());
    let prepares = |stage: &&StageResult| stage.timed.is_none() && stage.name != "cleanup";
    let prepare = stages().take_while(|stage| stage.timed.is_none()).find(prepares);
    let mut files = Vec::new();
    files.extend(prepare.map(|stage| ("prepare_results.tsv".to_owned(), stage)));
    files.extend(workload.map(|stage| ("workload_results.tsv".to_owned(), stage)));
    if files.len() < results.stages.len() {
        files.extend(
            stages().map(|stage| {
                (format!("{:02}_{}_results.tsv", stage.index + 1, file_safe(&stage.name)), stage)
            }),
        );
    }
    files
}

/// A folder for each agent, in configured order; ids that look alike as file names get a number.
fn agent_folders(results: &Results) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut unused = |id: &str| {
        let name = file_safe(id);
        let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
        std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone())).unwrap_or(name)
    };
    results.agents.iter().map(|agent| format!("agents/{}", unused(&agent.outcome.id))).collect()
}

/// `perf_log.tsv`, for all and for each agent, and `latency.hlog` for all.
fn series(
    directory: &mut Directory,
    results: &Results,
    source: &Source,
    folders: &[String],
) -> Result<(), FinalError> {
    let mut all = directory.grow("perf_log.tsv")?;
    all.push(&report::series_header())?;
    let mut hlog = directory.grow("latency.hlog")?;
    let start = results.header.started.unix;
    hlog.push(&report::hlog_header(start))?;
    let mut each = Vec::new();
    for folder in folders {
        let mut file = directory.grow(&format!("{folder}/perf_log.tsv"))?;
        file.push(&report::series_header())?;
        each.push(file);
    }
    let mut failure = None;
    each_point(source, results, |point| {
        let name = point.agent.map_or_else(|| "all".to_owned(), |agent| results.agent_id(agent));
        let row = report::series_row(&name, &point);
        let own = point.agent.and_then(|agent| each.get_mut(agent.0 as usize));
        let mut written = all.push(&row).and_then(|()| own.map_or(Ok(()), |file| file.push(&row)));
        if point.agent.is_none() && !point.warmup {
            // A histogram that cannot be read is in no total either, and is said with the losses.
            let lines = report::hlog_lines(start, &point).unwrap_or_default();
            written = written.and_then(|()| hlog.push(&lines));
        }
        failure = failure.take().or(written.err());
    })?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    Ok(each.into_iter().chain([all, hlog]).try_for_each(|file| directory.seal(file))?)
}

/// `events.jsonl`: every state transition and notice, a JSON document a line.
fn events(directory: &mut Directory, source: &Source) -> Result<(), FinalError> {
    let mut file = directory.grow("events.jsonl")?;
    let mut failure = None;
    source.each(|record| {
        let Record::Event(event) = record else { return };
        let line = serde_json::to_string(event).expect("an event is strings and numbers") + "\n";
        failure = failure.take().or(file.push(&line).err());
    })?;
    failure.map_or(Ok(()), Err)?;
    Ok(directory.seal(file)?)
}
