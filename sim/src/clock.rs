//! A clock for each host: where it began, how fast it runs, what its wall clock claims, and when its process stands.

use crate::state::{Host, with};
use iobench::drive::Clock;
use iobench_core::time::{Mono, Now, Unix, nanos};
use std::future::Future;
use std::time::Duration;

/// True time zero as every correct wall clock would show it.
pub const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// What one host's clocks show.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// An instant of true time, nanoseconds, and what the monotonic clock showed then.
    anchor: (u64, u64),
    /// How much faster than true time it runs, parts per million.
    drift_ppm: i64,
    /// The wall clock minus a correct one, nanoseconds, drift left aside.
    wall: i64,
    /// When the process stood still: true time, nanoseconds; disjoint, oldest first.
    stops: Vec<(u64, u64)>,
}

impl Hardware {
    /// A clock that has run for `uptime` at true time zero.
    #[must_use]
    pub fn new(uptime: Duration) -> Self {
        Self { anchor: (0, nanos(uptime)), drift_ppm: 0, wall: 0, stops: Vec::new() }
    }

    /// Both clocks at an instant of true time, nanoseconds.
    #[must_use]
    pub fn at(&self, truth: u64) -> Now {
        let (since, shown) = self.anchor;
        let run = truth - since;
        let drift = i128::from(run) * i128::from(self.drift_ppm) / 1_000_000;
        let mono = i128::from(shown) + i128::from(run) + drift;
        let unix = i128::from(nanos(EPOCH) + truth) + i128::from(self.wall) + drift;
        let shown = |nanos: i128| u64::try_from(nanos).unwrap_or(0);
        Now { mono: Mono(shown(mono)), unix: Unix(shown(unix)) }
    }

    /// From this instant on it runs at another speed.
    pub fn drift(&mut self, truth: u64, ppm: i64) {
        let now = self.at(truth);
        self.wall +=
            i64::try_from(i128::from(now.unix.0) - i128::from(nanos(EPOCH) + truth)).unwrap_or(0) - self.wall;
        self.anchor = (truth, now.mono.0);
        self.drift_ppm = ppm;
    }

    /// The wall clock jumps, as NTP makes it; the monotonic one does not.
    pub fn step(&mut self, by: i64) {
        self.wall += by;
    }

    /// The process stands still from this instant for so long.
    pub fn stop(&mut self, truth: u64, length: Duration) {
        self.stops.push((truth, truth + nanos(length)));
    }

    /// Until when the process stands, if it does at this instant.
    #[must_use]
    pub fn stands_until(&self, truth: u64) -> Option<u64> {
        self.stops.iter().find(|(from, until)| (*from..*until).contains(&truth)).map(|(_, until)| *until)
    }

    /// How long of the span the process stood, nanoseconds.
    #[must_use]
    pub fn stood(&self, from: u64, to: u64) -> u64 {
        overlap(&self.stops, from, to)
    }

    fn true_duration(&self, shown: u64) -> Duration {
        let speed = 1_000_000 + i128::from(self.drift_ppm);
        let nanos = i128::from(shown) * 1_000_000 / speed + 1;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// How much of a span lies in others that are disjoint.
pub(crate) fn overlap(spans: &[(u64, u64)], from: u64, to: u64) -> u64 {
    spans.iter().map(|&(a, b)| b.min(to).saturating_sub(a.max(from))).sum()
}

/// The clock port of a simulated host.
#[derive(Copy, Clone, Debug)]
pub struct SimClock(pub Host);

impl Clock for SimClock {
    fn now(&self) -> Now {
        with(|state| state.hardware(self.0).at(truth()))
    }

    fn sleep_until(&self, at: Mono) -> impl Future<Output = ()> + Send {
        let left = nanos(at.since(self.now().mono));
        let left = with(|state| state.hardware(self.0).true_duration(left));
        // Longer than any simulation, shorter than what a timer refuses.
        tokio::time::sleep(left.min(Duration::from_secs(1 << 30)))
    }

    fn while_stopped(&self) -> impl Future<Output = ()> + Send {
        let host = self.0;
        async move {
            while let Some(until) = with(|state| state.hardware(host).stands_until(truth())) {
                tokio::time::sleep(Duration::from_nanos(until - truth())).await;
            }
        }
    }
}

/// True time of the host that is being run, nanoseconds.
pub(crate) fn truth() -> u64 {
    nanos(turmoil::sim_elapsed().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_clock_that_drifts_and_steps_shows_what_it_should() {
        let mut clock = Hardware::new(Duration::from_secs(100));
        assert_eq!(clock.at(SECOND).mono, Mono(101 * SECOND));
        clock.drift(10 * SECOND, 200);
        clock.step(-3_000_000_000);
        let now = clock.at(20 * SECOND);
        assert_eq!(now.mono, Mono(120 * SECOND + 2_000_000));
        assert_eq!(now.unix, Unix(nanos(EPOCH) + 17 * SECOND + 2_000_000));
        clock.drift(20 * SECOND, 0);
        assert_eq!(clock.at(20 * SECOND), now, "a change of speed is no jump");
    }

    #[test]
    fn a_stopped_process_stands_for_its_time() {
        let mut clock = Hardware::new(Duration::ZERO);
        clock.stop(5, Duration::from_nanos(10));
        assert_eq!(
            (clock.stands_until(4), clock.stands_until(5), clock.stands_until(15)),
            (None, Some(15), None)
        );
        assert_eq!((clock.stood(0, 20), clock.stood(10, 12)), (10, 2));
    }
}
