//! The file as written → a [`Run`]: everything is checked here, once.
//!
//! All mistakes are collected; a value that is wrong is replaced by something harmless and checking goes on.

mod agents;
mod details;
mod paths;
mod pools;
mod sizes;
mod stages;
mod storage;
mod timeouts;
mod workload;

use agents::is_name;
pub use agents::{AgentEntry, addresses};

use super::file::{self, Config};
use super::path::Path;
use super::problems::Problems;
use super::source::Part;
use super::units::{Count, TimeSpan};
use super::yaml::Node;
use crate::plan::{ErrorPolicy, FileEngine, FileOptions, Fsync, Plan, Policy, Scheme, Share, Uri};
use pools::Pools;
use std::time::Duration;

const CONCURRENCY_MAX: u64 = 65_536;

/// Stands for a target that is missing, which has been reported.
const NOWHERE: Uri = Uri { scheme: Scheme::Null, path: String::new() };

/// What [`build`] makes of a file.
pub(super) struct Built {
    pub(super) name: String,
    pub(super) agents: Vec<AgentEntry>,
    pub(super) policy: Policy,
    pub(super) start_delay: Duration,
    /// What every agent does, at the common target.
    pub(super) plan: Plan,
}

/// Checks everything. `config` is completed with the defaults that depend on other values. The result means
/// something only if `problems` has no error.
pub(super) fn build(config: &mut Config, root: &Node, origin: &str, problems: &mut Problems<'_>) -> Built {
    let concurrency = concurrency(config.concurrency, "concurrency", problems);
    let configured = configured_target(config, problems);
    let agents = distribute(config, configured.as_ref(), concurrency, problems);
    let configured_scheme = configured.as_ref().map(|target| target.scheme);
    // Paths are checked against the common target, or without one against an agent's: relative paths fit all.
    let target = configured.or_else(|| agents.first().map(|agent| agent.target.clone())).unwrap_or(NOWHERE);
    let direct_uri =
        agents.iter().map(|agent| &agent.target).chain([&target]).any(|uri| uri.scheme == Scheme::Direct);
    let file = file_options(&config.file, target.scheme == Scheme::Direct, direct_uri, problems);
    let mut pools = Pools::described(&config.prepare, &target, problems);
    let mut schemes =
        agents.iter().map(|agent| agent.target.scheme).chain(configured_scheme).collect::<Vec<_>>();
    schemes.dedup();
    let storage = storage::options(config, &target, &schemes, problems);
    let around = workload::Around { target: &target, schemes: &schemes, direct: file.direct || direct_uri };
    let entries = workload::entries(&mut config.workload, &around, &mut pools, problems);
    let timeouts = timeouts::timeouts(config, root, problems);
    let stages = stages::Parts { config, pools: &pools, entries: &entries }.stages(problems);
    // The common target is where this host works; agents have theirs, which may be below it.
    let targets = agents.iter().map(|agent| &agent.target).chain(agents.is_empty().then_some(&target));
    storage::check_root(targets, &stages, &pools.all, config.prepare.yes_delete_everything, problems);
    complete(config);
    Built {
        name: name(config, origin, problems),
        policy: policy(config, problems),
        start_delay: config
            .distributed
            .as_ref()
            .and_then(|distributed| distributed.start_delay)
            .map_or(Duration::ZERO, |delay| delay.0),
        plan: Plan {
            name: config.name.clone().unwrap_or_default(),
            labels: config.labels.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect(),
            seed: config.seed.map_or(0, |seed| seed.0),
            target,
            concurrency,
            interval: config.interval.0,
            share: Share::WHOLE,
            pools: pools.all,
            stages,
            errors: error_policy(config, problems),
            file,
            storage,
            timeouts,
        },
        agents,
    }
}

/// Operations in flight, within what is possible.
fn concurrency(count: Count, at: impl Into<Path>, problems: &mut Problems<'_>) -> u32 {
    match u32::try_from(count.0) {
        Ok(number) if (1..=CONCURRENCY_MAX).contains(&count.0) => number,
        _ => {
            let message = format!("a concurrency of {count} is not possible");
            problems.error(at, message, format!("write 1 to {CONCURRENCY_MAX} operations in flight"));
            1
        }
    }
}

