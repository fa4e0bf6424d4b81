//! A controller and agents that say what none would.

use super::{Probe, outline, probe};
use iobench_core::agent::UNACKNOWLEDGED;
use iobench_core::controller::{AgentSpec, Controller, Input, Lead, Order, Outcome, Output};
use iobench_core::machine::Machine;
use iobench_core::message::{
    AgentIndex, AgentMessage, Control, Failure, FailureClass, Ping, Pong, Progress, Report, RunId, Session,
    StartAt, StreamId,
};
use iobench_core::plan::{Outline, Policy, Timeouts};
use iobench_core::stats::{Interval, StageTotals};
use iobench_core::time::{Mono, Now, Unix, nanos};
use std::time::Duration;

/// What a controller can be probed for.
pub const CONTROLLER: &[Probe] = &[
    probe("samples", "one sample of a clock is enough", || {
        let mut bench = Bench::ready(1);
        bench.answer(0, Duration::ZERO, 0);
        bench.pings == 8
    }),
    probe("old_samples", "samples of a clock never grow old", || {
        let mut bench = Bench::of(1, &[("prepare", false), ("execute", true)]);
        bench.say(0, accepted());
        bench.pass(Duration::from_secs(4));
        bench.answer(0, Duration::ZERO, 0);
        for objects in 1..=100 {
            bench.pass(Duration::from_secs(1));
            bench.say(0, Report::Preparing(Progress { objects, ..Progress::default() }));
        }
        bench.asked.clear();
        bench.say(0, Report::StageDone(Box::default()));
        bench.say(0, Report::Ready { unix: Unix(0) });
        bench.answer(0, Duration::from_millis(100), nanos(Duration::from_secs(1)));
        bench.start_offset().is_some_and(|offset| offset > nanos(Duration::from_millis(900)))
    }),
    probe("drift", "a clock is as sure after ten seconds as at once", || {
        let mut bench = Bench::ready(2);
        bench.answer(0, Duration::ZERO, 0);
        bench.pass(Duration::from_secs(4));
        bench.answer(1, Duration::ZERO, 0);
        bench.pass(Duration::from_secs(10));
        bench.say(0, running(0));
        let skews = bench.interrupted().map(|outcome| outcome.starts[0].skews.clone());
        skews.and_then(|skews| skews[0]).is_some_and(|skew| skew.bound >= 4 * 200_000)
    }),
    probe("renewals", "a clock that cannot be compared is asked for ever", || {
        // Two agents that may take their time take turns, so that the samples of one are old when those of the other come.
        let patient = Timeouts { ping: Duration::from_secs(20), ..Timeouts::default() };
        let mut bench = Bench::with(2, &[("execute", true)], patient);
        (0..2).for_each(|agent| bench.be_ready(agent));
        for turn in 0..20 {
            bench.answer(turn % 2, Duration::ZERO, 0);
            for _ in 0..31 {
                bench.pass(Duration::from_secs(1));
            }
        }
        bench.told("answered no ping quickly enough") > 0
    }),
    probe("stamps", "stamps may contradict themselves", || {
        let mut bench = Bench::ready(1);
        let now = bench.now.mono;
        bench.say(0, Report::Acknowledge(Pong { number: 0, stamp: now, received: now, sent: Mono(0) }));
        bench.told("contradict") == 1
    }),
    probe("warn_always", "every slow answer is told", || slow_answers(2) <= 1),
    probe("never_warn", "no slow answer is told", || slow_answers(1) == 1),
    probe("far_lead", "a start may be farther ahead than agents accept", || {
        let mut bench = Bench::ready(1);
        bench.answer(0, Duration::ZERO, 0);
        bench.lead().is_some_and(|lead| lead <= Duration::from_secs(290))
    }),
    probe("pace", "every message is acknowledged by itself", || {
        let mut bench = Bench::started();
        (0..3).for_each(|_| bench.say(0, running(0)));
        bench.acknowledged <= 1
    }),
    probe("hang_up", "an agent may take for ever to end its stream", || {
        let mut bench = Bench::started();
        bench.say(0, running(0));
        bench.say(0, Report::StageDone(Box::default()));
        bench.say(0, Report::Completed { totals: Vec::new() });
        bench.pass(Duration::from_secs(3));
        bench.outcome.is_some()
    }),
    probe("refusal", "whoever refuses a Configure unread is not heard", || {
        let mut bench = Bench::of(1, &[("execute", true)]);
        let failure = Failure::new(FailureClass::Resource, "no more", "");
        let body = Report::Error { failure, totals: Vec::new() };
        bench.say_for((RunId(0), Session(0)), 0, 0, 0, body);
        bench.told("ignored invalid message") == 0 && bench.told("no more") > 0
    }),
    probe("catch_up", "after an absence old stamps are echoed", || {
        let mut bench = Bench::started();
        bench.pass(Duration::from_secs(2));
        bench.say(0, running(0));
        bench.asked.clear();
        bench.pass(Duration::from_secs(20));
        bench.say(0, running(0));
        let heard = bench.now.mono;
        bench.pass(Duration::from_millis(200));
        bench.asked.first().is_some_and(|(_, ping)| ping.newest == Some(heard))
    }),
    probe("quickest", "an old quick sample of a clock outranks a surer one", || {
        let patient = Timeouts { ping: Duration::from_secs(30), ..Timeouts::default() };
        let mut bench = Bench::with(2, &[("execute", true)], patient);
        (0..2).for_each(|agent| bench.be_ready(agent));
        bench.answer(0, Duration::ZERO, 0);
        (0..20).for_each(|_| bench.pass(Duration::from_secs(1)));
        let stamp = bench.now.mono.before(Duration::from_millis(2));
        bench.pong(0, Ping { number: 1_000, stamp, newest: None, again_from: None }, 0);
        bench.answer(1, Duration::ZERO, 0);
        bench.say(0, running(0));
        let skews = bench.interrupted().map(|outcome| outcome.starts[0].skews.clone());
        // 1 ms of half its round trip against 4 ms of drift.
        skews.and_then(|skews| skews[0]).is_some_and(|skew| skew.bound < 2_000_000)
    }),
    probe("unknown_clock", "an agent starts although its clock is not known now", || {
        let patient = Timeouts { ping: Duration::from_secs(40), ..Timeouts::default() };
        let mut bench = Bench::with(2, &[("execute", true)], patient);
        (0..2).for_each(|agent| bench.be_ready(agent));
        bench.answer(0, Duration::ZERO, 0);
        (0..31).for_each(|_| bench.pass(Duration::from_secs(1)));
        bench.answer(1, Duration::ZERO, 0);
        bench.start.is_none()
    }),
    probe("absent_answer", "an answer that waited while we were absent passes for a sample", || {
        let mut bench = Bench::ready(2);
        let stamp = bench.now.mono;
        bench.now.mono = stamp.after(Duration::from_secs(20));
        for turn in 0..40 {
            bench.pong(turn % 2, Ping { number: turn as u64, stamp, newest: None, again_from: None }, 0);
        }
        bench.told("answered no ping quickly enough") == 0
    }),
    probe("unheard", "an answer that measures our own absence is no sign of life", || {
        let mut bench = Bench::ready(1);
        let (_, ping) = bench.asked.remove(0);
        (0..9).for_each(|_| bench.pass(Duration::from_secs(1)));
        bench.now.mono = bench.now.mono.after(Duration::from_secs(3));
        bench.pong(0, ping, 0);
        (0..14).for_each(|_| bench.pass(Duration::from_secs(1)));
        bench.told("before the start") == 0
    }),
    probe("released", "whoever was held back is late the moment it is not", || {
        let mut bench = Bench::of(1, &[("one", true), ("two", true)]);
        bench.be_ready(0);
        bench.answer(0, Duration::ZERO, 0);
        bench.disk_stalls = true;
        (0..UNACKNOWLEDGED).for_each(|_| bench.say(0, running(0)));
        bench.say(0, Report::StageDone(Box::default()));
        let lead = bench.lead();
        bench.answer(0, Duration::ZERO, 0);
        let ahead = lead.map_or(0, |lead| lead.as_secs());
        for _ in 0..ahead + 30 {
            bench.pass(Duration::from_secs(1));
            bench.answer(0, Duration::ZERO, 0);
        }
        bench.disk_goes_on();
        bench.told("has sent no statistics") == 0
    }),
    probe("counted", "an agent that holds one interval more than usual is thought to have room", || {
        let mut bench = Bench::started();
        bench.disk_stalls = true;
        (0..=UNACKNOWLEDGED).for_each(|_| bench.say(0, running(0)));
        for patience in [50, 20] {
            let (agent, sequence) = bench.unanswered.remove(0);
            bench.tell(Input::Persisted { agent, sequence });
            for _ in 0..patience {
                bench.pass(Duration::from_secs(1));
                bench.answer(0, Duration::ZERO, 0);
            }
        }
        bench.told("has sent no statistics") == 0
    }),
    probe("ask_again", "an answer that measures our own absence leaves us without a sample", || {
        asked_after_absence(|bench| bench.asked.len() - 1) == 1
    }),
    probe("ask_once", "after an absence every old answer is asked for again", || {
        asked_after_absence(|_| 0) == 0
    }),
    probe("undecodable", "the number of what nobody can read is believed", || {
        let mut bench = Bench::of(1, &[("prepare", false), ("execute", true)]);
        bench.say(0, accepted());
        bench.say_as(0, 50, 1, unreadable());
        bench.say(0, Report::Preparing(Progress::default()));
        bench.told("its sequence number has gone back") == 0
    }),
    probe("tries", "what can never be read is asked for for ever", || {
        let mut bench = Bench::started();
        bench.kept[0] += 1;
        bench.say_as(0, 0, 0, unreadable());
        for _ in 0..10 {
            let asked = bench.asked.pop();
            asked.into_iter().for_each(|(agent, ping)| bench.pong(agent, ping, 0));
        }
        bench.told("sends a message that cannot be read") > 0
    }),
    probe("copies", "one request excuses any number of copies", || {
        let mut bench = Bench::started();
        let (sequence, kept) = (bench.sequences[0], bench.kept[0]);
        bench.say(0, running(0));
        bench.say_as(0, 0, 0, unreadable());
        (0..100).for_each(|_| bench.say_as(0, sequence, kept, running(0)));
        let told = bench.told("its sequence number has gone back");
        (1..100).contains(&told)
    }),
    probe("other_progress", "progress of any stage is progress", || {
        let mut bench = Bench::of(1, &[("prepare", false), ("execute", true)]);
        bench.say(0, accepted());
        bench.say(0, Report::Preparing(Progress { stage: 7, ..Progress::default() }));
        bench.told("PREPARING of a stage that was not begun") == 1
    }),
    probe("other_stage", "the end of any stage is the end of this one", || {
        let mut bench = Bench::started();
        bench.say(0, running(0));
        bench.say(0, Report::StageDone(Box::new(StageTotals { stage: 7, ..StageTotals::default() })));
        bench.told("STAGE_DONE of a stage that was not begun") == 1
    }),
    probe("early_ready", "READY may come before anything is done", || {
        let mut bench = Bench::of(1, &[("execute", true)]);
        bench.say(0, Report::Ready { unix: Unix(0) });
        bench.told("READY before the stages before it are done") == 1
    }),
    probe("completed_early", "COMPLETED is believed before all stages are done", || {
        let mut bench = Bench::started();
        bench.say(0, running(0));
        bench.say(0, Report::Completed { totals: Vec::new() });
        bench.told("COMPLETED before all stages are done") == 1
    }),
    probe("unstarted", "what is measured before Start counts", || {
        let mut bench = Bench::ready(1);
        let before = bench.journalled;
        bench.say(0, running(0));
        bench.journalled == before
    }),
];

