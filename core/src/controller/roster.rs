//! One entry for each agent: where it is, how it is reached, what it has delivered.

use super::clock::{Estimate, Samples};
use super::delivery::{Arrival, Delivery};
use super::outcome::AgentEnd;
use super::port::AgentSpec;
use super::state::AgentState;
use crate::message::{AgentMessage, Progress, Report, RunId, Session, StreamId};
use crate::mutants::mutant;
use crate::plan::Timeouts;
use crate::time::Mono;
use std::time::Duration;

/// Waits before the second, third and fourth attempt to connect.
pub(super) const RETRY_AFTER: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Every agent is pinged this often …
const PING_EVERY: Duration = Duration::from_secs(5);
/// … and at least so often in a lease. An echo is at most two pings old where nothing but answers to pings is said (at
/// a barrier), so that three quarters of the lease are left to whatever delays the next one.
const PINGS_IN_LEASE: u32 = 8;

/// One agent as the controller sees it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Peer {
    pub(super) spec: AgentSpec,
    pub(super) step: Step,
    pub(super) link: Option<Link>,
    /// Stages it has done.
    pub(super) done: u32,
    /// It has sent its terminal message.
    pub(super) said_end: bool,
    /// The sequence number of the terminal message.
    pub(super) terminal: Option<u64>,
    pub(super) samples: Samples,
    /// Its clock as it was when the current timed stage was started.
    pub(super) clock: Option<Estimate>,
    pub(super) delivery: Delivery,
    /// Time of timed stages that its intervals cover, nanoseconds.
    pub(super) ran: u64,
    pub(super) merged: u64,
    pub(super) invalid: u64,
    /// The minute that invalid messages are counted in: since when, and how many.
    pub(super) invalid_minute: (Mono, u32),
    pub(super) warned_repeat: bool,
    pub(super) warned_latency: Option<Mono>,
    /// The entry's place in the agenda.
    pub(super) deadline: Option<Mono>,
}

/// Where an agent is, with what only matters there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Step {
    /// Attempt number, and what is awaited until when.
    Connecting { attempt: u32, wait: Wait, until: Mono },
    /// Validation, untimed stages, and barriers before READY.
    ConfigSent(Setup),
    /// At the first start's barrier.
    Ready,
    /// Start sent for an instant of our clock; no interval yet.
    StartSent {
        stage: u32,
        at: Mono,
        /// Since when it may send intervals: from the instant on, later where we owed it acknowledgements.
        since: Mono,
        /// When the stage must be over, though no interval may have come: the agent sends none while we owe it
        /// acknowledgements.
        until: Mono,
        /// No interval came in time, and it was asked.
        asked: bool,
    },
    /// Intervals have arrived.
    Collecting(Work),
    /// Terminal.
    Over { end: AgentEnd, reason: String },
}

/// What a connection attempt waits for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Wait {
    Tcp,
    Stream,
    /// The next attempt.
    Retry,
}

/// What an agent does before READY.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Setup {
    /// It looks whether it can run the configuration; since.
    Validating(Mono),
    /// It is at a barrier.
    Waiting,
    /// READY must follow (or COMPLETED, if no stage is timed); since.
    AnswerDue(Mono),
    Untimed(Untimed),
}

/// What an agent does once it has measured.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Work {
    /// Intervals of this stage arrive; when the last did; when the stage must be over unless another one comes.
    Timed {
        stage: u32,
        heard: Mono,
        until: Mono,
    },
    Untimed(Untimed),
    /// It is at a barrier.
    Waiting,
    /// All stages are done: COMPLETED must follow; since.
    EndDue(Mono),
}

/// An untimed stage in progress on an agent.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Untimed {
    pub(super) stage: u32,
    pub(super) best: Progress,
    pub(super) moved: Mono,
}

impl Untimed {
    pub(super) fn new(stage: u32, now: Mono) -> Self {
        Self { stage, best: Progress::default(), moved: now }
    }

    pub(super) fn progress(&mut self, now: Mono, progress: &Progress) {
        if self.best.grow(progress) {
            self.moved = now;
        }
    }
}

/// An open stream.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Link {
    pub(super) stream: StreamId,
    pub(super) session: Session,
    /// When a valid message last came.
    pub(super) heard: Mono,
    /// The newest stamp of the agent's clock.
    pub(super) newest: Option<Mono>,
    pub(super) next_ping: Mono,
    pub(super) pings: u64,
    /// It is silent: pings tried, and how long for an answer to the last.
    pub(super) probe: Option<(u32, Mono)>,
    /// It is asked to send something again.
    pub(super) request: Request,
    /// Its clock is being sampled.
    pub(super) sampling: Option<Sampling>,
    /// How often its samples became too old before the coming start.
    pub(super) renewals: u32,
    /// We are done with it: forgotten at this instant at the latest.
    pub(super) closing: Option<Mono>,
}

/// To send again what may not have arrived.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Request {
    /// The first ping that asked, as long as it may be answered.
    pub(super) ping: Option<u64>,
    /// How often it was asked for the message that is missing now.
    pub(super) tries: u32,
}

