//! What could go wrong for sure, found before anything is touched, with numbers and a next step.

use super::dataset::{Dataset, is_prepared, missing};
use super::prepared::buffer;
use super::validate::{is_direct, is_file};
use crate::error::Fault;
use crate::executor::{ObjectId, Objects};
use crate::host::{self, ThreadLimit};
use crate::storage::Storage;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Plan, PoolId, Share, StageKind};
use iobench_core::stats::{Operation, cells_of};
use iobench_core::workload::{Keys, Stream, Worklist};
use rustix::fs::{Access, Mode, OFlags};
use std::path::Path;

/// Direct I/O never takes less than this, bytes.
const SECTOR: u64 = 512;
/// So many existing objects are looked at when space is scarce, spread evenly.
const SAMPLES: u64 = 10_000;
/// Files kept free for everything that is not a file of blocks.
const FILES_RESERVED: u64 = 256;
/// No thread keeps more files open than this.
const FILES_MAX: u64 = 8192;
/// Threads for everything that is not work.
const THREADS_RESERVED: u64 = 16;
/// A recorder's cell, bytes.
const CELL: u64 = 270 << 10;
/// A thread's stack and other memory, bytes.
const THREAD: u64 = 512 << 10;

fn config(message: String, next: &str) -> Failure {
    Failure::new(FailureClass::Config, message, next)
}

/// What is wrong with the plan wherever it runs.
pub(super) fn check_plan(plan: &Plan) -> Result<(), Failure> {
    if plan.concurrency == 0 {
        return Err(config("`concurrency` is 0".to_owned(), "set it to 1 or more"));
    }
    for stage in &plan.stages {
        match &stage.kind {
            StageKind::Execute { entries, .. } if is_direct(plan) => {
                for size in entries.iter().filter_map(|entry| entry.block_size) {
                    if size % SECTOR != 0 {
                        let message = format!("blocks of {size} bytes cannot be read or written directly");
                        return Err(config(
                            message,
                            "use a multiple of the device's block size (512 or 4096), or file://",
                        ));
                    }
                }
            }
            StageKind::Cleanup { pools, .. } => {
                let base =
                    |id: &PoolId| plan.pools.get(usize::from(id.0)).is_none_or(|pool| pool.base.is_empty());
                if is_file(plan) && plan.target.path == "/" && pools.iter().any(base) {
                    let message =
                        format!("cleaning up in `{}`, the root of all file systems, is refused", plan.target);
                    return Err(config(message, "set `target` to a directory of its own"));
                }
            }
            StageKind::Execute { .. } | StageKind::Prepare { .. } => {}
        }
    }
    Ok(())
}

/// The kind of a file system that shows the kernel's state instead of storing data. Magic numbers: statfs(2).
fn pseudo_file_system(path: &Path) -> Option<&'static str> {
    match rustix::fs::statfs(path).ok()?.f_type {
        0x9fa0 => Some("proc"),
        0x6265_6572 => Some("sysfs"),
        0x1cd1 => Some("devpts"),
        0x6462_6720 => Some("debugfs"),
        0x7472_6163 => Some("tracefs"),
        0x0027_e0eb | 0x6367_7270 => Some("cgroup"),
        _ => None,
    }
}

/// Whether the target can be reached, and written to if that is planned.
pub(super) fn check_target(plan: &Plan) -> Result<(), Failure> {
    if !is_file(plan) {
        return Ok(());
    }
    let path = Path::new(&plan.target.path);
    let existing = host::nearest_existing(path);
    if existing != path && !existing.is_dir() {
        let message = format!("`{}` cannot be created: `{}` is a file", path.display(), existing.display());
        return Err(config(message, "set `target` to a directory"));
    }
    if let Some(kind) = pseudo_file_system(&existing) {
        let message =
            format!("`{}` is in a {kind} file system, which does not store data", existing.display());
        return Err(config(message, "set `target` to a directory on the storage to be measured"));
    }
    let may = |access, what: &str| {
        rustix::fs::access(&existing, access).map_err(|errno| {
            let fault = Fault::from(errno);
            let message = format!("`{}` cannot be {what}: {fault}", existing.display());
            config(message, "give this user access, mount it for writing, or set another `target`")
        })
    };
    may(Access::READ_OK, "read")?;
    if writes(plan) {
        let enter = if existing.is_dir() { Access::EXEC_OK } else { Access::EXISTS };
        may(Access::WRITE_OK | enter, "written to")?;
    }
    if is_direct(plan) && existing.is_dir() {
        check_direct(&existing)?;
    }
    Ok(())
}

