//! Keys that are known but not carried out: without effect anywhere, or not yet.
//!
//! Such a key is never silently ignored: the first kind is warned about, the second is an error, unless its value
//! asks for just what happens anyway.

use super::path::Path;
use super::problems::Problems;
use super::words::nearest;
use super::yaml::Node;

/// A key (`*` stands for every item of a list) and a sentence of help.
struct NoEffect(&'static str, &'static str);

/// A key, what to do instead, and whether a value asks only for what happens anyway.
struct NotYet(&'static str, &'static str, fn(&Node) -> bool);

const REMOVE: &str = "remove it";

const NO_EFFECT: &[NoEffect] = &[
    NoEffect("version", REMOVE),
    NoEffect("backend", "the scheme of `target` chooses the backend"),
    NoEffect("objects", "write `prepare.ensure_objects`"),
    NoEffect("data_size", "write `prepare.ensure_objects`"),
    NoEffect("record_count", "write `prepare.ensure_objects`"),
    NoEffect("perf_log.enabled", "perf_log.tsv is always written"),
    NoEffect("perf_log.interval_seconds", "write `interval`"),
    NoEffect("workload.*.use_multi_endpoint", REMOVE),
    NoEffect("prepare.ensure_objects.*.use_multi_endpoint", REMOVE),
    NoEffect("barrier_sync.timeout_seconds", "write `timeouts.progress`"),
    NoEffect("distributed.barrier_sync.timeout_seconds", "write `timeouts.progress`"),
    NoEffect("prepare.enabled", "the data set is prepared when one is described"),
    NoEffect("prepare.file_size", "sizes belong to `prepare.ensure_objects`"),
    NoEffect("prepare.fill", "it belongs to `prepare.ensure_objects`"),
    NoEffect("prepare.dedup_factor", REMOVE),
    NoEffect("prepare.compress_factor", REMOVE),
    NoEffect("cleanup", "write `prepare.cleanup`"),
    NoEffect("force_overwrite", "write `prepare.force_overwrite`"),
    NoEffect("processes", "one process uses all cores"),
    NoEffect("processing_mode", "one process uses all cores"),
    NoEffect("enable_metadata_cache", "names and sizes are computed; there is no cache"),
    NoEffect("prepare.enable_metadata_cache", "names and sizes are computed; there is no cache"),
    NoEffect("distributed.enable_metadata_cache", "names and sizes are computed; there is no cache"),
    NoEffect("cache_checkpoint_interval_secs", "names and sizes are computed; there is no cache"),
    NoEffect("kv_cache_dir", "names and sizes are computed; there is no cache"),
    NoEffect("distributed.kv_cache_dir", "names and sizes are computed; there is no cache"),
    NoEffect("distributed.agents.*.kv_cache_dir", "names and sizes are computed; there is no cache"),
    NoEffect("s3dlio_optimization", REMOVE),
    NoEffect("deployment", "start the agents yourself"),
    NoEffect("distributed.deployment", "start the agents yourself"),
    NoEffect("volumes", "start the agents yourself"),
    NoEffect("distributed.agents.*.volumes", "start the agents yourself"),
    NoEffect("stages.*.expected_objects", "progress knows the number of objects"),
];

