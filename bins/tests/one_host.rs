//! `iobench` as a real process on one host.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use support::{Place, Process, files, iobench, json};

const LONG: Duration = Duration::from_secs(90);

/// A small run in the test's directory.
fn small(place: &Place, extra: &str) -> std::path::PathBuf {
    std::fs::create_dir_all(place.path().join("data")).unwrap();
    place.file(
        "small.yaml",
        &format!(
            "target: file://{}\nduration: 2s\nconcurrency: 4\n{extra}prepare:\n  ensure_objects:\n    - {{base_uri: objects/, count: 20, size: 64KiB}}\n  cleanup: true\nworkload:\n  - {{op: get, path: objects/, weight: 3}}\n  - {{op: put, path: new/, object_size: 10KiB, count: 30}}\n  - {{op: stat, path: objects/}}\n",
            place.path().join("data").display()
        ),
    )
}

fn run(place: &Place, file: &Path, more: &[&str]) -> (i32, String, String) {
    std::fs::create_dir_all(place.path().join("results")).unwrap();
    let results = place.path().join("results");
    let mut arguments = vec!["run", file.to_str().unwrap(), "--results", results.to_str().unwrap()];
    arguments.extend(more);
    iobench(&arguments)
}

/// Whether the timed stage has each of these: on a host that does something else, a second or two may be too short.
fn measures_each(text: &str, operations: &[&str]) -> bool {
    let work = text.split("\nexecute").nth(1).unwrap();
    operations.iter().all(|operation| work.lines().any(|row| row.starts_with(operation)))
}

