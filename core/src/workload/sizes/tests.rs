use super::super::seed::{Tag, derive};
use super::*;

fn draws(spec: &SizeSpec, count: u64) -> Vec<u64> {
    let sizes = Sizes::new(spec);
    (0..count).map(|index| sizes.draw(derive(7, Tag::Size, 0, index))).collect()
}

#[test]
fn uniform_sizes_reach_both_ends_evenly() {
    let draws = draws(&SizeSpec::Uniform { min: 3, max: 7 }, 50_000);
    for size in 3..=7 {
        let count = draws.iter().filter(|&&draw| draw == size).count();
        // Five standard deviations of a binomial count are 450.
        assert!(count.abs_diff(10_000) < 450, "{size} came {count} times");
    }
    assert!(draws.iter().all(|size| (3..=7).contains(size)));
}

#[test]
fn the_whole_range_is_a_range_too() {
    let draws = draws(&SizeSpec::Uniform { min: 0, max: u64::MAX }, 1_000);
    let above_half = draws.iter().filter(|&&draw| draw > u64::MAX / 2).count();
    assert!(above_half.abs_diff(500) < 80);
}

#[test]
fn lognormal_sizes_have_the_mean_and_deviation_that_were_asked_for() {
    let (mean, std_dev) = (1_048_576.0, 524_288.0);
    let draws = draws(&SizeSpec::Lognormal { mean, std_dev, min: 0, max: u64::MAX }, 200_000);
    let found = draws.iter().map(|&size| size as f64).sum::<f64>() / draws.len() as f64;
    let variance = draws.iter().map(|&size| (size as f64 - found).powi(2)).sum::<f64>() / draws.len() as f64;
    assert!((found / mean - 1.0).abs() < 0.005, "mean {found}");
    assert!((variance.sqrt() / std_dev - 1.0).abs() < 0.02, "standard deviation {}", variance.sqrt());
    // The median of a lognormal is exp(mu), below its mean.
    let below = draws.iter().filter(|&&size| (size as f64) < mean / 1.25_f64.sqrt()).count();
    assert!(below.abs_diff(100_000) < 1_200, "{below} below the median");
}

#[test]
fn lognormal_sizes_are_clamped_and_no_parameter_breaks_them() {
    let clamped = draws(&SizeSpec::Lognormal { mean: 1000.0, std_dev: 2000.0, min: 500, max: 900 }, 10_000);
    assert!(clamped.iter().all(|size| (500..=900).contains(size)));
    assert!(clamped.contains(&500) && clamped.contains(&900));
    for (mean, std_dev) in
        [(0.0, 0.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0), (1.0, f64::INFINITY), (-1.0, 1.0)]
    {
        let sizes = draws(&SizeSpec::Lognormal { mean, std_dev, min: 5, max: 6 }, 100);
        assert!(sizes.iter().all(|size| (5..=6).contains(size)));
    }
    let exact = draws(&SizeSpec::Lognormal { mean: 4096.0, std_dev: 0.0, min: 0, max: u64::MAX }, 10);
    assert_eq!(exact, [4096; 10]);
}

#[test]
fn alike_is_what_can_only_have_one_size() {
    assert_eq!(Sizes::new(&SizeSpec::Fixed(5)).constant(), Some(5));
    assert_eq!(Sizes::new(&SizeSpec::Uniform { min: 5, max: 5 }).constant(), Some(5));
    assert_eq!(Sizes::new(&SizeSpec::Uniform { min: 5, max: 6 }).constant(), None);
}
