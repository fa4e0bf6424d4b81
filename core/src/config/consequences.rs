//! Which mistakes may be no more than consequences of others.
//!
//! A value that cannot be read is reported and left out, and the rest is checked without it. What is then wrong may be
//! wrong only because of that: it is not said until the first mistake is corrected.

use super::path::Path;
use std::collections::BTreeSet;

/// Where agents work.
const TARGETS: &[&str] = &["target", "distributed.agents.*.target_override"];
/// Which directories below these.
const DIRECTORIES: &[&str] =
    &["distributed.path_template", "distributed.shared_filesystem", "distributed.agents.*.path_template"];
const INTERVAL: &[&str] = &["interval", "perf_log.interval"];
/// Which sets of objects there are, and where.
const SETS: &[&str] = &[
    "prepare.directory_structure",
    "prepare.ensure_objects.*.base_uri",
    "prepare.ensure_objects.*.count",
    "prepare.ensure_objects.*.min_size",
    "prepare.ensure_objects.*.max_size",
    "prepare.ensure_objects.*.size_spec",
];
/// What a run writes besides.
const WRITTEN: &[&str] =
    &["workload.*.op", "workload.*.object_size", "workload.*.size_spec", "workload.*.count", "workload.*.to"];
const PATHS: &[&str] = &["workload.*.path"];
const OBJECT_SIZE: &[&str] = &["prepare.ensure_objects.*.size", "file.direct"];

/// A place (`*` stands for any item of a list), and those on which it depends whether a value there is right.
const DEPENDS: &[(&str, &[&[&str]])] = &[
    // Whether cleaning up deletes at its root.
    (
        "target",
        &[
            TARGETS,
            DIRECTORIES,
            PATHS,
            &["prepare.ensure_objects.*.base_uri", "prepare.yes_delete_everything"],
            &["stages.*.type", "distributed.stages.*.type"],
        ],
    ),
    ("duration", &[&["stages.*.duration", "distributed.stages.*.duration", "prepare.cleanup_only"]]),
    ("file.direct", &[TARGETS]),
    ("storage.endpoint", &[TARGETS]),
    ("storage.tls_roots", &[&["multi_endpoint.endpoints"]]),
    ("storage.checksum", &[TARGETS]),
    ("storage.sse", &[TARGETS]),
    ("storage.multipart.part_size", &[TARGETS]),
    ("storage.credentials", &[TARGETS, &["storage.credentials.*"]]),
    ("storage.credentials.*", &[TARGETS]),
    ("multi_endpoint", &[TARGETS]),
    ("multi_endpoint.endpoints.*", &[TARGETS]),
    ("timeouts.silence", &[INTERVAL]),
    ("timeouts.hung", &[INTERVAL]),
    ("timeouts.first_stats", &[INTERVAL]),
    ("timeouts.progress", &[INTERVAL]),
    ("distributed.agent_ready_timeout", &[INTERVAL]),
    // Whether agents work apart.
    ("distributed", &[TARGETS, DIRECTORIES]),
    ("distributed.tree_creation_mode", &[&["distributed.shared_filesystem"]]),
    ("distributed.path_template", &[TARGETS]),
    ("distributed.agents.*.path_template", &[TARGETS]),
    ("distributed.agents.*.id", &[&["distributed.agents.*.id"]]),
    ("distributed.agents.*.multi_endpoint.endpoints.*", &[TARGETS, DIRECTORIES]),
    ("prepare.ensure_objects.*.base_uri", &[TARGETS, &["prepare.ensure_objects.*.base_uri"]]),
    ("prepare.ensure_objects.*.count", &[&["prepare.directory_structure"]]),
    ("prepare.cleanup", &[SETS, WRITTEN]),
    ("prepare.cleanup_only", &[SETS, WRITTEN]),
    ("workload.*.op", &[TARGETS]),
    ("workload.*.weight", &[&["workload.*.weight"]]),
    ("workload.*.path", &[TARGETS, SETS, WRITTEN, PATHS]),
    ("workload.*.to", &[TARGETS, SETS, WRITTEN, PATHS]),
    ("workload.*.batch", &[TARGETS, SETS, PATHS, &["workload.*.batch"]]),
    ("workload.*.verify", &[TARGETS, SETS, WRITTEN, PATHS]),
    ("workload.*.range.*", &[TARGETS, SETS, PATHS, OBJECT_SIZE]),
    ("workload.*.block_size", &[TARGETS, SETS, PATHS, OBJECT_SIZE]),
    ("stages", &[&["stages.*.order"]]),
    ("stages.*.name", &[&["stages.*.name"]]),
    ("stages.*.type", &[SETS, WRITTEN]),
    ("distributed.stages", &[&["distributed.stages.*.order"]]),
    ("distributed.stages.*.name", &[&["distributed.stages.*.name"]]),
    ("distributed.stages.*.type", &[SETS, WRITTEN]),
];

/// A place, and the key beside it in the same section on which it depends.
const BESIDE: &[(&str, &str)] = &[
    ("error_handling.initial_retry_delay_ms", "max_retry_delay_ms"),
    ("prepare.ensure_objects.*.min_size", "max_size"),
    ("prepare.ensure_objects.*.max_size", "min_size"),
    ("prepare.ensure_objects.*.size_spec.min", "max"),
    ("workload.*.size_spec.min", "max"),
];

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
        // Another name for the key, which is what later checks call it.
        self.meant.push(path.renamed("size_distribution", "size_spec"));
    }

    /// These were not decoded.
    pub(super) fn omit(&mut self, paths: BTreeSet<Path>) {
        self.omitted = paths;
    }

    /// Whether one of these keys, something in one, or what one stands in is left out.
    pub(super) fn any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.meant.iter().any(|out| out.meets(key)))
    }

    /// Whether there is no value at `path` but a default, because what was meant to be there is left out.
    pub(super) fn is_default(&self, path: &Path) -> bool {
        // A list is shorter without an item.
        let item = |out: &Path| out.steps().last().is_some_and(|step| step.parse::<usize>().is_ok());
        self.meant
            .iter()
            .any(|out| path.starts_with(out) || (item(out) && out.parent().as_ref() == Some(path)))
    }

    /// Whether what seems to be wrong at `path` may be wrong only because something is left out.
    pub(super) fn explains(&self, path: &Path) -> bool {
        let depends = || DEPENDS.iter().filter(|(at, _)| path.is(at)).flat_map(|(_, on)| *on);
        let beside = || {
            BESIDE.iter().filter(|(at, _)| path.is(at)).filter_map(|(_, key)| Some(path.parent()?.child(key)))
        };
        self.is_default(path) || depends().any(|on| self.any(on)) || beside().any(|key| self.is_default(&key))
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
