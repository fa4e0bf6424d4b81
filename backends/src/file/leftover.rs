//! Temporary files that a put leaves when its process is killed, or cannot remove them.

use super::target::{TEMPORARY, temporary_host};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// So many entries of a directory are looked at: a run is not to wait for a directory without end.
const LOOKED: usize = 100_000;

/// Tells what processes have left in a directory that are not there any more, and how to remove it. Nobody else's is
/// removed here: a process that cannot be seen, in a container, may still be at work.
pub(crate) fn tell_of_the_dead(directory: &Path) -> Vec<String> {
    let mut left: BTreeMap<u32, usize> = BTreeMap::new();
    for (process, _) in temporaries(directory) {
        *left.entry(process).or_default() += 1;
    }
    left.retain(|process, _| !Path::new("/proc").join(process.to_string()).exists());
    let tell = |(process, files): (&u32, &usize)| {
        let place = directory.display();
        let host = temporary_host();
        let stem = OsStr::from_bytes(TEMPORARY).display();
        format!(
            "{files} temporary files of process {process}, which is not on this host any more, are left in `{place}`; remove them with: find '{place}' -maxdepth 1 -name '{stem}{host}-{process}-[0-9]*.tmp' -delete"
        )
    };
    left.iter().map(tell).collect()
}

/// Removes what this process has left in a directory; gives how many. None of its puts goes on.
pub(crate) fn remove_own(directory: &Path) -> io::Result<usize> {
    let own = temporaries(directory).into_iter().filter(|(process, _)| *process == std::process::id());
    own.map(|(_, path)| std::fs::remove_file(path)).try_fold(0, |removed, gone| gone.map(|()| removed + 1))
}

/// The temporary files of this host's processes in a directory, each with its process.
fn temporaries(directory: &Path) -> Vec<(u32, PathBuf)> {
    // Of a directory that is not there nothing is left; anything worse shows when it is used.
    let entries = std::fs::read_dir(directory).into_iter().flatten().take(LOOKED).filter_map(Result::ok);
    entries.filter_map(|entry| Some((process(entry.file_name().as_bytes())?, entry.path()))).collect()
}

/// The process of this host that a temporary name is of.
fn process(name: &[u8]) -> Option<u32> {
    let rest = name.strip_prefix(TEMPORARY)?.strip_suffix(b".tmp")?;
    let rest = std::str::from_utf8(rest).ok()?.strip_prefix(&temporary_host())?.strip_prefix('-')?;
    let (process, number) = rest.split_once('-')?;
    number.parse::<u32>().ok()?;
    process.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::target::FileTarget;
    use iobench_core::plan::FileOptions;

    fn own(directory: &Path) -> PathBuf {
        let target = FileTarget::new("/", &FileOptions::default());
        let mut name = Vec::new();
        target.push_temporary(directory.join("obj_1").as_os_str().as_bytes(), 7, &mut name);
        PathBuf::from(OsStr::from_bytes(&name))
    }

    /// A process that has ended.
    fn dead() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn only_files_of_dead_processes_of_this_host_are_told_and_only_own_ones_removed() {
        let directory = tempfile::tempdir().unwrap();
        let (own, dead, host) = (own(directory.path()), dead(), temporary_host());
        let names = [
            format!(".iobench-{host}-{dead}-0.tmp"),
            format!(".iobench-{host}-{dead}-1.tmp"),
            format!(".iobench-{host}-1-0.tmp"),
            format!(".iobench-00000000-{dead}-0.tmp"),
            format!(".iobench-{host}-{dead}-x.tmp"),
            "obj_1".to_owned(),
        ];
        let paths: Vec<_> = names.iter().map(|name| directory.path().join(name)).collect();
        paths.iter().chain([&own]).for_each(|path| std::fs::write(path, b"part").unwrap());

        let told = tell_of_the_dead(directory.path());
        assert_eq!(told.len(), 1, "{told:?}");
        let begins = format!("2 temporary files of process {dead}, which is not on this host any more");
        assert!(told[0].starts_with(&begins), "{told:?}");
        let (_, command) = told[0].split_once("remove them with: ").unwrap();
        assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success());
        let left = |path: &&PathBuf| path.exists();
        assert_eq!(paths.iter().filter(left).collect::<Vec<_>>(), paths[2..].iter().collect::<Vec<_>>());
        assert!(tell_of_the_dead(directory.path()).is_empty());

        assert_eq!((remove_own(directory.path()).unwrap(), own.exists()), (1, false));
        assert_eq!(paths.iter().filter(left).count(), 4, "all others are somebody's");
        assert_eq!(remove_own(&directory.path().join("none")).unwrap(), 0);
    }
}
