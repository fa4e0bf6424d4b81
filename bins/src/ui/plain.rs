//! Plain lines on standard error: notices as they come, progress every five seconds.

use super::{Stderr, stderr};
use crate::drive::Observer;
use crate::report::together;
use iobench_core::controller::{Controller, Input, Level, Notice, Output};
use iobench_core::message::{AgentIndex, Progress, Report};
use iobench_core::plan::Outline;
use iobench_core::stats::Interval;
use iobench_core::time::{Mono, Now, nanos};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;
use tracing::info;

const EVERY: Duration = Duration::from_secs(5);

/// Writes what happens, a line each, and logs every transition.
#[derive(Debug)]
pub struct Plain<W = Stderr> {
    out: W,
    outline: Outline,
    quiet: bool,
    /// How many agents there are.
    agents: usize,
    /// What agents advise when they accept the run, and of whom it has not been shown yet.
    advice: Vec<(String, String)>,
    /// What the agent advises whose acceptance came last.
    accepted: Vec<String>,
    /// When the last progress line was written.
    written: Option<Mono>,
    began: Option<Mono>,
    preparing: BTreeMap<AgentIndex, Progress>,
    running: Running,
}

/// What completed since the last line.
#[derive(Debug, Default)]
struct Running {
    stage: u32,
    started: Option<Mono>,
    operations: u64,
    bytes: u64,
    errors: u64,
    /// Agents whose measured time has begun.
    measured: BTreeSet<AgentIndex>,
}

impl Plain {
    /// For a run of these stages on so many agents; `quiet`: only warnings and errors.
    #[must_use]
    pub fn new(outline: Outline, agents: usize, quiet: bool) -> Self {
        Self::writing(outline, agents, quiet, stderr())
    }
}

impl<W: Write> Plain<W> {
    /// The same, to somewhere else than standard error.
    #[must_use]
    pub fn writing(outline: Outline, agents: usize, quiet: bool, out: W) -> Self {
        Self {
            out,
            outline,
            quiet,
            agents,
            advice: Vec::new(),
            accepted: Vec::new(),
            written: None,
            began: None,
            preparing: BTreeMap::new(),
            running: Running::default(),
        }
    }

    fn line(&mut self, text: &str) {
        self.advise();
        // A closed standard error must not end a run.
        self.out.write_all(format!("{text}\n").as_bytes()).ok();
    }

    /// Shows what agents advised, each thing once.
    fn advise(&mut self) {
        let advice = std::mem::take(&mut self.advice);
        for line in together(advice.iter().map(|(agent, text)| (&**agent, &**text)), self.agents) {
            self.out.write_all(format!("warning: {line}\n").as_bytes()).ok();
        }
    }

    /// Whether this warning is an agent's advice: then it waits for those of the others.
    fn is_advice(&mut self, text: &str) -> bool {
        let of =
            |advice: &String| Some((text.strip_suffix(advice.as_str())?.strip_suffix(": ")?, advice.clone()));
        let Some((agent, advice)) = self.accepted.iter().find_map(of) else { return false };
        self.advice.push((agent.trim_start_matches("agent ").to_owned(), advice));
        true
    }

    fn progress(&mut self, now: Mono, agent: AgentIndex, progress: Progress) {
        self.preparing.insert(agent, progress);
        if let Some(since) = self.due(now) {
            let stage = progress.stage;
            let all = || self.preparing.values().filter(|progress| progress.stage == stage);
            let sum = |of: fn(&Progress) -> u64| all().map(of).fold(0, u64::saturating_add);
            let (done, total) = (sum(|p| p.objects), sum(|p| p.objects_total));
            let (bytes, bytes_total) = (sum(|p| p.bytes), sum(|p| p.bytes_total));
            let name = self.stage_name(stage).to_owned();
            let elapsed = self.began.map_or(since, |began| now.since(began));
            let left = match (done, total) {
                (1.., 1..) if total > done => {
                    let left = elapsed.as_secs_f64() * (total - done) as f64 / done as f64;
                    format!(", about {left:.0} s left")
                }
                _ => String::new(),
            };
            // How much there is in all is not known where names have no end.
            let objects = if done > total { done.to_string() } else { format!("{done} of {total}") };
            let data = match bytes_total {
                0 => String::new(),
                all => format!(", {:.0} of {:.0} MiB", mib(bytes), mib(all)),
            };
            self.line(&format!("{name}: {objects} objects{data}{left}{}", gap(since)));
        }
    }

