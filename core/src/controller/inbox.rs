//! What agents say.

use super::delivery::Arrival;
use super::machine::{Controller, agent_index};
use super::outcome::{AgentEnd, ExitCode, Skew};
use super::port::{Level, Output};
use super::roster::{Request, Setup, Step, Work};
use super::state::RunState;
use crate::message::{
    AgentIndex, AgentMessage, Capabilities, Failure, FailureClass, Pong, Progress, Report, StreamId,
};
use crate::mutants::mutant;
use crate::stats::Interval;
use crate::time::{Mono, Now, nanos};
use std::time::Duration;

/// Round trips above this are worth a warning.
const SLOW_ROUND_TRIP: Duration = Duration::from_secs(1);
/// An agent is asked so often for what is missing before it is given up.
const TRIES: u32 = 3;
const MINUTE: Duration = Duration::from_secs(60);

/// What a message was, beside what it said.
enum Verdict {
    /// It made sense.
    Taken,
    /// It says what was known.
    Repeated,
    /// It cannot be.
    Invalid(&'static str),
}

impl Controller {
    pub(super) fn received(&mut self, now: Now, agent: AgentIndex, stream: StreamId, message: AgentMessage) {
        let run = self.order.run;
        let Some(peer) = self.peer(agent) else { return };
        let refused = peer.is_refused_by(&message);
        let Some(link) = peer.link.as_mut().filter(|link| link.stream == stream) else { return };
        if message.run == run && message.session < link.session && !mutant("session") {
            return;
        }
        let index = agent.0 as usize;
        let sequence = message.sequence;
        if let Report::Undecodable { detail } = &message.body
            && !mutant("undecodable")
        {
            let why = format!("undecodable: {detail}");
            self.invalid(now, index, sequence, &why);
            return self.ask_again(now, index);
        }
        if !refused && ((message.run != run && !mutant("run")) || message.session != link.session) {
            return self.invalid(now, index, sequence, "it belongs to another run or session");
        }
        let arrival = peer.delivery.receive(&message);
        if arrival == Arrival::GoneBack {
            return self.invalid(now, index, sequence, "its sequence number has gone back");
        }
        link.heard = now.mono;
        link.probe = None;
        link.newest = link.newest.max(Some(message.stamp));
        link.request.heard(&message, arrival, peer.delivery.lacks());
        if peer.delivery.lacks() {
            self.ask_again(now, index);
        }
        if arrival == Arrival::InOrder {
            self.heard(now, index, message);
        }
        self.schedule(index);
    }

    /// A message that counts.
    fn heard(&mut self, now: Now, index: usize, message: AgentMessage) {
        let sequence = message.sequence;
        let is_over = self.peers[index].is_over();
        let verdict = if is_over { self.late(now, index, message) } else { self.body(now, index, message) };
        match verdict {
            Verdict::Taken => {}
            Verdict::Repeated => self.repeated(index, sequence),
            Verdict::Invalid(why) => self.invalid(now, index, sequence, why),
        }
    }

    /// Something that the agent keeps may be missing, or is: it shall send that again. Its answer to the ping that asks
    /// proves that it has.
    fn ask_again(&mut self, now: Now, index: usize) {
        let Some(link) = self.peers[index].link.as_mut().filter(|link| link.closing.is_none()) else {
            return;
        };
        if link.request.ping.is_some() {
            return;
        }
        if link.request.tries < TRIES || mutant("tries") {
            link.request = Request { ping: Some(link.pings), tries: link.request.tries + 1 };
            self.ping(now, index);
        } else if !self.peers[index].is_over() && self.state != RunState::CollectingResults {
            let reason = format!(
                "sends a message that cannot be read, although it was asked for it {TRIES} times more; is its version ours?"
            );
            self.fail(now, index, ExitCode::Rejected, &reason);
        }
    }

