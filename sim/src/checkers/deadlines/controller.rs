//! The controller's deadlines: connecting, answers, progress, first statistics, silence, hanging, the end of an abort.

use super::Wake;
use crate::checkers::{PerHost, Verdict};
use iobench_core::controller::{AgentState, Controller, Input, Order, Output, RunState};
use iobench_core::machine::Machine;
use iobench_core::message::{AgentIndex, AgentMessage, Control, Report, RunId, Session, StreamId};
use iobench_core::plan::Timeouts;
use iobench_core::time::{Mono, Now};
use std::collections::BTreeSet;
use std::time::Duration;

/// What the journal may take for the last messages.
const LAST_WRITES: Duration = Duration::from_secs(30);
/// One attempt, and three more.
const ATTEMPTS: u32 = 4;
const COLLECTING: Option<RunState> = Some(RunState::CollectingResults);
const MINUTE: Duration = Duration::from_secs(60);
/// An agent sends no intervals while so many are not acknowledged.
const UNACKNOWLEDGED: usize = 32;
/// How late a machine may be by its own doing: an agent is asked again at most this often.
const PACE: Duration = Duration::from_secs(1);

/// What the controller waits for.
#[derive(Debug, Default)]
pub(super) struct Watch {
    wake: Wake,
    run: RunId,
    max_invalid: u32,
    timeouts: Timeouts,
    /// Which stages are timed, and for how long.
    timed: Vec<Option<Duration>>,
    state: Option<RunState>,
    agents: PerHost<Peer>,
    /// Whom the input concerns; `None`: nobody in particular, so that all are looked at.
    concerns: Option<AgentIndex>,
    /// The run is to be over by this.
    over_by: Option<Mono>,
    /// The input that is handled may end an agent by what it says.
    tells: Option<AgentIndex>,
    /// Who was failed for being late, and was not, or not yet.
    hasty: Option<String>,
}

/// What the controller waits for from one agent.
#[derive(Debug)]
struct Peer {
    /// Whose messages count.
    current: Option<(StreamId, Session)>,
    state: AgentState,
    wait: Option<(Wait, Mono)>,
    /// It was last heard, or its stream opened.
    heard: Option<Mono>,
    /// The last attempt took too long.
    cut_off: bool,
    /// In a timed stage: its last interval.
    interval: Option<Mono>,
    /// What it said last of a stage was an interval of it, not its end.
    measures: bool,
    /// When the timed stage that was started is over.
    stage_over: Option<Mono>,
    best: (u64, u64, u64),
    /// Intervals that the controller has taken and not acknowledged.
    unacknowledged: BTreeSet<u64>,
    /// The next sequence number that counts; 0 before the first.
    expected: u64,
    /// Of the messages that the agent keeps: how many have come with none missing.
    whole: u64,
    /// Attempts to connect.
    attempts: u32,
    /// Frames that nobody could read: since when, and how many.
    unreadable: (Mono, u32),
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            current: None,
            state: AgentState::Connecting,
            wait: None,
            heard: None,
            cut_off: false,
            interval: None,
            measures: false,
            stage_over: None,
            best: (0, 0, 0),
            unacknowledged: BTreeSet::new(),
            expected: 0,
            whole: 0,
            attempts: 0,
            unreadable: (Mono(0), 0),
        }
    }
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Wait {
    Tcp,
    Stream,
    /// ACCEPTED, READY or COMPLETED.
    Answer,
    /// An untimed stage makes progress.
    Progress,
    /// The first interval, from the start instant on.
    FirstStatistics,
}

impl Wait {
    fn limit(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::Tcp => timeouts.connect,
            Self::Stream => timeouts.stream,
            Self::Answer | Self::Progress => timeouts.progress,
            // Asked once, it may take as long as it may hang later.
            Self::FirstStatistics => {
                timeouts.hung.max(timeouts.first_stats + timeouts.ping * timeouts.ping_tries)
            }
        }
    }
}