    fn interval(&mut self, now: Mono, agent: AgentIndex, interval: &Interval) {
        if self.running.stage != interval.stage || self.running.started.is_none() {
            self.running = Running { stage: interval.stage, started: Some(now), ..Running::default() };
            self.written = Some(now);
        }
        // As it came from the wire: nobody has looked at it yet.
        let Running { operations, bytes, errors, .. } = &mut self.running;
        *operations = operations.saturating_add(interval.tally.count());
        *bytes = bytes.saturating_add(interval.tally.bytes());
        *errors = errors.saturating_add(interval.tally.error_count());
        if !interval.warmup {
            self.running.measured.insert(agent);
        }
        // What counts for nothing after what was measured shows that the end goes on.
        let phase = match (interval.warmup, self.running.measured.contains(&agent)) {
            (false, _) => "",
            (true, false) => " (warm-up)",
            (true, true) => " (making data durable)",
        };
        if let Some(since) = self.due(now) {
            let seconds = since.as_secs_f64();
            let elapsed = now.since(self.running.started.unwrap_or(now)).as_secs();
            let total = self.outline.stages.get(interval.stage as usize).and_then(|stage| stage.timed);
            let Running { operations, bytes, errors, .. } = self.running;
            let name = self.stage_name(interval.stage).to_owned();
            let gap = gap(since);
            self.line(&format!(
                "{name}{phase}: {elapsed} of {} s, {:.0} ops/s, {:.1} MiB/s, {errors} errors{gap}",
                total.unwrap_or_default().as_secs(),
                operations as f64 / seconds,
                mib(bytes) / seconds,
            ));
            (self.running.operations, self.running.bytes) = (0, 0);
        }
    }

    /// The time since the last line, if another is due.
    fn due(&mut self, now: Mono) -> Option<Duration> {
        let since = now.since(self.written.unwrap_or(now));
        if self.written.is_none() {
            self.written = Some(now);
            self.began = Some(now);
        }
        if self.quiet || since < EVERY {
            return None;
        }
        self.written = Some(now);
        Some(Duration::from_nanos(nanos(since)))
    }

    fn stage_name(&self, stage: u32) -> &str {
        self.outline.stages.get(stage as usize).map_or("stage", |stage| stage.name.as_str())
    }
}

impl<W: Write> Observer<Controller> for Plain<W> {
    fn input(&mut self, now: Now, input: &Input) {
        if let Input::Received(agent, _, message) = input {
            match &message.body {
                Report::Preparing(progress) => self.progress(now.mono, *agent, *progress),
                Report::Accepted(capabilities) => self.accepted.clone_from(&capabilities.warnings),
                _ => {}
            }
        }
    }

    fn output(&mut self, now: Now, output: &Output) {
        match output {
            // What the controller has taken: what arrives may be a copy, or come too early and once more.
            Output::Persist(agent, message) => {
                if let Report::Running(interval) = &message.body {
                    self.interval(now.mono, *agent, interval);
                }
            }
            Output::Notice(Notice { level: Level::Warning, text, .. }) if self.is_advice(text) => {}
            Output::Notice(notice) => match notice.level {
                Level::Info if self.quiet => {}
                Level::Info => self.line(&notice.text),
                Level::Warning => self.line(&format!("warning: {}", notice.text)),
                Level::Error => self.line(&format!("error: {}", notice.text)),
            },
            Output::RunEntered { from, to } => {
                self.advise();
                info!("run: {from} → {to}");
            }
            Output::AgentEntered { agent, from, to } => info!(agent = agent.0, "agent: {from} → {to}"),
            _ => {}
        }
    }

    fn settled(&mut self, _: Now, _: &Controller) {}
}

