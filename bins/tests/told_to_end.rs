//! Signals to real processes: who ends, when and with what, also where a disk does not answer.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod support;

use iobench::results::Record;
use rustix::fs::{CWD, FileType, mknodat};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Agent, Place, Process, controller, files, held, interval_of, iobench, journalled, until};

const LONG: Duration = Duration::from_secs(90);

/// Puts to where nothing is stored.
fn puts(place: &Place, seconds: u32) -> PathBuf {
    let yaml = format!(
        "target: null://\nduration: {seconds}s\ninterval: 100ms\nworkload:\n  - {{op: put, path: a/, object_size: 4KiB}}\n"
    );
    place.file("puts.yaml", &yaml)
}

/// `iobench run` of a file; `shell`: what a shell does before it becomes that run.
fn run_here(place: &Place, shell: &str, file: &Path) -> Process {
    run_telling(place, shell, file, Stdio::piped())
}

/// The same with its standard output anywhere.
fn run_telling(place: &Place, shell: &str, file: &Path, stdout: impl Into<Stdio>) -> Process {
    let results = place.path().join("results");
    std::fs::create_dir(&results).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_iobench"), "run"]);
    command.arg(file).arg("--results").arg(results);
    Process::start(command.stdout(stdout).stderr(Stdio::piped()))
}

/// The results directory, once it is there.
fn begun(place: &Place) -> PathBuf {
    until("a journal", LONG, || files(&place.path().join("results")) > 0);
    place.results()
}

/// Makes the last writes of a run hang: a pipe without a reader is where a final file would be.
fn hang(results: &Path) -> PathBuf {
    let pipe = results.join(".summary.json.tmp");
    mknodat(CWD, &pipe, FileType::Fifo, 0o600.into(), 0).unwrap();
    pipe
}

fn outcome(record: &Record) -> bool {
    matches!(record, Record::Outcome(_))
}

/// The summary is all there, and says that it is nowhere else; a later report finds everything.
fn told_from_memory(label: &str, results: &Path, pipe: &Path, (stdout, stderr): (&str, &str)) {
    assert!(stdout.starts_with(label) && stdout.contains("\nput "), "{stdout}{stderr}");
    let why = format!("told to end before {} was written", results.display());
    assert!(stdout.contains("RESULTS NOT WRITTEN") && stderr.contains(&why), "{stdout}{stderr}");
    std::fs::remove_file(pipe).unwrap();
    let (code, report, stderr) = iobench(&["report", results.to_str().unwrap()]);
    assert!(code == 0 && report.starts_with(label), "{report}{stderr}");
}

#[test]
fn a_disk_that_hangs_at_the_end_is_left_at_a_signal_and_the_summary_is_printed() {
    let place = Place::new();
    let run = run_here(&place, "", &puts(&place, 3));
    let results = begun(&place);
    let pipe = hang(&results);
    until("the end", LONG, || journalled(&results, outcome) > 0);
    run.signal("INT");
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 7, "{stdout}{stderr}");
    told_from_memory("COMPLETE", &results, &pipe, (&stdout, &stderr));
}

#[test]
fn a_second_signal_ends_an_interrupted_run_whose_disk_hangs_still_with_3() {
    let place = Place::new();
    let run = run_here(&place, "", &puts(&place, 600));
    let results = begun(&place);
    let pipe = hang(&results);
    until("load", LONG, || journalled(&results, interval_of(0)) > 0);
    run.signal("INT");
    until("the end", LONG, || journalled(&results, outcome) > 0);
    run.signal("TERM");
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 3, "{stdout}{stderr}");
    told_from_memory("ABORTED", &results, &pipe, (&stdout, &stderr));
}

#[test]
fn two_signals_end_a_controller_whose_agent_and_disk_both_hang() {
    let place = Place::new();
    let agent = Agent::start(&place, "a");
    let run = controller(&place, &puts(&place, 600), &[&agent], &[]);
    let results = begun(&place);
    let pipe = hang(&results);
    until("load", LONG, || journalled(&results, interval_of(0)) > 0);
    agent.process.signal("STOP");
    run.signal("INT");
    run.signal("TERM");
    let (code, stdout, stderr) = run.end(LONG);
    agent.process.signal("CONT");
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert!(stdout.starts_with("ABORTED"), "{stdout}");
    assert!(pipe.exists() && results.join("RUNNING").exists(), "nobody waited for it");
}

#[test]
fn a_summary_that_nobody_reads_holds_a_run_only_until_it_is_told_to_end() {
    let place = Place::new();
    let (_unread, full) = held();
    let mut run = run_telling(&place, "", &puts(&place, 1), full);
    let results = begun(&place);
    let is_written = || results.join("summary.json").exists() && !results.join("RUNNING").exists();
    until("the results", LONG, is_written);
    assert!(run.child.try_wait().unwrap().is_none(), "its summary is not read");
    // At the moment between its run and its summary it does not listen.
    let patience = Instant::now() + LONG;
    while run.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < patience, "it goes on");
        run.signal("INT");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (code, _, stderr) = run.end(LONG);
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("told to end before anybody had read all of standard output"), "{stderr}");
}

#[test]
fn sigterm_ends_a_controller_as_ctrl_c_does() {
    let place = Place::new();
    let agent = Agent::start(&place, "a");
    let run = controller(&place, &puts(&place, 600), &[&agent], &[]);
    let results = begun(&place);
    until("load", LONG, || journalled(&results, interval_of(0)) > 0);
    run.signal("TERM");
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 3, "{stderr}");
    assert!(stdout.starts_with("ABORTED"), "{stdout}");
    let summary = place.summary();
    assert_eq!(summary["label"], "aborted");
    assert_eq!(summary["agents"][0]["end"], "aborted", "the agent said so itself");
}

#[test]
fn a_signal_that_was_ignored_when_the_process_began_stays_ignored() {
    let place = Place::new();
    let run = run_here(&place, "trap '' INT TERM HUP;", &puts(&place, 2));
    let results = begun(&place);
    until("load", LONG, || journalled(&results, interval_of(0)) > 0);
    for signal in ["INT", "TERM", "HUP"] {
        run.signal(signal);
    }
    let (code, stdout, stderr) = run.end(LONG);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn an_agent_that_is_told_to_end_keeps_its_results_before_it_does() {
    let place = Place::new();
    let mut agent = Agent::start(&place, "a");
    let run = controller(&place, &puts(&place, 600), &[&agent], &[]);
    let results = begun(&place);
    until("load", LONG, || journalled(&results, interval_of(0)) > 0);
    // Killed: nobody confirms anything any more.
    drop(run);
    agent.process.signal("TERM");
    assert!(agent.process.wait(LONG).success());
    let kept = agent.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let (code, merged, stderr) = iobench(&["merge", kept[0].to_str().unwrap()]);
    assert!(code == 0 && merged.contains("\nput "), "{merged}{stderr}");
}
