use super::*;
use crate::message::{Failure, FailureClass, RunId};
use crate::stats::{Encoded, Operation, Recorder, merge_tallies};
use crate::time::Unix;

const A: AgentIndex = AgentIndex(0);
const B: AgentIndex = AgentIndex(1);

fn message(sequence: u64, body: Report) -> AgentMessage {
    AgentMessage { run: RunId(1), session: Session(1), sequence, stamp: Mono(0), kept_before: None, body }
}

fn tally(latencies: &[u64]) -> Tally {
    let mut recorder = Recorder::new(&[]);
    latencies.iter().for_each(|&latency| recorder.record(Operation::Get, 100, latency));
    recorder.tally()
}

fn interval(from: u64, latencies: &[u64]) -> Interval {
    Interval {
        from: Mono(from),
        to: Mono(from + 10),
        tally: tally(latencies),
        lag: from,
        ..Interval::default()
    }
}

fn running(sequence: u64, interval: Interval) -> AgentMessage {
    message(sequence, Report::Running(Box::new(interval)))
}

fn totals(latencies: &[u64]) -> StageTotals {
    StageTotals { from: Mono(10), to: Mono(40), tally: tally(latencies), ..StageTotals::default() }
}

#[test]
fn a_message_counts_once_however_often_and_in_whatever_order_it_turns_up() {
    let messages: Vec<_> = (0..6).map(|i| running(i, interval(i * 10, &[1_000 * (i + 1)]))).collect();
    let mut ledger = Ledger::new();
    for index in [3, 0, 0, 5, 1, 3, 2, 4, 5, 0] {
        ledger.record(A, &messages[index]).unwrap();
    }
    assert_eq!(ledger.record(A, &messages[4]), Ok(Recorded::Duplicate));
    let stage = ledger.stage(A, 0).unwrap();
    let expected: Vec<u64> = (1..=6).map(|i| 1_000 * i).collect();
    assert_eq!(stage.totals().tally, tally(&expected));
    assert_eq!((stage.totals().from, stage.totals().to, stage.totals().lag), (Mono(0), Mono(60), 50));
    assert_eq!(stage.intervals(), 6);
    assert_eq!(ledger.agents[&A].seen[&Session(1)].ranges.len(), 1, "no gap, one range");
}

#[test]
fn sequence_numbers_up_to_the_last_are_told_apart() {
    let mut seen = Sequences::default();
    for number in [u64::MAX, 0, u64::MAX - 2, u64::MAX - 1] {
        assert!(seen.insert(number));
        assert!(!seen.insert(number));
    }
    assert_eq!(seen.ranges, BTreeMap::from([(0, 0), (u64::MAX - 2, u64::MAX)]));
}

#[test]
fn agents_and_sessions_have_their_own_numbers() {
    let mut ledger = Ledger::new();
    let first = running(0, interval(0, &[5]));
    assert_eq!(ledger.record(A, &first), Ok(Recorded::Counted));
    assert_eq!(ledger.record(B, &first), Ok(Recorded::Counted));
    let other_session = AgentMessage { session: Session(2), ..first };
    assert_eq!(ledger.record(A, &other_session), Ok(Recorded::Counted));
    assert_eq!(ledger.agents().collect::<Vec<_>>(), [A, B]);
}

#[test]
fn warm_up_is_in_no_result() {
    let mut ledger = Ledger::new();
    ledger.record(A, &running(0, Interval { warmup: true, ..interval(0, &[5, 6]) })).unwrap();
    ledger.record(A, &running(1, Interval { merged: 4, ..interval(10, &[7]) })).unwrap();
    let stage = ledger.stage(A, 0).unwrap();
    assert_eq!(stage.totals().tally, tally(&[7]));
    assert_eq!(stage.totals().from, Mono(10));
    assert_eq!((stage.warmup(), stage.intervals(), stage.merged()), (1, 1, 4));
}

