//! What the operating system tells a process.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Calls `end` at each SIGINT, SIGTERM and SIGHUP (a terminal that was closed) from now on. What the process was
/// started to ignore, as with `nohup` or in the background of a script, stays ignored.
pub fn when_told_to_end(end: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut interrupt = unless_ignored(SignalKind::interrupt())?;
    let mut terminate = unless_ignored(SignalKind::terminate())?;
    let mut hangup = unless_ignored(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = next(&mut interrupt) => end(),
                Some(()) = next(&mut terminate) => end(),
                Some(()) = next(&mut hangup) => end(),
                else => return,
            }
        }
    });
    Ok(())
}

fn unless_ignored(kind: SignalKind) -> io::Result<Option<Signal>> {
    if ignores(kind) { Ok(None) } else { signal(kind).map(Some) }
}

async fn next(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

/// Whether the process was started so that it ignores this signal; see `SigIgn` in proc_pid_status(5).
fn ignores(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
