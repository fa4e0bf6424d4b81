//! Barriers: when all agents are done with one stage, the next begins.

use super::clock::{Estimate, SAMPLES};
use super::machine::Controller;
use super::outcome::{ExitCode, StageStart};
use super::port::{Lead, Level};
use super::roster::{Peer, Sampling, Setup, Step, Untimed, Work, ping_period};
use super::state::RunState;
use crate::message::{Control, Ping, StartAt};
use crate::mutants::mutant;
use crate::time::{Mono, Now, Unix, nanos};
use std::time::Duration;

/// A start may be this far ahead at most; agents refuse more than 300 s.
const LEAD_MAX: Duration = Duration::from_secs(290);
/// Beside twice the largest round trip, a start is at least this far ahead.
const LEAD_MARGIN: Duration = Duration::from_millis(100);
/// Clock samples that became too old before a start are renewed so often.
const RENEWALS: u32 = 3;

impl Controller {
    /// Takes every step that nothing stands in the way of any more.
    pub(super) fn advance(&mut self, now: Now) {
        loop {
            let before = (self.state, self.begun, self.coordinating);
            match self.state {
                RunState::ConnectingAll if self.all(|peer| peer.link.is_some()) => {
                    self.enter(RunState::ConfigPhase)
                }
                RunState::ConfigPhase | RunState::PreparePhase => self.advance_setup(now),
                RunState::CoordinatingStart => self.start_when_sampled(now),
                RunState::WorkloadPhase => self.advance_workload(now),
                RunState::CollectingResults => self.finish_when_collected(),
                _ => {}
            }
            if before == (self.state, self.begun, self.coordinating) {
                return;
            }
        }
    }

    fn advance_setup(&mut self, now: Now) {
        if self.all(|peer| matches!(peer.step, Step::Ready)) {
            self.enter(RunState::CoordinatingStart);
            self.sample_clocks(now);
        } else if self.all(|peer| matches!(peer.step, Step::ConfigSent(Setup::Waiting))) {
            if self.state == RunState::ConfigPhase {
                self.enter(RunState::PreparePhase);
            }
            self.begin_stage(now);
        } else if self.all(Peer::is_over) {
            self.collect(now);
        }
    }

    fn advance_workload(&mut self, now: Now) {
        if self.all(Peer::is_over) {
            self.collect(now);
        } else if self.coordinating {
            self.start_when_sampled(now);
        } else if self.live(|peer| matches!(peer.step, Step::Collecting(Work::Waiting))) {
            match self.order.outline.stages.get(self.begun as usize) {
                Some(stage) if stage.timed.is_some() => self.sample_clocks(now),
                Some(_) => self.begin_stage(now),
                None => {}
            }
        }
    }

    /// Lets all live agents do the next, untimed stage.
    fn begin_stage(&mut self, now: Now) {
        let stage = self.begun;
        self.begun += 1;
        let name = self.stage_name(stage);
        self.notice(Level::Info, None, format!("stage `{name}` begins"));
        for index in 0..self.peers.len() {
            let untimed = Untimed::new(stage, now.mono);
            let step = match self.peers[index].step {
                Step::ConfigSent(_) => Step::ConfigSent(Setup::Untimed(untimed)),
                Step::Collecting(_) => Step::Collecting(Work::Untimed(untimed)),
                _ => continue,
            };
            self.enter_agent(index, step);
            self.send(index, Control::Begin { stage });
        }
    }

    /// Before a timed stage: eight pings to each live agent, one after another.
    fn sample_clocks(&mut self, now: Now) {
        self.coordinating = true;
        if self.is_at_once() {
            return;
        }
        for index in 0..self.peers.len() {
            let until = now.mono.after(self.order.outline.timeouts.ping);
            if let Some(link) = self.peers[index].link.as_mut().filter(|link| link.closing.is_none()) {
                let left = if mutant("samples") { 1 } else { SAMPLES };
                link.sampling = Some(Sampling { left, tries: 1, until });
                link.renewals = 0;
                self.ping(now, index);
            }
        }
    }

    /// A sample was taken: the next one, if more are wanted.
    pub(super) fn sampled(&mut self, now: Now, index: usize) {
        let until = now.mono.after(self.order.outline.timeouts.ping);
        let Some(link) = &mut self.peers[index].link else { return };
        let Some(sampling) = link.sampling else { return };
        let left = sampling.left - 1;
        link.sampling = (left > 0).then_some(Sampling { left, tries: 1, until });
        if left > 0 {
            self.ping(now, index);
        }
    }

    pub(super) fn ping(&mut self, now: Now, index: usize) {
        let period = ping_period(&self.order.outline.timeouts);
        let Peer { link: Some(link), delivery, .. } = &mut self.peers[index] else { return };
        let again_from = link.request.ping.map(|_| delivery.taken());
        if again_from.is_some() {
            delivery.asked_again();
        }
        let ping = Ping { number: link.pings, stamp: now.mono, newest: link.newest, again_from };
        link.pings += 1;
        link.next_ping = now.mono.after(period);
        self.send(index, Control::Ping(ping));
        self.schedule(index);
    }

