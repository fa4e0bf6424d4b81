//! Which file system and device a path is on.

use std::fmt;
use std::path::Path;

/// A line of `/proc/self/mountinfo` (see proc_pid_mountinfo(5)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mount {
    point: String,
    pub(crate) kind: String,
    source: String,
    options: String,
    /// Major and minor number of the device.
    device: String,
}

/// The mount that this existing path is on.
pub(crate) fn mount_of(path: &Path) -> Option<Mount> {
    let path = path.canonicalize().ok()?;
    find(&std::fs::read_to_string("/proc/self/mountinfo").ok()?, &path)
}

/// The innermost of the mounts above the path; of those at one point the last one covers the others.
fn find(mounts: &str, path: &Path) -> Option<Mount> {
    let above = mounts.lines().filter_map(parse).filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.len())
}

fn parse(line: &str) -> Option<Mount> {
    let (first, second) = line.split_once(" - ")?;
    let first: Vec<_> = first.split(' ').collect();
    let second: Vec<_> = second.split(' ').collect();
    let (&[_, _, device, _, point, options, ..], &[kind, source, more, ..]) = (&*first, &*second) else {
        return None;
    };
    // Spaces and the like are written as octal numbers.
    let point = point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    Some(Mount {
        point,
        kind: kind.to_owned(),
        source: source.to_owned(),
        options: format!("{options},{more}"),
        device: device.to_owned(),
    })
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, mounted at {}", self.kind, self.source, self.point)
    }
}

impl Mount {
    /// For the record: file system, mount options, device and how it schedules.
    pub(crate) fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![
            ("filesystem".to_owned(), self.kind.clone()),
            ("mounted at".to_owned(), self.point.clone()),
            ("mount options".to_owned(), self.options.clone()),
            ("device".to_owned(), self.source.clone()),
        ];
        // A partition has its device's queue, one directory above.
        let device = format!("/sys/dev/block/{}", self.device);
        let read = |file: &str| {
            let paths = [format!("{device}/{file}"), format!("{device}/../{file}")];
            paths
                .iter()
                .find_map(|path| std::fs::read_to_string(path).ok())
                .map(|text| text.trim().to_owned())
        };
        for (name, file) in [
            ("scheduler", "queue/scheduler"),
            ("rotational", "queue/rotational"),
            ("device queue depth", "queue/nr_requests"),
            ("logical block size", "queue/logical_block_size"),
            ("device model", "device/model"),
        ] {
            facts.extend(read(file).map(|value| (name.to_owned(), value)));
        }
        facts
    }

    /// Whether files there are memory anyway.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(&*self.kind, "tmpfs" | "ramfs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 25 0:27 / /dev/shm rw - tmpfs tmpfs rw,size=24684096k
31 27 8:1 / /mnt/my\\040disk rw,noatime shared:7 - xfs /dev/sda1 rw
32 27 8:2 / /mnt/my\\040disk rw,noatime - btrfs /dev/sda2 rw
";

    #[test]
    fn the_innermost_and_last_mount_counts() {
        let kind = |path: &str| find(MOUNTS, Path::new(path)).unwrap().kind;
        assert_eq!(kind("/home/x"), "ext4");
        assert_eq!(kind("/dev/shm/a"), "tmpfs");
        assert_eq!(kind("/dev/shmem"), "ext4");
        assert_eq!(kind("/mnt/my disk/a"), "btrfs");
    }

    #[test]
    fn facts_name_options_and_device() {
        let facts = find(MOUNTS, Path::new("/home")).unwrap().facts();
        assert!(facts.contains(&("mount options".to_owned(), "rw,relatime,rw,discard".to_owned())));
        assert!(facts.contains(&("device".to_owned(), "/dev/vda".to_owned())));
    }
}
