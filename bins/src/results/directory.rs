//! A results directory: its name, its life-cycle on disk, and how files get into it whole or not at all.
//!
//! `RUNNING` exists, locked, from the first moment until every final file stands under its name. A directory
//! with a `RUNNING` that nobody locks belongs to a controller that was interrupted.

use super::record::Header;
use iobench_core::message::RunId;
use iobench_core::time::Unix;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The journal's file name, in results directories.
pub const JOURNAL: &str = "journal";
/// The marker of a directory that is not finished.
pub const RUNNING: &str = "RUNNING";
/// So many runs of one name may begin in one second in one place.
const SAME_SECOND_MAX: u32 = 1_000;

/// Bytes that a growing file gathers before it is written.
const GROWING_BUFFER: usize = 1 << 16;

/// A path and what went wrong there.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {cause}", path.display())]
pub struct PathError {
    /// A verb: create, write, read …
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub cause: io::Error,
}

impl PathError {
    /// For `map_err`.
    pub(super) fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self { action, path, cause }
    }
}

/// Whether a results directory is still being written.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Every final file is there.
    Finished,
    /// A controller is at work on it.
    Running,
    /// Its controller is gone and left it unfinished.
    Interrupted,
    /// There is none: only what agents kept is at hand.
    Kept,
}

/// A results directory that this process is writing.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The kernel releases the lock however this process ends.
    _marker: File,
    /// Temporary name and final name of files that are complete but not yet in place.
    staged: Vec<(PathBuf, PathBuf)>,
}

impl Directory {
    /// Makes a new directory for this run under `parent`, which is made as well when it does not exist.
    pub fn create(parent: &Path, header: &Header) -> Result<Self, PathError> {
        fs::create_dir_all(parent).map_err(PathError::on("create", parent))?;
        let base = format!(
            "iobench-{}-{}-{}",
            compact_utc(header.started.unix),
            file_safe(&header.name),
            run_prefix(header.run)
        );
        let path = create_unused(parent, &base)?;
        let marker = mark(&path)?;
        sync_directory(&path).and_then(|()| sync_directory(parent)).map_err(PathError::on("sync", &path))?;
        Ok(Self { path, _marker: marker, staged: Vec::new() })
    }

    /// Takes over a directory whose controller is gone, to finish it. `None` while a controller is at work on it.
    pub fn adopt(path: &Path) -> Result<Option<Self>, PathError> {
        let marker_path = path.join(RUNNING);
        let marker = File::open(&marker_path).map_err(PathError::on("open", &marker_path))?;
        match marker.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            // A file system without locks cannot tell; its user knows whether the controller is gone.
            Ok(()) | Err(TryLockError::Error(_)) => {
                Ok(Some(Self { path: path.to_owned(), _marker: marker, staged: Vec::new() }))
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, to the disk but under a temporary name; [`Directory::publish`] puts it in place.
    /// `name` is relative and may name a subdirectory.
    pub fn stage(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), PathError> {
        let (temporary, path) = self.prepare(name)?;
        write_synced(&temporary, write).map_err(PathError::on("write", &path))?;
        self.staged.push((temporary, path));
        Ok(())
    }

    /// Begins a file that is written bit by bit, under a temporary name; [`Directory::seal`] ends it.
    pub fn grow(&self, name: &str) -> Result<Growing, PathError> {
        let (temporary, path) = self.prepare(name)?;
        File::create(&temporary).map_err(PathError::on("write", &path))?;
        Ok(Growing { temporary, path, buffer: String::new() })
    }

    /// Makes a grown file durable and stages it.
    pub fn seal(&mut self, mut file: Growing) -> Result<(), PathError> {
        file.flush()?;
        let synced = File::open(&file.temporary).and_then(|file| file.sync_data());
        synced.map_err(PathError::on("write", &file.path))?;
        self.staged.push((file.temporary, file.path));
        Ok(())
    }

    /// Temporary and final name of a file, whose folder then exists.
    fn prepare(&self, name: &str) -> Result<(PathBuf, PathBuf), PathError> {
        let path = self.path.join(name);
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(PathError::on("create", folder))?;
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((path.with_file_name(format!(".{file_name}.tmp")), path))
    }

    /// Puts every staged file in place, then removes the marker (unless somebody has): from now on the directory is
    /// finished.
    pub fn publish(mut self) -> Result<PathBuf, PathError> {
        for (temporary, path) in self.staged.drain(..) {
            fs::rename(&temporary, &path).map_err(PathError::on("write", &path))?;
        }
        sync_directory(&self.path).map_err(PathError::on("sync", &self.path))?;
        let marker = self.path.join(RUNNING);
        match fs::remove_file(&marker) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(PathError::on("remove", &marker)(error))
            }
            _ => Ok(self.path.clone()),
        }
    }
}