#[test]
fn stated_totals_win_and_a_difference_is_told() {
    let mut ledger = Ledger::new();
    ledger.record(A, &running(0, interval(10, &[5]))).unwrap();
    ledger.record(A, &message(2, Report::StageDone(Box::new(totals(&[5, 6, 7]))))).unwrap();
    let stage = ledger.stage(A, 0).unwrap();
    assert_eq!(stage.totals(), totals(&[5, 6, 7]));
    let difference = stage.difference().unwrap();
    assert_eq!((difference.count, difference.bytes, difference.errors), ((3, 1), (300, 100), (0, 0)));
    // The missing interval turns up in what the agent kept: now they agree.
    ledger.record(A, &running(1, interval(20, &[6, 7]))).unwrap();
    assert_eq!(ledger.stage(A, 0).unwrap().difference(), None);
}

#[test]
fn every_terminal_message_states_totals() {
    let failure = Failure::new(FailureClass::Storage, "out of space", "");
    let ends = [
        (true, Report::Completed { totals: vec![totals(&[1])] }),
        (false, Report::Error { failure, totals: vec![totals(&[1])] }),
        (false, Report::Aborted { reason: String::new(), totals: vec![totals(&[1])] }),
    ];
    for (completed, body) in ends {
        let mut ledger = Ledger::new();
        ledger.record(A, &message(0, body)).unwrap();
        assert_eq!(ledger.completed(A), completed);
        let stage = ledger.stage(A, 0).unwrap();
        assert!(stage.has_totals());
        assert_eq!(stage.difference(), None, "a stage without intervals has nothing to differ from");
    }
}

#[test]
fn what_carries_no_measurement_uses_up_no_number() {
    let mut ledger = Ledger::new();
    assert_eq!(ledger.record(A, &message(0, Report::Ready { unix: Unix(0) })), Ok(Recorded::Immaterial));
    assert!(ledger.stage(A, 0).is_none());
    assert!(!ledger.completed(A));
}

#[test]
fn a_message_with_a_bad_histogram_counts_nothing() {
    let mut bad = interval(0, &[5]);
    bad.tally.cells[0].service = Encoded(vec![7; 20]);
    let mut ledger = Ledger::new();
    ledger.record(A, &running(0, bad)).unwrap_err();
    assert!(ledger.stage(A, 0).is_none_or(|stage| stage.totals().tally.is_empty()));
    let mut bad = vec![totals(&[5]), StageTotals { stage: 1, ..totals(&[5]) }];
    bad[1].tally.cells[0].service = Encoded(vec![7; 20]);
    ledger.record(A, &message(1, Report::Completed { totals: bad })).unwrap_err();
    assert!(!ledger.completed(A));
    assert!(ledger.stage(A, 0).is_none_or(|stage| !stage.has_totals()));
}

#[test]
fn agents_are_merged_from_histograms() {
    let mut ledger = Ledger::new();
    ledger.record(A, &message(0, Report::Completed { totals: vec![totals(&[10, 20])] })).unwrap();
    ledger.record(B, &running(0, interval(0, &[30, 40_000]))).unwrap();
    let merged = ledger.merged([A, B, AgentIndex(7)], 0).unwrap();
    assert_eq!(merged.tally, merge_tallies([&tally(&[10, 20, 30, 40_000])]).unwrap());
    assert_eq!((merged.agents, merged.without_totals, merged.differing), (2, 1, 0));
    assert_eq!((merged.longest, merged.agent_time), (30, 40));
    assert_eq!(ledger.merged([A], 0).unwrap().tally, tally(&[10, 20]));
    assert_eq!(ledger.merged([A, B], 5).unwrap(), Merged::default());
}

#[test]
fn a_stage_that_is_over_is_kept_encoded() {
    let mut ledger = Ledger::new();
    ledger.record(A, &running(0, interval(0, &[5]))).unwrap();
    ledger.record(A, &running(1, Interval { stage: 1, ..interval(10, &[6]) })).unwrap();
    assert!(matches!(ledger.stage(A, 0).unwrap().intervals.sum, Sum::Resting(_)));
    assert_eq!(ledger.stage(A, 1).unwrap().totals().stage, 1);
    // A straggler still counts.
    ledger.record(A, &running(2, interval(20, &[7]))).unwrap();
    assert_eq!(ledger.stage(A, 0).unwrap().totals().tally, tally(&[5, 7]));
}
