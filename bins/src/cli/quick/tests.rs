//! Every option does something, or is refused.

use super::{Command, Quick, shown};
use clap::{CommandFactory, Parser};
use iobench_core::config::load_options;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    quick: Quick,
}

const COMMANDS: [Command; 4] = [Command::Read, Command::Write, Command::Get, Command::Put];
const TARGETS: [&str; 7] =
    ["file:///t", "direct:///t", "mem://t", "null://", "s3://b/t", "az://a/c/t", "gs://b/t"];

fn quick(target: &str, options: &[&str]) -> Quick {
    Line::try_parse_from(["iobench", target].iter().chain(options)).expect("a right command line").quick
}

/// What is said about a command line, without what all messages begin with.
fn refused(command: Command, target: &str, options: &[&str]) -> Vec<String> {
    quick(target, options).without_effect(command)
}

/// A value for an option that changes what is configured, and differs from its default.
fn value(option: &str) -> &'static [&'static str] {
    match option {
        "duration" | "warmup" => &["7s"],
        "concurrency" | "objects" => &["7"],
        "size" | "block_size" => &["64KiB"],
        "pattern" => &["sequential"],
        "endpoint" => &["http://127.0.0.1:9000"],
        "region" => &["eu-central-1"],
        "cleanup" | "verify" | "anonymous" | "yes_delete_everything" => &[],
        other => panic!("say here how `{other}` is given"),
    }
}

#[test]
fn every_option_changes_what_is_done_or_is_refused_by_name() {
    // These say how a run is carried out and shown, whatever it is.
    let around = ["target", "overrides", "results", "seed", "json", "quiet", "verbose", "help", "version"];
    let line = Line::command();
    let options: Vec<_> =
        line.get_arguments().filter(|option| !around.contains(&option.get_id().as_str())).collect();
    assert_eq!(options.len(), 13, "an option more or less: is it tried below?");
    for command in COMMANDS {
        for target in TARGETS {
            let plain = quick(target, &[]).configuration(command);
            for option in &options {
                let flag = format!("--{}", option.get_long().expect("all have a name"));
                let given: Vec<_> = [flag.as_str()]
                    .into_iter()
                    .chain(value(option.get_id().as_str()).iter().copied())
                    .collect();
                let useless = refused(command, target, &given);
                let changes = quick(target, &given).configuration(command) != plain;
                let case = format!("{} {target} {flag}: {useless:?}", command.name());
                match &useless[..] {
                    [] => assert!(changes, "neither does anything nor is refused: {case}"),
                    [one] => assert!(one.starts_with(&format!("{flag} has no effect on `iobench")), "{case}"),
                    _ => panic!("said more than once: {case}"),
                }
            }
        }
    }
}

#[test]
fn what_is_refused_is_what_would_do_nothing() {
    for (command, target, options, expected) in [
        (Command::Get, "file:///t", &["--block-size", "4KiB"][..], "use `iobench read`"),
        (Command::Put, "s3://b/t", &["--block-size", "4KiB"], "use `iobench write`, or give --size"),
        (Command::Put, "file:///t", &["--pattern", "random"], "it creates one object after another"),
        (Command::Put, "file:///t", &["--verify"], "use `iobench get --verify`"),
        (Command::Write, "file:///t", &["--verify"], "use `iobench read --verify`"),
        (Command::Get, "null://", &["--verify"], "`null://` keeps nothing"),
        (Command::Get, "file:///t", &["--endpoint", "http://h:1"], "only object stores are reached"),
        (Command::Get, "s3://h:1/b/t", &["--endpoint", "http://h:1"], "addresses its service itself"),
        (Command::Get, "mem://t", &["--region", "r"], "only object stores are reached"),
        (Command::Get, "gs://b/t", &["--region", "r"], "only `s3://` has regions"),
        (Command::Get, "s3://h:1/b/t", &["--region", "r", "--anonymous"], "--anonymous signs none"),
        (Command::Get, "direct:///t", &["--anonymous"], "only object stores are reached"),
        (Command::Get, "s3://b/t", &["--yes-delete-everything", "--cleanup"], "--cleanup is enough"),
    ] {
        let said = refused(command, target, options);
        assert!(said.len() == 1 && said[0].contains(expected), "{target} {options:?}: {said:?}");
    }
    for (command, target, options) in [
        (Command::Read, "direct:///t", &["--block-size", "4KiB", "--pattern", "zipf:0.9", "--verify"][..]),
        (Command::Get, "mem://t", &["--verify", "--pattern", "sequential"]),
        (Command::Get, "s3://b/t", &["--anonymous", "--region", "r"]),
        (Command::Put, "s3://b/t", &["--endpoint", "http://h:1", "--region", "r", "--cleanup"]),
        (Command::Get, "az://a/c/t", &["--endpoint", "http://h:1", "--anonymous"]),
        // What is no target is refused as such.
        (Command::Get, "nfs://x", &["--anonymous"]),
    ] {
        assert_eq!(refused(command, target, options), [""; 0], "{target} {options:?}");
    }
}

