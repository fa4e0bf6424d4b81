//! `--set`.

use super::GOOD;
use crate::config::load;
use crate::plan::StageKind;

fn set(settings: &[&str]) -> Result<crate::config::Run, String> {
    let settings = settings.iter().map(|&setting| setting.to_owned()).collect::<Vec<_>>();
    load(GOOD, &settings, "bench.yaml").map_err(|bad| bad.to_string())
}

#[test]
fn a_setting_goes_over_the_file_and_later_ones_over_earlier_ones() {
    let run =
        set(&["concurrency=5", "workload.0.weight=7", "name=a", "name=b", "timeouts.lease=40s"]).unwrap();
    let plan = run.plan(0, 0);
    assert_eq!((plan.concurrency, plan.timeouts.lease.as_secs(), run.name.as_str()), (5, 40, "b"));
    let StageKind::Execute { entries, .. } = &plan.stages[1].kind else { panic!() };
    assert_eq!(entries[0].weight, 7);
}

#[test]
fn a_setting_can_add_sections_and_list_items() {
    let run = set(&["workload.1={op: stat, path: data/}", "distributed.agents=['host[1-3]:7420']"]).unwrap();
    assert_eq!(run.agents.len(), 3);
    let StageKind::Execute { entries, .. } = &run.plan(0, 0).stages[1].kind.clone() else { panic!() };
    assert_eq!(entries.len(), 2);
    let run = load("", &["target=null://".to_owned(), "workload.0.op=get".to_owned()], "-").unwrap();
    assert_eq!(run.plan(0, 0).target.to_string(), "null://");
}

#[test]
fn a_bad_setting_is_named() {
    let expected = "\
error: `workload.5` does not exist: the list has 1 items
 --> --set:1:1
  |
1 | workload.5.weight=1
  | ^^^^^^^^^^^^^^^^^^^
  |
  = help: list items are numbered from 0; the number after the last adds one";
    assert_eq!(set(&["workload.5.weight=1"]).unwrap_err(), expected);
    for (setting, message) in [
        ("a", "this setting has no `=`"),
        ("=5", "this setting names no key"),
        ("name=", "`name` is set to nothing"),
        ("target.x=1", "`target` is a single value and has no keys below it"),
        ("target={", "this is not valid YAML"),
        ("concurrency=0", "a concurrency of 0 is not possible"),
        ("concurrency.x=1", "expected a whole number such as `16` or `1_000_000`, found a section with keys"),
        ("concurency=4", "did you mean `concurrency`?"),
        ("workload.0.weight=0", "the weights of all entries are 0"),
    ] {
        let error = set(&[setting]).unwrap_err();
        assert!(
            error.contains(message) && error.contains(" --> --set:1:1") && error.contains(setting),
            "{error}"
        );
    }
}

/// The places and messages of what is wrong in the file.
fn wrong_in_file(yaml: &str, setting: &str) -> Vec<String> {
    let settings = [setting].map(str::to_owned);
    let bad = load(yaml, &settings, "bench.yaml").unwrap_err();
    let in_file = bad.iter().filter_map(|one| one.place.as_ref().map(|place| (place, &one.message)));
    let in_file = in_file.map(|(place, message)| format!("{}:{} {message}", place.line(), place.column()));
    in_file.skip(1).collect()
}

#[test]
fn a_setting_that_is_refused_moves_nothing() {
    let yaml = "\
target: 'null://'
workload:
  - {op: list, page_size: 0}
  - {op: list, page_size: 0}
";
    let expected = ["4:27 a page of 0 keys is not possible"];
    assert_eq!(wrong_in_file(yaml, "workload.0={op: get"), expected, "the first would have been replaced");
}

#[test]
fn a_setting_without_a_key_explains_nothing() {
    let yaml = "target: nowhere\nduration: 0s\nconcurrency: 0\nworkload: [{op: get}]\n";
    let places = wrong_in_file(yaml, "=5").into_iter().map(|line| line[..2].to_owned()).collect::<Vec<_>>();
    assert_eq!(places, ["1:", "2:", "3:"]);
}
