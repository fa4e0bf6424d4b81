//! The size of each key, computed from the seed and its index.

use super::seed::below;
use crate::plan::SizeSpec;
use libm::{cos, exp, log, sqrt};
use std::f64::consts::TAU;

/// A size distribution, ready to draw from.
#[derive(Copy, Clone, PartialEq, Debug)]
pub(super) enum Sizes {
    Fixed(u64),
    Uniform { min: u64, max: u64 },
    Lognormal { mu: f64, sigma: f64, min: u64, max: u64 },
}

impl Sizes {
    pub(super) fn new(spec: &SizeSpec) -> Self {
        match *spec {
            SizeSpec::Fixed(size) => Self::Fixed(size),
            SizeSpec::Uniform { min, max } => Self::Uniform { min, max: max.max(min) },
            SizeSpec::Lognormal { mean, std_dev, min, max } => {
                let (mu, sigma) = lognormal_parameters(mean, std_dev);
                Self::Lognormal { mu, sigma, min, max: max.max(min) }
            }
        }
    }

    /// The size that all keys have, if they all have the same.
    pub(super) fn constant(&self) -> Option<u64> {
        match *self {
            Self::Fixed(size) => Some(size),
            Self::Uniform { min, max } | Self::Lognormal { min, max, .. } => (min == max).then_some(min),
        }
    }

    /// The size that belongs to a random number.
    #[inline]
    pub(super) fn draw(&self, random: u64) -> u64 {
        match *self {
            Self::Fixed(size) => size,
            // `max - min + 1` overflows only for the whole range, of which every number is a sample.
            Self::Uniform { min, max } => match (max - min).checked_add(1) {
                Some(count) => min + below(random, count),
                None => random,
            },
            Self::Lognormal { mu, sigma, min, max } => {
                let size = exp(mu + sigma * standard_normal(random));
                // `as` saturates, and NaN (of parameters that are not finite) becomes 0: both are then clamped.
                #[expect(clippy::cast_sign_loss, reason = "exp is never negative")]
                let size = (size + 0.5) as u64;
                size.clamp(min, max)
            }
        }
    }
}

/// Location and scale of the logarithm of a lognormal variable that itself has this mean and standard deviation:
/// σ² = ln(1 + s²/m²), μ = ln m − σ²/2. Source: Johnson, Kotz & Balakrishnan, "Continuous Univariate
/// Distributions", vol. 1, 2nd ed. 1994, ch. 14, moments of the lognormal solved for its parameters.
fn lognormal_parameters(mean: f64, std_dev: f64) -> (f64, f64) {
    let ratio = std_dev / mean;
    let variance = log(1.0 + ratio * ratio);
    (log(mean) - variance / 2.0, sqrt(variance))
}

/// A standard normal value from 64 random bits, 32 for each of two uniform numbers. Method: Box & Muller, "A Note on
/// the Generation of Random Normal Deviates", 1958. The functions are libm's own, so that every host computes the
/// same size for a key; the platform's may differ in the last bit.
fn standard_normal(random: u64) -> f64 {
    let unit = |bits: u64| (bits as f64 + 0.5) / 4_294_967_296.0;
    let (radius, angle) = (unit(random >> 32), unit(random & 0xffff_ffff));
    sqrt(-2.0 * log(radius)) * cos(TAU * angle)
}

#[cfg(test)]
mod tests;
