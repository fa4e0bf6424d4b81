//! How far an agent's monotonic clock is from ours, and how sure we are.

use crate::message::Pong;
use crate::mutants::mutant;
use crate::time::{Mono, nanos};
use std::collections::VecDeque;
use std::time::Duration;

/// Clock samples per agent before a start.
pub(super) const SAMPLES: u32 = 8;
/// How long a sample may be used.
const FRESH: Duration = Duration::from_secs(30);
/// What two clocks may drift apart: 200 ppm, in nanoseconds a millisecond.
const DRIFT_NS_PER_MS: u64 = 200;
const KEPT: usize = 16;

/// One exchange of four stamps.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
struct Sample {
    taken: Mono,
    round_trip: u64,
    offset: i64,
}

/// An estimate of an agent's clock.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Estimate {
    /// The agent's clock minus ours, nanoseconds.
    pub(super) offset: i64,
    /// The estimate's error bound, nanoseconds either way.
    pub(super) bound: u64,
    /// The longest round trip of all fresh samples, nanoseconds: what a message may have to reckon with.
    pub(super) slowest: u64,
}

/// The newest samples of one agent's clock.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Samples {
    kept: VecDeque<Sample>,
}

impl Samples {
    /// Adds the sample that a Pong completes, and gives its round trip. `None` if the stamps contradict themselves.
    ///
    /// Method: the four stamps of NTP (RFC 5905, section 8): with t1 = Ping sent, t2 = Ping received, t3 = Pong
    /// sent, t4 = Pong received, offset = ((t2 − t1) + (t3 − t4)) / 2 and round trip = (t4 − t1) − (t3 − t2).
    pub(super) fn add(&mut self, now: Mono, pong: &Pong) -> Option<Duration> {
        let [t1, t2, t3, t4] = [pong.stamp, pong.received, pong.sent, now].map(|stamp| i128::from(stamp.0));
        let round_trip = u64::try_from((t4 - t1) - (t3 - t2)).ok()?;
        if (t4 < t1 || t3 < t2) && !mutant("stamps") {
            return None;
        }
        let offset = i64::try_from(((t2 - t1) + (t3 - t4)) / 2).ok()?;
        if self.kept.len() == KEPT && !mutant("samples_kept") {
            self.kept.pop_front();
        }
        self.kept.push_back(Sample { taken: now, round_trip, offset });
        Some(Duration::from_nanos(round_trip))
    }

    /// Samples that are kept.
    pub(super) fn held(&self) -> usize {
        self.kept.len()
    }

    /// Of the fresh samples the one that is surest. Its bound is half its round trip (the offset cannot be further off,
    /// whichever way was slower) plus what the clocks may have drifted since.
    pub(super) fn estimate(&self, now: Mono) -> Option<Estimate> {
        let fresh =
            || self.kept.iter().filter(|sample| now.since(sample.taken) <= FRESH || mutant("old_samples"));
        let bound = |sample: &Sample| {
            let age_ms = nanos(now.since(sample.taken)) / 1_000_000;
            sample.round_trip / 2 + if mutant("drift") { 0 } else { age_ms * DRIFT_NS_PER_MS }
        };
        let best = fresh()
            .min_by_key(|sample| if mutant("quickest") { sample.round_trip } else { bound(sample) })?;
        let slowest = fresh().map(|sample| sample.round_trip).max()?;
        Some(Estimate { offset: best.offset, bound: bound(best), slowest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(sent: u64, received: u64) -> Pong {
        Pong { number: 0, stamp: Mono(sent), received: Mono(received), sent: Mono(received + 10) }
    }

    #[test]
    fn the_offset_is_exact_when_both_ways_take_the_same_time() {
        let mut samples = Samples::default();
        // Ours 1000 → theirs 501_500 (offset 500_000, 1_500 on the way), back at ours 4_010.
        assert_eq!(samples.add(Mono(4_010), &pong(1_000, 502_500)), Some(Duration::from_nanos(3_000)));
        let estimate = samples.estimate(Mono(4_010)).unwrap();
        assert_eq!((estimate.offset, estimate.bound), (500_000, 1_500));
    }

    #[test]
    fn the_true_offset_is_within_the_bound_however_uneven_the_ways_are() {
        for there in [0, 10, 5_000, 90_000] {
            let back = 90_000 - there;
            let mut samples = Samples::default();
            let received = 7_000 + there + 1_000_000;
            samples.add(Mono(7_000 + there + 10 + back), &pong(7_000, received)).unwrap();
            let estimate = samples.estimate(Mono(7_000 + 90_010)).unwrap();
            assert!(estimate.offset.abs_diff(1_000_000) <= estimate.bound, "{there} {estimate:?}");
        }
    }

    #[test]
    fn a_slower_sample_is_surer_than_one_that_is_too_old() {
        let mut samples = Samples::default();
        let second = 1_000_000_000;
        samples.add(Mono(2_000_000), &pong(0, 1_000_000)).unwrap();
        samples.add(Mono(20 * second + 6_000_000), &pong(20 * second, 20 * second + 7_000_000)).unwrap();
        // 1 ms of half its round trip and 4 ms of drift against 3 ms.
        let estimate = samples.estimate(Mono(20 * second + 6_000_000)).unwrap();
        assert_eq!(estimate.bound / 10_000, 299, "{estimate:?}");
        assert!(estimate.offset > 3_000_000, "{estimate:?}");
    }

    #[test]
    fn the_quickest_fresh_sample_wins_and_its_bound_grows_with_age() {
        let mut samples = Samples::default();
        samples.add(Mono(100), &pong(0, 50)).unwrap();
        samples.add(Mono(90_000), &pong(50_000, 60_000)).unwrap();
        let at = |seconds: u64| Mono(100 + seconds * 1_000_000_000);
        assert_eq!(samples.estimate(at(0)).unwrap().bound, 45);
        assert_eq!(samples.estimate(at(0)).unwrap().slowest, 39_990, "what Start may have to reckon with");
        assert_eq!(samples.estimate(at(10)).unwrap().bound, 45 + 2_000_000);
        assert_eq!(samples.estimate(at(31)), None);
    }

    #[test]
    fn contradictory_stamps_make_no_sample() {
        let mut samples = Samples::default();
        assert_eq!(samples.add(Mono(5), &pong(6, 0)), None);
        let backwards = Pong { number: 0, stamp: Mono(0), received: Mono(9), sent: Mono(8) };
        assert_eq!(samples.add(Mono(5), &backwards), None);
        assert_eq!(samples.estimate(Mono(5)), None);
    }
}
