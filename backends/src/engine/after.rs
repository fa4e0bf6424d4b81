//! What is done around the work of a stage, by plain storage: before it, and after it by the last of its threads.

use super::control::Control;
use super::prepared::Prepared;
use super::seat::Seat;
use super::validate::is_file;
use crate::error::StorageError;
use crate::executor::ObjectId;
use crate::file::leftover;
use crate::storage::Storage;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Entry, Fsync, PoolId, StageKind};
use iobench_core::stats::{ErrorClass, Operation, Recorder};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Dropping the cache ends after this time, whatever is left: the others wait with their start.
const DROP_MAX: Duration = Duration::from_secs(5);
/// More files than this are made durable all together.
const SYNC_MAX: u64 = 10_000;
/// Something that sleeps looks around this often.
const NAP: Duration = Duration::from_millis(50);

/// Drops a thread's part of the files that a mix works on from the page cache.
pub(super) fn drop_cache(prepared: &Prepared, entries: &[Entry], thread: u32, control: &Control) {
    let begun = Instant::now();
    let storage = prepared.backend.storage();
    for pool in pools(entries, |operation| operation != Operation::Put) {
        let count = prepared.dataset.pool(pool).count();
        for key in (u64::from(thread)..count).step_by(prepared.threads as usize) {
            if control.halted() || begun.elapsed() > DROP_MAX {
                return;
            }
            // What is not there is not cached.
            let _dropped = storage.drop_cache(&prepared.dataset.key(ObjectId { pool, key }));
        }
    }
}

/// The end of a stage, when all its threads have done their work. Each operation here is held, so that the stage shows
/// that it goes on, and how long one has taken.
pub(super) fn after(seat: &Seat, recorder: &mut Recorder) -> Result<(), Failure> {
    let plan = &seat.prepared.plan;
    let durable = plan.file.fsync == Fsync::End;
    match &plan.stages[seat.stage].kind {
        StageKind::Prepare { settle, .. } => {
            if durable {
                sync_all(seat, recorder)?;
            }
            rest(*settle, seat);
        }
        StageKind::Execute { entries, .. } if durable => sync_written(seat, entries, recorder)?,
        StageKind::Execute { .. } => {}
        StageKind::Cleanup { pools, .. } => remove_directories(seat, pools, recorder),
    }
    Ok(())
}

/// Makes durable what a mix has written: files of blocks one by one, whole objects all together.
fn sync_written(seat: &Seat, entries: &[Entry], recorder: &mut Recorder) -> Result<(), Failure> {
    let dataset = &seat.prepared.dataset;
    let blocks = pools(entries, |operation| operation == Operation::Write);
    let files = blocks.iter().fold(0_u64, |sum, &pool| sum.saturating_add(dataset.pool(pool).count()));
    if files > SYNC_MAX || entries.iter().any(|entry| entry.operation == Operation::Put) {
        return sync_all(seat, recorder);
    }
    for pool in blocks {
        for key in 0..dataset.pool(pool).count() {
            if seat.control.halted() {
                return Ok(());
            }
            let key = dataset.key(ObjectId { pool, key });
            timed_sync(seat, recorder, |storage| storage.sync(&key))?;
        }
    }
    Ok(())
}

fn sync_all(seat: &Seat, recorder: &mut Recorder) -> Result<(), Failure> {
    timed_sync(seat, recorder, |storage| storage.sync_all())
}

fn timed_sync(
    seat: &Seat,
    recorder: &mut Recorder,
    sync: impl FnOnce(&dyn Storage) -> Result<(), StorageError>,
) -> Result<(), Failure> {
    let begun = seat.clock.now();
    match held(seat, begun, || sync(&**seat.prepared.backend.storage())) {
        Ok(()) => {
            recorder.record(Operation::Fsync, 0, seat.clock.now() - begun);
            Ok(())
        }
        Err(error) => {
            let next = "what was written may not be durable: look at the storage, or set `file.fsync: never`";
            Err(Failure::new(FailureClass::Storage, error.to_string(), next))
        }
    }
}

/// Does one operation, for which this thread cannot be asked anything.
fn held<T>(seat: &Seat, since: u64, operation: impl FnOnce() -> T) -> T {
    seat.shared.hold(since, || {
        #[cfg(test)]
        super::tests::perhaps_wait(&seat.prepared.plan);
        operation()
    })
}

/// Sleeps, unless it is over before. To rest is what the stage is to do: each nap is a step.
fn rest(time: Duration, seat: &Seat) {
    let begun = Instant::now();
    while begun.elapsed() < time && !seat.control.halted() {
        std::thread::sleep(NAP.min(time.saturating_sub(begun.elapsed())));
        seat.shared.step();
    }
}

/// Removes the directories of some pools that are empty now: those of trees, the pools' own, and the target if it
/// was made for this run. Never one in which something is left, or that was empty before the run. What cannot be
/// removed stays, and is counted as an error.
fn remove_directories(seat: &Seat, ids: &[PoolId], recorder: &mut Recorder) {
    let (prepared, control) = (&seat.prepared, &seat.control);
    let storage = prepared.backend.storage();
    // Gives whether it is gone.
    let mut remove = |directory: &[u8]| {
        if prepared.empty_before.contains(directory) {
            return false;
        }
        let mut removed = held(seat, seat.clock.now(), || storage.rmdir(directory));
        let is_full = removed.as_ref().is_err_and(|error| error.class() == ErrorClass::Exists);
        if is_full && remove_temporaries(seat, directory) {
            removed = held(seat, seat.clock.now(), || storage.rmdir(directory));
        }
        match removed {
            Ok(()) => true,
            Err(error) => match error.class() {
                ErrorClass::NotFound => true,
                // Something is in it.
                ErrorClass::Exists => false,
                class => {
                    recorder.error(Operation::Rmdir, class, error.fault.code);
                    control.count_error(error.fault, "rmdir", || error.place.clone());
                    false
                }
            },
        }
    };
    for &id in ids {
        let keys = prepared.dataset.pool(id);
        let mut name = Vec::new();
        for directory in (0..keys.directories()).rev() {
            if control.halted() {
                return;
            }
            name.clear();
            keys.directory(directory, &mut name);
            remove(&name);
        }
        let mut base = keys.base();
        if base.is_empty() {
            // It stays, unless it was made for this run.
            remove_temporaries(seat, base);
        }
        while let Some(directory) = base.strip_suffix(b"/").filter(|directory| !directory.is_empty()) {
            if !remove(directory) {
                break;
            }
            base = directory.iter().rposition(|&b| b == b'/').map_or(&b""[..], |at| &directory[..=at]);
        }
    }
    if prepared.target_is_ours {
        remove(b"");
    }
}

/// Removes what puts of this run could not; whether there was anything.
fn remove_temporaries(seat: &Seat, directory: &[u8]) -> bool {
    let plan = &seat.prepared.plan;
    if !is_file(plan) || !plan.file.rename {
        return false;
    }
    let path = Path::new(&plan.target.path).join(OsStr::from_bytes(directory));
    match leftover::remove_own(&path) {
        Ok(removed) => removed > 0,
        Err(error) => {
            tracing::warn!("temporary files of this run are left in {}: {error}", path.display());
            false
        }
    }
}

/// The pools that some operations of a mix work on, each once.
fn pools(entries: &[Entry], of: impl Fn(Operation) -> bool) -> Vec<PoolId> {
    let mut pools: Vec<_> =
        entries.iter().filter(|entry| of(entry.operation)).map(|entry| entry.pool).collect();
    pools.sort_unstable();
    pools.dedup();
    pools
}
