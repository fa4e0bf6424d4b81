//! What was measured: target and workload in a few words, from the configuration that the results carry.

use super::units::grouped;
use crate::results::{AgentResult, Results};
use iobench_core::config::{self, Run};
use iobench_core::message::AgentIndex;
use iobench_core::plan::{Detail, Entry, Naming, Pattern, Plan, Pool, Scheme, SizeSpec, StageKind};
use iobench_core::stats::Group;
use std::collections::BTreeSet;

/// What a run was about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subject {
    /// Where, how many at a time, and how, e.g. `file:///mnt/t, 32 in flight on each agent, 5s warm-up`.
    pub target: String,
    /// The mix of the timed stages, e.g. `70 % get small/, 30 % put new/ (64 KiB)`.
    pub workload: String,
    /// What was left where, because the run or an agent ended before its cleanup; empty where nothing was, or no
    /// cleanup was planned.
    pub left_behind: String,
    /// What stays where because no cleanup was planned; empty where nothing does.
    pub kept: String,
}

/// Reads it off the configuration; `None` when that cannot be read any more (kept by another version).
#[must_use]
pub fn subject(results: &Results) -> Option<Subject> {
    let run = config::load(&results.header.config, &[], "config.yaml").ok()?;
    let plan = run.plan(u32::MAX, results.header.seed);
    Some(Subject {
        target: target(&plan),
        workload: workload(&plan),
        left_behind: left_behind(&plan, results),
        kept: kept(&run, &plan, results),
    })
}

/// What stays where no cleanup is planned: what was there before the run, too, if it has such names.
fn kept(run: &Run, plan: &Plan, results: &Results) -> String {
    let forgets = matches!(plan.target.scheme, Scheme::Mem | Scheme::Null);
    if forgets || plan.stages.iter().any(|stage| matches!(stage.kind, StageKind::Cleanup { .. })) {
        return String::new();
    }
    let own_data = run.agents.iter().all(|agent| agent.share.count == 1);
    let agents = if own_data { run.agents.len().max(1) as u64 } else { 1 };
    let began =
        !results.outcome.starts.is_empty() || results.stages.iter().any(|stage| stage.timed.is_some());
    let set = |pool: &Pool| {
        let base = if pool.base.is_empty() { "the target itself" } else { pool.base.as_str() };
        let count = pool.count.saturating_mul(agents);
        let number = match pool.naming {
            Naming::Prepared | Naming::Deletable | Naming::Tree(_) => format!("{} ", grouped(count)),
            // What was put in the warm-up, by agents that failed or in operations that timed out is in no count.
            Naming::Put if began && pool.count == u64::MAX => String::new(),
            Naming::Put if began => format!("at most {} ", grouped(count)),
            Naming::Put | Naming::Single | Naming::Directory | Naming::Listed { .. } => return None,
        };
        let (smallest, largest) = pool.sizes.bounds();
        let each = match (smallest == largest, count) {
            (true, 1) => format!(" of {}", bytes(largest)),
            (true, _) => format!(" of {} each", bytes(largest)),
            (false, _) => String::new(),
        };
        let objects = if count == 1 { "object" } else { "objects" };
        Some(format!("{number}{objects}{each} in {base}"))
    };
    let sets: Vec<_> = plan.pools.iter().filter_map(set).collect();
    if sets.is_empty() { String::new() } else { format!("below {}: {}", plan.target, sets.join(", ")) }
}

fn left_behind(plan: &Plan, results: &Results) -> String {
    let cleanup = plan.stages.iter().position(|stage| matches!(stage.kind, StageKind::Cleanup { .. }));
    let Some(cleanup) = cleanup else { return String::new() };
    let agents = |of: fn(usize, usize) -> bool| -> BTreeSet<AgentIndex> {
        let stages = results.stages.iter().filter(|stage| of(stage.index as usize, cleanup));
        stages.flat_map(|stage| stage.agents.iter().map(|part| part.agent)).collect()
    };
    let (before, after) =
        (agents(|stage, cleanup| stage < cleanup), agents(|stage, cleanup| stage == cleanup));
    let left: Vec<_> = before.difference(&after).map(|agent| results.agent_id(*agent)).collect();
    match (left.len(), before.len()) {
        (0, _) => String::new(),
        (some, all) if some < all => {
            format!("what {} made is still below {}", left.join(", "), plan.target)
        }
        _ => format!("what the run made is still below {}", plan.target),
    }
}