const NOT_YET: &[NotYet] = &[
    NotYet("page_cache_mode", "remove it, or use `file.cache` or a `direct://` target", |v| {
        v.is("auto") || v.is("normal")
    }),
    NotYet("dynamic_put_pool", "remove it; reads use the objects that exist at the start", |v| v.is("false")),
    NotYet("op_log_path", "remove it; results go to the results directory", never),
    NotYet("perf_log.path", "remove it; perf_log.tsv goes to the results directory", never),
    NotYet("io_rate", "remove it: operations are issued as fast as `concurrency` allows", unlimited_rate),
    NotYet("range_engine.range_timeout_secs", "remove it; see `error_handling.operation_timeout`", never),
    NotYet(
        "error_handling.backoff_duration",
        "remove it; beyond `error_rate_threshold` the stage fails instead of pausing",
        never,
    ),
    NotYet("file.sqpoll", "remove it", |v| v.is("false")),
    NotYet("file.iopoll", "remove it", |v| v.is("false")),
    NotYet("file.pin", "remove it", |v| v.is("false")),
    NotYet(
        "prepare.prepare_strategy",
        "write `sequential` or remove it; sets are prepared one after another",
        |v| v.is("sequential"),
    ),
    NotYet("prepare.key_prefix_shards", "remove it", |v| v.is("0")),
    NotYet("prepare.ensure_objects.*.dedup_factor", "write 1 or remove it", is_one),
    NotYet(
        "prepare.ensure_objects.*.compress_factor",
        "write 1 or remove it; compressible data: `fill: zero`",
        is_one,
    ),
    NotYet("prepare.directory_structure.dir_mask", "remove it; directories are named `d1_w1.dir`", |v| {
        v.is("d%d_w%d.dir")
    }),
    NotYet("workload.*.dedup_factor", "write 1 or remove it", is_one),
    NotYet("workload.*.compress_factor", "write 1 or remove it", is_one),
    NotYet(
        "workload.*.delimiter",
        "write `/` or remove it; all keys directly below the path are listed",
        |v| v.is("/"),
    ),
    NotYet("workload.*.recursive", "remove this entry", |v| v.is("false")),
    NotYet("workload.*.mixed", "write a read and a write entry with weights", never),
    NotYet("distributed.path_selection", "write `random` or remove it", |v| v.is("random")),
    NotYet("distributed.partition_overlap", "remove it", never),
    NotYet("distributed.grpc_keepalive_interval", "remove it; `timeouts` watch over agents", never),
    NotYet("distributed.grpc_keepalive_timeout", "remove it; `timeouts` watch over agents", never),
    NotYet("distributed.ssh", "remove it and start the agents yourself", disabled),
    NotYet(
        "distributed.barrier_sync.enabled",
        "write `true` or remove it; a stage begins when all agents finished the one before",
        |v| v.is("true"),
    ),
    NotYet("distributed.barrier_sync.default_heartbeat_interval", "remove it; see `interval`", never),
    NotYet("distributed.barrier_sync.default_missed_threshold", "remove it; see `timeouts.progress`", never),
    NotYet("distributed.barrier_sync.default_query_timeout", "remove it; see `timeouts.ping`", never),
    NotYet("distributed.barrier_sync.default_query_retries", "remove it; see `timeouts.ping_tries`", never),
    NotYet("distributed.barrier_sync.validation", "remove it; see `timeouts`", never),
    NotYet("distributed.barrier_sync.prepare", "remove it; see `timeouts`", never),
    NotYet("distributed.barrier_sync.execute", "remove it; see `timeouts`", never),
    NotYet("distributed.barrier_sync.cleanup", "remove it; see `timeouts`", never),
    NotYet("distributed.agents.*.env", "set the variables where the agent is started", never),
    NotYet("distributed.agents.*.listen_port", "write the port into `address`", never),
    NotYet("stages.*.barrier", "remove it; all agents finish a stage before any begins the next", never),
    NotYet("stages.*.timeout_secs", "remove it; see `timeouts.progress`", never),
    NotYet("stages.*.optional", "remove it", |v| v.is("false")),
    NotYet("stages.*.command", "remove this stage", never),
    NotYet("stages.*.args", "remove this stage", never),
    NotYet("stages.*.max_duration", "write `duration`", never),
    NotYet("stages.*.expected_tasks", "remove it", never),
];

fn never(_: &Node) -> bool {
    false
}

fn is_one(value: &Node) -> bool {
    value.is("1")
}

fn disabled(section: &Node) -> bool {
    section.key("enabled").is_none_or(|enabled| enabled.is("false"))
}

fn unlimited_rate(section: &Node) -> bool {
    section.key("iops").is_some_and(|iops| iops.is("max") || iops.is("0"))
}

/// Sections of which every known key is in the tables above.
const TABLE_SECTIONS: &[&str] = &["barrier_sync", "distributed.barrier_sync"];