fn accepted() -> Report {
    Report::Accepted(Box::default())
}

fn unreadable() -> Report {
    Report::Undecodable { detail: String::new() }
}

fn running(stage: u32) -> Report {
    Report::Running(Box::new(Interval { stage, ..Interval::default() }))
}

/// How often an agent whose clock is being sampled is asked because of one of two answers, that waited while the
/// controller was absent: of the newest ping, or of an older one.
fn asked_after_absence(which: fn(&Bench) -> usize) -> usize {
    let mut bench = Bench::ready(1);
    // By then it has been pinged again.
    (0..6).for_each(|_| bench.pass(Duration::from_secs(1)));
    let answered = which(&bench);
    let (_, ping) = bench.asked.remove(answered);
    let stamp = bench.now.mono;
    bench.now.mono = stamp.after(Duration::from_secs(20));
    let before = bench.pings;
    let pong = Pong { number: ping.number, stamp: ping.stamp, received: stamp, sent: stamp };
    bench.say(0, Report::Acknowledge(pong));
    bench.pings - before
}

/// How often a round trip of two seconds is told, if so many answers take that long.
fn slow_answers(answers: u32) -> usize {
    let mut bench = Bench::ready(1);
    for number in 0..answers {
        let stamp = bench.now.mono.before(Duration::from_secs(2));
        bench.pong(0, Ping { number: u64::from(number), stamp, newest: None, again_from: None }, 0);
    }
    bench.told("high latency")
}