    fn body(&mut self, now: Now, index: usize, message: AgentMessage) -> Verdict {
        let whole = message.clone();
        match message.body {
            Report::Accepted(capabilities) => self.accepted(now, index, &capabilities, whole),
            Report::Preparing(progress) => self.preparing(now.mono, index, progress),
            Report::StageDone(totals) => self.stage_done(now, index, totals.stage, whole),
            Report::Ready { .. } => self.ready(index),
            Report::Running(interval) => self.running(now, index, &interval, whole),
            Report::Completed { .. } => self.completed(index, whole),
            Report::Error { failure, .. } => self.errored(now, index, &failure, whole),
            Report::Aborted { reason, .. } => self.aborted(now, index, &reason, whole),
            Report::Acknowledge(pong) => self.pong(now, index, &pong),
            Report::Undecodable { .. } => Verdict::Invalid("undecodable"),
        }
    }

    /// From an agent that we have given up, or that has said its last: what was measured is still kept.
    fn late(&mut self, now: Now, index: usize, message: AgentMessage) -> Verdict {
        if self.peers[index].said_end {
            return Verdict::Repeated;
        }
        match &message.body {
            Report::Running(interval) => self.count_interval(index, &interval.clone()),
            Report::Acknowledge(pong) => return self.pong(now, index, &pong.clone()),
            Report::StageDone(_) => {}
            body if body.is_terminal() => self.note_end(index, message.sequence),
            _ => return Verdict::Taken,
        }
        self.persist(index, message);
        Verdict::Taken
    }

    fn accepted(
        &mut self,
        now: Now,
        index: usize,
        capabilities: &Capabilities,
        whole: AgentMessage,
    ) -> Verdict {
        match self.peers[index].step {
            Step::ConfigSent(Setup::Validating(_)) => {}
            _ => return Verdict::Repeated,
        }
        let untimed_first = self.order.outline.stages.first().is_some_and(|stage| stage.timed.is_none());
        let next = if untimed_first { Setup::Waiting } else { Setup::AnswerDue(now.mono) };
        self.enter_agent(index, Step::ConfigSent(next));
        for warning in &capabilities.warnings {
            let text = format!("agent {}: {warning}", self.peers[index].name());
            self.notice(Level::Warning, Some(index), text);
        }
        self.persist(index, whole);
        Verdict::Taken
    }

    fn preparing(&mut self, now: Mono, index: usize, progress: Progress) -> Verdict {
        match &mut self.peers[index].step {
            Step::ConfigSent(Setup::Untimed(untimed)) | Step::Collecting(Work::Untimed(untimed))
                if untimed.stage == progress.stage || mutant("other_progress") =>
            {
                untimed.progress(now, &progress);
                Verdict::Taken
            }
            _ => Verdict::Invalid("PREPARING of a stage that was not begun"),
        }
    }

    fn stage_done(&mut self, now: Now, index: usize, stage: u32, whole: AgentMessage) -> Verdict {
        let following = self.order.outline.stages.get(stage as usize + 1).map(|stage| stage.timed.is_some());
        let peer = &self.peers[index];
        let next = match (&peer.step, following) {
            (Step::ConfigSent(Setup::Untimed(untimed)), Some(false)) if untimed.stage == stage => {
                Step::ConfigSent(Setup::Waiting)
            }
            (Step::ConfigSent(Setup::Untimed(untimed)), _) if untimed.stage == stage => {
                Step::ConfigSent(Setup::AnswerDue(now.mono))
            }
            (Step::StartSent { stage: started, .. }, _) if *started == stage => after(following, now.mono),
            (Step::Collecting(work), _) if work.is_in(stage) || mutant("other_stage") => {
                after(following, now.mono)
            }
            _ if stage < peer.done => return Verdict::Repeated,
            _ => return Verdict::Invalid("STAGE_DONE of a stage that was not begun"),
        };
        self.peers[index].done = stage + 1;
        self.enter_agent(index, next);
        self.persist(index, whole);
        Verdict::Taken
    }

