//! Runs that an agent keeps on its own disk because no controller confirmed their results.
//!
//! `STATE/<UTC>-<run prefix>-<agent>/kept` is framed like a journal; the last [`KEPT_MAX`] of them stay.

use super::directory::{
    PathError, compact_utc, create_unused, file_safe, run_prefix, sync_directory, write_synced,
};
use super::journal::{self, MAGIC};
use super::record::{AgentRecord, FORMAT, KeptHeader, Record};
use iobench_core::agent::KeptRun;
use iobench_core::message::AgentIndex;
use iobench_core::time::Now;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file's name in its directory.
pub const KEPT: &str = "kept";
/// How many runs an agent keeps; older ones are removed.
pub const KEPT_MAX: usize = 20;

/// Keeps a run under the agent's state directory, which is made when it does not exist; says where.
/// Durable when it returns.
pub fn keep(state: &Path, now: Now, run: &KeptRun) -> Result<PathBuf, PathError> {
    fs::create_dir_all(state).map_err(PathError::on("create", state))?;
    let base = format!("{}-{}-{}", compact_utc(now.unix), run_prefix(run.run), file_safe(&run.agent_id));
    let directory = create_unused(state, &base)?;
    let path = directory.join(KEPT);
    write_synced(&path, |out| out.write_all(&encode(now, run)?)).map_err(PathError::on("write", &path))?;
    sync_directory(&directory)
        .and_then(|()| sync_directory(state))
        .map_err(PathError::on("sync", &directory))?;
    forget_oldest(state)?;
    Ok(directory)
}

/// The kept runs under a state directory, oldest first.
pub fn kept_runs(state: &Path) -> Result<Vec<PathBuf>, PathError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(state)?.collect::<Result<Vec<_>, _>>()?;
        let mut kept = Vec::new();
        for path in entries.into_iter().map(|entry| entry.path()) {
            // Wall clocks step, so age is when the file was written and not what its name says.
            if let Ok(written) = fs::metadata(path.join(KEPT)).and_then(|file| file.modified()) {
                kept.push((written, path));
            }
        }
        kept.sort();
        Ok(kept.into_iter().map(|(_, path)| path).collect())
    };
    read().map_err(PathError::on("read", state))
}

fn forget_oldest(state: &Path) -> Result<(), PathError> {
    let kept = kept_runs(state)?;
    let surplus = kept.len().saturating_sub(KEPT_MAX);
    kept.iter()
        .take(surplus)
        .try_for_each(|path| fs::remove_dir_all(path).map_err(PathError::on("remove", path)))
}

fn encode(now: Now, run: &KeptRun) -> io::Result<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    let header = KeptHeader {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.run,
        agent: run.agent_id.clone(),
        index: run.index,
        kept: now.into(),
        config: run.yaml.clone(),
        overrides: run.overrides.clone(),
        seed: run.seed,
    };
    journal::encode(&Record::Kept(Box::new(header)), &mut bytes)?;
    for message in &run.messages {
        let record = AgentRecord::never_received(AgentIndex(run.index), message.clone());
        journal::encode(&Record::Agent(Box::new(record)), &mut bytes)?;
    }
    Ok(bytes)
}
