//! The resolved configuration is the same run again.

use super::good;
use crate::config::load;
use proptest::prelude::*;

fn comes_back(yaml: &str, seed: u64) {
    let run = good(yaml);
    let resolved = run.resolved_yaml(Some(seed));
    let again = load(&resolved, &[], "elsewhere.yaml").unwrap_or_else(|bad| panic!("{resolved}\n{bad}"));
    for index in 0..run.agents.len().max(1) as u32 {
        assert_eq!(again.plan(index, seed), run.plan(index, seed), "{resolved}");
    }
    assert_eq!(
        (&again.name, &again.labels, again.seed, again.policy, again.start_delay, &again.agents),
        (&run.name, &run.labels, Some(seed), run.policy, run.start_delay, &run.agents),
    );
    assert_eq!(again.outline(), run.outline());
    assert_eq!(again.resolved_yaml(Some(seed)), resolved);
    assert!(again.warnings.is_empty(), "{:?}", again.warnings);
}

#[test]
fn a_seed_that_is_not_known_yet_is_not_made_up() {
    let drawn = good(super::GOOD).resolved_yaml(None);
    assert!(
        drawn.starts_with("# seed: drawn at the start of the run") && !drawn.contains("\nseed:"),
        "{drawn}"
    );
    assert_eq!(good(&drawn).seed, None);
    assert_eq!(good(&drawn).resolved_yaml(None), drawn);
    let given = good(&super::with("seed: 7"));
    let given = given.resolved_yaml(given.seed);
    assert!(given.contains("\nseed: 7\n") && !given.contains('#'), "{given}");
}

#[test]
fn the_examples_come_back() {
    for yaml in [
        super::GOOD,
        super::documentation::QUICKSTART,
        super::documentation::DISTRIBUTED,
        super::dialect::THEIRS,
    ] {
        comes_back(yaml, 42);
    }
}

#[test]
fn text_that_yaml_could_mistake_comes_back() {
    for label in [
        "'yes'",
        "'1_000'",
        "'0x1f'",
        "'~'",
        "' a '",
        "'#'",
        "\"a\\nb\"",
        "'- x'",
        "1e3",
        "'007'",
        "é",
        "'&a'",
        "'!t'",
    ] {
        comes_back(&super::with(&format!("labels: {{x: {label}}}")), u64::MAX);
    }
}

fn entry() -> impl Strategy<Value = String> {
    let pattern = prop_oneof![
        Just("random".to_owned()),
        Just("sequential".to_owned()),
        (0.01..9.9_f64).prop_map(|theta| format!("{{zipf: {{theta: {theta}}}}}")),
    ];
    let whole = (prop_oneof![Just("get"), Just("stat")], pattern.clone())
        .prop_map(|(op, pattern)| format!("op: {op}, path: 'data/*', pattern: {pattern}"));
    let block =
        (prop_oneof![Just("read"), Just("write")], pattern, 1..64_u32).prop_map(|(op, pattern, kib)| {
            format!("op: {op}, path: data, block_size: {kib}KiB, pattern: {pattern}")
        });
    let put = (0..5_u32, 1..1_u64 << 40, 1..100_u32).prop_map(|(place, size, count)| {
        format!("op: put, path: new{place}/, object_size: {size}, count: {count}")
    });
    let list = (1..1000_u32).prop_map(|page| format!("op: list, path: data/, page_size: {page}"));
    let kind = prop_oneof![whole, block, put, list, Just("op: delete, path: data/".to_owned())];
    (kind, 1..100_u32, prop::option::of(1..65_536_u32)).prop_map(|(kind, weight, concurrency)| {
        let concurrency = concurrency.map(|most| format!(", concurrency: {most}")).unwrap_or_default();
        format!("  - {{{kind}, weight: {weight}{concurrency}}}\n")
    })
}

fn size() -> impl Strategy<Value = String> {
    prop_oneof![
        (65_536_u64..1_u64 << 41).prop_map(|size| format!("size: {size}")),
        (65_536_u64..1_u64 << 20, 0..1_u64 << 40)
            .prop_map(|(min, more)| format!("min_size: {min}, max_size: {}", min + more)),
        (65_536_u64..1_u64 << 20, 1..1_u64 << 40)
            .prop_map(|(min, more)| format!("size_spec: {{type: uniform, min: {min}, max: {}}}", min + more)),
        (1..1_u64 << 40, 1..1_u64 << 40).prop_map(|(mean, std_dev)| format!(
            "size_distribution: {{type: lognormal, mean: {mean}, std_dev: {std_dev}, min: 64KiB, max: 8TiB}}"
        )),
    ]
}

proptest! {
    #[test]
    fn any_configuration_comes_back(
        entries in prop::collection::vec(entry(), 1..6), size in size(), count in 1..4096_u32, seed: u64,
        millis in 1..100_000_000_u64, interval in 100..3000_u64, alive in 0.0..=1.0_f64, retry: bool, cleanup: bool,
        agents in 0..20_usize, shared: bool,
    ) {
        let mut yaml = format!("target: direct:///mnt/x\nduration: {millis}ms\ninterval: {interval}ms\n");
        yaml += &format!("policy: {{min_alive: {alive}}}\nerror_handling: {{retry_on_error: {retry}}}\n");
        yaml += &format!("prepare:\n  cleanup: {cleanup}\n  ensure_objects:\n    - {{base_uri: data, count: {count}, {size}}}\n");
        yaml += &format!("workload:\n{}", entries.concat());
        if agents > 0 {
            yaml += &format!("distributed: {{shared_filesystem: {shared}, agents: ['n[1-{agents}]', {{address: other, concurrency_override: 3}}]}}\n");
        }
        // Two puts at one place may differ, which is an error and another test's business.
        prop_assume!(load(&yaml, &[], "x").is_ok());
        comes_back(&yaml, seed);
    }
}
