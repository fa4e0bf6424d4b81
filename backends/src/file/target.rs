//! Where files are and how they are written: shared by both ways to access them.

use super::aligned::ALIGNMENT;
use iobench_core::plan::{FileOptions, Fsync};
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How the temporary names of unfinished puts begin; a listing does not show them.
pub(crate) const TEMPORARY: &[u8] = b".iobench-";

/// A directory (or one file) with the options of the plan.
#[derive(Debug)]
pub(crate) struct FileTarget {
    root: Box<[u8]>,
    pub(crate) direct: bool,
    pub(crate) sync_each: bool,
    pub(crate) rename: bool,
    pub(crate) registered: bool,
    /// The files are memory, where a read never waits; see [`is_memory`].
    pub(crate) memory: bool,
    /// Host, process and a random token make temporary names unique, also on a shared file system …
    temporary_stem: String,
    /// … and a number within the process.
    temporaries: AtomicU32,
}

impl FileTarget {
    pub(crate) fn new(root: &str, options: &FileOptions) -> Self {
        Self {
            root: root.as_bytes().into(),
            direct: options.direct,
            sync_each: options.fsync == Fsync::Each,
            rename: options.rename,
            registered: options.registered,
            memory: is_memory(root),
            temporary_stem: temporary_stem(),
            temporaries: AtomicU32::new(0),
        }
    }

    /// Appends the path of a key.
    #[inline]
    pub(crate) fn push_path(&self, key: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        out.extend_from_slice(&self.root);
        if !self.root.ends_with(b"/") {
            out.push(b'/');
        }
        let start = out.len();
        key(out);
        if out.len() == start && start > 1 {
            out.pop();
        }
    }

    /// The path of a key.
    pub(crate) fn path(&self, key: &[u8]) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.root.len() + key.len() + 1);
        self.push_path(|out| out.extend_from_slice(key), &mut path);
        path
    }

    /// The first of `count` numbers for [`push_temporary`](Self::push_temporary) that nobody else in this process has.
    pub(crate) fn temporaries(&self, count: u32) -> u32 {
        self.temporaries.fetch_add(count, Ordering::Relaxed)
    }

    /// Appends a temporary name in the directory of `path`. It does not build on the file's own name, which may be
    /// as long as names can be.
    pub(crate) fn push_temporary(&self, path: &[u8], number: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(parent(path));
        if !out.ends_with(b"/") {
            out.push(b'/');
        }
        out.extend_from_slice(TEMPORARY);
        write!(out, "{}-{number}.tmp", self.temporary_stem).expect("memory takes what is written");
    }

    /// The flags to open a file with, beside those for reading or writing.
    pub(crate) fn flags(&self) -> OFlags {
        if self.direct { OFlags::DIRECT | OFlags::CLOEXEC } else { OFlags::CLOEXEC }
    }

    /// How many bytes of a whole object to write next, of `rest` that are left: direct I/O takes whole blocks only,
    /// so the tail that is none comes last and alone.
    #[inline]
    pub(crate) fn piece(&self, rest: u64, most: usize) -> usize {
        let length = usize::try_from(rest).map_or(most, |rest| rest.min(most));
        if self.direct && length > ALIGNMENT { length - length % ALIGNMENT } else { length }
    }

    /// Whether a piece is such a tail, which goes through the page cache: `O_DIRECT` is taken off the file for it.
    /// So the file never has a byte that is not its own, as padding and cutting off would give it for a moment.
    #[inline]
    pub(crate) fn is_tail(&self, length: usize) -> bool {
        self.direct && !length.is_multiple_of(ALIGNMENT)
    }

    /// Where to go on after `done` bytes of a whole object: a transfer that ended early may have ended within a
    /// block, of which direct I/O has to repeat the beginning.
    #[inline]
    pub(crate) fn resume(&self, done: u64) -> u64 {
        if self.direct { done - done % ALIGNMENT as u64 } else { done }
    }
}

/// How the temporary names of this process go on after [`TEMPORARY`].
pub(crate) fn temporary_stem() -> String {
    format!("{}-{}-{:08x}", temporary_host(), std::process::id(), token())
}

/// Tells this process from one in another container, which may have the same number on a host of the same name.
fn token() -> u32 {
    static TOKEN: OnceLock<u32> = OnceLock::new();
    // The keys of a new hasher are drawn by the operating system.
    *TOKEN.get_or_init(|| RandomState::new().hash_one(std::process::id()) as u32)
}

/// What this host is called in temporary names.
pub(crate) fn temporary_host() -> String {
    let names = rustix::system::uname();
    // FNV-1a: only to tell hosts apart.
    let hash = |hash: u32, &byte: &u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let host = names.nodename().to_bytes().iter().fold(0x811c_9dc5, hash);
    format!("{host:08x}")
}

/// The directory that a path is in.
pub(crate) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&b| b == b'/') {
        None => b".",
        Some(0) => b"/",
        Some(at) => &path[..at],
    }
}

/// For calls that take a path.
pub(crate) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Whether a path is (or will be) on tmpfs.
///
/// The kernel does not know that reads there never wait for a device, and has `io_uring` do each of them on a worker
/// thread, which costs more than the read. Unless the file is opened `O_NONBLOCK`: then it is read at once.
fn is_memory(root: &str) -> bool {
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    let existing = crate::host::nearest_existing(Path::new(root));
    rustix::fs::statfs(&existing).is_ok_and(|found| u64::try_from(found.f_type) == Ok(TMPFS_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(root: &str, direct: bool) -> FileTarget {
        FileTarget::new(root, &FileOptions { direct, ..FileOptions::default() })
    }

    #[test]
    fn keys_lie_below_the_root_and_the_empty_key_is_the_root() {
        assert_eq!(target("/mnt/x", false).path(b"a/b"), b"/mnt/x/a/b");
        assert_eq!(target("/mnt/x", false).path(b""), b"/mnt/x");
        assert_eq!(target("/", false).path(b"a"), b"/a");
        assert_eq!(target("/", false).path(b""), b"/");
    }

    #[test]
    fn direct_writes_end_with_the_tail_alone() {
        let direct = target("/x", true);
        assert_eq!(direct.piece(1 << 20, 65_536), 65_536);
        assert_eq!(direct.piece(5000, 65_536), 4096);
        assert_eq!(direct.piece(904, 65_536), 904);
        assert!(direct.is_tail(904) && !direct.is_tail(4096));
        assert_eq!(direct.resume(5000), 4096);
        let buffered = target("/x", false);
        assert_eq!((buffered.piece(5000, 65_536), buffered.resume(5000)), (5000, 5000));
        assert!(!buffered.is_tail(904));
    }

    #[test]
    fn temporary_names_are_short_and_lie_beside_the_object() {
        let mut name = Vec::new();
        target("/mnt/x", false).push_temporary(b"/mnt/x/obj_1", 7, &mut name);
        assert!(name.starts_with(b"/mnt/x/.iobench-") && name.ends_with(b"-7.tmp"));
        assert!(name.len() < 60);
    }
}