impl Request {
    /// An answer to the ping, or to a later one, comes behind all that was sent again.
    pub(super) fn heard(&mut self, message: &AgentMessage, arrival: Arrival, lacks: bool) {
        let answered =
            |asked: &mut u64| matches!(&message.body, Report::Acknowledge(pong) if pong.number >= *asked);
        let answered = self.ping.take_if(answered).is_some();
        let got_on = message.body.is_kept() && arrival == Arrival::InOrder;
        if got_on || (answered && !lacks) {
            self.tries = 0;
        }
    }
}

/// The series of pings before a start.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sampling {
    pub(super) left: u32,
    pub(super) tries: u32,
    pub(super) until: Mono,
}

/// After so long without an interval an agent that was started has failed, though it answers: it may still be setting
/// up, and that is as long as it may hang later. Who does not answer is silent.
pub(super) fn first_limit(timeouts: &Timeouts) -> Duration {
    timeouts.hung.max(timeouts.first_stats.saturating_add(timeouts.ping.saturating_mul(timeouts.ping_tries)))
}

/// How often an agent is pinged.
pub(super) fn ping_period(timeouts: &Timeouts) -> Duration {
    let period = PING_EVERY.min(timeouts.lease / PINGS_IN_LEASE);
    if mutant("pings") { period * 1_000 } else { period }
}

impl Link {
    pub(super) fn new(stream: StreamId, session: Session, now: Mono, period: Duration) -> Self {
        Self {
            stream,
            session,
            heard: now,
            newest: None,
            next_ping: now.after(period),
            pings: 0,
            probe: None,
            request: Request::default(),
            sampling: None,
            renewals: 0,
            closing: None,
        }
    }
}

impl Peer {
    pub(super) fn new(spec: AgentSpec) -> Self {
        Self {
            spec,
            step: Step::Connecting { attempt: 0, wait: Wait::Retry, until: Mono(0) },
            link: None,
            done: 0,
            said_end: false,
            terminal: None,
            samples: Samples::default(),
            clock: None,
            delivery: Delivery::default(),
            ran: 0,
            merged: 0,
            invalid: 0,
            invalid_minute: (Mono(0), 0),
            warned_repeat: false,
            warned_latency: None,
            deadline: None,
        }
    }

    pub(super) fn state(&self) -> AgentState {
        match &self.step {
            Step::Connecting { .. } => AgentState::Connecting,
            Step::ConfigSent(_) => AgentState::ConfigSent,
            Step::Ready => AgentState::Ready,
            Step::StartSent { .. } => AgentState::StartSent,
            Step::Collecting(_) => AgentState::CollectingStats,
            Step::Over { end: AgentEnd::Completed, .. } => AgentState::Completed,
            Step::Over { .. } => AgentState::Failed,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.step, Step::Over { .. })
    }

    /// An agent that takes no Configure at all (its process is ending, too many streams wait) does not know whose
    /// stream it refuses: run and session are zero.
    pub(super) fn is_refused_by(&self, message: &AgentMessage) -> bool {
        matches!(self.step, Step::ConfigSent(Setup::Validating(_)))
            && matches!(message.body, Report::Error { .. })
            && (message.run, message.session) == (RunId::default(), Session::default())
            && !mutant("refusal")
    }

    /// For people: id and, where it differs, address.
    pub(super) fn name(&self) -> String {
        if self.spec.id == self.spec.address {
            self.spec.id.clone()
        } else {
            format!("{} ({})", self.spec.id, self.spec.address)
        }
    }

    /// The deadline of what the agent is to do now, and of silence, before our own absence is taken into account.
    pub(super) fn judged_at(&self, timeouts: &Timeouts) -> Option<Mono> {
        let work = match &self.step {
            Step::Connecting { until, .. } => return Some(*until),
            Step::ConfigSent(Setup::Validating(since) | Setup::AnswerDue(since)) => {
                return Some(since.after(timeouts.progress));
            }
            Step::ConfigSent(Setup::Untimed(untimed)) | Step::Collecting(Work::Untimed(untimed)) => {
                return Some(untimed.moved.after(timeouts.progress));
            }
            Step::Over { .. } => return None,
            Step::ConfigSent(Setup::Waiting) | Step::Ready | Step::Collecting(Work::Waiting) => None,
            Step::StartSent { since, until, asked, .. } => {
                let first = since.after(if *asked { first_limit(timeouts) } else { timeouts.first_stats });
                Some(if self.delivery.is_holding_back() { *until } else { first.min(*until) })
            }
            Step::Collecting(Work::Timed { heard, until, .. }) => {
                let hung = heard.after(timeouts.hung);
                Some(if self.delivery.is_holding_back() { *until } else { (*until).min(hung) })
            }
            Step::Collecting(Work::EndDue(since)) => Some(since.after(timeouts.progress)),
        };
        let silence = self.link.as_ref().map(|link| link.silent_at(timeouts));
        work.into_iter().chain(silence).min()
    }
}

impl Link {
    /// When the next step against a silent agent is due: a ping, or giving it up.
    pub(super) fn silent_at(&self, timeouts: &Timeouts) -> Mono {
        self.probe.map_or(self.heard.after(timeouts.silence), |(_, until)| until)
    }
}