/// The file systems and devices below the target, as the agents found them.
pub(super) fn storage(results: &Results) -> Option<String> {
    let one = |agent: &AgentResult| {
        let fact = |name| Some(&agent.capabilities.facts.iter().find(|(known, _)| known == name)?.1);
        let (kind, device, point) = (fact("filesystem")?, fact("device")?, fact("mounted at")?);
        Some(format!("{kind} on {device}, mounted at {point}"))
    };
    let found: BTreeSet<_> = results.agents.iter().filter_map(one).collect();
    match found.len() {
        0..=1 => found.into_iter().next(),
        several => Some(format!("{several} different ones; environment.json has each agent's")),
    }
}

fn target(plan: &Plan) -> String {
    let warmup = plan.stages.iter().find_map(|stage| match stage.kind {
        StageKind::Execute { warmup, .. } if !warmup.is_zero() => Some(format!(", warm-up {warmup:?}")),
        _ => None,
    });
    format!("{}, {} in flight on each agent{}", plan.target, plan.concurrency, warmup.unwrap_or_default())
}

fn workload(plan: &Plan) -> String {
    let stages = plan.stages.iter().filter_map(|stage| match &stage.kind {
        StageKind::Execute { entries, .. } => Some(mix(plan, entries)),
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => None,
    });
    stages.collect::<Vec<_>>().join("; ")
}

fn mix(plan: &Plan, entries: &[Entry]) -> String {
    let all: u64 = entries.iter().map(|entry| u64::from(entry.weight)).sum();
    let share = |entry: &Entry| match entries.len() {
        1 => String::new(),
        _ => format!("{:.0} % ", 100.0 * f64::from(entry.weight) / all.max(1) as f64),
    };
    let one = |entry: &Entry| format!("{}{}", share(entry), operation(plan, entry));
    entries.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn operation(plan: &Plan, entry: &Entry) -> String {
    let base = plan.pools.get(usize::from(entry.pool.0)).map_or("", |pool| pool.base.as_str());
    let pattern = match entry.pattern {
        Pattern::Sequential => "sequential".to_owned(),
        Pattern::Random => "random".to_owned(),
        Pattern::Zipf { theta } => format!("zipf {theta}"),
    };
    if !matches!(entry.operation.group(), Some(Group::Get | Group::Put)) {
        let detail = match entry.detail {
            Detail::Batch(count) => format!(" ({count} a request)"),
            _ => String::new(),
        };
        return format!("{} {base}{detail}", entry.operation.name()).trim_end().to_owned();
    }
    let detail = match entry.detail {
        Detail::IfAbsent => ", if absent",
        _ if entry.verify => ", verified",
        _ => "",
    };
    if let Detail::Range { offset, length } = entry.detail {
        let from = offset.map_or("random".to_owned(), bytes);
        return format!("get {base} ({} from {from} on, {pattern}{detail})", bytes(length));
    }
    let size = match (entry.block_size, plan.pools.get(usize::from(entry.pool.0)).map(|pool| &pool.sizes)) {
        (Some(block), _) => format!("{} {pattern}", bytes(block)),
        (None, Some(SizeSpec::Fixed(0)) | None) => pattern,
        (None, Some(sizes)) => match sizes.bounds() {
            (min, max) if min == max => format!("{} {pattern}", bytes(min)),
            (min, max) => format!("{} to {} {pattern}", bytes(min), bytes(max)),
        },
    };
    [entry.operation.name(), base, &format!("({size}{detail})")]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ")
}

/// A size in the largest binary unit that it is a whole number of.
fn bytes(size: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = units.iter().find(|(shift, _)| size >= 1 << shift && size.is_multiple_of(1 << shift));
    fits.map_or_else(|| format!("{size} B"), |(shift, unit)| format!("{} {unit}", size >> shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(yaml: &str) -> (String, String) {
        let plan = config::load(yaml, &[], "test").expect("the configuration is good").plan(0, 1);
        (target(&plan), workload(&plan))
    }

    #[test]
    fn a_mix_is_told_with_its_shares_sizes_and_orders() {
        let yaml = "target: file:///t\nduration: 5s\nwarmup_period: 2s\nconcurrency: 32\nprepare: {ensure_objects: [{base_uri: d/, count: 2, size: 1GiB}]}\n\
                    workload:\n  - {op: read, path: d/, block_size: 4KiB, weight: 3, pattern: {zipf: {theta: 0.9}}}\n  - {op: put, path: n/, object_size: 100}\n";
        let (target, workload) = described(yaml);
        assert_eq!(target, "file:///t, 32 in flight on each agent, warm-up 2s");
        assert_eq!(workload, "75 % read d/ (4 KiB zipf 0.9), 25 % put n/ (100 B sequential)");
    }
}
