//! Which of an agent's messages are safe on disk, and what may be acknowledged.

use crate::agent::UNACKNOWLEDGED;
use crate::message::AgentMessage;
use crate::mutants::mutant;
use crate::time::Mono;
use std::collections::BTreeSet;
use std::time::Duration;

/// Acknowledgements are sent at most this often, except for a terminal message.
const PACE: Duration = Duration::from_secs(1);

/// More than an agent keeps, intervals and the ends of its stages: so many intervals are counted, and so many copies may
/// one request to send again bring beside what was missing.
const KEPT_MAX: usize = 2 * UNACKNOWLEDGED;

/// What a message is to those before it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// The next one, or one that nobody misses if it does not come.
    InOrder,
    /// One before it is missing, so that it does not count yet: it will be sent again.
    Early,
    /// It came before, and again because we asked.
    Copy,
    /// Its sequence number was used before.
    GoneBack,
}

/// The sequence numbers of one stream: received, being written, written, acknowledged.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Delivery {
    /// The next sequence number if nothing is missing; `None` before the first message.
    expected: Option<u64>,
    /// Handed to the journal, not yet written.
    writing: BTreeSet<u64>,
    /// Of the messages that the agent keeps: how many were taken, in order; the last one's sequence number; and how many
    /// were sent, as far as is known.
    taken: u64,
    last_taken: Option<u64>,
    sent: u64,
    /// So many copies are no fault of the agent.
    copies: usize,
    /// From an agent that does not say what it keeps, the last received before the first gap: nothing beyond may be
    /// acknowledged.
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
    /// From such an agent, messages missing between the received ones.
    skipped: u64,
}

impl Delivery {
    /// Takes note of a message that has arrived.
    pub(super) fn receive(&mut self, message: &AgentMessage) -> Arrival {
        let (sequence, is_kept) = (message.sequence, message.body.is_kept());
        let expected = self.expected.unwrap_or(sequence);
        let is_new = sequence >= expected || mutant("double_count");
        let arrival = match message.kept_before {
            None if is_new => {
                // The first message of a stream may carry any number: only later ones can show a gap.
                if sequence > expected {
                    self.skipped += sequence - expected;
                    self.gap_after = self.gap_after.or(Some(expected - 1));
                }
                Arrival::InOrder
            }
            Some(before) if is_kept && before == self.taken && self.last_taken < Some(sequence) => {
                self.taken += 1;
                self.last_taken = Some(sequence);
                Arrival::InOrder
            }
            Some(before) if is_kept && before > self.taken && !mutant("gap") => Arrival::Early,
            Some(before) if is_kept && before < self.taken && !is_new && self.copies > 0 => {
                self.copies -= 1;
                Arrival::Copy
            }
            Some(_) if is_new => Arrival::InOrder,
            _ => Arrival::GoneBack,
        };
        if arrival != Arrival::GoneBack {
            self.expected = Some(expected.max(sequence.saturating_add(1)));
            let sent = message.kept_before.map_or(0, |before| before.saturating_add(u64::from(is_kept)));
            self.sent = self.sent.max(sent);
        }
        arrival
    }

    /// How many of the messages that the agent keeps were taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether some message is missing that would be sent again.
    pub(super) fn lacks(&self) -> bool {
        self.sent > self.taken
    }

    /// The agent is asked to send again what it keeps: some of that may be on its way already.
    pub(super) fn asked_again(&mut self) {
        self.copies = if mutant("copies") { usize::MAX } else { KEPT_MAX };
    }

