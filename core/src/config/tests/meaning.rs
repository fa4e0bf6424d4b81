//! What a file means: pools, entries, stages, and what cannot be meant.

use super::{GOOD, bad, good, with, working, wrong};
use crate::plan::*;
use crate::stats::Operation;
use std::time::Duration;

fn plan(yaml: &str) -> Plan {
    good(yaml).plan(0, 1)
}

fn entries(plan: &Plan) -> &[Entry] {
    let execute = plan.stages.iter().find_map(|stage| match &stage.kind {
        StageKind::Execute { entries, .. } => Some(entries),
        _ => None,
    });
    execute.unwrap()
}

/// Base, naming and count of the pool that each entry works on.
fn pools(yaml: &str) -> Vec<(String, Naming, u64)> {
    let plan = plan(yaml);
    let pool = |entry: &Entry| &plan.pools[usize::from(entry.pool.0)];
    entries(&plan).iter().map(pool).map(|pool| (pool.base.clone(), pool.naming.clone(), pool.count)).collect()
}

fn stage_names(yaml: &str) -> Vec<String> {
    plan(yaml).stages.into_iter().map(|stage| stage.name).collect()
}

#[test]
fn the_smallest_file_gets_every_default() {
    let plan = plan("target: file:///tmp/x\nworkload: [{op: get, path: data/}]");
    assert_eq!((plan.concurrency, plan.interval, plan.share), (16, Duration::from_secs(1), Share::WHOLE));
    assert_eq!((plan.errors, plan.timeouts), (ErrorPolicy::default(), Timeouts::default()));
    assert_eq!(plan.file, FileOptions { registered: true, ..FileOptions::default() });
    let [Stage { kind: StageKind::Execute { duration, warmup, .. }, .. }] = &*plan.stages else { panic!() };
    assert_eq!((*duration, *warmup), (Duration::from_secs(60), Duration::ZERO));
    let run = good(GOOD);
    assert_eq!(
        (run.policy, run.start_delay, run.seed, run.agents.len()),
        (Policy::default(), Duration::ZERO, None, 0)
    );
    assert_eq!(run.outline(), run.plan(0, 1).outline());
}

#[test]
fn a_path_means_the_prepared_objects_it_covers() {
    for path in [
        "data/",
        "data",
        "/data/",
        "data/*",
        "data/**",
        "data/prepared-*.dat",
        "*/*",
        "/",
        "",
        "**",
        "file:///tmp/x/data/",
    ] {
        let pools = pools(&working(&[&format!("op: get, path: '{path}'")]));
        assert_eq!(pools, [("data/".to_owned(), Naming::Prepared, 10)], "{path}");
    }
}

#[test]
fn a_path_to_nothing_prepared_means_what_exists() {
    let listed = |glob: &str| Naming::Listed { glob: glob.to_owned() };
    for (entry, base, naming) in [
        ("op: get, path: other/", "other/", listed("other/**")),
        ("op: get, path: 'other/a*/*.bin'", "other/", listed("other/a*/*.bin")),
        ("op: get, path: 'database/*'", "database/", listed("database/*")),
        ("op: delete, path: 'data/obj_*'", "data/", listed("data/obj_*")),
        ("op: get, path: other/file.bin", "other/", listed("other/file.bin")),
        ("op: read, path: images/", "images/", listed("images/**")),
        ("op: read, path: big.img", "big.img", Naming::Single),
        ("op: list, path: other", "other/", Naming::Directory),
    ] {
        let found = pools(&working(&[entry]));
        assert_eq!((found[0].0.as_str(), &found[0].1), (base, &naming), "{entry}");
    }
    let device = plan("target: direct:///dev/nvme0n1\nworkload: [{op: read}]");
    assert_eq!(
        (device.pools[0].base.as_str(), &device.pools[0].naming, device.pools[0].count),
        ("", &Naming::Single, 1)
    );
}