/// That nothing could be shown for a while: the rates before it are means over all that time.
fn gap(since: Duration) -> String {
    if since < 2 * EVERY { String::new() } else { format!(", after {} s without news", since.as_secs()) }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{RUN, at, gets};
    use iobench_core::message::{AgentMessage, Capabilities, Session, StreamId};
    use iobench_core::plan::{StageOutline, Timeouts};

    /// What is shown of these reports of two agents, six seconds apart.
    /// A message arrives twice, as when it is sent again, and is taken once.
    fn hears(plain: &mut Plain<Vec<u8>>, second: u64, agent: u32, body: Report) {
        let (agent, kept) = (AgentIndex(agent), body.is_kept());
        let message = AgentMessage {
            run: RUN,
            session: Session(1),
            sequence: 0,
            stamp: Mono(0),
            kept_before: None,
            body,
        };
        (0..2).for_each(|_| plain.input(at(second), &Input::Received(agent, StreamId(1), message.clone())));
        if kept {
            plain.output(at(second), &Output::Persist(agent, Box::new(message)));
        }
    }

    fn shown(report: impl Fn() -> Report) -> String {
        let stages = vec![StageOutline { name: "execute".to_owned(), timed: Some(EVERY) }];
        let outline = Outline { stages, interval: EVERY, timeouts: Timeouts::default() };
        let mut plain = Plain::writing(outline, 2, false, Vec::new());
        for (second, agent) in [(1, 0), (2, 1), (7, 0)] {
            hears(&mut plain, second, agent, report());
        }
        String::from_utf8(plain.out).unwrap()
    }

    #[test]
    fn numbers_that_nobody_has_checked_do_not_end_a_run_whatever_they_are() {
        let most = u64::MAX;
        let progress = Progress {
            stage: 0,
            objects: most,
            objects_total: most,
            bytes: most,
            bytes_total: most,
            steps: most,
        };
        let line = shown(|| Report::Preparing(progress));
        assert!(line.starts_with(&format!("execute: {most} of {most} objects")), "{line}");

        let mut tally = gets(&[1]);
        (tally.cells[0].count, tally.cells[0].bytes) = (most, most);
        let interval = Interval { tally, ..Interval::default() };
        let line = shown(|| Report::Running(Box::new(interval.clone())));
        assert!(line.starts_with("execute: 6 of 5 s") && line.contains(" ops/s"), "{line}");
    }

    #[test]
    fn what_several_agents_advise_is_said_once_before_anything_else() {
        let outline = Outline { stages: Vec::new(), interval: EVERY, timeouts: Timeouts::default() };
        let mut plain = Plain::writing(outline, 2, false, Vec::new());
        let notice = |level, text: &str| Output::Notice(Notice { level, agent: None, text: text.to_owned() });
        for (index, name) in ["a", "b (host:7420)"].iter().enumerate() {
            let capabilities =
                Capabilities { warnings: vec!["no disk".to_owned()], ..Capabilities::default() };
            hears(&mut plain, 1, index as u32, Report::Accepted(Box::new(capabilities)));
            plain.output(at(1), &notice(Level::Warning, &format!("agent {name}: no disk")));
        }
        plain.output(at(2), &notice(Level::Warning, "agent a: slow"));
        plain.output(at(2), &notice(Level::Info, "begins"));
        let shown = String::from_utf8(plain.out).unwrap();
        assert_eq!(shown, "warning: all 2 agents: no disk\nwarning: agent a: slow\nbegins\n");
    }

    #[test]
    fn an_interval_that_is_sent_again_counts_once() {
        let mut tally = gets(&[1]);
        tally.cells[0].count = 700;
        let interval = Interval { tally, ..Interval::default() };
        let line = shown(|| Report::Running(Box::new(interval.clone())));
        assert!(line.contains(" 350 ops/s"), "3 × 700 in 6 s: {line}");
    }

    #[test]
    fn what_comes_after_the_measured_time_is_no_warm_up() {
        let stages = vec![StageOutline { name: "execute".to_owned(), timed: Some(EVERY) }];
        let outline = Outline { stages, interval: EVERY, timeouts: Timeouts::default() };
        let mut plain = Plain::writing(outline, 2, false, Vec::new());
        // Agent 0 flushes at the end while the other one, which began later, is still warming up.
        for (second, agent, warmup) in
            [(1, 0, true), (7, 0, true), (8, 0, false), (13, 0, false), (19, 0, true), (25, 1, true)]
        {
            plain.interval(at(second).mono, AgentIndex(agent), &Interval { warmup, ..Interval::default() });
        }
        let shown = String::from_utf8(plain.out).unwrap();
        let phases: Vec<_> = shown.lines().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(
            phases,
            ["execute (warm-up)", "execute", "execute (making data durable)", "execute (warm-up)"],
            "{shown}"
        );
    }
}
