//! What this host is and has.

mod cpu;
mod mounts;
mod threads;

pub(crate) use cpu::CpuMeter;
pub(crate) use mounts::{Mount, mount_of};
pub(crate) use threads::{MORE_THREADS, ThreadLimit, thread_limit};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::{Path, PathBuf};

/// CPUs that this process may use.
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}

/// The host's name.
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Memory that can be had without swapping, bytes: the host's or the control group's, whichever is less. 0 when it
/// cannot be read.
pub fn memory_available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    let host = kib.unwrap_or(0).saturating_mul(1024);
    let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map_or(u64::MAX, |(max, current)| max.saturating_sub(current));
    host.min(group)
}

/// Facts about the host for the record.
pub(crate) fn facts() -> Vec<(String, String)> {
    let names = rustix::system::uname();
    let kernel = format!("{} {}", names.sysname().to_string_lossy(), names.release().to_string_lossy());
    let files = getrlimit(Resource::Nofile);
    let locked = getrlimit(Resource::Memlock);
    let mut facts = vec![
        ("kernel".to_owned(), kernel),
        ("limit of open files".to_owned(), limit(&files)),
        ("limit of locked memory".to_owned(), limit(&locked)),
    ];
    if let Some(model) = cpu_model() {
        facts.push(("cpu".to_owned(), model));
    }
    facts
}

fn limit(limit: &Rlimit) -> String {
    let one = |value: Option<u64>| value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string());
    format!("{} of {}", one(limit.current), one(limit.maximum))
}

fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    // Not on every architecture.
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}

/// Raises the limit of open files as far as this user may; gives what it is then.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        raised
    } else {
        limit
    };
    now.current.unwrap_or(u64::MAX)
}

/// The path itself, or the nearest directory above it that exists.
pub(crate) fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/")).to_path_buf()
}
