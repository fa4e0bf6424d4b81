use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn every_place_is_taken_once() {
    for n in (1..70).chain([100, 127, 128, 129, 1000, 65_536, 100_003]) {
        let permutation = Permutation::new(n, 11, 0, n);
        let places: BTreeSet<u64> = (0..n).map(|item| permutation.apply(item)).collect();
        assert_eq!(places.len() as u64, n);
        assert_eq!(places.last(), Some(&(n - 1)));
    }
}

#[test]
fn neighbours_are_scattered_evenly() {
    // An even and an odd number of bits, and just above a power of two.
    for n in [1 << 40, 1 << 41, (1 << 33) + 1] {
        let permutation = Permutation::new(n, 5, 0, 0);
        let mut tenths = [0_u32; 10];
        for item in 0..10_000 {
            tenths[(permutation.apply(item) / (n / 10 + 1)) as usize] += 1;
        }
        // Chi-square with 9 degrees of freedom exceeds 33.7 once in 10 000 times.
        let chi: f64 = tenths.iter().map(|&count| (f64::from(count) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi < 33.7, "{n}: {tenths:?}");
    }
}

#[test]
fn another_seed_scatters_otherwise() {
    let places =
        |seed| (0..20).map(|item| Permutation::new(1_000_000, seed, 0, 0).apply(item)).collect::<Vec<_>>();
    assert_eq!(places(1), places(1));
    assert_ne!(places(1), places(2));
}

proptest! {
    #[test]
    fn any_range_is_kept(n in 1_u64..=1 << 48, item: u64, other: u64) {
        let permutation = Permutation::new(n, 3, 0, 0);
        let (item, other) = (item % n, other % n);
        prop_assert!(permutation.apply(item) < n);
        prop_assert_eq!(permutation.apply(item) == permutation.apply(other), item == other);
    }
}

#[test]
fn the_widest_range_does_not_overflow() {
    let permutation = Permutation::new(u64::MAX, 3, 0, 0);
    assert_ne!(permutation.apply(0), permutation.apply(u64::MAX - 1));
}
