//! Kept runs, and one result from several places.

use crate::results::testing::*;
use crate::results::{
    Condition, JOURNAL, KEPT_MAX, MergeError, Place, Record, Results, ResultsWriter, Source, keep, kept_runs,
    merge,
};
use iobench_core::agent::KeptRun;
use iobench_core::controller::{AgentEnd, ExitCode, Label};
use iobench_core::message::{AgentMessage, RunId};
use iobench_core::time::Now;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration of the scripted runs, but for the override of its duration.
const YAML: &str = "
name: nightly
target: file:///srv/bench
duration: 99s
prepare: {ensure_objects: [{base_uri: data/, count: 10, size: 4KiB}]}
workload: [{op: get, path: data/*, weight: 1}]
distributed: {agents: [{address: 'a:7420', id: agent-0}, {address: 'b:7420', id: agent-1}]}
";

/// What an agent would keep: its messages from this sequence number on.
fn kept(agent: u32, records: &[Record], from: u64) -> KeptRun {
    let messages: Vec<AgentMessage> = records
        .iter()
        .filter_map(|record| match record {
            Record::Agent(record) if record.agent.0 == agent => Some(record.message.clone()),
            _ => None,
        })
        .filter(|message| message.sequence >= from)
        .collect();
    KeptRun {
        run: RUN,
        agent_id: format!("agent-{agent}"),
        index: agent,
        yaml: YAML.to_owned(),
        overrides: vec!["duration=10s".to_owned()],
        seed: 42,
        messages,
    }
}

fn written(place: &Path, run: Scripted) -> Results {
    let (header, records, outcome) = run;
    let writer = ResultsWriter::create(place, header, Box::new(|_, _, _| ())).unwrap();
    for record in records {
        let Record::Agent(record) = record else { continue };
        writer.persist(record.agent, record.received, record.message);
    }
    let finished = writer.finish(outcome);
    assert_eq!(finished.failure, None);
    finished.results
}

fn directory(results: &Results) -> PathBuf {
    match &results.place {
        Place::Directory(path) => path.clone(),
        place => panic!("{place:?}"),
    }
}

#[test]
fn what_an_agent_kept_completes_a_partial_result_and_counts_once() {
    let place = tempfile::tempdir().unwrap();
    let whole = written(place.path(), complete_run());
    let partial = written(place.path(), partial_run());
    let (_, records, _) = complete_run();
    // It overlaps with what the controller has.
    let kept = keep(&place.path().join("state"), at(40), &kept(1, &records, 3)).unwrap();

    let merged = merge(&[kept.clone(), directory(&partial), kept, directory(&partial)]).unwrap();
    assert_eq!(merged.stages[1].total, whole.stages[1].total);
    assert_eq!(merged.stages[1].together, whole.stages[1].together, "intervals count once as well");
    assert_eq!((merged.outcome.label, merged.outcome.exit), (Label::Complete, ExitCode::AllCompleted));
    assert_eq!(merged.outcome.coverage_ppm, 1_000_000);
    assert!(!merged.stages[1].series_incomplete());
}

#[test]
fn of_a_state_directory_what_belongs_to_the_run_is_merged() {
    let place = tempfile::tempdir().unwrap();
    let partial = written(place.path(), partial_run());
    let (state, (_, records, _)) = (place.path().join("state"), complete_run());
    keep(&state, at(40), &kept(1, &records, 3)).unwrap();
    let another = RunId(7);
    keep(&state, at(50), &KeptRun { run: another, ..kept(1, &records, 3) }).unwrap();
    let merged = merge(&[state.clone(), directory(&partial)]).unwrap();
    assert_eq!((merged.header.run, merged.outcome.label), (RUN, Label::Complete));
    assert!(matches!(merge(&[state]), Err(MergeError::OtherRun { .. })), "alone it does not say which");
}

#[test]
fn what_agents_kept_alone_is_told_as_that_with_the_next_step() {
    let place = tempfile::tempdir().unwrap();
    let (state, (_, records, _)) = (place.path().join("state"), complete_run());
    let mut run = kept(1, &records, 3);
    // A file without a name of its own, as most are: the controller says what the run is called.
    run.yaml = YAML.replace("name: nightly\n", "");
    run.overrides.push("name='nightly'".to_owned());
    keep(&state, at(40), &run).unwrap();
    let merged = merge(std::slice::from_ref(&state)).unwrap();
    assert_eq!((merged.condition, merged.header.name.as_str()), (Condition::Kept, "nightly"));
    let told = crate::report::text(&merged);
    for part in [
        "only the results that agents kept because no controller confirmed them",
        "its totals are whole",
        &format!("Results that agents kept, from {}\n", state.display()),
        &format!("\n  iobench merge RESULTS_DIR {}\n", state.display()),
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("incomplete"), "nothing is lost: {told}");
    for kept in [state.clone(), kept_runs(&state).unwrap().remove(0)] {
        let error = Results::open(&kept).unwrap_err().to_string();
        let next = format!("show them with: iobench merge {}, or", kept.display());
        assert!(error.contains(&next), "{error}");
    }
}

#[test]
fn a_message_in_several_journals_is_visited_once() {
    let place = tempfile::tempdir().unwrap();
    let journal = directory(&written(place.path(), complete_run())).join(JOURNAL);
    let messages = |journals: &[PathBuf]| {
        let mut count = 0;
        let source = Source { journals: journals.to_vec(), open: None, unwritten: Vec::new() };
        source.each(|record| count += u32::from(matches!(record, Record::Agent(_)))).unwrap();
        count
    };
    assert_eq!(messages(&[journal.clone(), journal.clone()]), messages(&[journal]));
}

#[test]
fn a_kept_failure_adds_its_measurements_but_not_a_success() {
    let place = tempfile::tempdir().unwrap();
    let partial = written(place.path(), partial_run());
    let mut agent = Agent::new(1, 500);
    agent.accepted();
    (11..=18).for_each(|second| {
        agent.interval(second, gets(&[300, 400]));
    });
    agent.failed(10, 18, "the controller is gone");
    let kept = keep(&place.path().join("state"), at(40), &kept(1, &agent.records, 0)).unwrap();
    let merged = merge(&[directory(&partial), kept]).unwrap();
    assert_eq!(merged.outcome.label, Label::Partial);
    assert_eq!(merged.outcome.agents[1].end, AgentEnd::Failed);
    assert_eq!(merged.outcome.coverage_ppm, 900_000);
    let beside = merged.stages[1].agents.iter().find(|part| !part.counts).unwrap();
    assert_eq!(beside.measured.tally.count(), 16);
}

#[test]
fn kept_runs_alone_make_a_result_that_says_what_it_is() {
    let place = tempfile::tempdir().unwrap();
    let (_, records, _) = complete_run();
    // The agents' own clocks, which differ by 500 s.
    let now = |agent| Now { mono: at([40, 540][agent as usize]).mono, ..at(40) };
    let keep = |agent| keep(place.path(), now(agent), &kept(agent, &records, 0)).unwrap();
    let places = [0, 1].map(keep);
    let merged = merge(&places).unwrap();
    assert_eq!(merged.outcome.label, Label::Complete);
    assert_eq!(merged.stages[1].total.tally.count(), 40);
    assert_eq!((merged.header.name.as_str(), merged.header.seed), ("nightly", 42));
    assert_eq!(merged.stages[1].total.duration, Duration::from_secs(10), "placed by their wall clocks");
    let one = merge(&places[1..]).unwrap();
    assert_eq!(one.agents[0].outcome.address, "a:7420", "the configuration names whoever is missing");
    assert_eq!((one.outcome.label, one.outcome.coverage_ppm), (Label::Partial, 500_000));
    assert!(one.outcome.cause.contains("the controller's own are not among them"), "{}", one.outcome.cause);
}

#[test]
fn kept_runs_alone_say_when_they_began_and_count_their_warm_up_as_time() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = Agent::new(1, 500);
    (13..=20).for_each(|second| {
        agent.interval(second, gets(&[300, 400]));
    });
    agent.completed(12, 20);
    // What warmed up before was acknowledged, so that it is not kept.
    let mut run = kept(1, &agent.records, 3);
    run.overrides = vec!["duration=8s".to_owned(), "warmup_period=2s".to_owned()];
    let kept_at = Now { mono: at(540).mono, ..at(40) };
    let merged = merge(&[keep(place.path(), kept_at, &run).unwrap()]).unwrap();
    assert_eq!(merged.header.started.unix, at(10).unix);
    assert_eq!(merged.stages[0].timeline.start, at(10).unix);
    assert_eq!(merged.outcome.agents[1].ran, 10 * SECOND, "of 10 s that were planned");
    assert_eq!(merged.stages[0].total.duration, Duration::from_secs(8), "rates are of what was measured");
}

#[test]
fn a_kept_configuration_that_cannot_be_read_any_more_loses_only_names() {
    let place = tempfile::tempdir().unwrap();
    let (_, records, _) = complete_run();
    let mut run = kept(0, &records, 0);
    run.yaml = "of another: version".to_owned();
    let merged = merge(&[keep(place.path(), at(40), &run).unwrap()]).unwrap();
    assert_eq!((merged.header.name.as_str(), merged.stages[1].name.as_str()), ("kept", "stage 1"));
    assert_eq!(merged.stages[1].total.tally.count(), 20);
}

#[test]
fn places_of_different_runs_are_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let (_, records, _) = complete_run();
    let mine = keep(place.path(), at(40), &kept(0, &records, 0)).unwrap();
    let mut other = kept(0, &records, 0);
    other.run = RunId(7);
    let other = keep(place.path(), at(41), &other).unwrap();
    let error = merge(&[mine.clone(), other.clone()]).unwrap_err();
    assert!(matches!(error, MergeError::OtherRun { .. }));
    let text = error.to_string();
    assert!(text.contains(mine.to_str().unwrap()) && text.contains(other.to_str().unwrap()), "{text}");
    assert!(matches!(merge(&[]), Err(MergeError::Nothing)));
    assert!(matches!(merge(&[place.path().join("nowhere")]), Err(MergeError::Neither { .. })));
}

#[test]
fn an_agent_keeps_its_last_twenty_runs() {
    let place = tempfile::tempdir().unwrap();
    let (_, records, _) = complete_run();
    let run = kept(0, &records, 20);
    let made: Vec<PathBuf> =
        (0..25).map(|second| keep(place.path(), at(40 + second / 2), &run).unwrap()).collect();
    assert_eq!(kept_runs(place.path()).unwrap(), made[25 - KEPT_MAX..]);
}
