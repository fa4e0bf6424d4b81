//! Which mistakes may be no more than consequences of others.
//!
//! A value that cannot be read is reported and left out, and the rest is checked without it. What is then wrong may be
//! wrong only because of that: it is not said until the first mistake is corrected.

use super::path::Path;
use std::collections::BTreeSet;

/// A place (`*` stands for every item of a list), and the places on which it depends whether a value there is right.
/// Keys of one section depend on each other, but for those of [`INDEPENDENT`].
const DEPENDS: &[(&str, &[&str])] = &[
    ("target", &["prepare", "storage", "distributed", "stages"]),
    ("file", &["target", "distributed"]),
    ("storage", &["target", "distributed", "multi_endpoint", "range_engine"]),
    ("multi_endpoint", &["target", "distributed", "storage"]),
    ("range_engine", &["storage"]),
    ("timeouts", &["interval", "perf_log"]),
    ("distributed", &["target", "distributed"]),
    ("prepare.ensure_objects", &["target", "prepare.directory_structure"]),
    ("prepare.ensure_objects.*.min_size", &["prepare.ensure_objects"]),
    ("prepare.ensure_objects.*.max_size", &["prepare.ensure_objects"]),
    ("prepare.cleanup", &["prepare", "workload"]),
    ("prepare.cleanup_only", &["prepare", "workload"]),
    ("workload.*.op", &["target", "distributed"]),
    ("workload.*.weight", &["workload"]),
    ("workload.*.path", &["target", "distributed", "prepare", "workload"]),
    ("workload.*.to", &["target", "distributed", "prepare", "workload"]),
    ("workload.*.batch", &["target", "distributed", "prepare", "workload"]),
    ("workload.*.verify", &["target", "prepare", "workload"]),
    ("workload.*.range", &["target", "distributed", "prepare", "file"]),
    ("workload.*.block_size", &["target", "distributed", "prepare", "file"]),
    ("stages", &["duration", "prepare", "workload"]),
    ("distributed.stages", &["duration", "prepare", "workload"]),
];

/// Sections in which one key says nothing about another.
const INDEPENDENT: &[&str] = &["", "workload.*", "prepare.ensure_objects.*"];

/// What was left out of a configuration, and has been reported.
#[derive(Default)]
pub(super) struct LeftOut {
    /// What was meant to be there: may explain what is wrong without it.
    meant: Vec<Path>,
    /// What stands in the tree and was not decoded: items of lists behind it have moved up.
    omitted: BTreeSet<Path>,
}

impl LeftOut {
    /// From now on also this.
    pub(super) fn add(&mut self, path: Path) {
        self.meant.push(path);
    }

    /// These were not decoded.
    pub(super) fn omit(&mut self, paths: BTreeSet<Path>) {
        self.omitted = paths;
    }

    /// Whether something at or below one of these keys is left out.
    pub(super) fn any_below(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.meant.iter().any(|out| out.starts_with(&Path::from(*key))))
    }

    /// Whether what seems to be wrong at `path` may be wrong only because something is left out.
    pub(super) fn explains(&self, path: &Path) -> bool {
        let depends = DEPENDS.iter().filter(|(at, _)| path.is_at_or_below(at));
        // Items of a list are no keys of one section.
        let key = path.steps().last().filter(|step| step.parse::<usize>().is_err());
        let section = key.and(path.parent()).filter(|section| !INDEPENDENT.iter().any(|it| section.is(it)));
        depends.into_iter().any(|(_, on)| self.any_below(on))
            || self.meant.iter().any(|out| {
                out.starts_with(path)
                    || path.starts_with(out)
                    || (section.is_some() && out.parent() == section)
            })
    }

    /// The path as written of one in the list that is left: items before it may be left out.
    pub(super) fn as_written(&self, path: &Path) -> Path {
        path.steps().iter().fold(Path::default(), |list, step| match step.parse::<usize>() {
            Ok(index) => {
                let is_there = |index: &usize| !self.omitted.contains(&list.child(index));
                let written = (0..).filter(is_there).nth(index).expect("the numbers have no end");
                list.child(written)
            }
            Err(_) => list.child(step),
        })
    }
}