#[test]
fn a_path_to_a_part_of_a_set_or_to_several_is_refused() {
    let get = |path: &str| working(&[&format!("op: get, path: '{path}'")]);
    assert_eq!(pools(&get("data/prepared-0000*.dat"))[0].1, Naming::Prepared);
    for path in ["data/prepared-00000003.dat", "data/*7.dat", "data/prepared-9*"] {
        let expected = format!("6:21 `{path}` covers only a part of the objects in `data/`");
        assert_eq!(wrong(&get(path)), [expected], "{path}");
    }
    let two = |path: &str| get(path).replace("workload", "    - {base_uri: data/more/, count: 5}\nworkload");
    assert_eq!(wrong(&two("**")), ["7:21 `**` covers objects of several sets: `data/`, `data/more/`"]);
    assert_eq!(pools(&two("data/"))[0].0, "data/");
    assert_eq!(pools(&two("data/*"))[0].0, "data/");
    assert_eq!(pools(&two("data/more/*"))[0].0, "data/more/");
    let one = get("data/prepared-00000000.dat").replace("count: 10", "count: 1");
    assert_eq!(pools(&one)[0].1, Naming::Prepared);
}

#[test]
fn delete_never_takes_what_is_read() {
    let mixed = working(&["op: get, path: data/", "op: delete, path: data/", "op: delete, path: 'data/*'"]);
    let naming = pools(&mixed).into_iter().map(|(_, naming, count)| (naming, count)).collect::<Vec<_>>();
    assert_eq!(naming, [(Naming::Prepared, 10), (Naming::Deletable, 10), (Naming::Deletable, 10)]);
    let plan = plan(&mixed);
    let StageKind::Prepare { pools: prepared, .. } = &plan.stages[0].kind else { panic!() };
    assert_eq!(prepared, &[PoolId(0), PoolId(1)]);

    assert_eq!(pools(&working(&["op: list, path: data/", "op: delete, path: data/"]))[1].1, Naming::Prepared);
    let existing = working(&["op: get, path: 'old/*'", "op: delete, path: 'old/*'"]);
    assert_eq!(wrong(&existing), ["7:24 `old/*` would delete what another entry of the workload reads"]);
}

#[test]
fn put_makes_objects_of_its_own() {
    let put = "op: put, path: new/, object_size: 4KiB";
    let plan = plan(&working(&[put, &format!("{put}, weight: 2"), "op: list, path: new/"]));
    assert_eq!(plan.pools.len(), 3, "the list looks at the directory, whoever fills it");
    assert_eq!((&plan.pools[1].naming, plan.pools[1].count), (&Naming::Put, u64::MAX));
    assert_eq!((entries(&plan)[0].pool, entries(&plan)[1].pool), (PoolId(1), PoolId(1)));
    assert_eq!(pools(&working(&[&format!("{put}, count: 100")]))[0].2, 100);
    let two = working(&[put, "op: put, path: new, object_size: 8KiB"]);
    assert_eq!(
        wrong(&two),
        ["7:21 two `put` entries at the same place would overwrite each other's objects"]
    );
    assert_eq!(wrong(&working(&["op: put, path: new/"])), ["6:5 `put` needs the size of its objects"]);
    assert_eq!(
        wrong(&working(&["op: put, path: 'new/*', object_size: 1"])),
        ["6:21 `put` names its objects itself"]
    );
}

#[test]
fn a_tree_has_as_many_files_as_its_shape_says() {
    let tree = |levels: &str, count: &str, path: &str| {
        format!(
            "target: file:///tmp/x\nprepare:\n  directory_structure: {{width: 4, depth: 3, files_per_dir: 10, distribution: {levels}}}\n  ensure_objects: [{{base_uri: tree/, size: 1KiB{count}}}]\nworkload: [{{op: get, path: '{path}'}}]"
        )
    };
    for path in ["tree/", "/", "tree/**", "tree/d*_w*.dir/**/*", "**/file_*.dat"] {
        assert_eq!(pools(&tree("bottom", "", path))[0].2, 640, "{path}");
    }
    assert_eq!(pools(&tree("all", ", count: 0", "tree/"))[0].2, 840);
    assert_eq!(pools(&tree("all", ", count: 840", "tree/"))[0].2, 840);
    assert_eq!(wrong(&tree("all", ", count: 5", "tree/")), ["4:57 the tree has 840 files, not 5"]);
    assert_eq!(
        wrong(&tree("all", "", "tree/*/*")),
        ["5:28 `tree/*/*` covers only a part of the objects in `tree/`"]
    );
    let huge = tree("all", "", "tree/").replace("width: 4, depth: 3", "width: 1000000, depth: 32");
    assert_eq!(wrong(&huge), ["3:24 the tree has more files than any storage can hold"]);
    assert_eq!(
        wrong(&tree("bottom", "", "/").replace("width: 4", "width: 0")),
        ["3:32 `width` is 0; it must be from 1 to 1000000"]
    );
}