#[test]
fn all_of_them_are_said_at_once() {
    let said = refused(Command::Put, "file:///t", &["--verify", "--pattern", "random", "--region", "r"]);
    assert_eq!(said.len(), 3, "{said:?}");
}

/// What a command could only refuse, whatever its target, is not offered by its help.
#[test]
fn help_shows_what_may_be_given() {
    for command in COMMANDS {
        let mut line = Line::command().mut_args(|option| shown(option, command));
        let help = line.render_long_help().to_string();
        let offers = |flag: &str| help.contains(&format!("{flag} <")) || help.contains(&format!("{flag}\n"));
        assert_eq!(offers("--block-size"), command.works_on_blocks(), "{help}");
        assert_eq!(offers("--pattern"), command != Command::Put, "{help}");
        assert_eq!(offers("--verify"), command.reads(), "{help}");
        assert_eq!(offers("--endpoint"), !command.works_on_blocks(), "{help}");
        assert!(offers("--cleanup") && !offers("--yes-delete-everything"), "{help}");
    }
}

#[test]
fn a_pattern_that_is_none_is_refused_with_those_there_are() {
    for (given, said) in [
        ("zipf", "it needs its THETA, as in zipf:0.9"),
        ("zipf:", "THETA is a number above 0 and at most 10"),
        ("zipf:x", "THETA is a number above 0 and at most 10"),
        ("zipf:11", "THETA is a number above 0 and at most 10"),
        ("seq", "did you mean sequential? known are random, sequential and zipf:THETA, as in zipf:0.9"),
        ("rand", "did you mean random?"),
        ("zipfian", "did you mean zipf:0.9?"),
        ("hot", "known are random, sequential and zipf:THETA"),
    ] {
        let line = ["iobench", "mem://", "--pattern", given];
        let Err(error) = Line::try_parse_from(line) else { panic!("{given} was accepted") };
        let text = error.to_string();
        assert!(text.contains("'--pattern <PATTERN>'") && text.contains(said), "{given}: {text}");
    }
}

/// Nobody has seen the configuration that options make: what is wrong is shown by the option.
#[test]
fn every_option_that_is_wrong_is_shown_itself() {
    for (command, options) in [
        (
            Command::Put,
            &["--size 4q", "--objects x", "--duration 0s", "--concurrency 0", "--warmup soon"][..],
        ),
        (Command::Read, &["--block-size 4k", "--size 1M", "--objects 0"]),
        (Command::Get, &["--endpoint nowhere"]),
        (Command::Get, &["--endpoint http://h:1 --endpoint x"]),
    ] {
        let words: Vec<_> = options.iter().flat_map(|option| option.split(' ')).collect();
        let target = if command == Command::Get { "s3://b/t" } else { "direct:///t" };
        let quick = quick(target, &words);
        let (yaml, given) = (quick.configuration(command), quick.given(command));
        let said = load_options(&yaml, &[], "command line", &given).unwrap_err().to_string();
        for option in options {
            assert!(said.lines().any(|line| line.trim() == format!("--> {option}")), "{option}: {said}");
        }
        assert!(!said.contains("object_size: '") && !said.contains(":1:"), "{said}");
    }
    let quick = quick("nowhere", &[]);
    let said =
        load_options(&quick.configuration(Command::Put), &[], "command line", &quick.given(Command::Put));
    assert!(said.unwrap_err().to_string().contains("--> nowhere"), "the target, too");
}