impl Watch {
    pub(super) fn of(order: &Order) -> Self {
        Self {
            run: order.run,
            max_invalid: order.policy.max_invalid_per_minute,
            timeouts: order.outline.timeouts,
            timed: order.outline.stages.iter().map(|stage| stage.timed).collect(),
            ..Self::default()
        }
    }

    pub(super) fn input(&mut self, now: Now, input: &Input) {
        self.wake.input(now);
        self.concerns = match input {
            Input::Received(agent, ..) | Input::Persisted { agent, .. } => Some(*agent),
            _ => None,
        };
        self.tells = match input {
            Input::Closed(agent, ..) | Input::ConnectFailed { agent, .. } => Some(*agent),
            Input::Received(agent, _, message) => self.may_end(*agent, message).then_some(*agent),
            _ => None,
        };
        match input {
            Input::Connected { agent, .. } => {
                let wait = &mut self.agents.of(*agent).wait;
                if matches!(wait, Some((Wait::Tcp, _))) {
                    *wait = Some((Wait::Stream, now.mono));
                }
            }
            Input::ConnectFailed { agent, .. } => {
                self.agents.of(*agent).wait.take_if(|(wait, _)| matches!(wait, Wait::Tcp | Wait::Stream));
            }
            Input::Opened { agent, attempt, stream } => {
                let peer = self.agents.of(*agent);
                peer.current = Some((*stream, Session(u64::from(*attempt))));
                (peer.expected, peer.whole) = (0, 0);
            }
            Input::Received(agent, stream, message)
                if message.run == self.run
                    && self.agents.of(*agent).current == Some((*stream, message.session)) =>
            {
                let last = self.timed.len();
                let timed = |stage: usize| self.timed.get(stage).map(Option::is_some);
                let peer = self.agents.of(*agent);
                if peer.takes(now.mono, message) {
                    peer.hears(now.mono, &message.body, last, timed);
                }
            }
            Input::Received(agent, stream, message)
                if matches!(message.body, Report::Undecodable { .. })
                    && self.agents.of(*agent).current.is_some_and(|(current, _)| current == *stream) =>
            {
                let (since, count) = &mut self.agents.of(*agent).unreadable;
                if now.mono.since(*since) >= MINUTE {
                    (*since, *count) = (now.mono, 0);
                }
                *count += 1;
            }
            Input::Interrupt if self.over_by.is_some() => {
                self.over_by = self.over_by.max(Some(now.mono.after(self.timeouts.abort_wait)));
            }
            _ => {}
        }
    }

    pub(super) fn output(&mut self, now: Now, output: &Output) {
        match output {
            Output::Connect { agent, attempt } => {
                let peer = self.agents.of(*agent);
                peer.wait = Some((Wait::Tcp, now.mono));
                peer.attempts = *attempt;
            }
            Output::Disconnect { agent } => {
                let timeouts = self.timeouts;
                let peer = self.agents.of(*agent);
                let cut = peer.wait.take();
                peer.cut_off =
                    cut.is_some_and(|(wait, since)| now.mono >= since.after(wait.limit(&timeouts)));
            }
            Output::AgentEntered { agent, to, .. } => {
                if *to == AgentState::Failed && self.tells != Some(*agent) && self.state != COLLECTING {
                    self.hasty = self.is_hasty(now, *agent);
                }
                self.agents.of(*agent).entered(now.mono, *to);
            }
            Output::RunEntered { to, .. } => {
                self.state = Some(*to);
                if *to == RunState::CollectingResults {
                    // Before the agents are told, some are not over: then it is an abort.
                    let over = |peer: &Peer| peer.state.is_terminal();
                    let aborted = !self.agents.0.iter().all(over);
                    let wait = if aborted { self.timeouts.abort_wait } else { LAST_WRITES };
                    self.over_by = Some(now.mono.after(wait));
                }
            }
            Output::Send(agent, _, message) => {
                let peer = self.agents.of(*agent);
                match &message.body {
                    Control::Begin { .. } => {
                        peer.best = (0, 0, 0);
                        peer.wait = Some((Wait::Progress, now.mono));
                    }
                    Control::Start { stage, at } => {
                        let duration = self.timed.get(*stage as usize).copied().flatten().unwrap_or_default();
                        let ahead = at.map_or(0, |at| at.unix.0.saturating_sub(now.unix.0));
                        let instant = now.mono.after(Duration::from_nanos(ahead));
                        peer.wait = Some((Wait::FirstStatistics, instant));
                        peer.stage_over = Some(instant.after(duration));
                    }
                    Control::Acknowledge { sequence } => peer.acknowledged(now.mono, *sequence),
                    _ => {}
                }
            }
            Output::Persist(agent, message) if matches!(message.body, Report::Running(_)) => {
                self.agents.of(*agent).unacknowledged.insert(message.sequence);
            }
            Output::Finish(_) => self.over_by = None,
            _ => {}
        }
    }