#[test]
fn sizes_can_be_written_in_several_ways_but_only_one_at_a_time() {
    let sizes = |written: &str| {
        let yaml = GOOD.replace("size: 64KiB", written);
        plan(&yaml).pools[0].sizes.clone()
    };
    assert_eq!(sizes("size: 4096"), SizeSpec::Fixed(4096));
    assert_eq!(sizes("fill: zero"), SizeSpec::Fixed(1 << 20));
    assert_eq!(sizes("min_size: 1KiB, max_size: 2KB"), SizeSpec::Uniform { min: 1024, max: 2000 });
    assert_eq!(sizes("min_size: 1KiB, max_size: 1024"), SizeSpec::Fixed(1024));
    assert_eq!(sizes("size_spec: 1.5KiB"), SizeSpec::Fixed(1536));
    assert_eq!(sizes("size_distribution: {type: fixed, size: 7}"), SizeSpec::Fixed(7));
    assert_eq!(sizes("size_spec: {type: uniform, min: 1, max: 9}"), SizeSpec::Uniform { min: 1, max: 9 });
    let lognormal = SizeSpec::Lognormal { mean: 1024.0, std_dev: 512.0, min: 1, max: 6144 };
    assert_eq!(sizes("size_spec: {type: lognormal, mean: 1KiB, std_dev: 512}"), lognormal);

    let refused = |written: &str| wrong(&GOOD.replace("size: 64KiB", written));
    for (written, expected) in [
        ("min_size: 2KiB, max_size: 1KiB", "4:46 `min_size` is 2KiB, which is more than `max_size`: 1KiB"),
        ("min_size: 2KiB", "4:46 `min_size` without `max_size`"),
        ("max_size: 2KiB", "4:46 `max_size` without `min_size`"),
        ("size: 1, size_spec: 2", "4:7 the size is given in more than one way"),
        (
            "size_spec: 1, size_distribution: 2",
            "4:7 `size_spec` is given twice, under two of its names; keep one",
        ),
        ("size_spec: {type: uniform, min: 9, max: 1}", "4:68 `min` is 9, which is more than `max`: 1"),
        ("size_spec: {type: uniform, min: 9}", "4:47 `type: uniform` needs `max`"),
        (
            "size_spec: {type: uniform, min: 1, max: 9, mean: 5}",
            "4:79 `mean` has no meaning with `type: uniform`",
        ),
        (
            "size_spec: {type: lognormal, mean: 0, std_dev: 1}",
            "4:71 `mean` of a lognormal distribution must be above 0",
        ),
        ("size_spec: {type: lognorml, mean: 0}", "4:54 unknown value `lognorml`"),
        ("size_spec: {min: 0}", "4:47 the key `type` is missing here"),
        (
            "size_spec: [1]",
            "4:47 expected a size such as `4KiB`, or a section with `type` and its keys, found a list",
        ),
        (
            "size: 10EiB",
            "4:42 `10EiB` is not a size such as `4096`, `4KiB`, `4KB` or `1MiB`: unknown unit `EiB`; known are B KiB KB MiB MB GiB GB TiB TB",
        ),
        ("size: 9000PiB", "4:7 the size is larger than any file"),
    ] {
        assert_eq!(refused(written), [expected], "{written}");
    }
}