/// Asks the file system for a direct file without a name: it leaves nothing behind. Where there are no such files it
/// shows when the first file is opened.
fn check_direct(directory: &Path) -> Result<(), Failure> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::DIRECT | OFlags::CLOEXEC;
    match rustix::fs::open(directory, flags, Mode::from_raw_mode(0o600)) {
        Err(rustix::io::Errno::INVAL) => {
            let kind = host::mount_of(directory).map_or("this file system".to_owned(), |mount| mount.kind);
            let message = format!(
                "direct:// is not possible in `{}`: {kind} does not support O_DIRECT",
                directory.display()
            );
            Err(config(message, "use file:// there, or a target on another file system"))
        }
        _ => Ok(()),
    }
}

/// Whether everything that is to be read, and nobody prepares, exists; and whether each mix makes sense with it.
pub(super) fn check_objects(plan: &Plan, dataset: &Dataset, storage: &dyn Storage) -> Result<(), Failure> {
    for (index, stage) in plan.stages.iter().enumerate() {
        let StageKind::Execute { entries, .. } = &stage.kind else { continue };
        if let Err(error) = Stream::new(plan, index, dataset.keys(), Share::WHOLE) {
            return Err(config(format!("stage `{}`: {error}", stage.name), ""));
        }
        for entry in entries {
            let reads = !matches!(
                entry.operation,
                Operation::Put | Operation::List | Operation::Mkdir | Operation::Rmdir
            );
            let keys = dataset.pool(entry.pool);
            if reads && !is_prepared(plan, entry.pool) && keys.count() < u64::MAX {
                for key in [0, keys.count().saturating_sub(1)] {
                    let name = dataset.key(ObjectId { pool: entry.pool, key });
                    storage.stat(&name).map_err(|error| missing(&error))?;
                }
            }
        }
    }
    Ok(())
}

/// Whether this host lets us have so many threads, `engine` of them for the operations in flight.
pub(super) fn check_threads(engine: u32, threads: u32, limit: ThreadLimit) -> Result<(), Failure> {
    let needed = THREADS_RESERVED + u64::from(engine) + u64::from(threads);
    if needed <= limit.threads {
        return Ok(());
    }
    let message = format!(
        "{needed} threads are needed, {engine} of them as positioned I/O has one for each operation in flight; {} \
         allows about {}",
        limit.what, limit.threads
    );
    Err(Failure::new(FailureClass::Resource, message, host::MORE_THREADS))
}

/// Whether memory, space and file descriptors suffice; gives how many files a thread may keep open.
pub(super) fn check_resources(plan: &Plan, dataset: &Dataset, threads: u32) -> Result<usize, Failure> {
    check_memory(plan, dataset, threads)?;
    if is_file(plan) {
        check_space(plan, dataset)?;
    }
    let limit = host::raise_open_files();
    let needed = FILES_RESERVED + 2 * u64::from(plan.concurrency);
    if is_file(plan) && limit < needed {
        let message = format!(
            "{} operations in flight need {needed} open files, and this user may have {limit}",
            plan.concurrency
        );
        return Err(Failure::new(
            FailureClass::Resource,
            message,
            "raise the limit (ulimit -n), or lower `concurrency`",
        ));
    }
    let each = (limit.saturating_sub(needed) / u64::from(threads)).clamp(1, FILES_MAX);
    Ok(each as usize)
}