/// A target that this version can work on.
fn target(text: &str, at: impl Into<Path>, problems: &mut Problems<'_>) -> Option<Uri> {
    match text.parse::<Uri>() {
        Ok(uri) if uri.scheme.is_object_store() && uri.path.contains(['@', '?', '#']) => {
            // Not quoted: it may hold a secret.
            let help = "write `s3://bucket/prefix`; credentials belong in `storage.credentials`";
            problems.certain(Part::Value, at, "a target must not contain a user, password or query", help);
            None
        }
        Ok(uri) if uri.bucket().is_some_and(|bucket| bucket.name.is_empty()) => {
            let scheme = uri.scheme.name();
            let help = format!("write for example `{scheme}://bucket/prefix`");
            problems.certain(Part::Value, at, format!("`{uri}` names no bucket"), help);
            None
        }
        Ok(uri) if uri.path.contains('*') => {
            problems.certain(
                Part::Value,
                at,
                "a target cannot be a glob",
                "write the directory; globs belong to the `path` of workload entries",
            );
            None
        }
        Ok(uri) => Some(uri),
        Err(why) => {
            problems.certain(Part::Value, at, why.to_string(), "");
            None
        }
    }
}

/// The common target. It may be absent when every agent has its own.
fn configured_target(config: &Config, problems: &mut Problems<'_>) -> Option<Uri> {
    if let Some(text) = &config.target {
        return target(text, "target", problems);
    }
    let own = |distributed: &file::Distributed| {
        distributed.agents.iter().all(|agent| agent.target_override.is_some())
    };
    if !config.distributed.as_ref().is_some_and(own) {
        problems.missing(
            &["target", "distributed.agents.*.target_override"],
            "the key `target` is missing",
            "say where the data lies, as in `target: file:///mnt/data`",
        );
    }
    None
}

/// The agents of a distributed run, whose own defaults are completed.
fn distribute(
    config: &mut Config,
    target: Option<&Uri>,
    concurrency: u32,
    problems: &mut Problems<'_>,
) -> Vec<AgentEntry> {
    let Some(distributed) = &mut config.distributed else { return Vec::new() };
    distributed.start_delay.get_or_insert(TimeSpan(Duration::from_secs(2)));
    let (entries, written) = agents::entries(distributed, &agents::Common { target, concurrency }, problems);
    distributed.agents = written;
    entries
}

fn name(config: &mut Config, origin: &str, problems: &mut Problems<'_>) -> String {
    let name = config.name.get_or_insert_with(|| name_of(origin)).clone();
    if !is_name(&name) {
        let help = "use up to 64 letters, digits, `.`, `_` and `-`: it names the results directory";
        problems.error("name", format!("`{name}` cannot be the name of a run"), help);
    }
    name
}

/// A name from that of the file: `/etc/my bench.yaml` → `my-bench`.
fn name_of(origin: &str) -> String {
    let file = origin.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name = stem.trim_matches('.').chars().map(safe).take(64).collect::<String>();
    if is_name(&name) { name } else { "run".to_owned() }
}

fn policy(config: &Config, problems: &mut Problems<'_>) -> Policy {
    let alive = config.policy.min_alive;
    if !(0.0..=1.0).contains(&alive) {
        problems.error(
            "policy.min_alive",
            format!("{alive} is not a share of the agents"),
            "write 0 to 1, as in 0.5",
        );
    }
    let ppm = (alive.clamp(0.0, 1.0) * 1e6).round();
    Policy {
        #[expect(clippy::cast_sign_loss, reason = "between 0 and a million, as just clamped")]
        min_alive_ppm: ppm as u32,
        max_invalid_per_minute: number(
            config.policy.max_invalid_per_minute,
            0,
            "policy.max_invalid_per_minute",
            problems,
        ),
    }
}