#[test]
fn block_access_is_checked_against_what_is_there() {
    let block = |entry: &str| wrong(&working(&[&format!("op: read, path: data/, {entry}")]));
    assert_eq!(block("block_size: 0"), ["6:41 a block has at least 1 byte"]);
    assert_eq!(block("block_size: 65KiB"), ["6:41 a block of 65KiB does not fit into objects of 64KiB"]);
    let yaml = working(&["op: read, path: data/", "op: write, path: data/, block_size: 1000"]);
    assert_eq!(entries(&plan(&yaml))[0].block_size, Some(4096));
    let direct = "direct access needs blocks in multiples of 512 bytes, not 1000";
    assert_eq!(wrong(&yaml.replace("file:", "direct:")), [format!("7:42 {direct}")]);
    assert_eq!(wrong(&(yaml.clone() + "file: {direct: true}\n")), [format!("7:42 {direct}")]);
    let contradiction = yaml.replace("file:", "direct:").replace("1000", "1KiB") + "file: {direct: false}\n";
    assert_eq!(wrong(&contradiction), ["8:16 this contradicts the `direct://` target"]);
    let many = yaml.replace("count: 10", "count: 5000");
    assert_eq!(wrong(&many), ["6:5 read and write keep their files open, and 5000 are more than 4096"]);
    assert_eq!(entries(&plan(&yaml.replace("count: 10", "count: 4096"))).len(), 2);
}

#[test]
fn a_key_belongs_to_its_operation() {
    for (entry, expected) in [
        ("op: get, path: data/, block_size: 1", "6:28 `block_size` belongs to read and write"),
        ("op: get, path: data/, object_size: 1", "6:28 `object_size` belongs to put"),
        ("op: stat, path: data/, page_size: 1", "6:29 `page_size` belongs to list"),
        (
            "op: delete, path: data/, pattern: random",
            "6:31 `pattern` belongs to get, stat, list, copy, read and write",
        ),
        ("op: list, path: data/, page_size: 0", "6:40 a page of 0 keys is not possible"),
        ("op: get, path: data/, concurrency: 0", "6:41 a concurrency of 0 is not possible"),
        ("op: get, path: data/, weight: 5000000000", "6:36 the weight 5000000000 is too large"),
        (
            "op: get, path: ../x",
            "6:21 `../x` cannot be used: it contains `.` or `..`; write the path without them",
        ),
        ("op: mkdir, path: x", "6:10 this operation is not supported by this version"),
    ] {
        assert_eq!(wrong(&working(&[entry])), [expected], "{entry}");
    }
}

#[test]
fn stages_follow_from_what_is_configured() {
    assert_eq!(stage_names(GOOD), ["prepare", "execute"]);
    assert_eq!(
        stage_names(&GOOD.replace("prepare:", "prepare:\n  cleanup: true")),
        ["prepare", "execute", "cleanup"]
    );
    assert_eq!(stage_names(&GOOD.replace("prepare:", "prepare:\n  cleanup_only: true")), ["cleanup"]);
    assert_eq!(stage_names("target: null://\nworkload: [{op: get}]"), ["execute"]);
    assert_eq!(stage_names("target: null://\nprepare: {ensure_objects: [{count: 1}]}"), ["prepare"]);
    let cleanup = plan(
        &working(&["op: put, path: new/, object_size: 1"])
            .replace("prepare:", "prepare:\n  cleanup: true\n  cleanup_mode: strict"),
    );
    assert_eq!(
        cleanup.stages[2].kind,
        StageKind::Cleanup { pools: vec![PoolId(0), PoolId(1)], tolerant: false }
    );
}