    /// How many messages are missing, as far as is known.
    pub(super) fn missing(&self) -> u64 {
        self.skipped.saturating_add(self.sent.saturating_sub(self.taken))
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
        let counted = if mutant("counted") { UNACKNOWLEDGED } else { KEPT_MAX };
        if is_interval && self.intervals.len() < counted {
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
        // What was skipped may have been intervals: the agent holds them, too.
        self.intervals.len() as u64 + self.skipped >= UNACKNOWLEDGED as u64
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
    use crate::message::{Pong, Report, RunId, Session};

    const SECOND: u64 = 1_000_000_000;

    /// A message of an agent that says how many it has kept before, or of one that does not.
    fn message(sequence: u64, kept_before: Option<u64>) -> AgentMessage {
        let (run, session, stamp) = (RunId(1), Session(1), Mono(0));
        AgentMessage { run, session, sequence, stamp, kept_before, body: Report::Running(Box::default()) }
    }

    impl Delivery {
        /// Whether it counts, from an agent that does not say what it keeps.
        fn takes(&mut self, sequence: u64) -> bool {
            self.receive(&message(sequence, None)) == Arrival::InOrder
        }

        fn gets(&mut self, sequence: u64, kept_before: u64) -> Arrival {
            self.receive(&message(sequence, Some(kept_before)))
        }
    }

    #[test]
    fn one_more_than_an_agent_holds_is_counted_too() {
        // The end of a stage flushes what is pending, room or not.
        let mut delivery = Delivery::default();
        let count = UNACKNOWLEDGED as u64 + 1;
        for sequence in 0..count {
            assert_eq!(delivery.gets(sequence, sequence), Arrival::InOrder);
            delivery.write(sequence, true);
        }
        delivery.written(0, false);
        assert_eq!(delivery.acknowledge(Mono(1)), Some(0));
        assert!(delivery.is_holding_back(), "it has no room yet");
    }

    #[test]
    fn what_follows_a_missing_message_counts_after_it_and_once() {
        let mut delivery = Delivery::default();
        assert_eq!(delivery.gets(4, 0), Arrival::InOrder, "any number may be the first");
        assert_eq!(delivery.gets(6, 2), Arrival::Early);
        assert!(delivery.lacks());
        assert_eq!((delivery.taken(), delivery.missing()), (1, 2));
        // Sent again, as before; a message that is not kept was between them.
        assert_eq!(delivery.gets(5, 1), Arrival::InOrder);
        assert_eq!(delivery.gets(6, 2), Arrival::InOrder);
        assert_eq!((delivery.lacks(), delivery.missing()), (false, 0));
        assert_eq!(delivery.gets(6, 2), Arrival::GoneBack);
        assert_eq!(delivery.gets(5, 3), Arrival::GoneBack, "a number that was used");
        assert_eq!(delivery.gets(9, 3), Arrival::InOrder);
    }

    #[test]
    fn a_gap_among_messages_that_are_not_kept_is_none() {
        let mut delivery = Delivery::default();
        for (sequence, kept_before) in [(0, 0), (3, 1), (9, 2)] {
            assert_eq!(delivery.gets(sequence, kept_before), Arrival::InOrder);
            delivery.write(sequence, true);
            delivery.written(sequence, false);
        }
        assert_eq!((delivery.lacks(), delivery.missing()), (false, 0));
        assert_eq!(delivery.acknowledge(Mono(0)), Some(9));
    }

    #[test]
    fn an_answer_to_a_ping_shows_what_is_missing_before_it() {
        let mut delivery = Delivery::default();
        assert_eq!(delivery.gets(0, 0), Arrival::InOrder);
        let pong = AgentMessage { body: Report::Acknowledge(Pong::default()), ..message(2, Some(2)) };
        assert_eq!(delivery.receive(&pong), Arrival::InOrder, "it counts itself");
        assert!(delivery.lacks());
        assert_eq!(delivery.receive(&pong), Arrival::GoneBack);
    }

    #[test]
    fn copies_are_forgiven_to_who_was_asked_for_them_and_not_for_ever() {
        let mut delivery = Delivery::default();
        assert_eq!(delivery.gets(0, 0), Arrival::InOrder);
        assert_eq!(delivery.gets(0, 0), Arrival::GoneBack);
        delivery.asked_again();
        for _ in 0..KEPT_MAX {
            assert_eq!(delivery.gets(0, 0), Arrival::Copy);
        }
        assert_eq!(delivery.gets(0, 0), Arrival::GoneBack);
    }

    #[test]
    fn nothing_is_acknowledged_before_it_is_written() {
        let mut delivery = Delivery::default();
        assert!(delivery.takes(0));
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
            assert!(delivery.takes(sequence));
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
            assert!(delivery.takes(sequence));
            delivery.write(sequence, true);
        }
        assert_eq!(delivery.missing(), 2);
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
        assert!(delivery.takes(7));
        assert!(!delivery.takes(7));
        assert!(!delivery.takes(3));
        assert!(delivery.takes(8));
        assert_eq!(delivery.missing(), 0);
    }

    #[test]
    fn after_a_failed_write_nothing_is_acknowledged() {
        let mut delivery = Delivery::default();
        for sequence in 0..2 {
            delivery.takes(sequence);
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
        assert!(delivery.takes(u64::MAX - 1));
        assert!(delivery.takes(u64::MAX));
        delivery.write(u64::MAX, false);
        delivery.written(u64::MAX, true);
        assert_eq!(delivery.acknowledge(Mono(0)), Some(u64::MAX));
    }
}
