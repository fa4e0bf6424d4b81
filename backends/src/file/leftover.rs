//! Temporary files that a put leaves when its process is killed, or cannot remove them.

use super::target::{TEMPORARY, temporary_host, temporary_stem};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// So many entries of a directory are looked at: a run is not to wait for a directory without end.
const LOOKED: usize = 100_000;

/// Tells what processes have left in a directory that cannot be seen any more, and how to remove it. Nobody else's is
/// removed here: a process that cannot be seen, in a container, may still be at work.
pub(crate) fn tell_of_the_dead(directory: &Path) -> Vec<String> {
    let mut left: BTreeMap<u32, usize> = BTreeMap::new();
    for (process, _) in temporaries(directory) {
        *left.entry(process).or_default() += 1;
    }
    left.retain(|process, _| !Path::new("/proc").join(process.to_string()).exists());
    let tell = |(process, files): (&u32, &usize)| {
        let place = directory.display();
        let quoted = place.to_string().replace('\'', r"'\''");
        let host = temporary_host();
        let stem = OsStr::from_bytes(TEMPORARY).display();
        format!(
            "{files} temporary files of process {process}, which cannot be seen from here (it has ended, unless it is another container's), are left in `{place}`; remove them with: find '{quoted}' -maxdepth 1 -name '{stem}{host}-{process}-[0-9a-f]*-[0-9]*.tmp' -delete"
        )
    };
    left.iter().map(tell).collect()
}

/// Removes what this process has left in a directory; gives how many. None of its puts goes on.
pub(crate) fn remove_own(directory: &Path) -> io::Result<usize> {
    let stem = [TEMPORARY, temporary_stem().as_bytes(), b"-"].concat();
    let is_own = |path: &Path| path.file_name().is_some_and(|name| name.as_bytes().starts_with(&stem));
    let own = temporaries(directory).into_iter().filter(|(_, path)| is_own(path));
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
    let mut parts = rest.split('-');
    let (process, token, number) = (parts.next()?, parts.next()?, parts.next()?);
    u32::from_str_radix(token, 16).ok()?;
    number.parse::<u32>().ok()?;
    if parts.next().is_some() { None } else { process.parse().ok() }
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
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("it's one");
        std::fs::create_dir(&directory).unwrap();
        let directory = directory.as_path();
        let (own, dead, host, me) = (own(directory), dead(), temporary_host(), std::process::id());
        let names = [
            format!(".iobench-{host}-{dead}-0123abcd-0.tmp"),
            format!(".iobench-{host}-{dead}-fedc0123-1.tmp"),
            format!(".iobench-{host}-1-0123abcd-0.tmp"),
            format!(".iobench-00000000-{dead}-0123abcd-0.tmp"),
            format!(".iobench-{host}-{dead}-0123abcd.tmp"),
            "obj_1".to_owned(),
            // In another container a process may have this one's number.
            format!(".iobench-{host}-{me}-0123abcd-7.tmp"),
        ];
        let paths: Vec<_> = names.iter().map(|name| directory.join(name)).collect();
        paths.iter().chain([&own]).for_each(|path| std::fs::write(path, b"part").unwrap());

        let told = tell_of_the_dead(directory);
        assert_eq!(told.len(), 1, "{told:?}");
        let begins = format!("2 temporary files of process {dead}, which cannot be seen from here");
        assert!(told[0].starts_with(&begins), "{told:?}");
        let (_, command) = told[0].split_once("remove them with: ").unwrap();
        assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success());
        let left = |path: &&PathBuf| path.exists();
        assert_eq!(paths.iter().filter(left).collect::<Vec<_>>(), paths[2..].iter().collect::<Vec<_>>());
        assert!(tell_of_the_dead(directory).is_empty());

        assert_eq!((remove_own(directory).unwrap(), own.exists()), (1, false));
        assert_eq!(paths.iter().filter(left).count(), 5, "all others are somebody's");
        assert_eq!(remove_own(&directory.join("none")).unwrap(), 0);
    }
}
