//! The run that holds an agent: whom it answers to, what it has sent, what is not confirmed yet.

use super::UNACKNOWLEDGED;
use super::port::{KeptRun, Output};
use super::state::Ending;
use crate::message::{AgentMessage, Configure, Ping, Report, RunId, Session, StreamId};
use crate::mutants::mutant;
use crate::plan::Outline;
use crate::stats::{Interval, StageTotals};
use crate::time::{Mono, Now};
use std::collections::VecDeque;
use std::time::Duration;

/// What was sent again is not sent once more so soon, unless the controller has seen that it was.
const AGAIN: Duration = Duration::from_secs(1);

/// One run's hold on the agent, from Configure until its results are confirmed or kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Claim {
    pub(super) stream: StreamId,
    /// Nothing can be sent any more.
    pub(super) gone: bool,
    pub(super) run: RunId,
    pub(super) session: Session,
    pub(super) configure: Configure,
    pub(super) since: Now,
    /// The newest own stamp that the controller has echoed: the lease runs from here.
    pub(super) echoed: Mono,
    pub(super) outline: Outline,
    /// The next stage to do; the ones before it are done.
    pub(super) next_stage: u32,
    /// One entry a stage begun.
    pub(super) totals: Vec<StageTotals>,
    /// Messages of the controller that made no sense.
    pub(super) invalid: u64,
    /// Messages of the controller that only repeated what was known.
    pub(super) repeated: u64,
    /// The sequence number of the next message.
    sequence: u64,
    /// The sequence number of the last message.
    sent: Option<u64>,
    /// How many messages that are kept were sent.
    kept: u64,
    /// What is kept: sent and not acknowledged, oldest first.
    unacknowledged: VecDeque<AgentMessage>,
    /// When it was last sent again.
    resent: Option<Mono>,
    /// What is measured but not sent, because too much is unacknowledged.
    pending: Option<Box<Interval>>,
}

impl Claim {
    pub(super) fn new(
        stream: StreamId,
        run: RunId,
        session: Session,
        configure: Configure,
        now: Now,
    ) -> Self {
        Self {
            stream,
            gone: false,
            run,
            session,
            configure,
            since: now,
            echoed: now.mono,
            outline: Outline::default(),
            next_stage: 0,
            totals: Vec::new(),
            invalid: 0,
            repeated: 0,
            sequence: 0,
            sent: None,
            kept: 0,
            unacknowledged: VecDeque::new(),
            resent: None,
            pending: None,
        }
    }

    /// `None`: no such stage; `Some(None)`: it is untimed; else how long it is measured.
    pub(super) fn duration_of(&self, stage: u32) -> Option<Option<Duration>> {
        self.outline.stages.get(stage as usize).map(|stage| stage.timed)
    }

    /// For simulation: as if so many messages had been sent.
    pub(super) fn with_sequence(mut self, first: u64) -> Self {
        self.sequence = first;
        self
    }

    /// Messages and totals that are kept.
    pub(super) fn held(&self) -> usize {
        self.unacknowledged.len() + usize::from(self.pending.is_some()) + self.totals.len()
    }

    /// The sequence number of the last message.
    #[cfg(test)]
    pub(super) fn newest(&self) -> Option<u64> {
        self.sent
    }

    /// Whether only one sequence number is left, which belongs to the terminal message.
    pub(super) fn is_exhausted(&self) -> bool {
        self.sequence == u64::MAX
    }

    /// Sends a message that is neither an interval nor terminal.
    pub(super) fn send(&mut self, now: Now, body: Report, out: &mut VecDeque<Output>) {
        if !self.is_exhausted() {
            self.emit(now, body, out);
        }
    }

    /// Takes an interval: sends it, or merges it exactly into the pending one while too much is unacknowledged.
    pub(super) fn interval(&mut self, now: Now, interval: Box<Interval>, out: &mut VecDeque<Output>) {
        if self.pending.is_none() && self.has_room() {
            self.emit_interval(now, interval, out);
            return;
        }
        if self.pending.as_mut().is_none_or(|pending| pending.absorb(&interval).is_err()) {
            // Another stage, or measurement after warm-up: what was pending goes out as it is.
            self.flush_pending(now, out);
            self.pending = Some(interval);
        }
    }

    /// The controller holds everything up to `sequence`; `false` if that was never sent.
    pub(super) fn acknowledge(&mut self, now: Now, sequence: u64, out: &mut VecDeque<Output>) -> bool {
        if self.sent.is_none_or(|sent| sequence > sent) {
            return false;
        }
        while self.unacknowledged.front().is_some_and(|message| message.sequence <= sequence) {
            self.unacknowledged.pop_front();
        }
        if self.has_room() {
            self.flush_pending(now, out);
        }
        true
    }

