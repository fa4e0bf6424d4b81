//! Whose measurements count, how they are merged, and when they were.

use crate::results::testing::*;
use crate::results::{Basis, Condition, Place, Record, Results, StageResult, each_point};
use iobench_core::controller::{AgentEnd, Label};
use iobench_core::message::Report;
use iobench_core::stats::summary::{Latency, Row, Scope};
use iobench_core::stats::{Histogram, Operation, Tally};
use std::time::Duration;

fn workload(results: &Results) -> &StageResult {
    results.stages.iter().find(|stage| stage.index == WORKLOAD).unwrap()
}

fn row(rows: &[Row], operation: Operation) -> &Row {
    rows.iter().find(|row| row.scope == Scope::Operation(operation)).unwrap()
}

fn run((header, mut records, outcome): Scripted) -> Results {
    records.push(Record::Outcome(Box::new(outcome)));
    results(header, records)
}

#[test]
fn all_agents_together_are_the_sum_of_each() {
    let results = run(complete_run());
    let stage = workload(&results);
    assert_eq!((stage.basis, stage.total.tally.count()), (Basis::Completed, 40));
    assert_eq!(stage.total.duration, Duration::from_secs(10), "clocks that differ by 500 s are one time");
    assert_eq!(row(&stage.total.rows, Operation::Get).ops_per_sec, 4.0);
    assert_eq!(results.stages[0].basis, Basis::Finished);
    assert_eq!(results.stages[0].total.tally.count(), 100);
}

#[test]
fn percentiles_are_those_of_all_samples_thrown_together() {
    let samples: Vec<u64> = (0..4_000).map(|i| (i * 7_919) % 1_000_003 + 50_000).collect();
    let (mut a, mut b) = (Agent::new(0, 0), Agent::new(1, 500));
    for (agent, part) in [&mut a, &mut b].into_iter().zip(samples.chunks(2_000)) {
        for (second, part) in (11..=20).zip(part.chunks(200)) {
            agent.interval(second, tally(Operation::Read, 4_096, part));
        }
        agent.completed(10, 20);
    }
    let results = results(header(2, 10), interleaved([a, b]));
    let mut all = Histogram::new();
    samples.iter().for_each(|&nanos| all.record(nanos));
    let service = row(&workload(&results).total.rows, Operation::Read).service;
    let exact_mean = samples.iter().sum::<u64>() as f64 / samples.len() as f64 / 1_000.0;
    assert_eq!(service, Latency { mean: exact_mean, ..Latency::of(&all) });
}

#[test]
fn a_failed_agent_stands_beside_the_result_with_what_it_measured() {
    let results = run(partial_run());
    let stage = workload(&results);
    assert_eq!((stage.basis, stage.total.tally.count()), (Basis::Completed, 20));
    let beside: Vec<_> = stage.agents.iter().filter(|part| !part.counts).collect();
    assert_eq!(beside.len(), 1);
    assert_eq!((beside[0].agent.0, beside[0].measured.tally.count()), (1, 8));
    assert_eq!(beside[0].measured.duration, Duration::from_secs(4));
    assert_eq!(results.stages[0].total.tally.count(), 100, "it had finished preparing");
}

#[test]
fn when_no_agent_completed_everything_is_shown_and_says_so() {
    let (header, records, mut outcome) = partial_run();
    outcome.agents[0] = ended(0, AgentEnd::Aborted, 10, "the user stopped it");
    outcome.label = Label::Aborted;
    let results = run((header, records, outcome));
    let stage = workload(&results);
    assert_eq!((stage.basis, stage.total.tally.count()), (Basis::Everything, 28));
}

#[test]
fn totals_win_over_intervals_and_a_difference_is_kept() {
    let mut agent = Agent::new(0, 0);
    agent.interval(11, gets(&[100]));
    let totals = agent.totals(WORKLOAD, 10, 12, gets(&[100, 200, 300]));
    agent.say(12, Report::Completed { totals: vec![totals] });
    let results = results(header(1, 2), agent.records);
    let stage = workload(&results);
    assert_eq!(stage.total.tally.count(), 3);
    assert!(stage.series_incomplete());
    assert_eq!(stage.agents[0].difference.unwrap().count, (3, 1));
}

