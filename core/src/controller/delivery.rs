//! Which of an agent's messages are safe on disk, and what may be acknowledged.

use crate::agent::UNACKNOWLEDGED;
use crate::mutants::mutant;
use crate::time::Mono;
use std::collections::BTreeSet;
use std::time::Duration;

/// Acknowledgements are sent at most this often, except for a terminal message.
const PACE: Duration = Duration::from_secs(1);

/// The sequence numbers of one stream: received, being written, written, acknowledged.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Delivery {
    /// The next sequence number if nothing is missing; `None` before the first message.
    expected: Option<u64>,
    /// Handed to the journal, not yet written.
    writing: BTreeSet<u64>,
    /// The last received before the first gap: nothing beyond may be acknowledged.
    gap_after: Option<u64>,
    acknowledged: Option<u64>,
    /// The newest written message that the agent keeps until it is acknowledged.
    wanted: Option<u64>,
    /// When the last acknowledgement left.
    paced: Option<Mono>,
    /// The terminal message was written: acknowledge at once, past any gap.
    terminal: Option<u64>,
    /// A write failed: what is not on disk is never acknowledged.
    failed: bool,
    /// Intervals not acknowledged, written or not: the agent stops sending when they are too many.
    intervals: BTreeSet<u64>,
    /// Messages missing between the received ones.
    pub(super) missing: u64,
}

impl Delivery {
    /// Takes note of a received sequence number; `false` if it goes back.
    pub(super) fn receive(&mut self, sequence: u64) -> bool {
        match self.expected {
            Some(expected) if sequence < expected => return mutant("double_count"),
            Some(expected) if sequence > expected => {
                self.missing += sequence - expected;
                self.gap_after = self.gap_after.or(Some(expected - 1)).filter(|_| !mutant("gap"));
            }
            // The first message of a stream may carry any number: only later ones can show a gap.
            _ => {}
        }
        self.expected = Some(sequence.saturating_add(1));
        true
    }

    /// The newest sequence number received.
    #[cfg(test)]
    pub(super) fn newest(&self) -> Option<u64> {
        self.expected.map(|expected| expected - 1)
    }

    /// A received message was handed to the journal.
    pub(super) fn write(&mut self, sequence: u64, is_interval: bool) {
        self.writing.insert(sequence);
        if mutant("early_acknowledgement") {
            self.written(sequence, false);
        }
        if is_interval && !self.is_holding_back() {
            self.intervals.insert(sequence);
        }
    }

    /// The journal holds it. `terminal`: it is the stream's last message.
    pub(super) fn written(&mut self, sequence: u64, terminal: bool) {
        if self.writing.remove(&sequence) {
            self.wanted = self.wanted.max(Some(sequence));
            if terminal {
                self.terminal = Some(sequence);
            }
        }
    }

    /// The journal could not take it.
    pub(super) fn not_written(&mut self, sequence: u64) {
        self.writing.remove(&sequence);
        self.failed = !mutant("refused_write");
    }

    /// Sequence numbers that are kept.
    pub(super) fn held(&self) -> usize {
        self.writing.len() + self.intervals.len()
    }