#[test]
fn a_run_prepares_measures_cleans_up_and_tells_the_same_in_text_tsv_and_json() {
    let run_for = |seconds: u32| {
        let place = Place::new();
        let duration = format!("duration={seconds}s");
        let (code, text, stderr) = run(&place, &small(&place, ""), &["--set", &duration]);
        assert_eq!(code, 0, "{text}{stderr}");
        (place, text, f64::from(seconds))
    };
    let short = run_for(2);
    let each = measures_each(&short.1, &["get", "put", "stat"]);
    let (place, text, planned) = if each { short } else { run_for(10) };
    assert!(text.starts_with("COMPLETE"), "{text}");
    assert_eq!(files(&place.path().join("data")), 0, "cleanup removes what was prepared and put");
    let results = place.results();
    let summary = json(&results.join("summary.json"));
    assert_eq!(summary["label"], "complete");
    let (_, again, _) = iobench(&["report", results.to_str().unwrap(), "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), summary, "a later report says the same");
    let mut stages = summary["stages"].as_array().unwrap().iter();
    let stage = stages.find(|stage| stage["planned_s"] == planned).unwrap();
    let tsv = std::fs::read_to_string(results.join("workload_results.tsv")).unwrap();
    for operation in ["get", "put", "stat"] {
        let line = stage["operations"].as_array().unwrap().iter().find(|line| line["operation"] == operation);
        let count = line.unwrap()["count"].as_u64().unwrap();
        assert!(count > 0);
        let row =
            text.split("\nexecute").nth(1).unwrap().lines().find(|row| row.starts_with(operation)).unwrap();
        assert_eq!(row.split_whitespace().nth(1).unwrap().replace(',', ""), count.to_string(), "{row}");
        let in_tsv: u64 = tsv
            .lines()
            .filter(|row| row.starts_with(&format!("{operation}\t")))
            .map(|row| row.split('\t').nth(12).unwrap().parse::<u64>().unwrap())
            .sum();
        assert_eq!(in_tsv, count, "{tsv}");
    }
    assert!(!results.join("RUNNING").exists());
}

#[test]
fn json_is_all_there_is_on_standard_output() {
    let place = Place::new();
    let (code, stdout, _) = run(&place, &small(&place, ""), &["--json"]);
    assert_eq!(code, 0);
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["exit_code"], 0);
}

#[test]
fn the_same_seed_does_the_same_work() {
    let counts = || {
        let place = Place::new();
        let (code, stdout, stderr) = run(&place, &small(&place, "seed: 7\n"), &["--json"]);
        assert_eq!(code, 0, "{stderr}");
        let summary: Value = serde_json::from_str(&stdout).unwrap();
        (summary["seed"].as_u64(), summary["stages"][0]["operations"][0]["bytes"].as_u64())
    };
    assert_eq!(counts(), counts());
}

#[test]
fn quick_commands_measure_without_a_file() {
    for operation in ["read", "write", "get", "put"] {
        // On a host that does something else, a second may be too short to measure anything.
        assert!(measures(operation, "1s") || measures(operation, "10s"), "{operation} measures nothing");
    }
}

/// Whether a quick command completes an operation in this time.
fn measures(operation: &str, duration: &str) -> bool {
    let place = Place::new();
    let target = format!("file://{}/data", place.path().display());
    std::fs::create_dir_all(place.path().join("data")).unwrap();
    let results = place.path().to_str().unwrap().to_owned();
    let short = ["--size", "1MiB", "--duration", duration, "--concurrency", "4", "--cleanup"];
    // A thousand of them may be more than the disk has room for.
    let few = if operation == "get" { &["--objects", "8"][..] } else { &[] };
    let arguments = [&[operation, &target], &short[..], few, &["--results", &results]].concat();
    let (code, stdout, stderr) = iobench(&arguments);
    assert_eq!(code, 0, "{operation}: {stderr}");
    assert!(stdout.starts_with("COMPLETE"), "{operation}: {stdout}");
    assert_eq!(files(&place.path().join("data")), 0, "{operation} cleans up");
    stdout.contains(&format!("\n{operation} "))
}

#[test]
fn a_file_that_is_there_is_read_as_it_is() {
    let place = Place::new();
    let file = place.file("data.bin", &"x".repeat(1 << 20));
    let target = format!("file://{}", file.display());
    let results = place.path().join("results");
    std::fs::create_dir(&results).unwrap();
    let measured =
        ["--results", results.to_str().unwrap(), "--runtime", "1s", "--iodepth", "4", "--bs", "8KiB"];
    let (code, stdout, stderr) = iobench(&[&["read", &target], &measured[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("read data.bin (8 KiB random)"), "{stdout}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x".repeat(1 << 20));
    for (arguments, said) in [
        (["write", &target, "--bs", "8KiB"], "makes its own in a directory"),
        (["read", &target, "--size", "1MiB"], "--size has no effect"),
    ] {
        let (code, _, stderr) = iobench(&arguments);
        assert!(code == 64 && stderr.contains(said), "{code}: {stderr}");
    }
}

#[test]
fn bad_input_is_refused_with_its_reason_and_touches_nothing() {
    let cases: [(&str, &str, &str); 12] = [
        ("", "empty", "nothing in it"),
        ("target: 5\nduration: [1]\n", "expected text", "wrong types"),
        ("target: file://DATA\nduration: 1s\nwrokload: []\n", "did you mean `workload`?", "unknown key"),
        (
            "target: file://DATA\nduration: 1s\nworkload:\n  - {op: put, path: a/, object_size: 1, weight: 0}\n",
            "weights",
            "weights 0",
        ),
        (
            "target: file://DATA\nduration: 1s\nprepare: {ensure_objects: [{base_uri: a/, count: 1, min_size: 2, max_size: 1}]}\nworkload:\n  - {op: get, path: a/}\n",
            "more than `max_size`",
            "min > max",
        ),
        (
            "target: file://DATA\nduration: 1s\nworkload:\n  - {op: get, path: none/}\n",
            "nothing is at",
            "nothing to read",
        ),
        (
            "target: file://DATA\nduration: 1s\nworkload:\n  - {op: read, path: none/f, block_size: 4KiB}\n",
            "nothing is at",
            "no file to read",
        ),
        (
            "target: file:///sys/iobench\nduration: 1s\nworkload:\n  - {op: put, path: a/, object_size: 1}\n",
            "does not store data",
            "a directory that cannot hold data",
        ),
        (
            "target: file://DATA\nduration: 1s\nprepare: {ensure_objects: [{base_uri: a/, count: 1000, size: 1TiB}]}\nworkload:\n  - {op: get, path: a/}\n",
            "free",
            "larger than the disk",
        ),
        (
            "target: file://DATA\nduration: 1s\nconcurrency: 0\nworkload:\n  - {op: put, path: a/, object_size: 1}\n",
            "concurrency of 0",
            "no concurrency",
        ),
        (
            "target: file://DATA\nduration: 0s\nworkload:\n  - {op: put, path: a/, object_size: 1}\n",
            "duration",
            "no duration",
        ),
        (
            "target: nfs://host/x\nduration: 1s\nworkload:\n  - {op: put, path: a/, object_size: 1}\n",
            "unknown scheme",
            "unknown scheme",
        ),
    ];
    for (yaml, says, case) in cases {
        let place = Place::new();
        std::fs::create_dir_all(place.path().join("data")).unwrap();
        let file = place.file("bad.yaml", &yaml.replace("DATA", place.path().join("data").to_str().unwrap()));
        let (code, stdout, stderr) = run(&place, &file, &[]);
        assert_eq!(code, 5, "{case}: {stdout}{stderr}");
        assert!(stderr.contains(says), "{case}: {stderr}");
        assert!(!stderr.contains("panicked"), "{case}: {stderr}");
        assert_eq!(stdout, "", "{case}");
        assert_eq!(files(&place.path().join("data")) + files(&place.path().join("results")), 0, "{case}");
    }
}

#[test]
fn a_read_only_directory_is_refused() {
    let place = Place::new();
    let data = place.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let file = small(&place, "");
    let forbidden = support::Forbidden::new(&data);
    let (code, _, stderr) = run(&place, &file, &[]);
    drop(forbidden);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("cannot be written") && stderr.contains(data.to_str().unwrap()), "{stderr}");
}

#[test]
fn ten_megabytes_of_aliases_are_refused_at_once() {
    let place = Place::new();
    let file = place.file("bomb.yaml", &format!("a: &a [x]\nb: [{}*a]\n", "*a, ".repeat(2_500_000)));
    let (code, _, stderr) = run(&place, &file, &[]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("more than 1024 KiB"), "they are not even parsed: {stderr}");
}

#[test]
fn a_configuration_without_an_end_is_refused_at_once() {
    for arguments in [["check", "/dev/zero"], ["run", "/dev/zero"], ["check", "/"]] {
        let (code, stdout, stderr) = iobench(&arguments);
        assert_eq!((code, &*stdout), (5, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains("it is neither a file") || stderr.contains("it is a directory"), "{stderr}");
    }
}

#[test]
fn a_wrong_command_line_is_64_and_help_is_0() {
    assert_eq!(iobench(&["run"]).0, 64);
    assert_eq!(iobench(&["frobnicate"]).0, 64);
    assert_eq!(iobench(&["--help"]).0, 0);
    assert_eq!(iobench(&["--version"]).0, 0);
    assert_eq!(iobench(&["run", "/no/such/file.yaml"]).0, 5);
}

#[test]
fn an_option_that_would_do_nothing_is_refused_before_anything_is_done() {
    let place = Place::new();
    let target = format!("file://{}/data", place.path().display());
    let results = place.path().to_str().unwrap();
    let (code, stdout, stderr) =
        iobench(&["put", &target, "--verify", "--endpoint", "http://127.0.0.1:1", "--results", results]);
    assert_eq!((code, stdout.as_str()), (64, ""), "{stderr}");
    for flag in ["error: --verify has no effect", "error: --endpoint has no effect"] {
        assert!(stderr.contains(flag), "{stderr}");
    }
    assert_eq!(files(place.path()), 0);
    let (_, help, _) = iobench(&["put", "--help"]);
    assert!(help.contains("--objects") && !help.contains("--verify"), "{help}");
}

#[test]
fn check_says_what_is_understood_and_touches_nothing() {
    let place = Place::new();
    let (code, stdout, stderr) = iobench(&["check", small(&place, "").to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("concurrency: 4") && stdout.contains("max_total_errors: 100"), "{stdout}");
    assert!(stdout.contains("seed: drawn at the start") && !stdout.contains("seed: 0"), "{stdout}");
    let (_, stdout, _) = iobench(&["check", small(&place, "seed: 42\n").to_str().unwrap()]);
    assert!(stdout.contains("\nseed: 42\n") && !stdout.contains("drawn"), "{stdout}");
    assert_eq!(files(&place.path().join("data")), 0);
}

/// A run of so many seconds that is already putting; `shell`: what a shell does before it becomes that run.
fn running(place: &Place, shell: &str, seconds: u32, more: &str) -> Process {
    let file = small(place, more);
    std::fs::create_dir_all(place.path().join("results")).unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("{shell} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_iobench"), "run"]);
    command.arg(&file).args(["--set", &format!("duration={seconds}s"), "--results"]);
    command.arg(place.path().join("results"));
    let run =
        Process::start(command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()));
    support::until("load", LONG, || files(&place.path().join("data/new")) > 0);
    run
}

#[test]
fn an_interrupted_run_removes_half_written_objects_and_keeps_its_results() {
    // The second comes when the terminal is closed.
    for signal in ["TERM", "HUP"] {
        let place = Place::new();
        let run = running(&place, "", 60, "");
        std::thread::sleep(Duration::from_millis(1500));
        run.signal(signal);
        let (code, stdout, stderr) = run.end(LONG);
        assert_eq!(code, 3, "{signal}: {stderr}");
        assert!(stdout.starts_with("ABORTED"), "{stdout}");
        for entry in std::fs::read_dir(place.path().join("data/new")).unwrap().flatten() {
            assert_eq!(entry.metadata().unwrap().len(), 10 << 10, "{:?} is whole", entry.path());
        }
    }
}

#[test]
fn a_run_that_was_started_to_outlive_its_terminal_does() {
    let place = Place::new();
    let run = running(&place, "trap '' HUP;", 3, "");
    run.signal("HUP");
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn a_run_that_is_stopped_longer_than_a_lease_goes_on_and_says_so() {
    let place = Place::new();
    let run = running(&place, "", 8, "timeouts: {lease: 2s}\n");
    run.signal("STOP");
    std::thread::sleep(Duration::from_secs(4));
    run.signal("CONT");
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("this tool stood still for "), "{stdout}");
}

#[test]
fn a_results_directory_that_vanishes_is_written_again() {
    let place = Place::new();
    let run = running(&place, "", 4, "");
    std::thread::sleep(Duration::from_millis(500));
    std::fs::remove_dir_all(place.path().join("results")).unwrap();
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, report, stderr) = iobench(&["report", place.results().to_str().unwrap()]);
    assert_eq!((code, report), (0, stdout), "{stderr}");
}