    /// Sends again what is kept from there on: one of these messages did not arrive. Pings that were held up ask all at
    /// once, none of them knowing of the answer to the first: one answer is enough.
    pub(super) fn send_again(&mut self, now: Now, ping: &Ping, out: &mut VecDeque<Output>) {
        let Some(from) = ping.again_from else { return };
        let is_on_its_way =
            |resent: Mono| ping.newest < Some(resent) && now.mono < resent.after(AGAIN) && !mutant("again");
        if self.resent.is_some_and(is_on_its_way) {
            return;
        }
        self.resent = Some(now.mono);
        let missing = self.unacknowledged.iter().filter(|message| message.kept_before >= Some(from));
        if !self.gone {
            out.extend(missing.map(|message| Output::Send(self.stream, message.clone())));
        }
    }

    /// A stage is over: what is pending of it goes out before its totals.
    pub(super) fn stage_done(&mut self, now: Now, totals: StageTotals, out: &mut VecDeque<Output>) {
        if !mutant("pending") {
            self.flush_pending(now, out);
        }
        self.totals.push(totals.clone());
        self.next_stage += 1;
        self.send(now, Report::StageDone(Box::new(totals)), out);
    }

    /// The stage that was running ends early: its totals, unless they are known.
    pub(super) fn interrupted(&mut self, totals: Option<Box<StageTotals>>) {
        let known = |totals: &StageTotals| self.totals.iter().any(|known| known.stage == totals.stage);
        if let Some(totals) = totals.filter(|totals| !known(totals)) {
            self.totals.push(*totals);
        }
    }

    /// Says how the run ended.
    pub(super) fn terminal(&mut self, now: Now, ending: Option<Ending>, out: &mut VecDeque<Output>) {
        self.flush_pending(now, out);
        let totals = self.totals.clone();
        let body = match ending {
            None => Report::Completed { totals },
            Some(Ending::Failed(failure)) => Report::Error { failure, totals },
            Some(Ending::Aborted(reason)) => Report::Aborted { reason, totals },
        };
        self.emit(now, body, out);
    }

    /// Whether the controller holds everything up to the terminal message.
    pub(super) fn is_confirmed(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// What no controller has confirmed; `None` if nothing was ever measured, so that there is nothing to keep.
    pub(super) fn keep(&self) -> Option<Box<KeptRun>> {
        let measured = !self.totals.is_empty() || self.intervals() > 0;
        let counts = |body: &Report| matches!(body, Report::Running(_)) || body.is_terminal();
        measured.then(|| {
            Box::new(KeptRun {
                run: self.run,
                agent_id: self.configure.agent_id.clone(),
                index: self.configure.index,
                yaml: self.configure.yaml.clone(),
                overrides: self.configure.overrides.clone(),
                seed: self.configure.seed,
                messages: self
                    .unacknowledged
                    .iter()
                    .filter(|message| counts(&message.body))
                    .cloned()
                    .collect(),
            })
        })
    }

    fn has_room(&self) -> bool {
        self.intervals() < UNACKNOWLEDGED || mutant("unacknowledged")
    }

    /// Intervals sent and not acknowledged.
    fn intervals(&self) -> usize {
        let is_interval = |message: &&AgentMessage| matches!(message.body, Report::Running(_));
        self.unacknowledged.iter().filter(is_interval).count()
    }

    fn flush_pending(&mut self, now: Now, out: &mut VecDeque<Output>) {
        if let Some(interval) = self.pending.take() {
            self.emit_interval(now, interval, out);
        }
    }

    fn emit_interval(&mut self, now: Now, interval: Box<Interval>, out: &mut VecDeque<Output>) {
        if self.is_exhausted() {
            return;
        }
        self.emit(now, Report::Running(interval), out);
    }

    fn emit(&mut self, now: Now, body: Report, out: &mut VecDeque<Output>) {
        let message = AgentMessage {
            run: self.run,
            session: self.session,
            sequence: self.sequence,
            stamp: now.mono,
            kept_before: Some(self.kept),
            body,
        };
        self.sent = Some(self.sequence);
        self.sequence = self.sequence.saturating_add(1);
        if message.body.is_kept() {
            self.kept += 1;
            self.unacknowledged.push_back(message.clone());
        }
        if !self.gone {
            out.push_back(Output::Send(self.stream, message));
        }
    }
}
