//! A controller and its agents as real processes: what only processes show.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod support;

use iobench::results::Results;
use iobench_servers::Refused;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{
    Agent, Place, Process, controller, controller_at, controller_with_results, files, held, interval_of,
    iobench, journalled, until,
};

const LONG: Duration = Duration::from_secs(90);

/// Every agent puts 4 KiB objects into its own directory.
fn puts(place: &Place, seconds: u32) -> PathBuf {
    let target = place.path().join("data");
    std::fs::create_dir_all(&target).unwrap();
    place.file(
        "puts.yaml",
        &format!(
            "target: file://{}\nduration: {seconds}s\nconcurrency: 2\ndistributed:\n  start_delay: 3s\nworkload:\n  - {{op: put, path: put/, object_size: 4KiB, count: 500}}\n",
            target.display()
        ),
    )
}

/// A prepare that takes long: many objects, each made durable.
fn long_prepare(place: &Place) -> PathBuf {
    let target = place.path().join("data");
    std::fs::create_dir_all(&target).unwrap();
    place.file(
        "prepare.yaml",
        &format!(
            "target: file://{}\nduration: 5s\nconcurrency: 2\nfile: {{fsync: each}}\ndistributed:\n  start_delay: 3s\nprepare:\n  ensure_objects:\n    - {{base_uri: objects/, count: 500000, size: 4KiB}}\nworkload:\n  - {{op: get, path: objects/}}\n",
            target.display()
        ),
    )
}

fn three(place: &Place) -> [Agent; 3] {
    ["a", "b", "c"].map(|name| Agent::start(place, name))
}

/// The directory that one of several agents works in: it is named after the agent, which is named after its address.
fn data(place: &Place, agent: &Agent) -> PathBuf {
    place.path().join("data").join(format!("agent-{}", agent.address.replace(':', "-")))
}

/// It has written the first file of its workload, or more.
fn loads(place: &Place, agent: &Agent) -> bool {
    any_file(&data(place, agent).join("put"))
}

fn any_file(directory: &Path) -> bool {
    files(directory) > 0
}

fn end_of(agent: &Value) -> &str {
    agent["end"].as_str().unwrap()
}

fn count(operations: &Value) -> u64 {
    operations
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["size_bucket"] == "all" || line["size_bucket"] == "ALL")
        .map(|line| line["count"].as_u64().unwrap())
        .sum()
}

#[test]
fn three_agents_start_together_and_the_whole_is_the_sum_of_its_parts() {
    let place = Place::new();
    let file = puts(&place, 3);
    let agents = three(&place);
    let run = controller(&place, &file, &agents.each_ref(), &[]);
    let seen: Vec<SystemTime> = std::thread::scope(|scope| {
        let watchers = agents.each_ref().map(|agent| {
            let place = &place;
            scope.spawn(move || {
                until("the first object", LONG, || loads(place, agent));
                SystemTime::now()
            })
        });
        watchers.map(|watcher| watcher.join().unwrap()).to_vec()
    });
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 0, "{stdout}{stderr}");

    // How late anyone is depends on the host; that nobody is early, and that what is told is so, does not.
    let results = Results::open(&place.results()).unwrap();
    let [start] = &results.outcome.starts[..] else { panic!("{:?}", results.outcome) };
    for (seen, skew) in seen.iter().zip(&start.skews) {
        let skew = skew.unwrap();
        let bound = i64::try_from(skew.bound).unwrap();
        assert!(skew.nanos >= -bound, "nobody begins before the instant: {skew:?}");
        let seen = i64::try_from(seen.duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
        let told = i64::try_from(start.unix.0).unwrap() + skew.nanos - bound;
        assert!(seen >= told, "seen at {seen}, told to begin at {told}: {skew:?}");
    }
    assert_eq!(start.skews.len(), 3);

    let summary = place.summary();
    let stage = &summary["stages"][0];
    let parts = stage["agents"].as_array().unwrap();
    let whole = count(&stage["operations"]);
    let sum: u64 = parts.iter().map(|part| count(&part["operations"])).sum();
    assert!(whole > 0 && whole == sum, "{whole} {sum}");
    assert_eq!(summary["label"], "complete");
    for name in
        ["config.yaml", "environment.json", "workload_results.tsv", "perf_log.tsv", "events.jsonl", "journal"]
    {
        assert!(place.results().join(name).is_file(), "{name} is missing");
    }
    assert!(!place.results().join("RUNNING").exists());
}

#[test]
fn when_an_agent_is_killed_the_others_go_on_and_the_result_is_partial() {
    let place = Place::new();
    let file = puts(&place, 8);
    let [a, mut b, c] = three(&place);
    let run = controller(&place, &file, &[&a, &b, &c], &[]);
    until("load", LONG, || [&a, &b, &c].into_iter().all(|agent| loads(&place, agent)));
    until("two intervals", LONG, || journalled(&place.results(), interval_of(1)) >= 2);
    b.process.child.kill().unwrap();
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 2, "{stdout}{stderr}");
    assert!(stdout.starts_with("PARTIAL"), "{stdout}");
    let summary = place.summary();
    let ends: Vec<_> = summary["agents"].as_array().unwrap().iter().map(end_of).collect();
    assert_eq!(ends, ["completed", "failed", "completed"]);
    assert!(summary["coverage"].as_f64().unwrap() < 1.0);
    let lost = &summary["agents"][1];
    assert!(lost["ran_s"].as_f64().unwrap() >= 1.0, "its acknowledged intervals are kept: {lost}");
    assert!(stderr.contains(&b.address), "a person is told which: {stderr}");
}

