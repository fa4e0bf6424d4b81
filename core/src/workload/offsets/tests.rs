use super::super::seed::{Tag, generator};
use super::*;

const SCATTER: (u64, u64) = (1, 0);
const ALONE: Visitor = Visitor { agent: Share::WHOLE, thread: Share::WHOLE };

fn visits(pattern: Pattern, n: u64, visitor: Visitor, count: usize) -> Vec<u64> {
    let mut random = generator(9, Tag::Visits, 0, 0);
    let mut offsets = Offsets::new(pattern, n, visitor, SCATTER).unwrap();
    (0..count).map(|_| offsets.next(&mut random)).collect()
}

fn visitors(agents: u64, threads: u64) -> impl Iterator<Item = Visitor> {
    let share = |index, count| Share { index, count };
    let pairs = (0..agents).flat_map(move |agent| (0..threads).map(move |thread| (agent, thread)));
    pairs.map(move |(agent, thread)| Visitor { agent: share(agent, agents), thread: share(thread, threads) })
}

#[test]
fn sequential_goes_round() {
    assert_eq!(visits(Pattern::Sequential, 3, ALONE, 7), [0, 1, 2, 0, 1, 2, 0]);
    assert_eq!(visits(Pattern::Sequential, 1, ALONE, 2), [0, 0]);
}

#[test]
fn sequential_parts_of_all_threads_of_all_agents_are_the_whole_without_overlap() {
    for (n, agents, threads) in [(100, 3, 4), (12, 3, 4), (1 << 20, 7, 5), (13, 1, 13)] {
        let mut next = 0;
        for visitor in visitors(agents, threads) {
            let (first, len) = visitor.part(n);
            assert_eq!(first, next, "{visitor:?} of {n}");
            next += len;
        }
        assert_eq!(next, n);
    }
}

#[test]
fn with_more_threads_than_items_none_is_idle_or_out_of_range() {
    for n in 1..12 {
        for visitor in visitors(3, 4) {
            let (first, len) = visitor.part(n);
            assert!(len > 0 && first + len <= n, "{visitor:?} of {n}: {first} + {len}");
        }
    }
}

#[test]
fn random_visits_are_even() {
    let mut counts = [0_u32; 100];
    for item in visits(Pattern::Random, 100, ALONE, 100_000) {
        counts[item as usize] += 1;
    }
    // Chi-square with 99 degrees of freedom exceeds 161.3 once in 10 000 times.
    let chi: f64 = counts.iter().map(|&count| (f64::from(count) - 1_000.0).powi(2) / 1_000.0).sum();
    assert!(chi < 161.3, "chi-square {chi}");
    assert_eq!(visits(Pattern::Random, 1, ALONE, 3), [0; 3]);
}

#[test]
fn zipf_visits_have_the_frequencies_of_theory() {
    let n = 1000;
    for theta in [0.5, 0.99, 1.0, 1.2, 2.5] {
        let visits = visits(Pattern::Zipf { theta }, n, ALONE, 200_000);
        let mut counts = vec![0_u32; n as usize];
        visits.iter().for_each(|&item| counts[item as usize] += 1);
        let permutation = Permutation::new(n, SCATTER.0, SCATTER.1, n);
        let norm: f64 = (1..=n).map(|rank| (rank as f64).powf(-theta)).sum();
        for rank in [1, 2, 3, 10] {
            let share = (rank as f64).powf(-theta) / norm;
            let (expected, found) =
                (share * 200_000.0, f64::from(counts[permutation.apply(rank - 1) as usize]));
            // Five standard deviations.
            let bound = 5.0 * (expected * (1.0 - share)).sqrt() + 1.0;
            assert!((found - expected).abs() < bound, "theta {theta}, rank {rank}: {found} for {expected}");
        }
    }
}

#[test]
fn all_threads_find_the_same_items_popular() {
    let favourite = |visitor, seed| {
        let mut random = generator(seed, Tag::Visits, 0, 0);
        let mut offsets = Offsets::new(Pattern::Zipf { theta: 2.0 }, 1 << 30, visitor, SCATTER).unwrap();
        let mut visits: Vec<u64> = (0..999).map(|_| offsets.next(&mut random)).collect();
        visits.sort_unstable();
        // Rank 1 has six tenths of all visits, so the median is in its run.
        visits.chunk_by(|a, b| a == b).max_by_key(|run| run.len()).unwrap()[0]
    };
    let favourites: Vec<u64> =
        visitors(2, 2).zip(0..).map(|(visitor, seed)| favourite(visitor, seed)).collect();
    assert!(favourites.iter().all(|&item| item == favourites[0]), "{favourites:?}");
}

#[test]
fn every_range_and_exponent_stays_in_range() {
    for n in [1, 2, 3, 1000, (1 << 32) + 1, 1 << 48] {
        for theta in [1e-9, 0.2, 0.999_999_999, 1.0, 1.000_000_1, 3.0, 50.0, 1e6] {
            let visits = visits(Pattern::Zipf { theta }, n, ALONE, 200);
            assert!(visits.iter().all(|&item| item < n), "theta {theta} over {n}");
        }
        assert!(visits(Pattern::Random, n, ALONE, 200).iter().all(|&item| item < n));
    }
}

#[test]
fn exponents_that_make_no_sense_are_refused() {
    for theta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Offsets::new(Pattern::Zipf { theta }, 10, ALONE, SCATTER).is_none(), "{theta}");
    }
}