#[test]
fn listed_stages_run_in_their_order() {
    let stages = "stages:\n  - {type: cleanup, order: 9}\n  - {type: execute, order: 3, duration: 5s}\n  - {type: execute, order: 4, name: again}\n  - {type: prepare, order: 1, completion: tasks_done}";
    let plan = plan(&with(stages));
    let outline = plan.outline();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let found = outline.stages.iter().map(|stage| (stage.name.as_str(), stage.timed)).collect::<Vec<_>>();
    assert_eq!(
        found,
        [("prepare", None), ("execute", seconds(5)), ("again", seconds(60)), ("cleanup", None)]
    );
    assert_eq!(stage_names(&with("stages: [{type: execute}, {type: execute}]")), ["execute", "execute-2"]);
    for (stages, expected) in [
        (
            "stages: [{type: execute, order: 1}, {type: prepare, order: 1}]",
            "7:60 two stages have the order 1",
        ),
        (
            "stages: [{type: execute, order: 1}, {type: prepare}]",
            "7:9 some stages have an `order` and some have none",
        ),
        ("stages: [{type: execute, name: a}, {type: prepare, name: a}]", "7:58 two stages are called `a`"),
        ("stages: [{type: execute, name: a/b}]", "7:32 `a/b` cannot be a stage's name"),
        ("stages: [{type: execute, duration: 0}]", "7:36 a workload needs a duration above 0"),
        ("stages: [{type: prepare, duration: 5}]", "7:26 only `type: execute` has a duration"),
        (
            "stages: [{type: execute, completion: duration_or_tasks}]",
            "7:38 this is not supported by this version for this type of stage",
        ),
        ("stages: [{type: custom}]", "7:17 this type of stage is not supported by this version"),
        ("stages: [{name: x}]", "7:10 the key `type` is missing here"),
    ] {
        assert_eq!(wrong(&with(stages)), [expected], "{stages}");
    }
    let nothing = "target: null://\nstages: [{type: prepare}, {type: execute}, {type: cleanup}]";
    let expected = [
        "2:17 there is nothing to prepare",
        "2:34 there is nothing to execute",
        "2:51 there is nothing to clean up",
    ];
    assert_eq!(wrong(nothing), expected);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (line, expected) in [
        ("concurrency: 0", "7:14 a concurrency of 0 is not possible"),
        ("concurrency: 65537", "7:14 a concurrency of 65537 is not possible"),
        ("duration: 0", "7:11 a workload needs a duration above 0"),
        ("interval: 50ms", "7:11 an interval of 50ms is not possible"),
        ("interval: 11s", "7:11 an interval of 11s is not possible"),
        ("timeouts: {silence: 2s}", "7:21 `silence` must be at least three intervals, 3s"),
        ("timeouts: {hung: 1s}", "7:18 `hung` must be at least three intervals, 3s"),
        ("timeouts: {first_stats: 1s}", "7:25 `first_stats` must be at least two intervals, 2s"),
        ("timeouts: {progress: 1s}", "7:22 `progress` must be at least two intervals, 2s"),
        ("timeouts: {first_stats: 0}", "7:25 a deadline of 0 can never be met"),
        ("timeouts: {lease: 0}", "7:19 a deadline of 0 can never be met"),
        (
            "timeouts: {lease: 999ms}",
            "7:19 a lease of 999ms would end healthy runs: any host stands still for so long now and then",
        ),
        ("timeouts: {ping_tries: 0}", "7:24 0 is not possible here"),
        ("policy: {min_alive: 1.5}", "7:21 1.5 is not a share of the agents"),
        ("policy: {min_alive: .nan}", "7:21 NaN is not a share of the agents"),
        (
            "error_handling: {error_rate_threshold: 0}",
            "7:40 this value of `error_rate_threshold` is not possible",
        ),
        (
            "error_handling: {retry_jitter_factor: 2}",
            "7:39 this value of `retry_jitter_factor` is not possible",
        ),
        (
            "error_handling: {max_retry_delay_ms: 5}",
            "7:1 this value of `initial_retry_delay_ms` is not possible",
        ),
        ("file: {threads: 0}", "7:17 a concurrency of 0 is not possible"),
        ("name: ../x", "7:7 `../x` cannot be the name of a run"),
        ("prepare: {}", "7:1 the key `prepare` is given twice"),
    ] {
        assert_eq!(wrong(&with(line)), [expected], "{line}");
    }
    assert_eq!(
        wrong(&working(&["op: get, path: data/, weight: 0", "op: stat, path: data/, weight: 0"])),
        ["6:36 the weights of all entries are 0"]
    );
    assert_eq!(wrong(&GOOD.replace("count: 10", "count: 0")), ["4:32 0 objects cannot be prepared"]);
    assert_eq!(wrong(&GOOD.replace("count: 10, ", "")), ["4:7 the key `count` is missing here"]);
    assert_eq!(
        wrong(&GOOD.replace("workload", "    - {base_uri: data, count: 5}\nworkload")),
        ["5:18 two sets at the same place would overwrite each other's objects"]
    );
    assert_eq!(wrong("target: null://"), ["this run does nothing"]);
    assert_eq!(wrong("workload: [{op: get}]"), ["the key `target` is missing"]);
}

