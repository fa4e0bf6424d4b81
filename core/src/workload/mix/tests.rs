use super::*;
use crate::plan::{Pattern, PoolId};
use crate::stats::Operation;

fn entry(weight: u32, concurrency: Option<u32>) -> Entry {
    Entry {
        operation: Operation::Get,
        weight,
        pool: PoolId(0),
        pattern: Pattern::Random,
        block_size: None,
        page_size: 1,
        detail: crate::plan::Detail::None,
        verify: false,
        concurrency,
    }
}

fn mix(entries: &[(u32, Option<u32>)]) -> Mix {
    let entries: Vec<Entry> = entries.iter().map(|&(weight, cap)| entry(weight, cap)).collect();
    Mix::new(&entries, 42, 0, Share::WHOLE, Share::WHOLE)
}

/// Chooses so often, each operation over before the next.
fn counts<const N: usize>(mix: &mut Mix, choices: u32) -> [u32; N] {
    let mut counts = [0; N];
    for _ in 0..choices {
        let Choice::Entry(index) = mix.choose() else { panic!("one is open") };
        counts[index] += 1;
        mix.acquire(index);
        mix.release(index);
    }
    counts
}

#[test]
fn entries_come_by_their_weights() {
    let counts: [u32; 4] = counts(&mut mix(&[(70, None), (25, None), (0, None), (5, None)]), 100_000);
    let expected = [70_000.0, 25_000.0, 5_000.0];
    let found = [counts[0], counts[1], counts[3]];
    // Chi-square with 2 degrees of freedom exceeds 18.4 once in 10 000 times.
    let chi: f64 = found.iter().zip(expected).map(|(&n, e)| (f64::from(n) - e).powi(2) / e).sum();
    assert!(chi < 18.4, "{counts:?}");
    assert_eq!(counts[2], 0);
}

#[test]
fn an_entry_at_its_cap_is_left_out_until_one_is_over() {
    let mut mix = mix(&[(1_000_000, Some(2)), (1, Some(1))]);
    for expected in [0, 0, 1] {
        assert_eq!(mix.choose(), Choice::Entry(expected));
        mix.acquire(expected);
    }
    assert_eq!(mix.choose(), Choice::Waiting);
    mix.release(0);
    assert_eq!(mix.choose(), Choice::Entry(0));
}

#[test]
fn more_releases_than_operations_do_not_raise_the_cap() {
    let mut mix = mix(&[(1, Some(1))]);
    mix.release(0);
    mix.release(9);
    mix.acquire(0);
    assert_eq!(mix.choose(), Choice::Waiting);
}

#[test]
fn a_retired_entry_never_comes_again_and_the_last_ends_the_mix() {
    let mut mix = mix(&[(1, None), (1, Some(1))]);
    mix.acquire(1);
    mix.retire(1);
    mix.release(1);
    assert_eq!(counts(&mut mix, 100), [100, 0]);
    mix.retire(0);
    assert_eq!(mix.choose(), Choice::Exhausted);
}

#[test]
fn threads_share_the_cap_of_the_agent() {
    let parts = |cap, count| (0..count).map(|index| cap_of(cap, Share { index, count })).collect::<Vec<_>>();
    assert_eq!(parts(10, 4), [3, 3, 2, 2]);
    assert_eq!(parts(2, 4), [1, 1, 0, 0]);
    let idle = Mix::new(&[entry(1, Some(1))], 1, 0, Share::WHOLE, Share { index: 1, count: 2 });
    assert_eq!(idle.clone().choose(), Choice::Exhausted);
}
