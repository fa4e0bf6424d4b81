//! Every wait for an agent has an instant at which it ends.

use super::machine::Controller;
use super::outcome::ExitCode;
use super::port::Level;
use super::roster::{Setup, Step, Wait, Work, first_limit};
use super::state::RunState;
use crate::message::Control;
use crate::mutants::mutant;
use crate::time::{Mono, Now};

impl Controller {
    /// The entry's earliest deadline, our own absence taken into account.
    pub(super) fn deadline(&self, index: usize) -> Option<Mono> {
        let peer = &self.peers[index];
        let link = peer.link.as_ref();
        let judged = self.is_judging().then(|| peer.judged_at(&self.order.outline.timeouts)).flatten();
        let own_pause = matches!(peer.step, Step::Connecting { wait: Wait::Retry, .. });
        let sampling = link.and_then(|link| link.sampling).map(|sampling| self.due(sampling.until));
        let closing = link.and_then(|link| link.closing).map(|at| self.due(at));
        let ping = link.filter(|link| link.closing.is_none() && !peer.is_over()).map(|link| link.next_ping);
        let acknowledge = link.filter(|link| link.closing.is_none()).and_then(|_| peer.delivery.due());
        let judged = judged.map(|at| if own_pause { at } else { self.due(at) });
        [judged, sampling, closing, ping, acknowledge].into_iter().flatten().min()
    }

    /// Once results are being collected, agents are no longer judged one by one: the collection has its own end.
    fn is_judging(&self) -> bool {
        self.state != RunState::CollectingResults
    }

    /// Does what is due for an agent.
    pub(super) fn judge(&mut self, now: Now, index: usize) {
        let Some(link) = &self.peers[index].link else {
            if self.is_judging() {
                self.connect_due(now, index);
            }
            return;
        };
        if link.closing.is_some_and(|at| self.due(at) <= now.mono) {
            self.drop_link(index);
            return;
        }
        let ping_due = link.closing.is_none() && link.next_ping <= now.mono && !self.peers[index].is_over();
        let sample_due = link.sampling.is_some_and(|sampling| self.due(sampling.until) <= now.mono);
        self.acknowledge(now, index);
        if sample_due && let Some(reason) = self.resample(now, index) {
            self.fail(now, index, ExitCode::TimedOut, &reason);
            return;
        }
        if ping_due {
            self.ping(now, index);
            self.repeat_acknowledgement(index);
        }
        if self.is_judging()
            && let Some((exit, reason)) = self.verdict(now, index)
        {
            self.fail(now, index, exit, &reason);
        }
    }

    /// Whether an agent is late with what it is to do, or silent.
    fn verdict(&mut self, now: Now, index: usize) -> Option<(ExitCode, String)> {
        let timeouts = self.order.outline.timeouts;
        let peer = &self.peers[index];
        let late = |since: Mono, limit| self.due(since.after(limit)) <= now.mono;
        let seconds = |since: Mono| now.mono.since(since).as_secs();
        let reason = match &peer.step {
            Step::ConfigSent(Setup::Validating(since)) if late(*since, timeouts.progress) => {
                format!("has not accepted the configuration for {} s", seconds(*since))
            }
            Step::ConfigSent(Setup::AnswerDue(since)) if late(*since, timeouts.progress) => {
                format!("has not said READY for {} s", seconds(*since))
            }
            Step::ConfigSent(Setup::Untimed(untimed)) | Step::Collecting(Work::Untimed(untimed))
                if late(untimed.moved, timeouts.progress) =>
            {
                let stage = &self.order.outline.stages[untimed.stage as usize].name;
                format!(
                    "has made no progress in stage `{stage}` for {} s; look at its storage and its host, or raise timeouts.progress",
                    seconds(untimed.moved)
                )
            }
            Step::StartSent { at, since, asked: true, .. }
                if late(*since, first_limit(&timeouts)) && !peer.delivery.is_holding_back() =>
            {
                format!(
                    "answers, but has sent no statistics for {} s after the start; look at its log, and restart it",
                    seconds(*at)
                )
            }
            Step::Collecting(Work::Timed { heard, .. })
                if late(*heard, timeouts.hung) && !peer.delivery.is_holding_back() =>
            {
                format!(
                    "hangs: it answers, but has sent no statistics for {} s; look at its log, and restart it",
                    seconds(*heard)
                )
            }
            Step::StartSent { until, .. } | Step::Collecting(Work::Timed { until, .. })
                if self.due(*until) <= now.mono =>
            {
                "has not ended the stage in time".to_owned()
            }
            Step::Collecting(Work::EndDue(since)) if late(*since, timeouts.progress) => {
                format!("has not said COMPLETED for {} s", seconds(*since))
            }
            Step::StartSent { at, since, asked: false, .. }
                if late(*since, timeouts.first_stats) && !peer.delivery.is_holding_back() =>
            {
                let waited = seconds(*at);
                self.ask_for_first(now, index, waited);
                return None;
            }
            Step::ConfigSent(Setup::Waiting) | Step::Ready | Step::StartSent { .. } | Step::Collecting(_) => {
                return self.probe(now, index).map(|reason| (ExitCode::TimedOut, reason));
            }
            Step::Connecting { .. } | Step::ConfigSent(_) | Step::Over { .. } => return None,
        };
        Some((ExitCode::TimedOut, reason))
    }

