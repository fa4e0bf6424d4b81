//! What arrives from controllers: streams and messages.

use super::WAITING_STREAMS;
use super::claim::Claim;
use super::machine::{Agent, shutting_down};
use super::port::Output;
use super::state::{Armed, Ending, Setup, State, Untimed, Work};
use crate::engine::EngineCommand;
use crate::message::{
    AgentMessage, Configure, Control, ControlMessage, Failure, FailureClass, Gone, Ping, Pong, Progress,
    Report, RunId, Session, StartAt, StreamId,
};
use crate::mutants::{deadlines, mutant};
use crate::plan::Timeouts;
use crate::time::Now;
use std::time::Duration;

/// A start instant may be this far ahead.
const START_AHEAD_MAX: Duration = Duration::from_secs(300);

/// Streams.
impl Agent {
    pub(super) fn opened(&mut self, now: Now, stream: StreamId) {
        if self.shutting_down && !mutant("shutdown") {
            self.refuse(now, stream, None, shutting_down());
        } else if self.waiting.len() >= WAITING_STREAMS && !mutant("waiting_streams") {
            let failure = Failure::new(
                FailureClass::Resource,
                format!("{WAITING_STREAMS} streams are waiting to configure this agent already"),
                "close some of them or try again in 30 s",
            );
            self.refuse(now, stream, None, failure);
        } else {
            self.waiting.insert(stream, now.mono.after(deadlines(Timeouts::default()).idle));
        }
    }

    pub(super) fn closed(&mut self, now: Now, stream: StreamId, gone: Gone) {
        self.waiting.remove(&stream);
        let Some(claim) = self.state.claim_mut().filter(|claim| claim.stream == stream && !claim.gone) else {
            return;
        };
        claim.gone = !mutant("stream_end");
        if !claim.gone {
            return;
        }
        match &self.state {
            State::Ended(..) => self.settle(),
            State::Idle | State::Stopping(..) => {}
            State::ConfigReceived(..) | State::Ready(..) | State::Running(..) => {
                let how = match gone {
                    Gone::Ended => "the stream to the controller was closed before the run was over",
                    Gone::Broken => "the stream to the controller broke",
                    Gone::Overflow => "the controller stopped reading",
                };
                self.fail(now, Failure::new(FailureClass::ControllerLost, how, ""));
            }
        }
    }

    /// Answers a stream that holds no claim with an error, and closes it.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        stream: StreamId,
        whom: Option<(RunId, Session)>,
        failure: Failure,
    ) {
        let (run, session) = whom.unwrap_or_default();
        let body = Report::Error { failure, totals: Vec::new() };
        let message = AgentMessage { run, session, sequence: 0, stamp: now.mono, kept_before: Some(0), body };
        self.out.push_back(Output::Send(stream, message));
        self.out.push_back(Output::Close(stream));
        self.waiting.remove(&stream);
    }
}

/// Messages.
impl Agent {
    pub(super) fn received(&mut self, now: Now, stream: StreamId, message: ControlMessage) {
        if self.waiting.contains_key(&stream) {
            if let Control::Configure(configure) = message.body {
                self.claim(now, stream, message.run, message.session, *configure);
            }
            return;
        }
        let Some(claim) =
            self.state.claim_mut().filter(|claim| claim.stream == stream || mutant("agent_stream"))
        else {
            return;
        };
        if message.run == claim.run && message.session < claim.session && !mutant("agent_session") {
            return;
        }
        let heeded = mutant("agent_run")
            || (mutant("foreign_acknowledge") && matches!(message.body, Control::Acknowledge { .. }));
        if (message.run != claim.run && !heeded) || message.session != claim.session {
            self.invalid("it belongs to another run or session");
            return;
        }
        match message.body {
            Control::Configure(configure) => {
                if claim.configure == *configure {
                    self.repeated("Configure");
                } else {
                    self.invalid("a second, different Configure on the same stream");
                }
            }
            Control::Begin { stage } => self.begin(now, stage),
            Control::Start { stage, at } => self.start(now, stage, at),
            Control::Ping(ping) => self.ping(now, ping),
            Control::Acknowledge { sequence } => self.acknowledge(now, sequence),
            Control::Abort { reason } => self.abort(now, reason),
            Control::Attach { .. } => self.invalid("Attach is reserved: a broken stream is final"),
            Control::Undecodable { detail } => self.invalid(&detail),
        }
    }

    fn claim(&mut self, now: Now, stream: StreamId, run: RunId, session: Session, configure: Configure) {
        let whom = Some((run, session));
        if let Some(failure) = self.obstacle(now) {
            self.refuse(now, stream, whom, failure);
            return;
        }
        self.settle();
        self.waiting.remove(&stream);
        self.epoch.0 += 1;
        self.command(EngineCommand::Validate(Box::new(configure.clone())));
        let claim = Claim::new(stream, run, session, configure, now).with_sequence(self.first_sequence);
        self.enter(State::ConfigReceived(Box::new(claim), Setup::Validating));
    }

    /// Why no run can be accepted now.
    fn obstacle(&self, now: Now) -> Option<Failure> {
        if self.shutting_down {
            return Some(shutting_down());
        }
        if self.state.is_claimed() && !mutant("claim") {
            let claim = self.state.claim()?;
            let age = now.mono.since(claim.since.mono).as_secs();
            return Some(Failure::new(
                FailureClass::Busy,
                format!("run {} holds this agent for {age} s, since {}", claim.run, claim.since.unix),
                "wait for it to end, or stop its controller",
            ));
        }
        self.unstopped.filter(|_| !mutant("unstopped")).map(|_| {
            Failure::new(
                FailureClass::Resource,
                "operations of the run before are stuck in the kernel and cannot be cancelled",
                "look at the storage (a dead NFS server?); restart the agent if it does not recover",
            )
        })
    }

