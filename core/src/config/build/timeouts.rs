//! How often statistics are reported, and the deadlines, of which those that wait for statistics follow the interval.

use super::number;
use crate::config::file::{self, Config};
use crate::config::problems::Problems;
use crate::config::source::Part;
use crate::config::units::TimeSpan;
use crate::config::yaml::Node;
use crate::plan::Timeouts;
use std::time::Duration;

const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Who waits for something that comes once an interval waits so many intervals if not told otherwise: one may be
/// late, and one lost with its connection.
const PATIENCE: u32 = 3;
/// An agent is pinged eight times in a lease: a shorter one is over before an echo is sure to have come.
const LEASE_MIN: Duration = Duration::from_secs(1);

/// The deadlines of the run. `config` is completed with those that depend on the interval.
pub(super) fn timeouts(config: &mut Config, root: &Node, problems: &mut Problems<'_>) -> Timeouts {
    let ready = config.distributed.as_mut().and_then(|distributed| distributed.agent_ready_timeout.take());
    let mut progress_at = "timeouts.progress";
    if let Some(ready) = ready {
        if root.get(&"timeouts.progress".into()).is_some() {
            let message = "this is another name for `timeouts.progress`, which is given too";
            problems.key_error("distributed.agent_ready_timeout", message, "keep one of them");
        }
        config.timeouts.progress = Some(ready);
        progress_at = "distributed.agent_ready_timeout";
    }
    let interval = interval(config, root, problems).unwrap_or_default();
    let file = &mut config.timeouts;
    let default = Timeouts::default();
    let mut fitted = |value: &mut Option<TimeSpan>, at: &str, default: Duration, least: u32| {
        let value = value.get_or_insert(TimeSpan(default.max(interval * PATIENCE))).0;
        fits(value, interval, least, at, problems);
        value
    };
    // What comes once an interval cannot be waited for any shorter; of these two, what misses one must be left a chance.
    let silence = fitted(&mut file.silence, "timeouts.silence", default.silence, PATIENCE);
    let hung = fitted(&mut file.hung, "timeouts.hung", default.hung, PATIENCE);
    let first_stats = fitted(&mut file.first_stats, "timeouts.first_stats", default.first_stats, 2);
    let progress = fitted(&mut file.progress, progress_at, default.progress, 2);
    let file::Timeouts { connect, stream, idle, ready, ping, ping_tries, lease, abort, abort_wait, .. } =
        *file;
    if !lease.0.is_zero() && lease.0 < LEASE_MIN {
        let message = format!(
            "a lease of {lease} would end healthy runs: any host stands still for so long now and then"
        );
        problems.error("timeouts.lease", message, "write at least `1s`; the default is `30s`");
    }
    let mut positive = |key: &str, value: TimeSpan| {
        not_zero(value.0, &format!("timeouts.{key}"), problems);
        value.0
    };
    Timeouts {
        connect: positive("connect", connect),
        stream: positive("stream", stream),
        idle: positive("idle", idle),
        progress,
        ready: positive("ready", ready),
        first_stats,
        silence,
        ping: positive("ping", ping),
        hung,
        lease: positive("lease", lease),
        abort: positive("abort", abort),
        abort_wait: positive("abort_wait", abort_wait),
        ping_tries: number(ping_tries, 1, "timeouts.ping_tries", problems),
    }
}

/// How often statistics are reported; `None` when what is written is not possible.
fn interval(config: &mut Config, root: &Node, problems: &mut Problems<'_>) -> Option<Duration> {
    let mut at = "interval";
    if let Some(other) = config.perf_log.take().and_then(|section| section.interval) {
        at = "perf_log.interval";
        if root.key("interval").is_some() {
            problems.key_error(
                at,
                "this is another name for `interval`, which is given too",
                "keep one of them",
            );
        }
        config.interval = other;
    }
    let interval = config.interval;
    if !(INTERVALS.0..=INTERVALS.1).contains(&interval.0) {
        problems.error(at, format!("an interval of {interval} is not possible"), "write 100ms to 10s");
        return None;
    }
    Some(interval.0)
}

/// Checks a deadline for what comes once an interval.
fn fits(value: Duration, interval: Duration, least: u32, at: &str, problems: &mut Problems<'_>) {
    let shortest = interval * least;
    if value.is_zero() || value >= shortest {
        not_zero(value, at, problems);
        return;
    }
    let (key, count) = (at.rsplit('.').next().unwrap_or(at), if least == 2 { "two" } else { "three" });
    let message = format!("`{key}` must be at least {count} intervals, {}", TimeSpan(shortest));
    problems.error(at, message, "raise it, remove it (it then fits the interval), or shorten `interval`");
}

fn not_zero(value: Duration, at: &str, problems: &mut Problems<'_>) {
    if value.is_zero() {
        problems.certain(Part::Value, at, "a deadline of 0 can never be met", "write for example `5s`");
    }
}
