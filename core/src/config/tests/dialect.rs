//! Files of the other tool: they run as they are, or are refused with the line and the reason.

use super::{bad, good, with, working, wrong};
use crate::plan::{Naming, Share, StageKind};
use std::time::Duration;

pub(super) const THEIRS: &str = r#"
# Written for sai3-bench.
version: 1
target: "file:///mnt/test/bench/"
duration: 30s
concurrency: 8
warmup_period: 5s
processes: 4

perf_log:
  enabled: true
  interval: 2s

error_handling:
  max_total_errors: 1000
  error_rate_threshold: 50.0
  error_rate_window: 5.0
  retry_on_error: true
  max_retries: 2
  initial_retry_delay_ms: 50

s3dlio_optimization:
  enable_range_downloads: true
  range_threshold_mb: 64

prepare:
  prepare_strategy: sequential
  skip_verification: false
  ensure_objects:
    - base_uri: "file:///mnt/test/bench/data/"
      count: 10_000
      size_distribution:
        type: lognormal
        mean: 1048576
        std_dev: 524288
        min: 1024
        max: 10485760
      fill: prand
      dedup_factor: 1
      compress_factor: 1
      use_multi_endpoint: false
  cleanup: true
  cleanup_mode: tolerant
  post_prepare_delay: 2

workload:
  - op: get
    path: "data/prepared-*.dat"
    weight: 60
    use_multi_endpoint: false
  - op: put
    path: "new/"
    object_size: 1048576
    dedup_factor: 1
    weight: 20
  - op: stat
    path: "data/*"
    weight: 10
  - op: delete
    path: "data/*"
    weight: 5
    concurrency: 2
  - op: list
    path: "data/"
    weight: 5

distributed:
  shared_filesystem: true
  tree_creation_mode: concurrent
  path_selection: random
  start_delay: 3
  agent_ready_timeout: 120
  barrier_sync:
    enabled: true
  agents:
    - address: "127.0.0.1:7761"
      id: "agent-1"
      volumes: ["/mnt:/mnt"]
    - address: "127.0.0.1:7762"
      id: "agent-2"
      concurrency_override: 16
      volumes: ["/mnt:/mnt"]
  stages:
    - {name: preflight, order: 1, type: validation, completion: validation_passed}
    - {name: fill, order: 2, type: prepare, completion: tasks_done, expected_objects: 10000}
    - {name: epoch-1, order: 3, type: execute, completion: duration, duration: 20s}
    - {name: epoch-2, order: 4, type: execute, completion: duration, duration: 10s}
    - {name: tidy, order: 5, type: cleanup, completion: tasks_done}
"#;

#[test]
fn a_file_of_theirs_runs_with_one_warning_for_each_key_without_effect() {
    let run = good(THEIRS);
    let warnings = run.warnings.iter().map(|one| one.message.as_str()).collect::<Vec<_>>();
    assert_eq!(
        warnings,
        [
            "`version` has no effect",
            "`enabled` has no effect",
            "`use_multi_endpoint` has no effect",
            "`use_multi_endpoint` has no effect",
            "`processes` has no effect",
            "`s3dlio_optimization` has no effect",
            "`volumes` has no effect (2 times in this file)",
            "`expected_objects` has no effect",
            "a validation stage has no effect",
        ]
    );
    let plan = run.plan(1, 7);
    assert_eq!((plan.concurrency, plan.share), (16, Share { index: 1, count: 2 }));
    assert_eq!((plan.interval, plan.timeouts.progress), (Duration::from_secs(2), Duration::from_secs(120)));
    assert_eq!((plan.errors.max_retries, plan.errors.error_rate_window), (2, Duration::from_secs(5)));
    let naming = plan.pools.iter().map(|pool| (pool.base.as_str(), &pool.naming)).collect::<Vec<_>>();
    assert_eq!(naming, [("data/", &Naming::Prepared), ("new/", &Naming::Put), ("data/", &Naming::Deletable)]);
    let stages = plan.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>();
    assert_eq!(stages, ["fill", "epoch-1", "epoch-2", "tidy"]);
    let StageKind::Execute { duration, warmup, entries } = &plan.stages[2].kind else { panic!() };
    assert_eq!((duration.as_secs(), warmup.as_secs(), entries.len()), (10, 5, 5));
}

