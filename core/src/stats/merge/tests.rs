use super::*;
use crate::stats::Recorder;
use proptest::prelude::*;

fn tally(samples: &[(u8, u32, u32)]) -> Tally {
    let mut recorder = Recorder::new(&[]);
    for &(kind, bytes, time) in samples {
        // Few cells, so that they often meet.
        let (operation, bytes) = (Operation::ALL[usize::from(kind % 2)], bytes % 10_000);
        match kind / 2 % 4 {
            0 => recorder.error(operation, ErrorClass::ALL[bytes as usize % 12], time % 3),
            1 => recorder.record_with_response(
                operation,
                u64::from(bytes),
                u64::from(time),
                u64::from(time) * 9,
            ),
            _ => recorder.record(operation, u64::from(bytes), u64::from(time)),
        }
        recorder.retry(u64::from(time));
        recorder.cancelled(1);
    }
    recorder.tally()
}

fn tallies() -> impl Strategy<Value = Tally> {
    prop::collection::vec((any::<u8>(), any::<u32>(), any::<u32>()), 0..30)
        .prop_map(|samples| tally(&samples))
}

fn sum(a: &Tally, b: &Tally) -> Tally {
    let mut sum = a.clone();
    sum.merge(b).unwrap();
    sum
}

fn interval(from: u64, to: u64, samples: &[(u8, u32, u32)]) -> Interval {
    let cpu = Some(CpuShare { user: (to % 100) as u32 * 100, system: 10, iowait: 0 });
    Interval { from: Mono(from), to: Mono(to), tally: tally(samples), cpu, ..Interval::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn order_and_grouping_do_not_matter(a in tallies(), b in tallies(), c in tallies()) {
        prop_assert_eq!(sum(&a, &b), sum(&b, &a));
        prop_assert_eq!(sum(&sum(&a, &b), &c), sum(&a, &sum(&b, &c)));
        prop_assert_eq!(merge_tallies([&a, &b, &c]).unwrap(), sum(&sum(&a, &b), &c));
    }

    #[test]
    fn nothing_changes_nothing(a in tallies()) {
        prop_assert_eq!(sum(&a, &Tally::default()), a.clone());
        prop_assert_eq!(sum(&Tally::default(), &a), a);
    }

    #[test]
    fn absorbing_counts_what_the_intervals_counted(a in tallies(), b in tallies()) {
        let mut first = Interval { tally: a.clone(), ..Interval::default() };
        first.absorb(&Interval { tally: b.clone(), ..Interval::default() }).unwrap();
        prop_assert_eq!(first.tally, sum(&a, &b));
    }
}

#[test]
fn an_absorbed_interval_extends_the_earlier_one() {
    let mut first =
        Interval { in_flight: 3, oldest: 70, lag: 9, process_cpu: 5, ..interval(100, 200, &[(4, 1, 1)]) };
    let later =
        Interval { in_flight: 4, oldest: 20, lag: 8, process_cpu: 6, merged: 2, ..interval(200, 500, &[]) };
    first.absorb(&later).unwrap();
    assert_eq!((first.from, first.to), (Mono(100), Mono(500)));
    assert_eq!((first.in_flight, first.oldest), (4, 20));
    assert_eq!((first.lag, first.process_cpu, first.merged), (9, 11, 3));
    assert_eq!(first.tally.count(), 1);
}

#[test]
fn cpu_is_weighted_by_time_and_unknown_does_not_count() {
    let share = |user| Some(CpuShare { user, system: 0, iowait: 0 });
    assert_eq!(weighted(share(1_000), 1, share(5_000), 3), share(4_000));
    assert_eq!(weighted(share(1_000), 1, None, 3), share(1_000));
    assert_eq!(weighted(None, 1, share(5_000), 3), share(5_000));
    assert_eq!(weighted(share(7), 0, share(7), 0), share(0));
}

#[test]
fn intervals_of_unlike_kind_stay_apart() {
    let mut warmup = Interval { warmup: true, ..interval(0, 1, &[(4, 1, 1)]) };
    let before = warmup.clone();
    assert_eq!(warmup.absorb(&interval(1, 2, &[])), Err(CannotAbsorb::Unlike));
    let other_stage = Interval { stage: 1, ..warmup.clone() };
    assert!(!warmup.absorbs(&other_stage));
    assert_eq!(warmup, before);
}

#[test]
fn a_bad_histogram_leaves_the_sum_as_it_was() {
    let good = tally(&[(4, 1, 1), (5, 5, 5)]);
    let mut bad = good.clone();
    bad.cells[1].service = Encoded(vec![1, 2, 3]);
    assert!(bad.check().is_err());
    let mut sum = good.clone();
    sum.merge(&bad).unwrap_err();
    assert_eq!(sum, good);
    let mut decoded = TallySum::new();
    decoded.add(&bad).unwrap_err();
    assert!(decoded.tally().is_empty());
}