    fn ready(&mut self, index: usize) -> Verdict {
        let timed_next = self.order.outline.stages.get(self.peers[index].done as usize);
        match self.peers[index].step {
            Step::ConfigSent(Setup::AnswerDue(_))
                if timed_next.is_some_and(|stage| stage.timed.is_some()) =>
            {
                self.enter_agent(index, Step::Ready);
                Verdict::Taken
            }
            Step::Connecting { .. } | Step::ConfigSent(_) if !mutant("early_ready") => {
                Verdict::Invalid("READY before the stages before it are done")
            }
            _ => Verdict::Repeated,
        }
    }

    fn running(&mut self, now: Now, index: usize, interval: &Interval, whole: AgentMessage) -> Verdict {
        match &mut self.peers[index].step {
            Step::StartSent { stage, at, .. } if *stage == interval.stage => {
                let at = *at;
                self.first_interval(now, index, interval, at);
            }
            Step::Collecting(Work::Timed { stage, heard, until }) if *stage == interval.stage => {
                *heard = now.mono;
                // Who still reports has not hung: what is written may take long to become durable after the work.
                *until = (*until).max(now.mono.after(self.order.outline.timeouts.hung));
            }
            _ if !mutant("unstarted") => return Verdict::Invalid("RUNNING of a stage that was not started"),
            _ => {}
        }
        self.count_interval(index, interval);
        self.persist(index, whole);
        Verdict::Taken
    }

    fn first_interval(&mut self, now: Now, index: usize, interval: &Interval, at: Mono) {
        let stage = interval.stage;
        let duration =
            self.order.outline.stages.get(stage as usize).and_then(|stage| stage.timed).unwrap_or_default();
        let until = at.max(now.mono).after(duration).after(self.order.outline.timeouts.hung);
        self.enter_agent(index, Step::Collecting(Work::Timed { stage, heard: now.mono, until }));
        if let (Some(clock), Some(start)) = (self.peers[index].clock, self.starts.last_mut()) {
            let began = interval.from.shifted(clock.offset.saturating_neg());
            let nanos = i64::try_from(i128::from(began.0) - i128::from(at.0)).unwrap_or(i64::MAX);
            start.skews[index] = Some(Skew { nanos, bound: clock.bound, offset: clock.offset });
        }
    }

    fn count_interval(&mut self, index: usize, interval: &Interval) {
        let peer = &mut self.peers[index];
        peer.ran = peer.ran.saturating_add(nanos(interval.to.since(interval.from)));
        peer.merged += u64::from(interval.merged);
    }

    fn completed(&mut self, index: usize, whole: AgentMessage) -> Verdict {
        if self.peers[index].done as usize != self.order.outline.stages.len() && !mutant("completed_early") {
            return Verdict::Invalid("COMPLETED before all stages are done");
        }
        self.note_end(index, whole.sequence);
        self.persist(index, whole);
        self.over(index, AgentEnd::Completed, String::new());
        Verdict::Taken
    }

    fn errored(&mut self, now: Now, index: usize, failure: &Failure, whole: AgentMessage) -> Verdict {
        self.note_end(index, whole.sequence);
        self.persist(index, whole);
        let exit = match failure.class {
            FailureClass::Busy => ExitCode::Unreachable,
            FailureClass::Timeout => ExitCode::TimedOut,
            FailureClass::ControllerLost => ExitCode::NoneCompleted,
            FailureClass::Config
            | FailureClass::Storage
            | FailureClass::Resource
            | FailureClass::Protocol
            | FailureClass::Internal => ExitCode::Rejected,
        };
        let own_run = self.order.run.to_string();
        let reason = if failure.class == FailureClass::Busy && failure.message.contains(&own_run) {
            "two configured addresses lead to this one agent; give each agent its own address".to_owned()
        } else {
            failure.to_string()
        };
        self.fail(now, index, exit, &reason);
        Verdict::Taken
    }

    fn aborted(&mut self, now: Now, index: usize, reason: &str, whole: AgentMessage) -> Verdict {
        self.note_end(index, whole.sequence);
        self.persist(index, whole);
        self.fail(now, index, ExitCode::NoneCompleted, &format!("stopped: {reason}"));
        Verdict::Taken
    }