    fn begin(&mut self, now: Now, stage: u32) {
        let Some(claim) = self.state.claim() else { return };
        let next = claim.next_stage;
        let fits = (stage == next || mutant("begin")) && claim.duration_of(stage) == Some(None);
        let untimed = Untimed { stage, best: Progress::default(), moved: now.mono };
        match &mut self.state {
            State::ConfigReceived(_, setup @ Setup::Waiting) if fits => {
                *setup = Setup::Untimed(untimed);
                self.command(EngineCommand::Run { stage });
            }
            State::Running(_, work @ Work::Waiting) if fits => {
                *work = Work::Untimed(untimed);
                self.command(EngineCommand::Run { stage });
            }
            State::ConfigReceived(_, Setup::Untimed(current)) | State::Running(_, Work::Untimed(current))
                if current.stage == stage =>
            {
                self.repeated("Begin");
            }
            State::Stopping(..) | State::Ended(..) => self.repeated("Begin"),
            _ if stage < next => self.repeated("Begin"),
            _ => self.invalid("Begin of a stage that cannot begin now"),
        }
    }

    fn start(&mut self, now: Now, stage: u32, at: Option<StartAt>) {
        let Some(claim) = self.state.claim() else { return };
        let next = claim.next_stage;
        let fits = (stage == next || mutant("start")) && matches!(claim.duration_of(stage), Some(Some(_)));
        let at = at.map_or(now.mono, |at| at.mono);
        let armed = Armed { stage, at: if mutant("early_start") { now.mono } else { at } };
        match &mut self.state {
            State::Ready(_, None) | State::Running(_, Work::Waiting)
                if fits && at < now.mono && !mutant("late_start") =>
            {
                let late = now.mono.since(at);
                self.fail(now, start_refused(format!("the start instant is {late:?} in the past")));
            }
            State::Ready(_, None) | State::Running(_, Work::Waiting)
                if fits && at > now.mono.after(START_AHEAD_MAX) && !mutant("far_start") =>
            {
                let ahead = at.since(now.mono).as_secs();
                self.fail(
                    now,
                    start_refused(format!("the start instant is {ahead} s ahead, more than 300 s")),
                );
            }
            State::Ready(_, waiting @ None) if fits => {
                *waiting = Some(armed);
                self.command(EngineCommand::Arm { stage });
            }
            State::Running(_, work @ Work::Waiting) if fits => {
                *work = Work::Armed(armed);
                self.command(EngineCommand::Arm { stage });
            }
            State::Ready(_, Some(current)) | State::Running(_, Work::Armed(current))
                if current.stage == stage =>
            {
                self.repeated("Start");
            }
            State::Running(_, Work::Timed(current, _)) if *current == stage => self.repeated("Start"),
            State::Stopping(..) | State::Ended(..) => self.repeated("Start"),
            _ if stage < next => self.repeated("Start"),
            _ => self.invalid("Start of a stage that cannot start now"),
        }
    }

    fn ping(&mut self, now: Now, ping: Ping) {
        let ended = matches!(self.state, State::Ended(..));
        let Some(claim) = self.state.claim_mut() else { return };
        // Before the answer, which then proves that all of it was sent; also after the last word, which may be missing.
        if !mutant("send_again") {
            claim.send_again(now, &ping, &mut self.out);
        }
        if ended {
            return;
        }
        match ping.newest {
            Some(newest) if newest > now.mono && !mutant("future_ping") => {
                self.invalid("Ping echoes a stamp from the future");
                return;
            }
            Some(_) if mutant("stale_ping") => claim.echoed = now.mono,
            Some(newest) => claim.echoed = claim.echoed.max(newest),
            None => {}
        }
        let pong = Pong { number: ping.number, stamp: ping.stamp, received: now.mono, sent: now.mono };
        claim.send(now, Report::Acknowledge(pong), &mut self.out);
    }

    fn acknowledge(&mut self, now: Now, sequence: u64) {
        let Some(claim) = self.state.claim_mut() else { return };
        if !claim.acknowledge(now, sequence, &mut self.out) && !mutant("acknowledge") {
            self.invalid("it acknowledges what was never sent");
        } else if claim.is_confirmed() && matches!(self.state, State::Ended(..)) {
            self.settle();
        }
    }

    fn abort(&mut self, now: Now, reason: String) {
        if matches!(self.state, State::Stopping(..) | State::Ended(..)) {
            self.repeated("Abort");
        } else if !mutant("forget_abort") {
            self.end(now, Ending::Aborted(reason));
        }
    }

    fn invalid(&mut self, why: &str) {
        if let Some(claim) = self.state.claim_mut() {
            claim.invalid += u64::from(!mutant("agent_invalid"));
            if claim.invalid == 1 {
                self.out.push_back(Output::Warn(format!("ignored a message of the controller: {why}")));
            }
        }
    }

    fn repeated(&mut self, what: &str) {
        if let Some(claim) = self.state.claim_mut() {
            claim.repeated += 1;
            if claim.repeated == 1 {
                self.out
                    .push_back(Output::Warn(format!("ignored a repeated or late {what} of the controller")));
            }
        }
    }
}

fn start_refused(message: String) -> Failure {
    Failure::new(FailureClass::Protocol, message, "raise start_delay, and look at this host's load")
}