fn check_memory(plan: &Plan, dataset: &Dataset, threads: u32) -> Result<(), Failure> {
    let buffers = plan.stages.iter().map(|stage| buffer(plan, &stage.kind)).max().unwrap_or(0);
    let cells = (0..plan.stages.len()).map(|stage| cells_of(plan, stage).len() as u64).max().unwrap_or(0);
    let payload = dataset.payload().len() as u64;
    let operations = u64::from(plan.concurrency).saturating_mul(buffers);
    let needed =
        operations.saturating_add(payload).saturating_add(u64::from(threads) * (THREAD + 2 * cells * CELL));
    let available = host::memory_available();
    if available > 0 && needed > available {
        let message = format!(
            "{} operations in flight with {} each, and {} beside them, need {} of memory; {} are available",
            plan.concurrency,
            bytes(buffers),
            bytes(needed - operations),
            bytes(needed),
            bytes(available)
        );
        return Err(Failure::new(FailureClass::Resource, message, "lower `concurrency` or the block size"));
    }
    Ok(())
}

/// Whether what is prepared fits; what exists with its right size needs no more space.
fn check_space(plan: &Plan, dataset: &Dataset) -> Result<(), Failure> {
    let mut pools: Vec<PoolId> = Vec::new();
    for stage in &plan.stages {
        if let StageKind::Prepare { pools: prepared, .. } = &stage.kind {
            pools.extend(prepared.iter().filter(|pool| !pools.contains(pool)).copied().collect::<Vec<_>>());
        }
    }
    let existing = host::nearest_existing(Path::new(&plan.target.path));
    let Ok(space) = rustix::fs::statvfs(&existing) else { return Ok(()) };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let sizes = pools.iter().map(|&id| estimate(plan, dataset, id));
    let needed = sizes.fold(0_u64, u64::saturating_add);
    if needed <= free {
        return Ok(());
    }
    let there = pools.iter().fold(0_u64, |sum, &id| sum.saturating_add(present(plan, dataset, id)));
    if needed.saturating_sub(there) <= free {
        return Ok(());
    }
    let message = format!(
        "the data set needs {} in `{}`, of which {} exist; {} are free there",
        bytes(needed),
        plan.target,
        bytes(there),
        bytes(free)
    );
    Err(Failure::new(
        FailureClass::Resource,
        message,
        "prepare less, free some space, or set another `target`",
    ))
}

/// Bytes of this agent's part of a pool.
pub(super) fn estimate(plan: &Plan, dataset: &Dataset, id: PoolId) -> u64 {
    let list = Worklist::new(&[id], dataset.keys(), plan.share);
    let mean = plan.pools[usize::from(id.0)].sizes.mean();
    #[expect(clippy::cast_sign_loss, reason = "sizes are not negative, and `as` saturates")]
    list.bytes().unwrap_or_else(|| (list.objects() as f64 * mean) as u64)
}

/// Bytes of it that are there already, estimated from a sample when there are many objects.
fn present(plan: &Plan, dataset: &Dataset, id: PoolId) -> u64 {
    let keys: &Keys = dataset.pool(id);
    let own = plan.share.of(keys.count());
    let step = own.div_ceil(SAMPLES).max(1);
    let mut name = Vec::new();
    let sample = (0..own).step_by(usize::try_from(step).unwrap_or(usize::MAX)).map(|n| {
        let key = plan.share.index + n * plan.share.count;
        name.clear();
        keys.name(key, &mut name);
        let path = Path::new(&plan.target.path).join(String::from_utf8_lossy(&name).as_ref());
        let size = std::fs::metadata(path).map_or(0, |found| found.len());
        if size == keys.size(key) { size } else { 0 }
    });
    sample.fold(0_u64, u64::saturating_add).saturating_mul(step)
}

/// Whether the plan writes anything.
pub(super) fn writes(plan: &Plan) -> bool {
    plan.stages.iter().any(|stage| match &stage.kind {
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => true,
        StageKind::Execute { entries, .. } => entries.iter().any(|entry| {
            matches!(
                entry.operation,
                Operation::Put
                    | Operation::Write
                    | Operation::Delete
                    | Operation::Copy
                    | Operation::Mkdir
                    | Operation::Rmdir
            )
        }),
    })
}

/// A size for a person.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_written_for_people() {
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 40), "3.0 TiB");
    }
}
