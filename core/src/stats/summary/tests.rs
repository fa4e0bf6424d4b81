use super::*;
use crate::stats::{ErrorClass, Recorder};

fn find(rows: &[Row], scope: Scope) -> &Row {
    rows.iter().find(|row| row.scope == scope).unwrap()
}

#[test]
fn rates_and_means_are_of_the_duration_and_percentiles_of_all_latencies() {
    let mut recorder = Recorder::new(&[]);
    for micros in 1..=1000_u64 {
        // The faster half is small, so only merged histograms know the operation's percentiles.
        let bytes = if micros <= 500 { 4 << 10 } else { 1 << 20 };
        recorder.record(Operation::Get, bytes, micros * 1_000);
    }
    let rows = rows(&recorder.tally(), Duration::from_secs(10)).unwrap();
    let get = find(&rows, Scope::Operation(Operation::Get));
    assert_eq!((get.count, get.bytes), (1000, 500 * (4 << 10) + 500 * (1 << 20)));
    assert_eq!((get.ops_per_sec, get.average_bytes), (100.0, get.bytes as f64 / 1000.0));
    assert!((get.mib_per_sec - get.bytes as f64 / 10_485_760.0).abs() < 1e-9);
    assert_eq!(get.service.mean, 500.5);
    for (value, expected) in [(get.service.p50, 500.0), (get.service.p99, 990.0), (get.service.p99_9, 999.0)]
    {
        assert!((value / expected - 1.0).abs() < 0.001, "{value} for {expected}");
    }
    assert!(get.service.min < 1.01 && (get.service.max / 1000.0 - 1.0).abs() < 0.001);
    assert_eq!(get.response, None);
    let small = find(&rows, Scope::Band(Operation::Get, Band::of(4 << 10)));
    assert_eq!(small.count, 500);
    assert!(small.service.max < 501.0);
    assert_eq!(find(&rows, Scope::Group(Group::Get)).service, get.service);
}

#[test]
fn groups_hold_several_operations_and_their_failures() {
    let mut recorder = Recorder::new(&[]);
    recorder.record(Operation::Stat, 0, 10_000);
    recorder.record_with_response(Operation::Delete, 0, 30_000, 90_000);
    recorder.error(Operation::Delete, ErrorClass::NotFound, 2);
    recorder.error(Operation::Put, ErrorClass::NoSpace, 28);
    let rows = rows(&recorder.tally(), Duration::from_secs(2)).unwrap();
    let meta = find(&rows, Scope::Group(Group::Meta));
    assert_eq!((meta.count, meta.errors, meta.mib_per_sec, meta.average_bytes), (2, 1, 0.0, 0.0));
    assert_eq!((meta.service.mean, meta.response.unwrap().p50.round()), (20.0, 90.0));
    let put = find(&rows, Scope::Operation(Operation::Put));
    assert_eq!((put.count, put.errors, put.ops_per_sec, put.service), (0, 1, 0.0, Latency::default()));
    assert_eq!(find(&rows, Scope::Band(Operation::Delete, Band::ZERO)).errors, 0);
    assert!(!rows.iter().any(|row| row.scope == Scope::Group(Group::Get)));
}

#[test]
fn no_time_gives_no_rate() {
    let mut recorder = Recorder::new(&[]);
    recorder.record(Operation::Get, 5, 5);
    let row = row(&recorder.tally(), Scope::Group(Group::Get), Duration::ZERO).unwrap().unwrap();
    assert_eq!((row.ops_per_sec, row.mib_per_sec), (0.0, 0.0));
}

#[test]
fn parts_of_operations_have_rows_but_are_in_no_sum() {
    let mut recorder = Recorder::new(&[]);
    recorder.record(Operation::Get, 100, 9_000);
    recorder.record(Operation::FirstByte, 0, 2_000);
    recorder.record(Operation::List, 0, 7_000);
    recorder.record(Operation::ListPage, 0, 3_000);
    recorder.record(Operation::ListPage, 0, 4_000);
    let tally = recorder.tally();
    assert_eq!((recorder.count(), tally.count(), tally.bytes()), (2, 2, 100));
    let rows = rows(&tally, Duration::from_secs(1)).unwrap();
    let count = |scope| rows.iter().find(|row| row.scope == scope).map(|row| row.count);
    assert_eq!(count(Scope::Group(Group::Get)), Some(1));
    assert_eq!(count(Scope::Group(Group::Meta)), Some(1));
    assert_eq!(count(Scope::Group(Group::Put)), None);
    assert_eq!(count(Scope::Operation(Operation::FirstByte)), Some(1));
    assert_eq!(count(Scope::Operation(Operation::ListPage)), Some(2));
}
