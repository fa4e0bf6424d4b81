//! A timed stage cut into reporting intervals.

use iobench_core::plan::StageKind;
use iobench_core::time::nanos;
use std::time::Duration;

/// When a timed stage begins and ends. All times in nanoseconds of the process's clock.
///
/// It is cut into pieces: the warm-up into its own, the measured time into its own, each as long as the interval but
/// for the last one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Timeline {
    start: u64,
    warmup: u64,
    measured: u64,
    interval: u64,
}

/// One interval.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) warmup: bool,
}

impl Timeline {
    /// The timeline of this stage; `None` when it is untimed.
    pub(super) fn new(kind: &StageKind, interval: Duration, start: u64) -> Option<Self> {
        let StageKind::Execute { duration, warmup, .. } = kind else { return None };
        Some(Self {
            start,
            warmup: nanos(*warmup),
            measured: nanos(*duration),
            interval: nanos(interval).max(1_000_000),
        })
    }

    /// When measurement begins.
    pub(super) fn measured_from(&self) -> u64 {
        self.start.saturating_add(self.warmup)
    }

    /// When nothing more is issued.
    pub(super) fn end(&self) -> u64 {
        self.measured_from().saturating_add(self.measured)
    }

    /// How many pieces.
    pub(super) fn pieces(&self) -> u64 {
        self.warmup.div_ceil(self.interval) + self.measured.div_ceil(self.interval)
    }

    /// The piece with this number; beyond the last one: the last.
    pub(super) fn piece(&self, number: u64) -> Piece {
        let before = self.warmup.div_ceil(self.interval);
        let (warmup, first, length, number) = match number.checked_sub(before) {
            None => (true, self.start, self.warmup, number),
            Some(number) => (
                false,
                self.measured_from(),
                self.measured,
                number.min(self.measured.div_ceil(self.interval).saturating_sub(1)),
            ),
        };
        let from = number.saturating_mul(self.interval);
        let to = from.saturating_add(self.interval).min(length);
        Piece { from: first.saturating_add(from), to: first.saturating_add(to), warmup }
    }

    /// The number of the piece that this instant is in; the number of pieces when it is after the end.
    pub(super) fn number(&self, now: u64) -> u64 {
        let passed = now.saturating_sub(self.start);
        match passed.checked_sub(self.warmup) {
            None => passed / self.interval,
            Some(passed) if passed >= self.measured => self.pieces(),
            Some(passed) => self.warmup.div_ceil(self.interval) + passed / self.interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(warmup_ms: u64, duration_ms: u64) -> Timeline {
        let kind = StageKind::Execute {
            duration: Duration::from_millis(duration_ms),
            warmup: Duration::from_millis(warmup_ms),
            entries: Vec::new(),
        };
        Timeline::new(&kind, Duration::from_millis(100), 1_000).unwrap()
    }

    #[test]
    fn pieces_meet_and_cover_everything() {
        for (warmup, duration) in [(0, 1000), (250, 1000), (100, 50), (0, 1), (330, 990)] {
            let timeline = timeline(warmup, duration);
            let pieces: Vec<_> = (0..timeline.pieces()).map(|n| timeline.piece(n)).collect();
            assert_eq!(pieces[0].from, 1_000);
            assert_eq!(pieces.last().unwrap().to, timeline.end());
            assert!(pieces.windows(2).all(|pair| pair[0].to == pair[1].from));
            for piece in &pieces {
                assert_eq!(piece.warmup, piece.to <= timeline.measured_from());
            }
            for (number, piece) in (0..).zip(&pieces) {
                assert_eq!(timeline.number(piece.from), number);
                assert_eq!(timeline.number(piece.to - 1), number);
            }
            assert_eq!(timeline.number(timeline.end()), timeline.pieces());
        }
    }
}