    /// An agent from which no interval came in time is asked: it may still be setting up, or have been stopped.
    fn ask_for_first(&mut self, now: Now, index: usize, waited: u64) {
        let limit = first_limit(&self.order.outline.timeouts).as_secs();
        let peer = &mut self.peers[index];
        if let Step::StartSent { asked, .. } = &mut peer.step {
            *asked = true;
        }
        let text = format!(
            "agent {} has sent no statistics for {waited} s after the start: it is asked, and given up if it does not answer, or sends none within {limit} s",
            peer.name()
        );
        self.notice(Level::Warning, Some(index), text);
        self.ping(now, index);
    }

    /// A silent agent is pinged; if it does not answer, it is given up.
    fn probe(&mut self, now: Now, index: usize) -> Option<String> {
        let timeouts = self.order.outline.timeouts;
        let link = self.peers[index].link.as_ref()?;
        let (probe, heard) = (link.probe, link.heard);
        if matches!(self.peers[index].step, Step::Collecting(Work::Untimed(_)))
            || self.due(link.silent_at(&timeouts)) > now.mono
        {
            return None;
        }
        let tries = probe.map_or(0, |(tries, _)| tries);
        if tries >= timeouts.ping_tries {
            let silent = now.mono.since(heard).as_secs();
            return Some(format!(
                "has been silent for {silent} s and did not answer {tries} pings; look at its host and the network"
            ));
        }
        if tries == 0 {
            let (name, silent) = (self.peers[index].name(), now.mono.since(heard).as_secs());
            let text = format!(
                "agent {name} has been silent for {silent} s: it is asked {} times, and given up if it does not answer",
                timeouts.ping_tries
            );
            self.notice(Level::Warning, Some(index), text);
        }
        let until = now.mono.after(timeouts.ping);
        self.peers[index].link.as_mut()?.probe = Some((tries + 1, until));
        self.ping(now, index);
        None
    }

    /// An agent that missed the last acknowledgement may wait for it before it sends more.
    fn repeat_acknowledgement(&mut self, index: usize) {
        if let Some(sequence) = self.peers[index].delivery.acknowledged() {
            self.send(index, Control::Acknowledge { sequence });
        }
    }

    /// Confirms what is safe on disk; after a terminal message there is nothing more to say.
    pub(super) fn acknowledge(&mut self, now: Now, index: usize) {
        let peer = &mut self.peers[index];
        if peer.link.as_ref().is_none_or(|link| link.closing.is_some() && !peer.said_end) {
            return;
        }
        let held_back = peer.delivery.is_holding_back();
        let Some(sequence) = peer.delivery.acknowledge(now.mono) else { return };
        // Its silence was our doing: it may send intervals again from now on.
        match &mut peer.step {
            Step::StartSent { since, .. } if held_back && !mutant("released") => {
                *since = (*since).max(now.mono);
            }
            Step::Collecting(Work::Timed { heard, .. }) if held_back => *heard = now.mono,
            _ => {}
        }
        let last = peer.terminal == Some(sequence);
        self.send(index, Control::Acknowledge { sequence });
        if last {
            self.hang_up(now.mono, index);
        }
    }
}