    /// A message that ends an agent: its own last words, or one invalid message too many.
    fn may_end(&mut self, agent: AgentIndex, message: &AgentMessage) -> bool {
        let peer = self.agents.of(agent);
        let foreign = message.run != self.run || message.sequence < peer.expected;
        // Or one more behind a message that cannot be read, though it was asked for often enough.
        let behind = message.kept_before > Some(peer.whole);
        foreign || behind || message.body.is_terminal() || matches!(message.body, Report::Undecodable { .. })
    }

    /// Why it is too early to fail an agent for being late.
    fn is_hasty(&mut self, now: Now, agent: AgentIndex) -> Option<String> {
        let (wake, timeouts) = (self.wake, self.timeouts);
        if now.mono < wake.grace {
            return Some(format!(
                "judges agent {} {:?} after its own absence",
                agent.0,
                now.mono.since(wake.woke)
            ));
        }
        let peer = self.agents.of(agent);
        let late = |since: Mono, limit| now.mono >= since.after(limit);
        let waited = peer.wait.is_some_and(|(wait, since)| late(since, wait.limit(&timeouts)));
        let hung = peer.interval.is_some_and(|since| late(since, timeouts.hung));
        let asked = timeouts.ping * timeouts.ping_tries;
        let silent = peer.heard.is_some_and(|heard| late(heard, asked));
        let ended = peer.stage_over.is_some_and(|over| late(over, timeouts.hung));
        (!(waited || hung || silent || ended || peer.cut_off))
            .then(|| format!("fails agent {} before anything is late: {peer:?}", agent.0))
    }

    pub(super) fn settled(&mut self, now: Now, machine: &Controller) -> Verdict {
        self.wake.promised = machine.poll_timeout();
        if let Some(hasty) = self.hasty.take() {
            return Err(format!("the controller {hasty}"));
        }
        if let Some(over_by) = self.over_by.filter(|by| now.mono >= (*by).max(self.wake.grace)) {
            self.over_by = None;
            return Err(format!(
                "the controller still collects results at {:?}, after {over_by:?}",
                now.mono
            ));
        }
        if self.state == Some(RunState::CollectingResults) {
            return Ok(());
        }
        let concerned = |index: &usize| self.concerns.is_none_or(|agent| agent.0 as usize == *index);
        for (index, peer) in self.agents.0.iter_mut().enumerate().filter(|(index, _)| concerned(index)) {
            if peer.unreadable.1 > self.max_invalid * 2 && !peer.state.is_terminal() {
                return Err(format!(
                    "{} unreadable frames a minute are borne of agent {index}",
                    peer.unreadable.1
                ));
            }
            if let Err(text) = peer.judge(now, &self.wake, &self.timeouts) {
                return Err(format!("the controller {text} of agent {index}"));
            }
        }
        Ok(())
    }
}

impl Peer {
    fn entered(&mut self, now: Mono, state: AgentState) {
        self.state = state;
        self.interval = None;
        match state {
            AgentState::ConfigSent => {
                self.wait = Some((Wait::Answer, now));
                self.heard = Some(now);
            }
            AgentState::CollectingStats if self.measures => {
                self.wait = None;
                self.interval = Some(now);
            }
            // All its intervals were lost: the stage is over, and what follows is waited for.
            AgentState::CollectingStats => {}
            _ => self.wait = None,
        }
    }

