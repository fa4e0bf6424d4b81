//! The journal as the controller's port: made before the run, and finished after it unless a person does not wait.

use super::told::Told;
use crate::drive::controller::{Handle, Results};
use crate::results::{Event, Finished, Header, Memory, Persisted, ResultsWriter};
use crate::ui;
use anyhow::Context;
use iobench_core::controller::{Notice, Outcome};
use iobench_core::message::{AgentIndex, AgentMessage, Report};
use iobench_core::time::Now;
use std::io::Write;
use std::path::{Path, PathBuf};

pub(super) struct Journal {
    /// The results directory, or where none could be made.
    place: PathBuf,
    writer: ResultsWriter,
    ids: Vec<String>,
    /// Whether anything was handed over that was measured.
    measured: bool,
    memory: Memory,
}

impl Journal {
    /// A journal on disk; where there can be none, the run goes on and its summary is printed.
    pub(super) async fn begin(
        parent: PathBuf,
        header: Header,
        handle: Handle,
        told: &Told,
    ) -> anyhow::Result<Self> {
        let ids = header.agents.iter().map(|agent| agent.id.clone()).collect();
        let memory = Memory::new(header.clone());
        let create = {
            let (parent, header, persisted) = (parent.clone(), header.clone(), persisted(&handle));
            move || ResultsWriter::create(&parent, header, persisted)
        };
        let detached = |cause: String| {
            ResultsWriter::detached(header, cause, persisted(&handle))
                .context("the results thread cannot be started")
        };
        let writer = match told.or(create).await? {
            Some(Ok(writer)) => writer,
            Some(Err(error)) => {
                let text = format!("error: {error}; the run goes on, and its summary will be printed\n");
                ui::stderr().write_all(text.as_bytes()).ok();
                detached(error.to_string())?
            }
            // The controller was told as well, and ends before it has begun.
            None => detached(unanswered(&parent))?,
        };
        let place = writer.directory().map_or(parent, Path::to_owned);
        Ok(Self { place, writer, ids, measured: false, memory })
    }

    /// Writes everything that is left; where a person does not wait for that, the summary comes from memory.
    pub(super) async fn finish(self, outcome: Outcome, told: &Told) -> anyhow::Result<Finished> {
        let Self { place, writer, measured, memory, .. } = self;
        let (directory, last) = (writer.directory().map(Path::to_owned), outcome.clone());
        let write = move || {
            let finished = writer.finish(last);
            if measured || finished.failure.is_some() { finished } else { without_an_empty_shell(finished) }
        };
        Ok(match told.or(write).await? {
            Some(finished) => finished,
            None => memory.unwritten(outcome, unanswered(&place), directory),
        })
    }

    fn name(&self, agent: Option<AgentIndex>) -> &str {
        agent.and_then(|agent| self.ids.get(agent.0 as usize)).map_or("controller", String::as_str)
    }
}

/// Why something is not written although nothing has failed.
fn unanswered(path: &Path) -> String {
    format!("the process was told to end before {} was written", path.display())
}

fn persisted(handle: &Handle) -> Persisted {
    let handle = handle.clone();
    Box::new(move |agent, sequence, result| handle.persisted(agent, sequence, result))
}

/// A run of which no stage ever reported has measured nothing: its directory would only be in the way.
fn without_an_empty_shell(mut finished: Finished) -> Finished {
    if let Some(directory) = finished.directory.take()
        && let Err(error) = std::fs::remove_dir_all(&directory)
    {
        tracing::warn!("nothing was measured, but {} cannot be removed: {error}", directory.display());
    }
    finished
}

impl Results for Journal {
    fn persist(&mut self, now: Now, agent: AgentIndex, message: AgentMessage) {
        self.measured |= match &message.body {
            Report::Running(_) | Report::StageDone(_) => true,
            Report::Completed { totals } | Report::Error { totals, .. } | Report::Aborted { totals, .. } => {
                !totals.is_empty()
            }
            _ => false,
        };
        self.memory.message(agent, now, &message);
        self.writer.persist(agent, now, message);
    }

    fn transition(&mut self, now: Now, who: Option<AgentIndex>, from: &str, to: &str) {
        self.writer.event(Event::transition(now, self.name(who), from, to));
    }

    fn notice(&mut self, now: Now, notice: &Notice) {
        self.writer.event(Event::notice(now, self.name(notice.agent), notice));
    }
}