    /// Whether the journal owes an answer.
    pub(super) fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }

    /// Whether the agent may have stopped sending intervals because we have not acknowledged enough of them.
    pub(super) fn is_holding_back(&self) -> bool {
        self.intervals.len() >= UNACKNOWLEDGED
    }

    /// The newest sequence number that was acknowledged.
    pub(super) fn acknowledged(&self) -> Option<u64> {
        self.acknowledged
    }

    /// What to acknowledge now, if anything.
    pub(super) fn acknowledge(&mut self, now: Mono) -> Option<u64> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        let sequence = self.acknowledgeable()?;
        self.acknowledged = Some(sequence);
        self.intervals = self.intervals.split_off(&sequence.saturating_add(1));
        self.paced = Some(now);
        Some(sequence)
    }

    /// When something is to be acknowledged.
    pub(super) fn due(&self) -> Option<Mono> {
        let sequence = self.acknowledgeable()?;
        if self.acknowledged >= Some(sequence) {
            return None;
        }
        let at_once = self.terminal == Some(sequence);
        Some(
            self.paced
                .filter(|_| !at_once)
                .map_or(Mono(0), |paced| paced.after(if mutant("pace") { Duration::ZERO } else { PACE })),
        )
    }

    fn acknowledgeable(&self) -> Option<u64> {
        if self.failed {
            return None;
        }
        // What the agent waits for: not the answers to pings that followed.
        self.terminal.filter(|_| self.writing.is_empty()).or(self.settled().min(self.wanted))
    }

    /// Everything up to here is written or needs no writing, and nothing before it is missing.
    fn settled(&self) -> Option<u64> {
        let received = self.expected.map(|expected| expected.saturating_sub(1));
        let before_writing = match self.writing.first() {
            Some(first) => first.checked_sub(1),
            None => received,
        };
        before_writing.min(self.gap_after.or(received))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn nothing_is_acknowledged_before_it_is_written() {
        let mut delivery = Delivery::default();
        assert!(delivery.receive(0));
        delivery.write(0, true);
        assert_eq!(delivery.acknowledge(Mono(SECOND)), None);
        delivery.written(0, false);
        assert_eq!(delivery.acknowledge(Mono(SECOND)), Some(0));
        assert_eq!(delivery.acknowledge(Mono(9 * SECOND)), None, "once is enough");
    }

    #[test]
    fn acknowledgement_waits_for_the_oldest_write_and_keeps_its_pace() {
        let mut delivery = Delivery::default();
        for sequence in 0..3 {
            assert!(delivery.receive(sequence));
            delivery.write(sequence, true);
        }
        delivery.written(1, false);
        assert_eq!(delivery.acknowledge(Mono(0)), None);
        delivery.written(0, false);
        assert_eq!(delivery.acknowledge(Mono(0)), Some(1));
        delivery.written(2, false);
        assert_eq!(delivery.due(), Some(Mono(SECOND)));
        assert_eq!(delivery.acknowledge(Mono(SECOND - 1)), None);
        assert_eq!(delivery.acknowledge(Mono(SECOND)), Some(2));
    }

    #[test]
    fn a_gap_is_never_acknowledged_past_except_by_the_terminal_message() {
        let mut delivery = Delivery::default();
        for sequence in [0, 1, 4, 5] {
            assert!(delivery.receive(sequence));
            delivery.write(sequence, true);
        }
        assert_eq!(delivery.missing, 2);
        for sequence in [0, 1, 4] {
            delivery.written(sequence, false);
        }
        assert_eq!(delivery.acknowledge(Mono(0)), Some(1));
        delivery.written(5, true);
        assert_eq!(delivery.acknowledge(Mono(1)), Some(5), "at once, and past the gap");
    }

    #[test]
    fn a_sequence_number_that_goes_back_is_refused() {
        let mut delivery = Delivery::default();
        assert!(delivery.receive(7));
        assert!(!delivery.receive(7));
        assert!(!delivery.receive(3));
        assert!(delivery.receive(8));
        assert_eq!(delivery.missing, 0);
    }

    #[test]
    fn after_a_failed_write_nothing_is_acknowledged() {
        let mut delivery = Delivery::default();
        for sequence in 0..2 {
            delivery.receive(sequence);
            delivery.write(sequence, true);
        }
        delivery.not_written(0);
        delivery.written(1, true);
        assert_eq!(delivery.acknowledge(Mono(SECOND)), None);
        assert!(!delivery.is_writing());
    }

    #[test]
    fn the_last_number_of_all_is_no_overflow() {
        let mut delivery = Delivery::default();
        assert!(delivery.receive(u64::MAX - 1));
        assert!(delivery.receive(u64::MAX));
        delivery.write(u64::MAX, false);
        delivery.written(u64::MAX, true);
        assert_eq!(delivery.acknowledge(Mono(0)), Some(u64::MAX));
    }
}
