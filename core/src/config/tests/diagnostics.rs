//! What a person sees.

use super::{GOOD, bad, good, with, working, wrong};
use crate::config::{Severity, load, load_options};

#[test]
fn a_misspelt_key_is_shown_with_its_line_and_the_nearest_key() {
    let expected = "\
error: unknown key `concurency`
 --> bench.yaml:7:1
  |
7 | concurency: 16
  | ^^^^^^^^^^
  |
  = help: did you mean `concurrency`?";
    assert_eq!(bad(&with("concurency: 16")).to_string(), expected);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_in_order() {
    let yaml = "\
target: file:///tmp/x
concurency: 16
prepare: 5
workload:
  - {op: gett, wieght: 3}
  - {op: get, weight: -1}
";
    let expected = "\
error: unknown key `concurency`
 --> bench.yaml:2:1
  |
2 | concurency: 16
  | ^^^^^^^^^^
  |
  = help: did you mean `concurrency`?

error: expected a section with keys such as `ensure_objects`, found the number 5
 --> bench.yaml:3:10
  |
3 | prepare: 5
  |          ^

error: unknown value `gett`
 --> bench.yaml:5:10
  |
5 |   - {op: gett, wieght: 3}
  |          ^^^^
  |
  = help: did you mean `get`?

error: unknown key `wieght`
 --> bench.yaml:5:16
  |
5 |   - {op: gett, wieght: 3}
  |                ^^^^^^
  |
  = help: did you mean `weight`?

error: expected a whole number such as `16` or `1_000_000`, found the number -1
 --> bench.yaml:6:23
  |
6 |   - {op: get, weight: -1}
  |                       ^^";
    assert_eq!(bad(yaml).to_string(), expected);
}

#[test]
fn unknown_keys_do_not_hide_what_else_is_wrong() {
    let found = wrong(&(with("concurency: 1") + "duration: 0s\n"));
    assert_eq!(found, ["7:1 unknown key `concurency`", "8:11 a workload needs a duration above 0"]);
}

#[test]
fn a_misspelt_key_is_not_also_missing() {
    assert_eq!(wrong("taget: file:///tmp/x\nworkload: [{op: get}]"), ["1:1 unknown key `taget`"]);
    assert_eq!(wrong("target: file:///tmp/x\nworklod: [{op: get}]"), ["2:1 unknown key `worklod`"]);
    assert_eq!(wrong("target: file:///tmp/x\nworkload: [{opp: get}]"), ["2:13 unknown key `opp`"]);
    let both = ["the key `target` is missing", "1:12 the key `op` is missing here"];
    assert_eq!(wrong("workload: [{weight: 1}]"), both);
}

#[test]
fn values_that_cannot_be_read_do_not_hide_what_cannot_be_meant() {
    let yaml = "\
target: /tmp/x
duration: soon
concurrency: 0
workload:
  - {op: gett, path: a/}
  - {op: put, path: b/, object_size: 4q}
  - {op: get, path: c/, weight: -1, pattern: {zipf: {theta: 0}}}
  - {op: put, path: d/}
  - {op: get, path: e/, object_size: 4KiB}
error_handling: {retry_jitter_factor: 2}
";
    let expected = [
        "1:9 `/tmp/x` has no scheme; write for example `file:///mnt/data` or `s3://bucket/prefix`",
        "2:11 `soon` is not a duration such as `250ms`, `30s`, `5m`, `2h`, `1d` or a number of seconds: it does not begin with a number",
        "3:14 a concurrency of 0 is not possible",
        "5:10 unknown value `gett`",
        "6:38 `4q` is not a size such as `4096`, `4KiB`, `4KB` or `1MiB`: unknown unit `q`; known are B KiB KB MiB MB GiB GB TiB TB",
        "7:33 expected a whole number such as `16` or `1_000_000`, found the number -1",
        "7:61 theta must be above 0 and at most 10",
        "8:5 `put` needs the size of its objects",
        "9:25 `object_size` belongs to put",
        "10:39 this value of `retry_jitter_factor` is not possible",
    ];
    assert_eq!(wrong(yaml), expected);
    let settings = ["duration: 5s".to_owned(), "concurrency=0".to_owned(), "labls=1".to_owned()];
    let said = load("workload: []", &settings, "bench.yaml").unwrap_err().to_string();
    for part in ["has no `=`", "a concurrency of 0", "unknown key `labls`", "`target` is missing"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_only_follows_from_another_mistake_is_not_said() {
    let one = |yaml: &str, expected: &str| {
        let found = wrong(yaml);
        assert!(found.len() == 1 && found[0].contains(expected), "{yaml}\n{found:?}");
    };
    // An entry whose size cannot be read has one; a set of objects, too.
    one(&working(&["op: put, path: new/, object_size: 4q"]), "`4q` is not a size");
    one(&working(&["op: put, path: new/, objct_size: 4KiB"]), "unknown key `objct_size`");
    let large = "op: read, path: data/, block_size: 8MiB";
    one(&working(&[large]).replace("size: 64KiB", "size: 64Kibi"), "`64Kibi` is not a size");
    // The set may be what is verified and cleaned up.
    let verified = working(&["op: get, path: data/, verify: true"]);
    one(&verified.replace("count: 10,", "count: some,"), "`some` is not a whole number");
    one(
        &verified.replace("prepare:\n", "prepare:\n  cleanup: true\n").replace("count: 10,", "cont: 1,"),
        "`cont`",
    );
    // A set whose largest size cannot be read has one.
    let sizes = working(&["op: get, path: data/"]).replace("size: 64KiB", "min_size: 1KiB, max_size: 4q");
    one(&sizes, "`4q` is not a size");
    // The only entry with a weight; deadlines that would be too short for the default interval.
    one(&working(&["op: get, path: data/, weight: x", "op: stat, path: data/, weight: 0"]), "whole number");
    one(&with("interval: 1\ntimeouts: {silence: 1s}").replace("interval: 1", "interval: often"), "`often`");
    // What is wrong behind an item that is left out is still found where it stands.
    let second = ["weight: 1", "op: get, path: data/, concurrency: 0"];
    let places = wrong(&working(&second));
    assert_eq!(places, ["6:5 the key `op` is missing here", "7:41 a concurrency of 0 is not possible"]);
}

#[test]
fn a_mistake_hides_only_what_may_follow_from_it() {
    let lease = "a lease of 1ms would end healthy runs: any host stands still for so long now and then";
    let part = |yaml: &str, text: &str| wrong(yaml).iter().any(|line| line.contains(text));
    for (yaml, first, second) in [
        // Keys of one section that have nothing to do with each other; a key that resembles none.
        (with("timeouts: {silense: 20s, lease: 1ms}"), "unknown key `silense`", lease),
        (with("timeouts: {whatever: 1, lease: 1ms}"), "unknown key `whatever`", lease),
        (with("interval: often\ntimeouts: {lease: 1ms}"), "`often`", lease),
        (
            with("storage: {credentials: {access_key: 'env:KEY', whatever: 1}}"),
            "unknown key `whatever`",
            "these keys do not form one kind of credentials",
        ),
        // What is missing beside it.
        (working(&["op: put, path: new/, wieght: 3"]), "`wieght`", "`put` needs the size"),
        (GOOD.replace("count: 10", "fil: zero"), "`fil`", "4:7 the key `count` is missing here"),
        // Other sections, and other items.
        (
            GOOD.replace("file:///tmp/x", "nowhere").replace("prepare:", "prepare:\n  cleanup: yess"),
            "`yess`",
            "`nowhere` has no scheme",
        ),
        (with("distributed: {start_dely: 2s, agents: ['h 2']}"), "`start_dely`", "`h 2` is not an address"),
        (
            working(&["op: get, path: data/, wieght: 1", "op: get, path: ../data/"]),
            "`wieght`",
            "`../data/` cannot be used",
        ),
        (
            with("storage: {endpoint: nowhere}").replace("file:///tmp/x", "5"),
            "expected text",
            "an endpoint begins with",
        ),
    ] {
        assert!(part(&yaml, first) && part(&yaml, second), "{yaml}\n{:?}", wrong(&yaml));
    }
}

#[test]
fn a_misspelt_key_may_explain_what_concerns_it() {
    let put = "workload: [{op: put, path: a/, object_size: 1KiB}]";
    for (lines, misspelt) in [
        ("error_handling: {initial_retry_delay_ms: 90000, max_retry_dely_ms: 100000}", "max_retry_dely_ms"),
        ("intervall: 500ms\ntimeouts: {silence: 1500ms}", "intervall"),
        (
            "distributed: {agents: [a, b], tree_creation_mode: concurrent, shared_filesystm: true}",
            "shared_filesystm",
        ),
        (
            "prepare: {directory_structre: {width: 1, depth: 1, files_per_dir: 1}, ensure_objects: [{size: 1KiB}]}",
            "directory_structre",
        ),
    ] {
        let found = wrong(&format!("target: 'null://'\n{put}\n{lines}\n"));
        assert!(found.len() == 1 && found[0].ends_with(&format!("`{misspelt}`")), "{lines}\n{found:?}");
    }
    let sizes = "op: put, path: a/, size_distribution: {type: uniform, min: 9MiB, maxx: 10MiB}";
    assert_eq!(wrong(&working(&[sizes])), ["6:71 unknown key `maxx`"]);
    let own = "workload: [{op: stat}]\ndistributed: {agents: [{address: h, target_overide: 'null://'}]}";
    assert_eq!(wrong(own), ["2:37 unknown key `target_overide`"]);
}

#[test]
fn a_meaning_that_cannot_be_is_placed_like_a_misspelling() {
    let yaml = working(&["op: read, path: data/, block_size: 1MiB"]);
    let expected = "\
error: a block of 1MiB does not fit into objects of 64KiB
 --> bench.yaml:6:41
  |
6 |   - {op: read, path: data/, block_size: 1MiB}
  |                                         ^^^^
  |
  = help: make the objects larger or the block smaller";
    assert_eq!(bad(&yaml).to_string(), expected);
}

#[test]
fn words_of_other_tools_lead_to_ours() {
    let help = |yaml: &str| bad(yaml).iter().map(|one| one.help.clone()).collect::<Vec<_>>();
    for (line, expected) in [
        ("warmup: 5s", "did you mean `warmup_period`?"),
        ("ramp_time: 5s", "did you mean `warmup_period`?"),
        ("runtime: 60", "did you mean `duration`?"),
        ("iodepth: 32", "did you mean `concurrency` (operations in flight on each agent)?"),
        (
            "numjobs: 4",
            "did you mean `concurrency` (operations in flight on each agent; all cores are used)?",
        ),
        ("concurrent: 4", "did you mean `concurrency`?"),
        ("bs: 4k", "write `block_size` in an entry of `workload`"),
        ("rw: randread", "write `op` in an entry of `workload`: `read` or `write`, and a `pattern`"),
        ("direct: 1", "write `file.direct`: or a `direct://` target"),
        ("obj.size: 1MiB", "write `object_size` in an entry of `workload`: of a `put`"),
    ] {
        assert_eq!(help(&with(line)), [expected], "{line}");
    }
    for (entry, expected) in [
        ("op: read, path: data/, bs: 4KiB", "did you mean `block_size`?"),
        ("op: put, path: new/, size: 4KiB", "did you mean `object_size` (of a `put`)?"),
        ("op: randread, path: data/", "did you mean `read`?"),
        ("op: read, path: data/, pattern: seq", "did you mean `sequential`?"),
        ("op: read, path: data/, pattern: {zipfian: {theta: 1}}", "did you mean `zipf`?"),
        (
            "op: get, path: data/, whatever: 1",
            "known here: `op`, `path`, `weight`, `concurrency`, `object_size`, \
         `size_distribution`, `size_spec`, `count`, `if_absent`, `range`, `verify`, `to`, `batch`, `page_size`, \
         `block_size`, `pattern`",
        ),
    ] {
        assert_eq!(help(&working(&[entry])), [expected], "{entry}");
    }
    for (theirs, expected) in [("count: 10, nrfiles", "count"), ("bs", "size"), ("block", "size")] {
        let set = GOOD.replace("count: 10, size", &format!("count: 10, {theirs}"));
        let set = set.replace("count: 10, nrfiles: 64KiB", "nrfiles: 10");
        assert_eq!(help(&set), [format!("did you mean `{expected}`?")], "{theirs}");
    }
    let service = "of an object store; agents are listed in `distributed.agents`";
    assert_eq!(help(&with("distributed: {agents: [{host: h1}]}")), ["did you mean `address`?"]);
    assert_eq!(help(&with("storage: {host: h1}")), [format!("did you mean `endpoint` ({service})?")]);
    let elsewhere = format!("write `storage.endpoint`: {service}");
    assert_eq!(help(&with("host: h1")), std::slice::from_ref(&elsewhere));
    assert_eq!(help(&working(&["op: get, path: data/, host: h1"])), [elsewhere]);
}

#[test]
fn what_is_made_of_options_is_shown_by_them() {
    let yaml =
        "target: 'null://'\nconcurrency: '0'\nworkload:\n  - {op: put, path: put/, object_size: '4q'}\n";
    let options = [
        ("target", "null://".to_owned()),
        ("concurrency", "--iodepth 0".to_owned()),
        ("workload.0.object_size", "--size 4q".to_owned()),
    ];
    let set = ["duration=0s".to_owned()];
    let said = load_options(yaml, &set, "command line", &options).unwrap_err().to_string();
    for shown in ["--> --iodepth 0\n", "--> --size 4q", "1 | duration=0s\n"] {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    assert!(!said.contains("object_size: '"), "nobody wrote that: {said}");
    let secret = [("target", "s3://key:secret@bucket".to_owned())];
    let said = load_options("target: s3://key:secret@bucket", &[], "command line", &secret).unwrap_err();
    assert!(!said.to_string().contains("secret@"), "{said}");
}

#[test]
fn wrong_types_are_named_as_people_call_them() {
    for (line, expected) in [
        ("name: 5", "7:7 expected text (numbers in quotes), found the number 5"),
        ("labels: [a]", "7:9 expected a map, found a list"),
        ("labels: {a: {}}", "7:13 expected text, a number, `true` or `false`, found a section with keys"),
        ("policy: {min_alive: half}", "7:21 expected a number, found the text `half`"),
        ("timeouts: [5s, 15s]", "7:11 expected a section with keys such as `lease: 30s`, found a list"),
        ("stages: {type: prepare}", "7:9 expected a list, found a section with keys"),
        ("duration:", "7:10 a value is missing here; write one or remove the key"),
        (
            "duration: true",
            "7:11 expected a duration such as `250ms`, `30s`, `5m`, `2h`, `1d` or a number of seconds, found `true`",
        ),
        ("file: {registered: 1}", "7:20 expected `true` or `false`, found the number 1"),
        ("file: {fsync: {end: 5}}", "7:16 this word has no keys of its own; write it alone"),
        ("file: {fsync: 7}", "7:15 expected one of `never`, `each`, `end`, found the number 7"),
        (
            "seed: 1.5",
            "7:7 `1.5` is not a whole number such as `16` or `1_000_000`: it is not a whole number",
        ),
    ] {
        assert_eq!(wrong(&with(line)), [expected]);
    }
    let pattern = |pattern| working(&[&format!("op: get, path: data/, pattern: {pattern}")]);
    let alone = working(&["op: get, path: data/, pattern: zipf"]);
    assert_eq!(wrong(&alone), ["6:37 `zipf` does not say enough on its own"]);
    assert!(bad(&alone).to_string().ends_with("help: write for example `{zipf: {theta: 0.9}}`"));
    assert_eq!(wrong(&pattern("{zipf: {thet: 1}}")), ["6:45 unknown key `thet`"]);
    assert_eq!(wrong(&pattern("{zpif: {theta: 1}}")), ["6:38 unknown value `zpif`"]);
    assert_eq!(wrong(&pattern("{zipf: {theta: 0}}")), ["6:52 theta must be above 0 and at most 10"]);
}

#[test]
fn places_are_right_behind_foreign_letters_and_a_byte_order_mark() {
    assert_eq!(wrong(&with("labels: {ü: 'ö'}\nkonkurrenz: 1")), ["8:1 unknown key `konkurrenz`"]);
    assert_eq!(
        wrong(&with("labels: {ü: 'ö', x: [é]}")),
        ["7:21 expected text, a number, `true` or `false`, found a list"]
    );
    let marked = format!("\u{feff}{}", with("concurency: 16"));
    assert!(bad(&marked).to_string().contains("bench.yaml:7:1\n"), "{}", bad(&marked));
    assert_eq!(wrong(&GOOD_CRLF.replace("weight", "wight")), ["4:5 unknown key `wight`"]);
}

const GOOD_CRLF: &str = "target: file:///tmp/x\r\nworkload:\r\n  - op: get\r\n    weight: 1\r\n";

#[test]
fn more_mistakes_than_anyone_reads_are_counted() {
    let many = (0..100).map(|i| format!("unheard_of_{i}: 1\n")).collect::<String>();
    let shown = bad(&many).to_string();
    assert_eq!(shown.matches("error: unknown key").count(), 20);
    assert!(shown.ends_with("and more; correct these first"), "{shown}");
}

#[test]
fn colour_is_for_terminals_only() {
    let bad = bad("");
    assert!(!bad.render(false).contains('\u{1b}'));
    assert!(bad.render(true).contains('\u{1b}'));
}

#[test]
fn a_warning_does_not_stand_in_the_way() {
    let run = good(&with("backend: file"));
    assert_eq!(run.warnings.len(), 1);
    let expected = "\
warning: `backend` has no effect
 --> bench.yaml:7:1
  |
7 | backend: file
  | ^^^^^^^
  |
  = help: the scheme of `target` chooses the backend";
    assert_eq!(
        (run.warnings[0].severity, run.warnings[0].to_string().as_str()),
        (Severity::Warning, expected)
    );
}

#[test]
fn warnings_do_not_crowd_out_an_error() {
    let ignored = [
        "version",
        "backend",
        "objects",
        "data_size",
        "record_count",
        "cleanup",
        "force_overwrite",
        "processes",
    ];
    let more = ["processing_mode", "enable_metadata_cache", "cache_checkpoint_interval_secs", "kv_cache_dir"];
    let even_more = ["s3dlio_optimization", "deployment", "volumes"];
    let mut yaml =
        ignored.iter().chain(&more).chain(&even_more).map(|key| format!("{key}: 1\n")).collect::<String>();
    yaml += "perf_log: {enabled: 1, interval_seconds: 1}\nbarrier_sync: {timeout_seconds: 1}\n";
    yaml += &GOOD.replace("prepare:", "prepare:\n  enabled: 1\n  file_size: 1\n  fill: 1\n  dedup_factor: 2");
    let bad = bad(&(yaml + "concurrency: 0\n"));
    assert_eq!(bad.iter().filter(|one| one.severity == Severity::Warning).count(), 22);
    assert!(bad.to_string().contains("a concurrency of 0 is not possible"));
}
