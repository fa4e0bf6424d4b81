//! The reference and the examples say what the code does.

use super::good;
use crate::config::dialect;
use std::time::Duration;

pub(super) const QUICKSTART: &str = include_str!("../../../../docs/examples/quickstart.yaml");
pub(super) const DISTRIBUTED: &str = include_str!("../../../../docs/examples/distributed.yaml");
const REFERENCE: &str = include_str!("../../../../docs/CONFIG.md");

/// Every key that [`crate::config::file`] reads, from its fields.
fn keys() -> impl Iterator<Item = &'static str> {
    let files = [
        include_str!("../file.rs"),
        include_str!("../file/access.rs"),
        include_str!("../file/distributed.rs"),
        include_str!("../file/limits.rs"),
        include_str!("../file/prepare.rs"),
        include_str!("../file/stages.rs"),
        include_str!("../file/storage.rs"),
        include_str!("../file/workload.rs"),
        include_str!("../values.rs"),
    ];
    let fields = files.into_iter().flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("pub "));
    let names = fields.filter_map(|field| field.split_once(": ")).map(|(name, _)| name);
    names.map(|name| if name == "kind" { "type" } else { name }).chain(["size_distribution"])
}

#[test]
fn the_reference_names_every_key() {
    assert!(keys().count() > 70, "the fields of the files were not found");
    let missing = keys().chain(dialect::names()).filter(|key| !REFERENCE.contains(&format!("`{key}`")));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_example_in_the_reference_loads() {
    let blocks = REFERENCE.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap());
    assert!(blocks.map(|block| assert!(good(block).warnings.is_empty(), "{block}")).count() > 0);
}

#[test]
fn the_quickstart_takes_ten_seconds_and_32_mib() {
    let run = good(QUICKSTART);
    assert!(run.warnings.is_empty() && run.agents.is_empty());
    let plan = run.plan(0, 1);
    let stages = plan.stages.iter().map(|stage| (stage.name.as_str(), stage.kind.duration()));
    let expected = [("prepare", None), ("execute", Some(Duration::from_secs(8))), ("cleanup", None)];
    assert_eq!(stages.collect::<Vec<_>>(), expected);
    let prepared = plan.pools[..2].iter().map(|pool| pool.count as f64 * pool.sizes.mean()).sum::<f64>();
    assert!((30.0..34.0).contains(&(prepared / f64::from(1 << 20))), "{prepared}");
}

#[test]
fn the_distributed_example_has_three_agents() {
    let run = good(DISTRIBUTED);
    assert!(run.warnings.is_empty());
    let agents = run.agents.iter().map(|agent| (agent.address.as_str(), agent.target.path.as_str()));
    assert_eq!(
        agents.collect::<Vec<_>>(),
        [
            ("host1:7420", "/mnt/nvme/iobench/agent-host1"),
            ("host2:7420", "/mnt/nvme/iobench/agent-host2"),
            ("host3:7420", "/mnt/nvme/iobench/agent-host3"),
        ]
    );
}
