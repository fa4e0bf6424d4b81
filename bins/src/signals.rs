//! What the operating system tells a process.

use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Calls `end` at each SIGINT, SIGTERM and SIGHUP (a terminal that was closed) from now on. What the process was
/// started to ignore, as with `nohup`, stays ignored.
pub fn when_told_to_end(end: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = if ignores(SignalKind::hangup()) { None } else { Some(signal(SignalKind::hangup())?) };
    tokio::spawn(async move {
        let mut hung_up = async || match &mut hangup {
            Some(hangup) => hangup.recv().await,
            None => std::future::pending().await,
        };
        loop {
            tokio::select! {
                Some(()) = interrupt.recv() => end(),
                Some(()) = terminate.recv() => end(),
                Some(()) = hung_up() => end(),
                else => return,
            }
        }
    });
    Ok(())
}

/// Whether the process was started so that it ignores this signal; see `SigIgn` in proc_pid_status(5).
fn ignores(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