struct Bench {
    machine: Controller,
    now: Now,
    /// The next sequence number of each agent.
    sequences: Vec<u64>,
    /// How many messages that are kept each has sent.
    kept: Vec<u64>,
    /// Pings that were not answered.
    asked: Vec<(usize, Ping)>,
    pings: usize,
    start: Option<(Now, StartAt)>,
    acknowledged: usize,
    journalled: usize,
    /// The journal does not answer; for what, it will say later.
    disk_stalls: bool,
    unanswered: Vec<(AgentIndex, u64)>,
    notices: Vec<String>,
    outcome: Option<Outcome>,
}

impl Bench {
    /// So many agents have a stream, and a run of these stages, timed or not.
    fn of(agents: u32, stages: &[(&str, bool)]) -> Self {
        Self::with(agents, stages, Timeouts::default())
    }

    /// The same with other deadlines.
    fn with(agents: u32, stages: &[(&str, bool)], timeouts: Timeouts) -> Self {
        let outline = Outline { timeouts, ..outline(stages) };
        let spec = |index| AgentSpec { id: format!("a{index}"), address: String::new() };
        let order = Order {
            run: RunId(1),
            agents: (0..agents).map(spec).collect(),
            yaml: String::new(),
            overrides: Vec::new(),
            seed: 0,
            outline,
            policy: Policy::default(),
            lead: Lead::Ahead(Duration::from_secs(1_000)),
        };
        let mut bench = Self {
            machine: Controller::new(order),
            now: Now { mono: Mono(nanos(Duration::from_secs(1_000))), unix: Unix(0) },
            sequences: vec![0; agents as usize],
            kept: vec![0; agents as usize],
            asked: Vec::new(),
            pings: 0,
            start: None,
            acknowledged: 0,
            journalled: 0,
            disk_stalls: false,
            unanswered: Vec::new(),
            notices: Vec::new(),
            outcome: None,
        };
        bench.tell(Input::Begin);
        for agent in 0..agents {
            let stream = StreamId(u64::from(agent));
            bench.tell(Input::Opened { agent: AgentIndex(agent), attempt: 1, stream });
        }
        bench
    }