#[test]
fn a_known_key_that_is_not_carried_out_yet_is_told_from_an_unknown_one() {
    let expected = "\
error: `io_rate` is not supported by this version
 --> bench.yaml:7:1
  |
7 | io_rate: {iops: 1000}
  | ^^^^^^^
  |
  = help: remove it: operations are issued as fast as `concurrency` allows";
    assert_eq!(bad(&with("io_rate: {iops: 1000}")).to_string(), expected);
    for key in [
        "page_cache_mode: random",
        "dynamic_put_pool: true",
        "op_log_path: /tmp/x",
        "range_engine: {range_timeout_secs: 5}",
        "error_handling: {backoff_duration: 5s}",
        "file: {sqpoll: true}",
        "distributed: {agents: [a], path_selection: exclusive}",
        "distributed: {agents: [a], ssh: {enabled: true}}",
        "distributed: {agents: [{address: a, env: {A: b}}]}",
        "distributed: {agents: [a], grpc_keepalive_interval: 30}",
        "distributed: {agents: [a], barrier_sync: {enabled: false}}",
        "stages: [{type: execute, optional: true}]",
        "distributed: {agents: [a], stages: [{type: execute, timeout_secs: 5}]}",
    ] {
        let found = wrong(&with(key));
        assert!(
            found.len() == 1 && found[0].ends_with("is not supported by this version"),
            "{key}: {found:?}"
        );
    }
    for entry in ["dedup_factor: 2", "delimiter: '-'", "recursive: true"] {
        let found = wrong(&working(&[&format!("op: get, path: data/, {entry}")]));
        assert!(
            found.len() == 1 && found[0].ends_with("is not supported by this version"),
            "{entry}: {found:?}"
        );
    }
    assert!(
        wrong(&with("").replace("prepare:", "prepare:\n  prepare_strategy: parallel"))[0]
            .contains("not supported")
    );
    assert!(
        wrong(&with("").replace("prepare:", "prepare:\n  cleanup_mode: best_effort"))[0]
            .contains("not supported")
    );
}

#[test]
fn asking_for_what_happens_anyway_is_fine() {
    for key in [
        "page_cache_mode: auto",
        "dynamic_put_pool: false",
        "io_rate: {iops: max}",
        "io_rate: {iops: 0}",
        "range_engine: {enabled: false, chunk_size: 5}",
        "file: {sqpoll: false}",
        "stages: [{type: prepare, optional: false}]",
        "distributed: {agents: [a], path_selection: random, ssh: {enabled: false}, tree_creation_mode: coordinator}",
    ] {
        assert!(good(&with(key)).warnings.is_empty(), "{key}");
    }
}

#[test]
fn sections_of_theirs_are_strict_too() {
    assert_eq!(wrong(&with("perf_log: {interval: 1s, pth: x}")), ["7:26 unknown key `pth`"]);
    assert_eq!(wrong(&with("perf_log: {path: x}")), ["7:12 `path` is not supported by this version"]);
    assert_eq!(wrong(&with("barrier_sync: 5")), ["7:15 expected a section with keys"]);
    assert_eq!(
        wrong(&with("distributed: {agents: [a], barrier_sync: {enable: true}}")),
        ["7:43 unknown key `enable`"]
    );
    assert_eq!(wrong(&with("perf_log: {interval: 1h}")), ["7:22 an interval of 1h is not possible"]);
    let both = "interval: 1s\nperf_log: {interval: 2s}";
    assert_eq!(wrong(&with(both)), ["8:12 this is another name for `interval`, which is given too"]);
    let ready = "timeouts: {progress: 1m}\ndistributed: {agents: [a], agent_ready_timeout: 120}";
    assert_eq!(
        wrong(&with(ready)),
        ["8:28 this is another name for `timeouts.progress`, which is given too"]
    );
    let stages = "stages: [{type: prepare}]\ndistributed: {agents: [a], stages: [{type: prepare}]}";
    assert_eq!(wrong(&with(stages)), ["8:28 the stages are listed here and at the top"]);
}