#[test]
fn a_results_directory_that_cannot_be_written_again_costs_no_number() {
    let place = Place::new();
    let run = running(&place, "", 4, "");
    std::fs::remove_dir_all(place.path().join("results")).unwrap();
    place.file("results", "in the way");
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 7, "{stderr}");
    assert!(
        stdout.starts_with("COMPLETE") && stdout.contains("\nget ") && stdout.contains("RESULTS NOT WRITTEN"),
        "{stdout}"
    );
}

#[test]
fn a_limit_on_the_size_of_files_is_like_a_full_disk() {
    let place = Place::new();
    let file = place.file(
        "memory.yaml",
        "target: mem://x\nduration: 1s\nworkload: [{op: put, path: a/, object_size: 1, count: 100}]\n",
    );
    // In blocks of 512 bytes: too few for the journal's first record, and too few for the summary.
    for blocks in [1, 6] {
        let results = place.path().join(format!("results-{blocks}"));
        std::fs::create_dir(&results).unwrap();
        let mut command = std::process::Command::new("sh");
        command.arg("-c").arg(format!("ulimit -f {blocks}; exec \"$@\"")).arg("sh");
        command.arg(env!("CARGO_BIN_EXE_iobench")).arg("run").arg(&file).arg("--results").arg(&results);
        let (null, piped) = (std::process::Stdio::null, std::process::Stdio::piped);
        command.stdin(null()).stdout(piped()).stderr(piped());
        let (code, stdout, stderr) = Process::start(&mut command).end(LONG);
        assert_eq!(code, 7, "{blocks}: {stdout}{stderr}");
        assert!(stdout.contains("NOT WRITTEN") && stdout.contains("File too large"), "{blocks}: {stdout}");
        assert!(stdout.starts_with("COMPLETE"), "{blocks}: {stdout}");
    }
}