impl Drop for Directory {
    /// Removes what was staged but not published.
    fn drop(&mut self) {
        for (temporary, _) in &self.staged {
            // Only tidiness: whatever prevents it is already being reported.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// A file that is written bit by bit. It is open only while it flushes, so a run may have more agents than a
/// process may have files.
#[derive(Debug)]
pub struct Growing {
    temporary: PathBuf,
    path: PathBuf,
    buffer: String,
}

impl Growing {
    /// Appends.
    pub fn push(&mut self, text: &str) -> Result<(), PathError> {
        self.buffer.push_str(text);
        if self.buffer.len() < GROWING_BUFFER { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), PathError> {
        let append = || File::options().append(true).open(&self.temporary)?.write_all(self.buffer.as_bytes());
        append().map_err(PathError::on("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }
}

/// What a directory's marker says about it.
#[must_use]
pub fn condition(path: &Path) -> Condition {
    let Ok(marker) = File::open(path.join(RUNNING)) else { return Condition::Finished };
    match marker.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Condition::Running,
        Ok(()) | Err(TryLockError::Error(_)) => Condition::Interrupted,
    }
}

/// Makes `parent/base`, or the first of `base-2`, `base-3` … that does not exist. Atomic: two processes never
/// get the same one.
pub(super) fn create_unused(parent: &Path, base: &str) -> Result<PathBuf, PathError> {
    let mut path = parent.join(base);
    for attempt in 2..=SAME_SECOND_MAX {
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = parent.join(format!("{base}-{attempt}"));
            }
            Err(error) => return Err(PathError::on("create", &path)(error)),
        }
    }
    Err(PathError::on("create", &path)(io::ErrorKind::AlreadyExists.into()))
}

fn mark(directory: &Path) -> Result<File, PathError> {
    let path = directory.join(RUNNING);
    let text = format!("process {} is writing these results\n", std::process::id());
    fs::write(&path, text).map_err(PathError::on("write", &path))?;
    let marker = File::open(&path).map_err(PathError::on("open", &path))?;
    // Where locks do not exist, a running controller cannot be told from a dead one: no reason not to measure.
    if let Err(TryLockError::Error(error)) = marker.try_lock() {
        tracing::debug!(path = %path.display(), %error, "the file system has no locks");
    }
    Ok(marker)
}

/// Writes a whole file and waits until it is on the disk.
pub(super) fn write_synced(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()
}

/// Makes names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// UTC to the second without separators, as in `20260301T123005Z`: sorts by time, needs no quoting.
pub(super) fn compact_utc(unix: Unix) -> String {
    let text = unix.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    seconds.chars().filter(|c| !matches!(c, '-' | ':')).chain(['Z']).collect()
}

/// The first 8 digits: enough to tell runs apart for a person.
pub(super) fn run_prefix(run: RunId) -> String {
    let mut text = run.to_string();
    text.truncate(8);
    text
}

/// A name that is safe as one path segment everywhere; at most 40 bytes, never empty, never hidden.
pub(super) fn file_safe(name: &str) -> String {
    let safe: String = name
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    match safe.trim_start_matches('.') {
        "" => "run".to_owned(),
        visible => visible.to_owned(),
    }
}