    /// Their clocks are being sampled.
    fn ready(agents: u32) -> Self {
        let mut bench = Self::of(agents, &[("execute", true)]);
        (0..agents as usize).for_each(|agent| bench.be_ready(agent));
        bench
    }

    fn be_ready(&mut self, agent: usize) {
        self.say(agent, accepted());
        self.say(agent, Report::Ready { unix: Unix(0) });
    }

    /// One agent measures.
    fn started() -> Self {
        let mut bench = Self::ready(1);
        bench.answer(0, Duration::ZERO, 0);
        bench
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(self.now, input);
        let mut written = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send(agent, _, message) => match message.body {
                    Control::Ping(ping) => {
                        self.pings += 1;
                        self.asked.push((agent.0 as usize, ping));
                    }
                    Control::Start { at, .. } => self.start = at.map(|at| (self.now, at)),
                    Control::Acknowledge { .. } => self.acknowledged += 1,
                    _ => {}
                },
                Output::Persist(agent, message) => written.push((agent, message.sequence)),
                Output::Notice(notice) => self.notices.push(notice.text),
                Output::Finish(outcome) => self.outcome = Some(*outcome),
                _ => {}
            }
        }
        self.journalled += written.len();
        self.unanswered.extend(written);
        if !self.disk_stalls {
            self.disk_goes_on();
        }
    }

    fn disk_goes_on(&mut self) {
        self.disk_stalls = false;
        for (agent, sequence) in std::mem::take(&mut self.unanswered) {
            self.tell(Input::Persisted { agent, sequence });
        }
    }

    fn say_as(&mut self, agent: usize, sequence: u64, kept_before: u64, body: Report) {
        self.say_for((RunId(1), Session(1)), agent, sequence, kept_before, body);
    }

    fn say_for(
        &mut self,
        (run, session): (RunId, Session),
        agent: usize,
        sequence: u64,
        kept_before: u64,
        body: Report,
    ) {
        let kept_before = Some(kept_before);
        let message = AgentMessage { run, session, sequence, stamp: self.now.mono, kept_before, body };
        let index = AgentIndex(u32::try_from(agent).expect("few agents"));
        self.tell(Input::Received(index, StreamId(agent as u64), message));
    }

    fn say(&mut self, agent: usize, body: Report) {
        let sequence = self.sequences[agent];
        let kept_before = self.kept[agent];
        self.sequences[agent] += 1;
        self.kept[agent] += u64::from(body.is_kept());
        self.say_as(agent, sequence, kept_before, body);
    }

    fn pong(&mut self, agent: usize, ping: Ping, ahead: u64) {
        let there = Mono(ping.stamp.0.midpoint(self.now.mono.0) + ahead);
        let pong = Pong { number: ping.number, stamp: ping.stamp, received: there, sent: there };
        self.say(agent, Report::Acknowledge(pong));
    }

    /// An agent whose clock is so much ahead answers every ping, after so long.
    fn answer(&mut self, agent: usize, round_trip: Duration, ahead: u64) {
        while let Some(at) = self.asked.iter().position(|(asked, _)| *asked == agent) {
            let (_, ping) = self.asked.remove(at);
            self.pass(round_trip);
            self.pong(agent, ping, ahead);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono.after(time);
        self.tell(Input::Timeout);
    }

    /// How many notices say these words.
    fn told(&self, words: &str) -> usize {
        self.notices.iter().filter(|text| text.contains(words)).count()
    }

    /// How far ahead the start was set.
    fn lead(&self) -> Option<Duration> {
        self.start.map(|(now, at)| Duration::from_nanos(at.unix.0 - now.unix.0))
    }

    /// How far the last agent's clock was taken to be ahead, nanoseconds.
    fn start_offset(&self) -> Option<u64> {
        let (now, at) = self.start?;
        Some(at.mono.0.saturating_sub(now.mono.after(self.lead()?).0))
    }

    fn interrupted(&mut self) -> Option<&Outcome> {
        self.tell(Input::Interrupt);
        self.tell(Input::Interrupt);
        self.outcome.as_ref()
    }
}