#[test]
fn the_time_when_all_ran_stands_beside_the_whole() {
    let (mut early, mut late) = (Agent::new(0, 7), Agent::new(1, 500));
    // Whoever runs alone is three to five times as fast.
    (11..=20).for_each(|second| {
        early.interval(second, gets(&vec![100; if second <= 13 { 50 } else { 10 }]));
        late.interval(second + 3, gets(&vec![100; if second + 3 > 20 { 90 } else { 30 }]));
    });
    early.completed(10, 20);
    late.completed(13, 23);
    let stage = workload(&results(header(2, 10), interleaved([early, late]))).clone();
    assert_eq!(stage.total.duration, Duration::from_secs(13));
    assert_eq!(row(&stage.total.rows, Operation::Get).ops_per_sec, 700.0 / 13.0);
    let together = stage.together.unwrap();
    assert_eq!(together.duration(), Duration::from_secs(7));
    assert_eq!(together.rates[0].ops_per_sec, 40.0);
}

#[test]
fn a_measured_offset_places_an_agent_however_late_its_messages_arrive() {
    let (header, mut records, outcome) = complete_run();
    for record in &mut records {
        if let Record::Agent(record) = record
            && record.agent.0 == 1
        {
            record.received.mono = record.received.mono.after(Duration::from_secs(2));
        }
    }
    let estimated = results(header.clone(), records.clone());
    assert_eq!(
        workload(&estimated).total.duration,
        Duration::from_secs(12),
        "late by the time messages took"
    );
    let measured = run((header, records, outcome));
    assert_eq!(workload(&measured).total.duration, Duration::from_secs(10));
    assert_eq!(workload(&measured).timeline.start, at(10).unix);
}

#[test]
fn a_row_of_all_agents_follows_its_last_part_so_that_memory_stays_bounded() {
    let seconds = 300;
    let (mut a, mut b, mut lost) = (Agent::new(0, 0), Agent::new(1, 500), Agent::new(2, 9));
    for second in 11..=10 + seconds {
        a.interval(second, gets(&[100, 200]));
        b.interval(second, gets(&[300]));
        if second <= 20 {
            lost.interval(second, gets(&[400]));
        }
    }
    a.completed(10, 10 + seconds);
    b.completed(10, 10 + seconds);
    // Its totals reach further than the last interval that arrived: nobody may wait for the rest.
    lost.failed(10, 25, "gone");
    let records = interleaved([a, b, lost]);
    let results = results(header(3, seconds), records.clone());
    let (mut waiting, mut longest, mut points) = (0, 0, Vec::new());
    each_point(&memory(header(3, seconds), records), &results, |point| match point.agent {
        Some(_) => {
            waiting += 1;
            longest = longest.max(waiting);
        }
        None => {
            waiting -= point.agents;
            points.push((point.elapsed, point.agents, point.tally.count(), point.get.unwrap().ops_per_sec));
        }
    })
    .unwrap();
    assert!(longest <= 6, "{longest} intervals waited");
    assert_eq!(points.len(), 300);
    assert_eq!(points[0], (1_000_000_000, 3, 4, 4.0));
    assert_eq!(points[299], (300_000_000_000, 2, 3, 3.0));
}

#[test]
fn the_time_series_adds_up_to_the_totals() {
    let (header, mut records, outcome) = complete_run();
    records.push(Record::Outcome(Box::new(outcome)));
    let source = memory(header, records);
    let results = Results::fold(&source, Condition::Finished, Place::Merged(Vec::new())).unwrap();
    let (mut each, mut all) = (Tally::default(), Tally::default());
    each_point(&source, &results, |point| {
        let sum = if point.agent.is_some() { &mut each } else { &mut all };
        sum.merge(&point.tally).unwrap();
    })
    .unwrap();
    assert_eq!(each, workload(&results).total.tally);
    assert_eq!(all, workload(&results).total.tally);
}
