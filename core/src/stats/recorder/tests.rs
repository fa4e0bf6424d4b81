use super::*;
use crate::stats::{Encoded, merge_tallies};
use proptest::prelude::*;

const CELLS: [(Operation, Band); 2] = [(Operation::Get, Band::ZERO), (Operation::Stat, Band::ZERO)];

fn decode(encoded: &Encoded) -> Histogram {
    Histogram::decode(encoded).unwrap()
}

#[test]
fn the_tables_are_indexed_by_what_an_operation_and_a_class_are() {
    assert!(Operation::ALL.iter().enumerate().all(|(index, &operation)| operation as usize == index));
    assert!(ErrorClass::ALL.iter().enumerate().all(|(index, &class)| class as usize == index));
}

#[test]
fn a_success_counts_with_its_bytes_time_and_latency() {
    let mut recorder = Recorder::new(&CELLS);
    recorder.record(Operation::Stat, 0, 1_000);
    recorder.record(Operation::Stat, 0, 3_001);
    recorder.record(Operation::Read, 4096, 7_000);
    let tally = recorder.tally();
    let [stat, read] = &tally.cells[..] else { panic!("{tally:?}") };
    assert_eq!((stat.operation, stat.count, stat.bytes, stat.service_sum), (Operation::Stat, 2, 0, 4_001));
    assert_eq!((read.band, read.count, read.bytes), (Band::of(4096), 1, 4096));
    assert_eq!(decode(&stat.service).count(), 2);
    assert_eq!(stat.response, Encoded::default());
    assert_eq!((recorder.count(), recorder.error_count()), (3, 0));
}

#[test]
fn a_response_time_counts_beside_the_service_time() {
    let mut recorder = Recorder::with_responses(&CELLS);
    recorder.record_with_response(Operation::Get, 0, 10, 1_000);
    let cell = &recorder.tally().cells[0];
    assert_eq!((decode(&cell.service).max(), decode(&cell.response).max()), (10, 1_000));
}

#[test]
fn a_cell_that_was_not_announced_counts_all_the_same() {
    let mut recorder = Recorder::new(&[]);
    for operation in Operation::ALL {
        for bytes in [0, 1, 8 << 10, 64 << 10, 512 << 10, 4 << 20, 32 << 20, 256 << 20, 2 << 30] {
            recorder.record(operation, bytes, 5);
        }
    }
    assert_eq!(recorder.tally().cells.len(), Operation::ALL.len() * Band::COUNT);
    assert!(recorder.tally().cells.is_sorted_by_key(|cell| (cell.operation, cell.band)));
}

#[test]
fn failures_are_counted_by_code_and_beyond_the_bound_by_class() {
    let mut recorder = Recorder::new(&CELLS);
    for code in 0..200 {
        recorder.error(Operation::Put, ErrorClass::Storage, code);
        recorder.error(Operation::Put, ErrorClass::Storage, code);
    }
    recorder.error(Operation::Get, ErrorClass::NotFound, 2);
    let tally = recorder.tally();
    assert_eq!(tally.error_count(), 401);
    assert_eq!(tally.errors.len(), CODES_MAX + 2);
    let overflow =
        tally.errors.iter().find(|error| error.class == ErrorClass::Storage && error.code == 0).unwrap();
    assert_eq!(overflow.count, 400 - 2 * CODES_MAX as u64);
    assert!(tally.errors.iter().any(|error| error.class == ErrorClass::NotFound && error.code == 0));
    assert!(tally.errors.is_sorted());
}

#[test]
fn a_cleared_recorder_counts_from_nothing_and_is_empty() {
    let mut recorder = Recorder::with_responses(&CELLS);
    recorder.record_with_response(Operation::Get, 100, 5, 6);
    recorder.error(Operation::Get, ErrorClass::Other, 0);
    recorder.retry(1_000);
    recorder.cancelled(3);
    assert!(!recorder.is_empty());
    recorder.clear();
    assert!(recorder.is_empty());
    assert!(recorder.tally().is_empty());
    for count in [Recorder::retry as fn(&mut Recorder, u64), Recorder::cancelled] {
        count(&mut recorder, 1);
        assert!(!recorder.is_empty());
        recorder.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn merged_recorders_count_what_merged_tallies_do(
        first in prop::collection::vec((0_usize..3, any::<u64>(), any::<u64>()), 0..40),
        second in prop::collection::vec((0_usize..3, any::<u64>(), any::<u64>()), 0..40),
    ) {
        let fill = |samples: &[(usize, u64, u64)]| {
            let mut recorder = Recorder::new(&CELLS);
            for &(operation, bytes, time) in samples {
                let (operation, bytes, time) = (Operation::ALL[operation], bytes >> 30, time >> 25);
                match time % 4 {
                    0 => recorder.error(operation, ErrorClass::ALL[time as usize % CLASSES], bytes as u32 % 5),
                    1 => recorder.record_with_response(operation, bytes, time, time * 2),
                    2 => recorder.retry(time),
                    _ => recorder.record(operation, bytes, time),
                }
            }
            recorder
        };
        let (mut a, b) = (fill(&first), fill(&second));
        let tallies = merge_tallies([&a.tally(), &b.tally()]).unwrap();
        a.merge(&b);
        prop_assert_eq!(a.tally(), tallies);
    }
}
