//! The ways to write sizes → one [`SizeSpec`].

use crate::config::file::{Distribution, DistributionKind};
use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::units::Size;
use crate::config::values::SizeSpec as Written;
use crate::plan::SizeSpec;

/// What cannot even be an offset in a file.
const SIZE_MAX: u64 = i64::MAX as u64;

/// Everything about sizes that one entry may say: a pair of bounds, one size, or a spec. At most one of them.
pub(super) struct Sizes<'a> {
    pub(super) bounds: (Option<Size>, Option<Size>),
    /// The size and the key it is written with.
    pub(super) size: (Option<Size>, &'static str),
    pub(super) spec: Option<&'a Written>,
}

impl Sizes<'_> {
    /// What it means; `None` when nothing was written, or nothing sensible, which is then reported.
    pub(super) fn resolve(&self, at: &Path, problems: &mut Problems<'_>) -> Option<SizeSpec> {
        let (min, max) = self.bounds;
        let (size, size_key) = self.size;
        let ways = [min.or(max).is_some(), size.is_some(), self.spec.is_some()];
        if ways.iter().filter(|&&way| way).count() > 1 {
            let help = format!("keep one of `min_size` with `max_size`, `{size_key}` and `size_spec`");
            problems.error(at.clone(), "the size is given in more than one way", help);
            return None;
        }
        let spec = match (min, max, size, self.spec) {
            (Some(min), Some(max), ..) => {
                ordered(min, max, at.child("min_size"), "min_size", "max_size", problems)?
            }
            (Some(_), None, ..) => {
                problems.error(
                    at.child("min_size"),
                    "`min_size` without `max_size`",
                    "write both, or `size`",
                );
                return None;
            }
            (None, Some(_), ..) => {
                problems.error(
                    at.child("max_size"),
                    "`max_size` without `min_size`",
                    "write both, or `size`",
                );
                return None;
            }
            (None, None, Some(size), _) => SizeSpec::Fixed(size.0),
            (None, None, None, Some(Written::Fixed(size))) => SizeSpec::Fixed(size.0),
            (None, None, None, Some(Written::Drawn(drawn))) => {
                distribution(drawn, &at.child("size_spec"), problems)?
            }
            (None, None, None, None) => return None,
        };
        if spec.bounds().1 > SIZE_MAX {
            problems.error(at.clone(), "the size is larger than any file", "");
            return None;
        }
        Some(spec)
    }

    /// Whether anything was written at all.
    pub(super) fn given(&self) -> bool {
        self.bounds.0.is_some() || self.bounds.1.is_some() || self.size.0.is_some() || self.spec.is_some()
    }
}

/// Evenly distributed sizes from `min` to `max`.
fn ordered(
    min: Size,
    max: Size,
    at: Path,
    min_key: &str,
    max_key: &str,
    problems: &mut Problems<'_>,
) -> Option<SizeSpec> {
    if min > max {
        let message = format!("`{min_key}` is {min}, which is more than `{max_key}`: {max}");
        problems.error(at, message, "swap them");
        return None;
    }
    Some(if min == max { SizeSpec::Fixed(min.0) } else { SizeSpec::Uniform { min: min.0, max: max.0 } })
}

fn distribution(drawn: &Distribution, at: &Path, problems: &mut Problems<'_>) -> Option<SizeSpec> {
    let keys = [
        ("size", drawn.size),
        ("min", drawn.min),
        ("max", drawn.max),
        ("mean", drawn.mean),
        ("std_dev", drawn.std_dev),
    ];
    let (name, required, optional): (&str, &[&str], &[&str]) = match drawn.kind {
        DistributionKind::Fixed => ("fixed", &["size"], &[]),
        DistributionKind::Uniform => ("uniform", &["min", "max"], &[]),
        DistributionKind::Lognormal => ("lognormal", &["mean", "std_dev"], &["min", "max"]),
    };
    let mut sound = true;
    for (key, value) in keys {
        if required.contains(&key) && value.is_none() {
            let message = format!("`type: {name}` needs `{key}`");
            problems.missing_in(at, &[at.child(key)], &message, &format!("write {}", quoted(required)));
            sound = false;
        } else if value.is_some() && !required.contains(&key) && !optional.contains(&key) {
            problems.key_error(
                at.child(key),
                format!("`{key}` has no meaning with `type: {name}`"),
                "remove it",
            );
            sound = false;
        }
    }
    if !sound {
        return None;
    }
    match (drawn.kind, drawn.size, drawn.min, drawn.max, drawn.mean, drawn.std_dev) {
        (DistributionKind::Fixed, Some(size), ..) => Some(SizeSpec::Fixed(size.0)),
        (DistributionKind::Uniform, _, Some(min), Some(max), ..) => {
            ordered(min, max, at.child("min"), "min", "max", problems)
        }
        (DistributionKind::Lognormal, _, min, max, Some(mean), Some(std_dev)) => {
            lognormal(mean, std_dev, min, max, at, problems)
        }
        _ => None,
    }
}

/// Without bounds: from one byte to ten standard deviations above the mean, beyond which only freak sizes lie.
fn lognormal(
    mean: Size,
    std_dev: Size,
    min: Option<Size>,
    max: Option<Size>,
    at: &Path,
    problems: &mut Problems<'_>,
) -> Option<SizeSpec> {
    for (key, value) in [("mean", mean), ("std_dev", std_dev)] {
        if value.0 == 0 {
            problems.error(at.child(key), format!("`{key}` of a lognormal distribution must be above 0"), "");
            return None;
        }
    }
    let min = min.unwrap_or(Size(1));
    let max = max.unwrap_or(Size(mean.0.saturating_add(std_dev.0.saturating_mul(10))));
    ordered(min, max, at.child("min"), "min", "max", problems)?;
    Some(SizeSpec::Lognormal { mean: mean.0 as f64, std_dev: std_dev.0 as f64, min: min.0, max: max.0 })
}

fn quoted(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ")
}
