//! Time as the machines see it: two clocks, read together, outside.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Monotonic nanoseconds since this process began. For every duration, deadline and coordinated start.
///
/// Means nothing on another host: the controller translates with a measured offset.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Mono(pub u64);

/// Nanoseconds since the Unix epoch as this host's wall clock claims. It may be wrong and may step: only for people.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Unix(pub u64);

/// Both clocks, read by the driver immediately before it hands an input to a machine.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Now {
    /// For decisions.
    pub mono: Mono,
    /// For stamps that people read.
    pub unix: Unix,
}

impl Mono {
    /// The instant `by` later; saturates at the end of time.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// The instant `by` earlier; saturates at the beginning.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant on a clock that is `offset` nanoseconds ahead of ours; saturates.
    #[must_use]
    pub fn shifted(self, offset: i64) -> Self {
        Self(self.0.saturating_add_signed(offset))
    }
}

/// The duration in whole nanoseconds; saturates after 584 years.
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Unix {
    /// UTC to the millisecond, as in `2026-03-01T12:30:05.250Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        let (days, in_day) = (millis / 86_400_000, millis % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", in_day % 1_000)
    }
}

/// Gregorian date of a day counted from 1970-01-01. Method: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`, for days that are not negative.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_prints_as_utc() {
        assert_eq!(Unix(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Unix(951_782_400_000_000_000).to_string(), "2000-02-29T00:00:00.000Z");
        assert_eq!(Unix(1_798_761_599_999_999_999).to_string(), "2026-12-31T23:59:59.999Z");
    }

    #[test]
    fn monotonic_arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Mono(u64::MAX).after(Duration::MAX), Mono(u64::MAX));
        assert_eq!(Mono(5).since(Mono(7)), Duration::ZERO);
        assert_eq!(Mono(5).shifted(-9), Mono(0));
        assert_eq!(Mono(5).before(Duration::from_secs(1)), Mono(0));
    }
}