    /// Whether a message counts, and does so now.
    fn takes(&mut self, now: Mono, message: &AgentMessage) -> bool {
        let before = message.kept_before.filter(|_| message.body.is_kept());
        let is_new = message.sequence >= self.expected;
        self.expected = self.expected.max(message.sequence.saturating_add(1));
        match before {
            Some(before) if before == self.whole => {
                self.whole += 1;
                true
            }
            Some(before) if before > self.whole => {
                self.heard = self.heard.map(|_| now);
                false
            }
            _ => is_new,
        }
    }

    fn hears(&mut self, now: Mono, body: &Report, last: usize, timed: impl Fn(usize) -> Option<bool>) {
        self.heard = self.heard.map(|_| now);
        match body {
            Report::Accepted(_) if self.wait.is_some_and(|(wait, _)| wait == Wait::Answer) => {
                self.wait = (timed(0) == Some(true)).then_some((Wait::Answer, now));
            }
            Report::Preparing(progress) => {
                let come = (progress.objects, progress.bytes, progress.steps);
                if let Some((Wait::Progress, since)) = &mut self.wait
                    && come > self.best
                {
                    (self.best, *since) = (come, now);
                }
            }
            Report::StageDone(totals) => {
                self.interval = None;
                self.measures = false;
                let next = totals.stage as usize + 1;
                let answer =
                    next == last || (self.state == AgentState::ConfigSent && timed(next) == Some(true));
                self.wait = answer.then_some((Wait::Answer, now));
            }
            Report::Running(_) => {
                self.interval = self.interval.map(|_| now);
                self.measures = true;
            }
            _ => {}
        }
    }

    /// It may send no intervals: that none come is the controller's own doing, or its journal's.
    fn holds_back(&self) -> bool {
        self.unacknowledged.len() >= UNACKNOWLEDGED
    }

    /// Whoever was held back may send again from now on.
    fn acknowledged(&mut self, now: Mono, sequence: u64) {
        if self.holds_back() {
            self.interval = self.interval.map(|_| now);
            if let Some((Wait::FirstStatistics, since)) = &mut self.wait {
                *since = (*since).max(now);
            }
        }
        self.unacknowledged = self.unacknowledged.split_off(&sequence.saturating_add(1));
    }

    fn judge(&mut self, now: Now, wake: &Wake, timeouts: &Timeouts) -> Verdict {
        if self.state.is_terminal() {
            return Ok(());
        }
        if self.attempts > ATTEMPTS {
            return Err(format!("makes attempt {} at a stream", self.attempts));
        }
        let holds_back = self.holds_back();
        let excused = |wait| wait == Wait::FirstStatistics && holds_back;
        if let Some((wait, since)) = self.wait.filter(|(wait, _)| !excused(*wait)) {
            let limit = wait.limit(timeouts);
            if wake.is_over(now, since, limit) {
                self.wait = None;
                return Err(format!("waits {:?} for {wait:?}, more than {limit:?},", now.mono.since(since)));
            }
        }
        if let Some(since) = self.interval.filter(|_| !holds_back)
            && wake.is_over(now, since, timeouts.hung)
        {
            self.interval = None;
            return Err(format!("waits {:?} for statistics", now.mono.since(since)));
        }
        // While an answer or progress is due, that deadline is the shorter or the only one.
        let probed =
            !matches!(self.wait, Some((Wait::Answer | Wait::Progress | Wait::Tcp | Wait::Stream, _)));
        let silence = timeouts.silence + timeouts.ping * timeouts.ping_tries + PACE;
        // Pings that went unanswered before an absence may be tried again after it.
        if let Some(heard) = self.heard.filter(|_| probed)
            && wake.is_over(now, heard.max(wake.woke), silence)
        {
            self.heard = None;
            return Err(format!("hears nothing for {:?}", now.mono.since(heard)));
        }
        Ok(())
    }
}