#[test]
fn a_put_follows_no_link_and_what_cannot_be_made_is_an_error() {
    let place = Place::new();
    let (data, victim) = (place.path().join("data"), place.file("victim", "keep"));
    std::fs::create_dir_all(data.join("new")).unwrap();
    std::os::unix::fs::symlink(&victim, data.join("new/obj_0")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", place.path().join("dangling")).unwrap();
    let dangling = place.path().join("dangling");
    for (target, cause) in
        [(&data, "Too many levels of symbolic links"), (&dangling, "No such file or directory")]
    {
        let yaml = format!(
            "target: file://{}\nduration: 30s\nconcurrency: 1\nworkload:\n  - {{op: put, path: new/, object_size: 4KiB, count: 1}}\n",
            target.display()
        );
        let (code, stdout, stderr) = run(&place, &place.file("put.yaml", &yaml), &[]);
        assert_eq!(code, 1, "{stdout}{stderr}");
        // Whichever budget is spent first, their number's or their rate's: that depends on the speed of the host.
        let named = format!("cannot put `{}/new/obj_0`: {cause}", target.display());
        assert!(stderr.contains(&named), "{stderr}");
    }
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "keep");
}

#[test]
fn a_full_standard_output_is_said() {
    let place = Place::new();
    let file = small(&place, "");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_iobench"));
    command.arg("run").arg(&file).arg("--results").arg(place.path());
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let run = Process::start(command.stdout(full).stderr(std::process::Stdio::piped()));
    let (code, _, stderr) = run.end(LONG);
    assert_eq!(code, 7);
    assert!(stderr.contains("cannot write to standard output"), "{stderr}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    let file = small(&place, "");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_iobench"));
    command.arg("run").arg(&file).arg("--results").arg(place.path());
    let mut run =
        Process::start(command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()));
    drop(run.child.stdout.take());
    assert_eq!(run.wait(LONG).code(), Some(0));
}

