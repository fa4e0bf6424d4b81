//! CPU time, of the host and of this process.

use iobench_core::stats::CpuShare;
use rustix::time::{ClockId, clock_gettime};

/// Measures CPU time from lap to lap.
#[derive(Clone, Debug)]
pub(crate) struct CpuMeter {
    host: Option<HostTicks>,
    process: u64,
}

/// The first line of `/proc/stat` in ticks (see proc_stat(5)): guest time is part of user time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct HostTicks {
    user: u64,
    system: u64,
    iowait: u64,
    all: u64,
}

impl CpuMeter {
    /// From now on.
    pub(crate) fn start() -> Self {
        Self { host: HostTicks::read(), process: process_nanos() }
    }

    /// The host's share, and nanoseconds that this process used, since the start or the last lap.
    pub(crate) fn lap(&mut self) -> (Option<CpuShare>, u64) {
        let now = Self::start();
        let share = self.host.zip(now.host).and_then(|(before, after)| after.since(before));
        let process = now.process.saturating_sub(self.process);
        *self = now;
        (share, process)
    }
}

impl HostTicks {
    fn read() -> Option<Self> {
        Self::parse(std::fs::read_to_string("/proc/stat").ok()?.lines().next()?)
    }

    fn parse(line: &str) -> Option<Self> {
        let numbers: Vec<u64> =
            line.strip_prefix("cpu ")?.split_whitespace().map_while(|n| n.parse().ok()).collect();
        let &[user, nice, system, idle, iowait, irq, softirq, ..] = &*numbers else { return None };
        let steal = numbers.get(7).copied().unwrap_or(0);
        let (user, system) = (user + nice, system + irq + softirq);
        Some(Self { user, system, iowait, all: user + system + iowait + idle + steal })
    }

    /// Hundredths of a percent of all CPUs; `None` when no tick has passed.
    fn since(self, before: Self) -> Option<CpuShare> {
        let all = self.all.checked_sub(before.all).filter(|&all| all > 0)?;
        // At most 10 000; iowait may go back, as its documentation says.
        let share =
            |after: u64, before: u64| (after.saturating_sub(before) * 10_000 / all).min(10_000) as u32;
        Some(CpuShare {
            user: share(self.user, before.user),
            system: share(self.system, before.system),
            iowait: share(self.iowait, before.iowait),
        })
    }
}

fn process_nanos() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_cpus_together() {
        let before = HostTicks::parse("cpu  100 0 50 800 50 0 0 0 0 0").unwrap();
        let after = HostTicks::parse("cpu  150 0 75 900 75 0 0 0 0 0").unwrap();
        assert_eq!(after.since(before), Some(CpuShare { user: 2500, system: 1250, iowait: 1250 }));
        assert_eq!(after.since(after), None);
    }

    #[test]
    fn a_line_that_is_something_else_gives_nothing() {
        assert_eq!(HostTicks::parse("cpu0 1 2 3"), None);
        assert_eq!(HostTicks::parse("cpu  1 2 3"), None);
    }

    #[test]
    fn a_busy_process_uses_time() {
        let mut meter = CpuMeter::start();
        let sum = (0..3_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        std::hint::black_box(sum);
        assert!(meter.lap().1 > 0);
    }
}