    fn pong(&mut self, now: Now, index: usize, pong: &Pong) -> Verdict {
        if self.was_absent_since(pong.stamp) {
            return self.absent_pong(now, index, pong.number);
        }
        let peer = &mut self.peers[index];
        let Some(round_trip) = peer.samples.add(now.mono, pong) else {
            return Verdict::Invalid("its clock stamps contradict themselves");
        };
        let quiet =
            peer.warned_latency.is_some_and(|at| now.mono < at.after(MINUTE) && !mutant("warn_always"));
        if round_trip >= SLOW_ROUND_TRIP && !quiet && !mutant("never_warn") {
            peer.warned_latency = Some(now.mono);
            let text = format!(
                "agent {}: high latency, round trip {round_trip:.1?}; nothing is lost by it",
                peer.name()
            );
            self.notice(Level::Warning, Some(index), text);
        }
        self.sampled(now, index);
        Verdict::Taken
    }

    /// An answer that measures our own absence is no sample, but a sign of life: who waits for a sample waits as long as
    /// for the first one, and asks again, once.
    fn absent_pong(&mut self, now: Now, index: usize, number: u64) -> Verdict {
        if mutant("absent_answer") {
            self.sampled(now, index);
            return Verdict::Taken;
        }
        let until = now.mono.after(self.order.outline.timeouts.ping);
        let Some(link) = &mut self.peers[index].link else { return Verdict::Taken };
        let Some(sampling) = &mut link.sampling else { return Verdict::Taken };
        if !mutant("unheard") {
            (sampling.tries, sampling.until) = (1, until);
        }
        let newest = number.checked_add(1) == Some(link.pings) || mutant("ask_once");
        if newest && !mutant("ask_again") {
            self.ping(now, index);
        }
        Verdict::Taken
    }

    fn note_end(&mut self, index: usize, sequence: u64) {
        self.peers[index].said_end = true;
        self.peers[index].terminal = Some(sequence);
    }

    fn persist(&mut self, index: usize, message: AgentMessage) {
        let is_interval = matches!(message.body, Report::Running(_));
        self.peers[index].delivery.write(message.sequence, is_interval);
        self.out.push_back(Output::Persist(agent_index(index), Box::new(message)));
    }

    fn repeated(&mut self, index: usize, sequence: u64) {
        let peer = &mut self.peers[index];
        if !std::mem::replace(&mut peer.warned_repeat, true) {
            let text =
                format!("agent {}: message {sequence} only repeats what is known; ignored", peer.name());
            self.notice(Level::Warning, Some(index), text);
        }
    }

    fn invalid(&mut self, now: Now, index: usize, sequence: u64, why: &str) {
        let limit = self.order.policy.max_invalid_per_minute;
        let peer = &mut self.peers[index];
        peer.invalid += 1;
        let (since, count) = &mut peer.invalid_minute;
        if now.mono.since(*since) >= MINUTE {
            (*since, *count) = (now.mono, 0);
        }
        *count += 1;
        let too_many = *count > limit && !mutant("flood");
        if *count <= limit.saturating_add(1) {
            let text = format!("agent {}: ignored invalid message {sequence}: {why}", peer.name());
            self.notice(Level::Warning, Some(index), text);
        }
        if too_many && !self.peers[index].is_over() && self.state != RunState::CollectingResults {
            let reason = format!(
                "violates the protocol: more than {limit} invalid messages in a minute; is its version ours?"
            );
            self.fail(now, index, ExitCode::Rejected, &reason);
        }
    }
}

/// Where an agent is after a stage of the workload; `following`: whether there is a next stage.
fn after(following: Option<bool>, now: Mono) -> Step {
    Step::Collecting(following.map_or(Work::EndDue(now), |_| Work::Waiting))
}

impl Work {
    fn is_in(self, wanted: u32) -> bool {
        match self {
            Self::Timed { stage, .. } => stage == wanted,
            Self::Untimed(untimed) => untimed.stage == wanted,
            Self::Waiting | Self::EndDue(_) => false,
        }
    }
}