/// Takes the keys of both tables out of `root`, and says so.
pub(super) fn remove_known(root: &mut Node, problems: &mut Problems<'_>) {
    unfold_agents(root);
    for NoEffect(key, help) in NO_EFFECT {
        let found = find(root, key);
        let name = key.rsplit('.').next().unwrap_or(key);
        let others =
            if found.len() > 1 { format!(" ({} times in this file)", found.len()) } else { String::new() };
        if let Some(first) = found.first() {
            problems.warning(first.clone(), format!("`{name}` has no effect{others}"), *help);
        }
        found.iter().for_each(|path| remove(root, path));
    }
    for NotYet(key, help, harmless) in NOT_YET {
        for path in find(root, key) {
            if !root.get(&path).is_some_and(harmless) {
                let name = key.rsplit('.').next().unwrap_or(key);
                problems.key_error(path.clone(), format!("`{name}` is not supported by this version"), *help);
            }
            remove(root, &path);
        }
    }
    for section in TABLE_SECTIONS {
        close(root, problems, section);
    }
}

/// An agent may be written as its address alone.
fn unfold_agents(root: &mut Node) {
    let Some(Node::List(agents)) = get_mut(root, "distributed.agents".into()) else { return };
    for agent in agents.iter_mut().filter(|agent| matches!(agent, Node::Text(_))) {
        let address = std::mem::replace(agent, Node::Null);
        *agent = Node::Map(vec![("address".to_owned(), address)]);
    }
}

/// Whatever is left of a section that only the tables know is unknown; then the section itself goes.
fn close(root: &mut Node, problems: &mut Problems<'_>, section: &str) {
    let path = Path::from(section);
    let Some(value) = root.get(&path) else { return };
    let in_section = |key: &'static str| key.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'));
    let known =
        || NO_EFFECT.iter().map(|row| row.0).chain(NOT_YET.iter().map(|row| row.0)).filter_map(in_section);
    match value {
        Node::Map(entries) => {
            for (key, _) in entries {
                let help =
                    nearest(key, known()).map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                problems.key_error(path.child(key), format!("unknown key `{key}`"), help);
            }
        }
        _ => problems.error(path.clone(), "expected a section with keys", "remove it"),
    }
    remove(root, &path);
}

/// Every path in `root` that the key of a table stands for. Stages may be written in two places.
fn find(root: &Node, key: &str) -> Vec<Path> {
    let mut found = Vec::new();
    walk(root, &key.split('.').collect::<Vec<_>>(), Path::default(), &mut found);
    if key.starts_with("stages.") {
        let elsewhere = format!("distributed.{key}");
        walk(root, &elsewhere.split('.').collect::<Vec<_>>(), Path::default(), &mut found);
    }
    found
}

fn walk(node: &Node, steps: &[&str], path: Path, found: &mut Vec<Path>) {
    match (steps.split_first(), node) {
        (None, _) => found.push(path),
        (Some((&"*", rest)), Node::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, rest, path.child(index), found);
            }
        }
        (Some((step, rest)), Node::Map(_)) => {
            if let Some(value) = node.key(step) {
                walk(value, rest, path.child(step), found);
            }
        }
        _ => {}
    }
}

fn get_mut(root: &mut Node, path: Path) -> Option<&mut Node> {
    path.steps().iter().try_fold(root, |node, step| match node {
        Node::Map(entries) => entries.iter_mut().find(|(key, _)| key == step).map(|(_, value)| value),
        Node::List(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn remove(root: &mut Node, path: &Path) {
    let Some((last, parent)) = path.steps().last().zip(path.parent()) else { return };
    if let Some(Node::Map(entries)) = get_mut(root, parent) {
        entries.retain(|(key, _)| key != last);
    }
}

/// Every key of both tables without its `*`, for the test that the reference names them all.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let keys = NO_EFFECT.iter().map(|row| row.0).chain(NOT_YET.iter().map(|row| row.0));
    keys.filter_map(|key| key.rsplit('.').next())
}