    fn start_when_sampled(&mut self, now: Now) {
        let sampled = |peer: &Peer| peer.link.as_ref().is_some_and(|link| link.sampling.is_none());
        if !self.live(sampled) {
            return;
        }
        for peer in &mut self.peers {
            peer.clock = peer.samples.estimate(now.mono);
        }
        if !self.is_at_once() && !mutant("unknown_clock") && self.renew_samples(now) {
            return;
        }
        let stage = self.begun;
        self.begun += 1;
        self.coordinating = false;
        let at = now.mono.after(self.lead());
        let unix = Unix(now.unix.0.saturating_add(nanos(at.since(now.mono))));
        self.starts.push(StageStart { stage, at, unix, skews: vec![None; self.peers.len()] });
        self.announce_start(now.mono, stage, at);
        for index in 0..self.peers.len() {
            if !self.peers[index].is_over() {
                self.send_start(index, stage, at, unix);
            }
        }
        if self.state == RunState::CoordinatingStart {
            self.enter(RunState::WorkloadPhase);
        }
    }

    /// While one agent was sampled, or we were absent, another's samples may have become too old: one more of each
    /// such. Whether there was any.
    fn renew_samples(&mut self, now: Now) -> bool {
        let until = now.mono.after(self.order.outline.timeouts.ping);
        let stale = |peer: &Peer| !peer.is_over() && peer.clock.is_none();
        let stale: Vec<_> = (0..self.peers.len()).filter(|index| stale(&self.peers[*index])).collect();
        for &index in &stale {
            match &mut self.peers[index].link {
                Some(link) if link.renewals < RENEWALS || mutant("renewals") => {
                    link.renewals += 1;
                    link.sampling = Some(Sampling { left: 1, tries: 1, until });
                    self.ping(now, index);
                }
                _ => {
                    let reason = "answered no ping quickly enough to compare clocks before the start";
                    self.fail(now, index, ExitCode::TimedOut, reason);
                }
            }
        }
        !stale.is_empty()
    }

    fn send_start(&mut self, index: usize, stage: u32, at: Mono, unix: Unix) {
        let clock = self.peers[index].clock.filter(|_| !self.is_at_once());
        let offset = |clock: Estimate| {
            if mutant("clock") { clock.offset + 100_000_000 * index as i64 } else { clock.offset }
        };
        let at_theirs = clock.map(|clock| StartAt { mono: at.shifted(offset(clock)), unix });
        let duration = self.order.outline.stages[stage as usize].timed.unwrap_or_default();
        let until = at.after(duration).after(self.order.outline.timeouts.hung);
        self.enter_agent(index, Step::StartSent { stage, at, since: at, until, asked: false });
        self.send(index, Control::Start { stage, at: at_theirs });
    }

    /// How far ahead the start is: as configured, but never so near that Start could arrive too late.
    fn lead(&self) -> Duration {
        let Lead::Ahead(configured) = self.order.lead else { return Duration::ZERO };
        let live = self.peers.iter().filter(|peer| !peer.is_over());
        let slowest = live.filter_map(|peer| peer.clock).map(|clock| clock.slowest).max().unwrap_or(0);
        let least = Duration::from_nanos(slowest.saturating_mul(2)) + LEAD_MARGIN;
        let most = if mutant("far_lead") { Duration::MAX } else { LEAD_MAX };
        if mutant("lead") { configured } else { configured.max(least).min(most) }
    }

    fn announce_start(&mut self, now: Mono, stage: u32, at: Mono) {
        let name = self.stage_name(stage);
        let duration = self.order.outline.stages[stage as usize].timed.unwrap_or_default();
        let agents = self.peers.iter().filter(|peer| !peer.is_over()).count();
        let text = match at.since(now) {
            Duration::ZERO => format!("stage `{name}` starts now, for {duration:?}"),
            ahead => format!("stage `{name}` starts on {agents} agents in {ahead:.1?}, for {duration:?}"),
        };
        self.notice(Level::Info, None, text);
    }

    fn stage_name(&self, stage: u32) -> String {
        self.order.outline.stages.get(stage as usize).map_or_else(String::new, |stage| stage.name.clone())
    }

    fn all(&self, test: impl Fn(&Peer) -> bool) -> bool {
        self.peers.iter().all(test)
    }

    /// Whether it holds for every agent that is not over, and there is one.
    fn live(&self, test: impl Fn(&Peer) -> bool) -> bool {
        let mut live = self.peers.iter().filter(|peer| !peer.is_over()).peekable();
        live.peek().is_some() && live.all(test)
    }

    /// A barrier before Start in which an agent failed to answer: it is asked again, then given up.
    pub(super) fn resample(&mut self, now: Now, index: usize) -> Option<String> {
        let timeouts = self.order.outline.timeouts;
        let sampling = self.peers[index].link.as_mut()?.sampling.as_mut()?;
        if sampling.tries >= timeouts.ping_tries {
            let seconds = timeouts.ping.as_secs_f64() * f64::from(sampling.tries);
            return Some(format!(
                "did not answer {} pings in {seconds:.0} s before the start",
                sampling.tries
            ));
        }
        sampling.tries += 1;
        sampling.until = now.mono.after(timeouts.ping);
        self.ping(now, index);
        None
    }
}
