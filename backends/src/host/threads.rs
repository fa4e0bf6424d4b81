//! How many threads this process may start.

use rustix::process::{Resource, geteuid, getrlimit};
use std::path::Path;

/// What to do when there are not enough.
pub(crate) const MORE_THREADS: &str = "lower `concurrency`, or raise the limit (ulimit -u, the container's or unit's pids.max, sysctl vm.max_map_count)";

/// Mappings of memory that a thread takes: its stack, the one for its signals, a guard page before each, and its buffer.
const MAPPINGS: u64 = 5;
/// Mappings that everything else takes.
const MAPPINGS_RESERVED: u64 = 1000;

/// The limit that is met first.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct ThreadLimit {
    pub(crate) threads: u64,
    /// What sets it.
    pub(crate) what: &'static str,
}

/// How many threads can be had at most; a limit that cannot be read is none. The last of these limits must be known
/// beforehand: a thread that cannot have its signal stack ends the whole process.
pub(crate) fn thread_limit() -> ThreadLimit {
    let user = getrlimit(Resource::Nproc).current.filter(|_| !geteuid().is_root());
    let mappings = number(Path::new("/proc/sys/vm/max_map_count"));
    let limits = [
        (user, "the limit of this user's processes"),
        (group(), "pids.max of the control group"),
        (number(Path::new("/proc/sys/kernel/threads-max")), "kernel.threads-max"),
        (mappings.map(|most| most.saturating_sub(MAPPINGS_RESERVED) / MAPPINGS), "vm.max_map_count"),
    ];
    let limits = limits.map(|(threads, what)| ThreadLimit { threads: threads.unwrap_or(u64::MAX), what });
    limits.into_iter().min_by_key(|limit| limit.threads).expect("there are four")
}

/// What the control group of this process, or one above it, leaves (cgroups(7): version 2, or the controller `pids`).
fn group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().filter_map(|line| {
        let (controller, path) = line.split_once(':')?.1.split_once(':')?;
        let root = match controller {
            "" => "/sys/fs/cgroup",
            "pids" => "/sys/fs/cgroup/pids",
            _ => return None,
        };
        Some((Path::new(root), path.trim_start_matches('/')))
    });
    let left = own.flat_map(|(root, path)| {
        let directory = root.join(path);
        let above: Vec<_> =
            directory.ancestors().take_while(|above| above.starts_with(root)).map(Path::to_owned).collect();
        above.into_iter().filter_map(|group| {
            let most = number(&group.join("pids.max"))?;
            Some(most.saturating_sub(number(&group.join("pids.current")).unwrap_or(0)))
        })
    });
    left.min()
}

fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}