#[test]
fn deadlines_follow_the_interval_unless_they_are_given() {
    let deadlines = |more: &str| {
        let it = plan(&with(more)).timeouts;
        [it.progress, it.first_stats, it.silence, it.hung].map(|deadline| deadline.as_secs())
    };
    assert_eq!(deadlines("interval: 100ms"), [30, 10, 10, 60]);
    assert_eq!(deadlines("interval: 3s"), [30, 10, 10, 60]);
    assert_eq!(deadlines("interval: 5s"), [30, 15, 15, 60]);
    assert_eq!(deadlines("interval: 10s"), [30, 30, 30, 60]);
    assert_eq!(deadlines("perf_log: {interval: 10s}"), [30, 30, 30, 60]);
    assert_eq!(deadlines("interval: 10s\ntimeouts: {silence: 45s, first_stats: 20s}"), [30, 20, 45, 60]);
}

#[test]
fn a_given_deadline_that_does_not_fit_the_interval_is_refused_with_the_way_out() {
    for (given, expected) in [
        ("silence: 10s", "8:21 `silence` must be at least three intervals, 30s"),
        ("hung: 20s", "8:18 `hung` must be at least three intervals, 30s"),
        ("first_stats: 10s", "8:25 `first_stats` must be at least two intervals, 20s"),
        ("progress: 5s", "8:22 `progress` must be at least two intervals, 20s"),
    ] {
        let yaml = with(&format!("interval: 10s\ntimeouts: {{{given}}}"));
        assert_eq!(wrong(&yaml), [expected], "{given}");
        assert!(bad(&yaml).to_string().contains("remove it (it then fits the interval)"), "{given}");
    }
    let yaml = with("interval: 10s\ndistributed: {agents: [a], agent_ready_timeout: 5s}");
    let expected = "8:49 `agent_ready_timeout` must be at least two intervals, 20s";
    assert_eq!(wrong(&yaml), [expected]);
}

#[test]
fn a_target_is_a_uri_of_a_storage_that_is_supported() {
    for (target, expected) in [
        (
            "/mnt/data",
            "`/mnt/data` has no scheme; write for example `file:///mnt/data` or `s3://bucket/prefix`",
        ),
        ("nfs://x", "unknown scheme `nfs://`; known are file, direct, s3, az, gs, mem and null"),
        ("s3://", "`s3://` names no bucket"),
        ("gs://host:4443", "`gs://host:4443` names no bucket"),
        ("az://box?sig=x", "a target must not contain a user, password or query"),
        ("file:///a/*", "a target cannot be a glob"),
    ] {
        assert_eq!(wrong(&format!("target: {target}\nworkload: [{{op: get}}]")), [format!("1:9 {expected}")]);
    }
}

#[test]
fn options_reach_the_plan() {
    let plan = plan(&with(
        "file: {engine: posix, threads: 3, fsync: each, put: rename, cache: drop, registered: false}\n\
         error_handling: {retry_on_error: true, max_retries: 5, operation_timeout: 2s}\n\
         warmup_period: 5s\nseed: 0x10\nlabels: {b: 1, a: x}",
    ));
    let file = FileOptions {
        engine: FileEngine::Posix,
        threads: Some(3),
        direct: false,
        fsync: Fsync::Each,
        rename: true,
        drop_cache: true,
        registered: false,
    };
    assert_eq!((plan.file, plan.errors.max_retries), (file, 5));
    assert_eq!(plan.stages[1].kind.duration(), Some(Duration::from_secs(65)));
    assert_eq!(plan.labels, [("a".to_owned(), "x".to_owned()), ("b".to_owned(), "1".to_owned())]);
    assert_eq!(good(&with("seed: 0x10")).seed, Some(16));
    assert!(self::plan("target: direct:///x\nworkload: [{op: get}]").file.direct);
    assert_eq!(entries(&plan)[0].operation, Operation::Get);
    assert_eq!(good(&with("error_handling: {max_retries: 5}")).plan(0, 1).errors.max_retries, 0);
}

#[test]
fn a_run_is_called_after_its_file() {
    for (origin, name) in
        [("/etc/my bench.yaml", "my-bench"), ("a.b.yaml", "a.b"), ("-", "-"), ("", "run"), ("..", "run")]
    {
        assert_eq!(crate::config::load(GOOD, &[], origin).unwrap().name, name);
    }
    assert_eq!(bad(&with("name: ''")).iter().count(), 1);
}
