//! A host's clocks: the monotonic one begins anywhere and drifts, the wall clock is wrong and steps.

use super::scenario::Nanos;
use iobench_core::time::{Mono, Now, Unix};

/// Where the true wall clock begins: in January 2027.
const EPOCH: i64 = 1_800_000_000_000_000_000;

/// Both clocks of a host.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct HostClock {
    /// What the monotonic clock shows at the beginning.
    pub(super) offset: Nanos,
    /// How much faster than true time it runs, parts per million.
    pub(super) drift_ppm: i64,
    /// The wall clock's error.
    pub(super) wall: i64,
}

impl HostClock {
    /// What the host's clocks show at an instant of true time.
    pub(super) fn now(&self, at: Nanos) -> Now {
        let mono = self.mono(at);
        let unix = EPOCH + at.cast_signed() + self.wall;
        Now { mono, unix: Unix(unix.cast_unsigned()) }
    }

    fn mono(&self, at: Nanos) -> Mono {
        Mono((self.offset + at).saturating_add_signed(self.drift(at.cast_signed())))
    }

    /// The first instant of true time at which the monotonic clock shows at least this; not before `now`.
    pub(super) fn when(&self, shows: Mono, now: Nanos) -> Nanos {
        let ahead = shows.0.saturating_sub(self.offset).cast_signed();
        // Each round makes the error smaller by the drift itself, which is 0.02 % at most.
        let estimate = (0..4).fold(ahead, |estimate, _| ahead - self.drift(estimate)) - 2;
        let mut at = estimate.max(0).unsigned_abs().max(now);
        while self.mono(at) < shows {
            at += 1;
        }
        at
    }

    /// What the clock has gained in a span of true time; exact for a year and more.
    fn drift(&self, span: i64) -> i64 {
        span.saturating_mul(self.drift_ppm) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_drifts_shows_an_instant_exactly_when_it_says_so() {
        for drift_ppm in [-200, -1, 0, 3, 200] {
            let clock = HostClock { offset: 77, drift_ppm, wall: 0 };
            for shows in [77, 78, 1_000_000_007, 604_800_000_000_123] {
                let at = clock.when(Mono(shows), 0);
                assert!(clock.mono(at) >= Mono(shows), "{drift_ppm} {shows}");
                assert!(at == 0 || clock.mono(at - 1) < Mono(shows), "{drift_ppm} {shows}");
            }
        }
    }
}