/// A whole number from `min` on that fits.
fn number(count: Count, min: u32, at: &str, problems: &mut Problems<'_>) -> u32 {
    u32::try_from(count.0).ok().filter(|&number| number >= min).unwrap_or_else(|| {
        problems.error(at, format!("{count} is not possible here"), format!("write {min} to {}", u32::MAX));
        min
    })
}

fn error_policy(config: &Config, problems: &mut Problems<'_>) -> ErrorPolicy {
    let file = &config.error_handling;
    let mut check = |key: &str, fine: bool, help: &str| {
        if !fine {
            problems.error(
                format!("error_handling.{key}"),
                format!("this value of `{key}` is not possible"),
                help,
            );
        }
    };
    check(
        "error_rate_threshold",
        file.error_rate_threshold > 0.0,
        "write a number of errors per second above 0",
    );
    check("error_rate_window", !file.error_rate_window.0.is_zero(), "write a duration above 0");
    check(
        "retry_backoff_multiplier",
        (1.0..=1000.0).contains(&file.retry_backoff_multiplier),
        "write 1 to 1000",
    );
    check("retry_jitter_factor", (0.0..=1.0).contains(&file.retry_jitter_factor), "write 0 to 1");
    check("operation_timeout", !file.operation_timeout.0.is_zero(), "write a duration above 0");
    let in_order = file.initial_retry_delay_ms <= file.max_retry_delay_ms;
    check("initial_retry_delay_ms", in_order, "it is more than `max_retry_delay_ms`");
    let retries = number(file.max_retries, 0, "error_handling.max_retries", problems);
    ErrorPolicy {
        max_total_errors: file.max_total_errors.0,
        error_rate_threshold: file.error_rate_threshold,
        error_rate_window: file.error_rate_window.0,
        max_retries: if file.retry_on_error { retries } else { 0 },
        initial_retry_delay: Duration::from_millis(file.initial_retry_delay_ms.0),
        max_retry_delay: Duration::from_millis(file.max_retry_delay_ms.0),
        retry_backoff_multiplier: file.retry_backoff_multiplier,
        retry_jitter_factor: file.retry_jitter_factor,
        operation_timeout: file.operation_timeout.0,
    }
}

/// `by_scheme`: whether the common target bypasses the page cache; `somewhere`: whether any agent's does.
fn file_options(
    file: &file::FileAccess,
    by_scheme: bool,
    somewhere: bool,
    problems: &mut Problems<'_>,
) -> FileOptions {
    if somewhere && file.direct == Some(false) {
        let help = "write a `file://` target, or remove `direct`";
        problems.error("file.direct", "this contradicts the `direct://` target", help);
    }
    FileOptions {
        engine: match file.engine {
            file::Engine::Auto => FileEngine::Auto,
            file::Engine::Uring => FileEngine::Uring,
            file::Engine::Posix => FileEngine::Posix,
        },
        threads: file.threads.map(|threads| concurrency(threads, "file.threads", problems)),
        direct: by_scheme || file.direct == Some(true),
        fsync: match file.fsync {
            file::Fsync::Never => Fsync::Never,
            file::Fsync::Each => Fsync::Each,
            file::Fsync::End => Fsync::End,
        },
        rename: file.put == file::Put::Rename,
        drop_cache: file.cache == file::Cache::Drop,
        registered: file.registered,
    }
}

/// Writes down a default that depends on what else is written, and leaves out what adds nothing.
fn complete(config: &mut Config) {
    let elsewhere = config.distributed.as_mut().map(|distributed| &mut distributed.stages);
    for stages in elsewhere.into_iter().chain([&mut config.stages]) {
        stages.retain(|stage| stage.kind != file::StageKind::Validation);
    }
    for entry in &mut config.prepare.ensure_objects {
        let given = [entry.min_size, entry.max_size, entry.size].iter().any(Option::is_some)
            || entry.size_spec.is_some();
        if !given {
            entry.size = Some(pools::DEFAULT_SIZE);
        }
    }
}
