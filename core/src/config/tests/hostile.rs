//! Files that were not written in good faith, or not by a person: a clear error, at once, and never a panic.

use super::{GOOD, bad, good, wrong};
use crate::config::load;
use proptest::prelude::*;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn what_is_no_configuration_at_all_is_called_so() {
    for (yaml, expected) in [
        ("", "the configuration is empty"),
        ("# nothing\n", "the configuration is empty"),
        ("---\n...\n", "the configuration is empty"),
        (
            "hello",
            "expected a configuration (keys such as `target: file:///mnt/data`), found the text `hello`",
        ),
        ("- a\n- b\n", "expected a configuration (keys such as `target: file:///mnt/data`), found a list"),
        ("a: 1\na: 2\n", "2:1 the key `a` is given twice"),
        ("a: {b: {c: 1, c: 2}}", "1:15 the key `c` is given twice"),
        ("a: 1\n---\nb: 2\n", "2:1 there is more than one document"),
        ("x: !tag 5", "1:4 tags (`!name`) have no meaning in a configuration"),
        ("x: !tag {a: 1}", "1:4 tags (`!name`) have no meaning in a configuration"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n", "3:3 merge keys (`<<`) are not supported"),
        ("? [a]\n: 1\n", "1:3 a key must be a word"),
        ("target: file:///x\nprepare:\n\tcleanup: true\n", "3:1 a tab cannot indent YAML"),
        ("a: \"é\u{0}\"", "1:6 the control character U+0000 cannot stand in a configuration"),
        ("a: \u{1b}[31m", "1:4 the control character U+001B cannot stand in a configuration"),
        ("a: b: c", "1:5 this is not valid YAML: mapping values are not allowed in this context"),
        (
            "a: [1\nb: 2",
            "2:2 this is not valid YAML: did not find expected ',' or ']' while parsing a flow sequence",
        ),
        ("{a: 1}}", "1:7 this is not valid YAML: did not find expected <document start>"),
        ("a: *nope\n", "1:4 this is not valid YAML: unknown anchor"),
        ("a: &a [*a]\n", "1:4 values are nested more than 32 deep"),
    ] {
        assert_eq!(wrong(yaml), [expected], "{yaml:?}");
    }
}

#[test]
fn small_aliases_are_fine() {
    let yaml = GOOD.replace("size: 64KiB", "size_spec: &size 64KiB")
        + "  - {op: put, path: new/, size_spec: *size}\n";
    assert_eq!(good(&yaml).plan(0, 0).pools[1].sizes.bounds(), (65536, 65536));
}

/// Runs `load` and gives up on it: an attack on a parser costs minutes or for ever, a bound milliseconds, on a busy host
/// some seconds.
#[expect(clippy::disallowed_methods, reason = "a test does not wait for ever")]
fn quickly(yaml: &str) -> String {
    let (done, answer) = channel();
    let yaml = yaml.to_owned();
    std::thread::spawn(move || done.send(bad(&yaml).to_string()));
    let message = answer.recv_timeout(Duration::from_secs(60)).expect("an answer, and soon");
    assert!(message.len() < 20_000, "a message of {} bytes", message.len());
    message
}

#[test]
fn aliases_that_multiply_are_refused_before_they_do() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let above = format!("*a{}, ", level - 1).repeat(10);
        laughs += &format!("a{level}: &a{level} [{above}]\n");
    }
    assert!(quickly(&laughs).contains("more than 50000 values once aliases"));

    let megabytes = format!("a: &a [1, 2, 3]\nb: [{}]\n", "*a, ".repeat(2_500_000));
    assert!(quickly(&megabytes).contains("the most is 1024 KiB"));
    let most = format!("a: &a [1, 2, 3]\nb: [{}]\n", "*a, ".repeat(250_000));
    assert!(quickly(&most).contains("more than 50000 values once aliases"));
}

#[test]
fn depth_and_length_are_bounded() {
    const LONG: usize = 1_000_000;
    for open in ["[", "{", "[{a: ", "- ", "? ", "a: [", "{? "] {
        let message = quickly(&open.repeat(LONG / open.len()));
        assert!(
            ["nested", "not valid YAML", "a key must be a word"].iter().any(|it| message.contains(it)),
            "{open}: {message}"
        );
    }
    let stairs = (0..40).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    assert!(quickly(&stairs).contains("nested more than 32 deep"));
    assert!(quickly(&"- 1\n".repeat(LONG / 4)).contains("more than 50000 values"));
    assert!(quickly(&format!("{}: 1", "k".repeat(LONG))).contains("not valid YAML"));
    assert!(quickly(&format!("? {}\n: 1", "k".repeat(LONG))).contains("unknown key `kkkk"));
    assert!(quickly(&format!("target: {}", "9".repeat(LONG))).contains("error: `999"));
    assert!(quickly(&format!("duration: {}", "9".repeat(LONG))).contains("is not a duration"));
    assert!(quickly(&"&a ".repeat(LONG / 3)).contains("not valid YAML"));
}

#[test]
fn many_entries_are_refused_by_number() {
    let entries = "  - {op: get, path: 'data/*'}\n".repeat(5000);
    assert!(quickly(&format!("{GOOD}{entries}")).contains("more than 256 entries"));
    let agents = "distributed: {agents: ['h[1-4000]', 'g[1-4000]']}\n";
    assert!(quickly(&format!("{GOOD}{agents}")).contains("more than 4096 agents"));
    let sets = (0..256).map(|i| format!("    - {{base_uri: s{i}/a, count: 1000}}\n")).collect::<String>();
    let entries = "  - {op: get, path: '**/a/*7.dat'}\n".repeat(255);
    let both = GOOD
        .replace("workload:", &format!("{sets}workload:"))
        .replace("    - {base_uri: data/, count: 10, size: 64KiB}\n", "");
    let message = quickly(&format!("{both}{entries}"));
    assert!(message.contains("objects of several sets: `s0/a/`"), "{message}");
    let unknown = (0..20_000).map(|i| format!("k{i}: 1\n")).collect::<String>();
    assert!(quickly(&unknown).contains("unknown key `k0`"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "[ -~\n\t]{0,200}", any in "\\PC{0,60}", yamlish in "([a-c\\-?:,\\[\\]{}&*!|>'\"%@#~ \n]|<<|- |: |\u{feff}|\u{85}){0,60}") {
        for text in [text, any, yamlish] {
            if let Err(bad) = load(&text, std::slice::from_ref(&text), &text) {
                prop_assert!(!bad.to_string().is_empty());
            }
            let _ = load(&text, &[], &text).map_err(|bad| bad.render(true));
        }
    }

    #[test]
    fn no_damage_to_a_good_file_makes_it_panic(
        which in 0..3_usize, at in any::<prop::sample::Index>(), cut in 0..12_usize, put in "[ -~\n]{0,6}|é|[0-9]{1,25}",
    ) {
        let text = [super::documentation::QUICKSTART, super::documentation::DISTRIBUTED, super::dialect::THEIRS][which];
        let from = text.floor_char_boundary(at.index(text.len()));
        let to = text.ceil_char_boundary((from + cut).min(text.len()));
        let damaged = format!("{}{put}{}", &text[..from], &text[to..]);
        match load(&damaged, &[], "x.yaml") {
            Ok(run) => { let _ = (run.plan(0, 1), run.outline(), run.resolved_yaml(Some(1))); }
            Err(bad) => { prop_assert!(bad.iter().any(|one| one.severity == crate::config::Severity::Error)); let _ = bad.to_string(); }
        }
    }
}