/// Kills the controller, sees the agents stop, keep what they have, and serve the next run.
fn controller_is_killed(file: fn(&Place) -> PathBuf, kept: bool) {
    let place = Place::new();
    let file = file(&place);
    let agents = ["a", "b"].map(|name| Agent::start(&place, name));
    let mut run = controller(&place, &file, &agents.each_ref(), &[]);
    until("load", LONG, || agents.iter().all(|agent| files(&data(&place, agent)) > 20));
    std::thread::sleep(Duration::from_millis(1500));
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    let state = |agent: &Agent| describe(&agent.address);
    until("idle agents", LONG, || agents.iter().all(|agent| state(agent).contains("IDLE")));
    let before = newest_change(&place.path().join("data"));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(newest_change(&place.path().join("data")), before, "no load without a controller");
    if kept {
        until("each keeps its own results", LONG, || agents.iter().all(|agent| agent.kept().len() == 1));
        let (code, merged, error) = iobench(&["merge", agents[0].kept()[0].to_str().unwrap()]);
        assert_eq!(code, 0, "{merged}{error}");
    }
    let results = place.results();
    let (code, report, error) = iobench(&["report", results.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    assert!(report.starts_with("PARTIAL") || report.starts_with("ABORTED"), "{report}");
    std::fs::remove_dir_all(place.path().join("data")).unwrap();
    std::fs::remove_dir_all(place.path().join("results")).unwrap();
    let next = controller(&place, &puts(&place, 1), &agents.each_ref(), &[]);
    let (code, _, stderr) = next.end(LONG);
    assert_eq!(code, 0, "the agents serve the next run: {stderr}");
}

fn describe(address: &str) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_iobench-controller"));
    let output = command.args(["describe", address]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// When anything below was last written or created.
fn newest_change(directory: &Path) -> SystemTime {
    let own = std::fs::metadata(directory).unwrap().modified().unwrap();
    let below = std::fs::read_dir(directory).unwrap().flatten().map(|entry| {
        if entry.path().is_dir() {
            newest_change(&entry.path())
        } else {
            entry.metadata().unwrap().modified().unwrap()
        }
    });
    below.max().map_or(own, |newest| newest.max(own))
}

#[test]
fn when_the_controller_is_killed_in_the_workload_agents_stop_keep_their_results_and_serve_the_next_run() {
    controller_is_killed(|place| puts(place, 60), true);
}

#[test]
fn when_the_controller_is_killed_while_preparing_agents_stop_and_serve_the_next_run() {
    controller_is_killed(long_prepare, true);
}

#[test]
fn a_terminal_that_is_held_stops_neither_the_controller_nor_an_agent() {
    let place = Place::new();
    let ((_reader, stderr), (_other, log)) = (held(), held());
    let agent = Agent::start_saying(&place, "a", &["--verbose"], &[], log);
    std::fs::create_dir_all(place.path().join("results")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_iobench-controller"));
    command.arg("run").arg(puts(&place, 7)).args(["--agents", &agent.address, "--verbose", "--results"]);
    command.arg(place.path().join("results")).stdout(std::process::Stdio::piped()).stderr(stderr);
    let (code, text, _) = Process::start(&mut command).end(LONG);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("COMPLETE"), "{text}");
    assert!(describe(&agent.address).contains("IDLE"));
}

#[test]
fn an_interrupt_ends_the_run_with_partial_results_as_soon_as_all_have_answered() {
    let place = Place::new();
    let file = puts(&place, 60);
    let agents = three(&place);
    // Longer than it is waited for: who has answered is not waited for.
    let run = controller(&place, &file, &agents.each_ref(), &["--set", "timeouts.abort_wait=600s"]);
    until("load", LONG, || loads(&place, &agents[0]));
    until("an interval", LONG, || journalled(&place.results(), interval_of(0)) > 0);
    run.signal("INT");
    let (code, stdout, _) = run.end(LONG);
    assert_eq!(code, 3);
    assert!(stdout.starts_with("ABORTED"), "{stdout}");
    let summary = place.summary();
    assert_eq!(summary["label"], "aborted");
    assert!(count(&summary["stages"][0]["operations"]) > 0, "what was measured is there");
}

#[test]
fn a_controller_and_then_an_agent_that_stand_still_for_a_while_fail_nobody_and_lose_nothing() {
    // Longer than an agent may say nothing, so that it is asked, but within the lease and the time for its answers.
    const STILL: Duration = Duration::from_secs(4);
    let place = Place::new();
    let file = puts(&place, 13);
    let agents = ["a", "b"].map(|name| Agent::start(&place, name));
    let limits = "timeouts={lease: 15s, silence: 3s, ping: 2s, ping_tries: 3}";
    let run = controller(&place, &file, &agents.each_ref(), &["--set", limits, "--set", "interval=500ms"]);
    until("load", LONG, || agents.iter().all(|agent| loads(&place, agent)));
    for process in [&run, &agents[0].process] {
        process.signal("STOP");
        std::thread::sleep(STILL);
        process.signal("CONT");
    }
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let results = Results::open(&place.results()).unwrap();
    assert_eq!(results.losses, Vec::<String>::new());
    for agent in &results.agents {
        let told = &agent.outcome;
        assert_eq!((told.invalid, told.merged, told.missing), (0, 0, 0), "{told:?}");
    }
    let [stage] = &results.stages[..] else { panic!("{:?}", results.stages) };
    assert_eq!(stage.agents.len(), 2);
    assert!(!stage.series_incomplete(), "the intervals add up to what the agents say in the end");
}

#[test]
fn an_agent_that_cannot_be_reached_is_named() {
    let place = Place::new();
    let file = puts(&place, 5);
    let agent = Agent::start(&place, "a");
    let refused = Refused::new();
    let gone = refused.address().to_string();
    let (code, _, stderr) = controller_at(&place, &file, &[&agent.address, &gone], &[]).end(LONG);
    assert_eq!(code, 4, "{stderr}");
    assert!(
        stderr.contains(&gone) && stderr.contains("refused") && stderr.contains("4 attempts"),
        "{stderr}"
    );
    assert!(!any_file(&place.path().join("data")), "no storage was touched");
}

/// What the controller says to a configuration that it refuses with exit code 5, `{address}` being where an agent could
/// be; nobody was asked.
fn refused(name: &str, yaml: &str) -> String {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let file = place.file(name, &yaml.replace("{address}", &address));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_iobench-controller"));
    let output = command.arg("run").arg(&file).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(listener.accept().is_err(), "nobody was asked");
    stderr
}

#[test]
fn a_bad_configuration_is_refused_with_line_and_column_before_any_agent_is_asked() {
    let stderr = refused(
        "bad.yaml",
        "target: file:///tmp\nduration: 5s\nconcurency: 4\nworkload:\n  - {op: get, path: x/}\ndistributed:\n  agents: ['{address}']\n",
    );
    assert!(stderr.contains("bad.yaml:3:1") && stderr.contains("`concurrency`"), "{stderr}");
}

#[test]
fn two_agents_with_one_id_are_refused_before_any_agent_is_asked() {
    let stderr = refused(
        "twice.yaml",
        "target: file:///tmp\nduration: 5s\nworkload:\n  - {op: get, path: x/}\ndistributed:\n  agents:\n    - {id: one, address: '{address}'}\n    - {id: one, address: 'localhost:7420'}\n",
    );
    assert!(stderr.contains("twice.yaml:8") && stderr.contains("one"), "{stderr}");
}

#[test]
fn results_that_cannot_be_written_are_printed() {
    let place = Place::new();
    let file = puts(&place, 2);
    let agent = Agent::start(&place, "a");
    let no_directory = place.file("file", "");
    let (code, stdout, stderr) = controller_with_results(&no_directory, &file, &[&agent], &[]).end(LONG);
    assert_eq!(code, 7, "{stderr}");
    assert!(stdout.starts_with("COMPLETE") && stdout.contains("put"), "{stdout}");
    assert!(stderr.contains(no_directory.to_str().unwrap()), "{stderr}");
    until("kept results", LONG, || agent.kept().len() == 1);
}

#[test]
fn a_second_controller_is_told_who_holds_the_agent() {
    let place = Place::new();
    let file = puts(&place, 10);
    let agent = Agent::start(&place, "a");
    let first = controller(&place, &file, &[&agent], &[]);
    until("load", LONG, || any_file(&place.path().join("data")));
    let held = describe(&agent.address);
    assert!(held.contains("RUNNING for"), "{held}");
    let elsewhere = Place::new();
    let (code, _, stderr) = controller(&elsewhere, &file, &[&agent], &[]).end(LONG);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("holds this agent"), "{stderr}");
    assert_eq!(first.end(LONG).0, 0, "the first run is not disturbed");
}

#[test]
fn an_agent_that_is_told_to_end_stops_its_load_and_delivers_what_it_has() {
    let place = Place::new();
    let file = puts(&place, 30);
    let [a, mut b, c] = three(&place);
    let run = controller(&place, &file, &[&a, &b, &c], &["--set", "duration=8s"]);
    until("load", LONG, || [&a, &b, &c].into_iter().all(|agent| loads(&place, agent)));
    b.process.signal("TERM");
    assert!(b.process.wait(LONG).success());
    let (code, _, stderr) = run.end(LONG);
    assert_eq!(code, 2, "{stderr}");
    assert!(b.kept().is_empty(), "the controller has confirmed its results");
}