/// Peak resident size of a run over so many computed keys, KiB.
fn peak(keys: u64) -> u64 {
    let place = Place::new();
    let file = place.file(
        "keys.yaml",
        &format!("target: null://\nduration: 1s\nprepare: {{skip_verification: true, ensure_objects: [{{base_uri: a/, count: {keys}, size: 4KiB}}]}}\nstages:\n  - {{name: execute, type: execute, duration: 1s}}\nworkload:\n  - {{op: get, path: a/}}\n  - {{op: stat, path: a/}}\n"),
    );
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_iobench"));
    command.arg("run").arg(&file).arg("--results").arg(place.path()).arg("-q");
    let mut run = Process::start(command.stdout(std::process::Stdio::null()));
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", run.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(peak);
        if let Some(status) = run.child.try_wait().unwrap() {
            assert!(status.success());
            return peak;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_hundred_million_keys_need_no_more_memory_than_a_thousand() {
    let (few, many) = (peak(1_000), peak(100_000_000));
    assert!(few > 0 && many <= few + (64 << 10), "{few} KiB and {many} KiB");
}

/// What a line of a summary is about, without its numbers.
fn shape(line: &str) -> String {
    let words = || line.split_whitespace();
    match words().next() {
        Some("run" | "target" | "storage") => words().take(1).collect(),
        Some("Results:") => "Results".to_owned(),
        Some("warning:") => line.replace(|c: char| c.is_ascii_digit() || c == '.', "").replace("GiB", "MiB"),
        Some(_) if line.contains("p99.9") || line.starts_with("workload ") => line.to_owned(),
        Some(_) if line.starts_with("  cancelled") => "cancelled".to_owned(),
        Some(first) => first.trim_end_matches(':').to_owned(),
        None => String::new(),
    }
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("<!-- demo output -->\n```text\n").nth(1).unwrap().split("```").next().unwrap();
    let seed = shown.split("  seed ").nth(1).unwrap().split_whitespace().next().unwrap();
    let demo = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/quickstart.yaml"));
    let run_for = |duration: &str| {
        let place = Place::new();
        let target = format!("target=file://{}/data", place.path().display());
        let (code, printed, stderr) =
            run(&place, demo, &["--seed", seed, "--set", &format!("duration={duration}"), "--set", &target]);
        assert_eq!(code, 0, "{stderr}");
        printed
    };
    let short = run_for("1s");
    let printed = if measures_each(&short, &["get", "put", "stat", "list"]) { short } else { run_for("10s") };
    // Who set the limit depends on what else this host does.
    let verdict = |line: &&str| {
        line.contains("his tool") || line.contains("THIS TOOL") || line.starts_with("  execute: ")
    };
    let shapes = |text: &str| text.lines().filter(|line| !verdict(line)).map(shape).collect::<Vec<_>>();
    assert_eq!(shapes(&printed), shapes(shown), "{printed}");
}

#[test]
fn mistakes_on_the_command_line_are_shown_as_given_and_touch_nothing() {
    let place = Place::new();
    let target = format!("file://{}/data", place.path().display());
    let (code, _, stderr) = iobench(&["put", &target, "--size", "4q", "--concurrency", "0"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("--> --size 4q") && stderr.contains("--> --concurrency 0"), "{stderr}");
    assert!(!stderr.contains("object_size"), "{stderr}");
    assert_eq!(files(place.path()), 0);
}

#[test]
fn what_put_keeps_is_told_and_removed_by_the_command_that_is_told() {
    let place = Place::new();
    let (data, results) = (place.path().join("data"), place.path().join("results"));
    std::fs::create_dir_all(&results).unwrap();
    let target = format!("file://{}", data.display());
    let command = [
        "put",
        &target,
        "--size",
        "4KiB",
        "--objects",
        "20",
        "--duration",
        "1s",
        "--concurrency",
        "2",
        "--results",
        results.to_str().unwrap(),
    ];
    let (code, stdout, stderr) = iobench(&command);
    assert_eq!(code, 0, "{stderr}");
    let kept = format!("Kept below {target}: at most 20 objects of 4 KiB each in put/;");
    assert!(stdout.contains(&kept), "{stdout}");
    let told = stdout.split("remove it with the same command and ").nth(1).unwrap().lines().next().unwrap();
    // What was cancelled at the end is gone.
    assert!(files(&data) <= 20, "{}", files(&data));
    let (code, stdout, stderr) = iobench(&[&command[..], &told.split(' ').collect::<Vec<_>>()].concat());
    assert_eq!((code, files(&data)), (0, 0), "{stdout}{stderr}");
    assert!(!stdout.contains("Kept") && !stdout.contains("\nworkload"), "{stdout}");
}

#[test]
fn help_explains_the_exit_codes() {
    for command in [&["--help"][..], &["run", "--help"], &["put", "--help"]] {
        let (code, stdout, _) = iobench(command);
        assert!(code == 0 && stdout.contains("Exit codes:\n   0  complete"), "{command:?}: {stdout}");
        assert!(stdout.contains("\n  64  the command line is wrong"), "{stdout}");
    }
}
