//! What the threads of a stage share: whether to go on, and how far they are. No locks where work is done.

use crate::error::Fault;
use crate::executor::Waker;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::ErrorPolicy;
use iobench_core::stats::ErrorClass;
use iobench_core::time::nanos;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Samples of the number of errors are this far apart, nanoseconds.
const SAMPLE: u64 = 50_000_000;

/// Counts the engine's stops. Whoever began before the last one must not go on: so a stop holds from the instant at
/// which it is commanded, even if the engine is busy.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops(Arc<AtomicU64>);

impl Stops {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The common control of a stage's threads.
pub(super) struct Control {
    stops: Stops,
    stops_before: u64,
    over: AtomicBool,
    failure: Mutex<Option<Failure>>,
    errors: AtomicU64,
    errors_max: u64,
    first_error: OnceLock<String>,
    /// The first object found not to be what was written, for a person.
    corrupt: OnceLock<String>,
    wakers: Mutex<Vec<Waker>>,
    /// Threads that still have work of their own.
    working: AtomicUsize,
}

impl Control {
    pub(super) fn new(stops: Stops, stops_before: u64, threads: usize, errors: &ErrorPolicy) -> Self {
        Self {
            stops,
            stops_before,
            over: AtomicBool::new(false),
            failure: Mutex::default(),
            errors: AtomicU64::new(0),
            errors_max: errors.max_total_errors,
            first_error: OnceLock::new(),
            corrupt: OnceLock::new(),
            wakers: Mutex::default(),
            working: AtomicUsize::new(threads),
        }
    }

    /// Whether nothing more may be issued.
    #[inline]
    pub(super) fn halted(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.stops.count() != self.stops_before
    }

    /// Lets every thread see at once that it is over.
    pub(super) fn halt(&self) {
        self.over.store(true, Ordering::Relaxed);
        lock(&self.wakers).iter().for_each(|wake| wake());
    }

    /// The stage has failed; the first failure counts.
    pub(super) fn fail(&self, failure: Failure) {
        lock(&self.failure).get_or_insert(failure);
        self.halt();
    }

    /// Why the stage failed.
    pub(super) fn failure(&self) -> Option<Failure> {
        lock(&self.failure).clone()
    }

    /// Has this thread woken when it is over.
    pub(super) fn add_waker(&self, waker: Waker) {
        lock(&self.wakers).push(waker);
    }

    /// Counts a failed operation against the budget.
    pub(super) fn count_error(&self, fault: Fault, what: &'static str, place: impl FnOnce() -> String) {
        let first = || {
            let corrupt = self.corruption().filter(|_| fault.class == ErrorClass::Corrupt);
            corrupt.map_or_else(|| fault.at(what, place()).to_string(), str::to_owned)
        };
        let first = self.first_error.get_or_init(first);
        let errors = self.errors.fetch_add(1, Ordering::Relaxed) + 1;
        if errors > self.errors_max {
            self.fail(Failure::new(
                FailureClass::Storage,
                format!(
                    "{errors} operations failed, more than the {} allowed; the first: {first}",
                    self.errors_max
                ),
                "see the errors by class in the results, or raise `error_handling.max_total_errors`",
            ));
        }
    }

    /// Something was read that was not written so; the first such finding is told.
    pub(super) fn corrupt(&self, told: impl FnOnce() -> String) {
        self.corrupt.get_or_init(|| {
            let told = told();
            tracing::warn!("{told}");
            told
        });
    }

    /// What was first found not to be as written.
    pub(super) fn corruption(&self) -> Option<&str> {
        self.corrupt.get().map(String::as_str)
    }

    /// Failed operations so far.
    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// This thread has done its own work; gives whether it was the last.
    pub(super) fn leave(&self) -> bool {
        self.working.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// What one thread lets others see of its work. It stores here at most once a turn.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Operations in flight.
    pub(super) in_flight: AtomicU32,
    /// Those of them that took too long, were given up and have been counted as that.
    pub(super) given_up: AtomicU32,
    /// When it last entered the kernel, nanoseconds: what is in flight is at least this old when it does not return.
    pub(super) entered: AtomicU64,
    /// Operations that it has counted, whether or not it has handed the counts over.
    pub(super) counted: AtomicU64,
    /// When it last counted any, nanoseconds.
    pub(super) settled: AtomicU64,
    /// Objects done in an untimed stage …
    pub(super) objects: AtomicU64,
    /// … and their bytes, with what has been transferred of those that are not done.
    pub(super) bytes: AtomicU64,
    /// What else was done: see [`Progress::steps`](iobench_core::message::Progress::steps).
    pub(super) steps: AtomicU64,
    /// Since when one operation of what comes after the work has kept the thread, nanoseconds; 0: none does.
    pub(super) held: AtomicU64,
    /// Nothing is in flight any more, or the storage did not let go in time.
    pub(super) drained: AtomicBool,
    /// The thread has ended, or is about to.
    pub(super) finished: AtomicBool,
}

impl Shared {
    /// Something was done that is neither an object nor a byte.
    pub(super) fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Does one operation of what comes after the work, which keeps this thread from `since` on.
    pub(super) fn hold<T>(&self, since: u64, operation: impl FnOnce() -> T) -> T {
        self.held.store(since.max(1), Ordering::Relaxed);
        let result = operation();
        self.held.store(0, Ordering::Relaxed);
        self.step();
        result
    }

    /// How long that operation has been going on at `now`; `None` when there is none.
    pub(super) fn held_for(&self, now: u64) -> Option<u64> {
        match self.held.load(Ordering::Relaxed) {
            0 => None,
            since => Some(now.saturating_sub(since)),
        }
    }

    /// Operations in flight that are in no count yet.
    pub(super) fn uncounted(&self) -> u64 {
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        in_flight.saturating_sub(self.given_up.load(Ordering::Relaxed)).into()
    }

    /// Operations that hold this thread in the kernel although their stage is over.
    pub(super) fn stuck(&self) -> u64 {
        if self.finished.load(Ordering::Acquire) {
            return 0;
        }
        // A thread that does not come back is itself in a system call.
        u64::from(self.in_flight.load(Ordering::Relaxed)).max(1)
    }
}

/// Watches how fast errors come.
#[derive(Debug)]
pub(super) struct ErrorRate {
    window: u64,
    threshold: f64,
    /// When, and how many errors there had been.
    samples: VecDeque<(u64, u64)>,
}

impl ErrorRate {
    pub(super) fn new(policy: &ErrorPolicy) -> Self {
        let window = nanos(policy.error_rate_window).max(1);
        Self { window, threshold: policy.error_rate_threshold, samples: VecDeque::new() }
    }

    /// Looks at the errors so far; gives a failure when they came too fast.
    pub(super) fn sample(&mut self, now: u64, control: &Control) -> Option<Failure> {
        let errors = control.errors();
        // Keep one sample that is as old as the window, or older.
        while self.samples.get(1).is_some_and(|&(at, _)| at + self.window <= now) {
            self.samples.pop_front();
        }
        let before = self.samples.front().map_or(0, |&(_, errors)| errors);
        if self.samples.back().is_none_or(|&(at, _)| at + SAMPLE <= now) {
            self.samples.push_back((now, errors));
        }
        let rate = (errors - before) as f64 / (self.window as f64 / 1e9);
        (rate > self.threshold).then(|| {
            let first = control.first_error.get().map_or("", String::as_str);
            Failure::new(
                FailureClass::Storage,
                format!(
                    "{rate:.1} operations a second failed over {:.0} s, more than the {} allowed; the first: {first}",
                    self.window as f64 / 1e9,
                    self.threshold
                ),
                "see the errors by class in the results, or raise `error_handling.error_rate_threshold`",
            )
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn control(policy: &ErrorPolicy) -> Control {
        Control::new(Stops::default(), 0, 1, policy)
    }

    fn err(control: &Control, times: u64) {
        for _ in 0..times {
            control.count_error(Fault::os(libc::EIO), "get", || "/x".to_owned());
        }
    }

    #[test]
    fn one_error_more_than_allowed_ends_the_stage() {
        let control = control(&ErrorPolicy { max_total_errors: 3, ..ErrorPolicy::default() });
        err(&control, 3);
        assert!(!control.halted());
        err(&control, 1);
        assert!(control.halted());
        let failure = control.failure().unwrap();
        assert!(failure.message.contains("4 operations failed"), "{failure}");
        assert!(failure.message.contains("cannot get `/x`"), "{failure}");
    }

    #[test]
    fn a_stop_holds_for_what_began_before_it_only() {
        let stops = Stops::default();
        let policy = ErrorPolicy::default();
        let before = Control::new(stops.clone(), stops.count(), 1, &policy);
        stops.stop();
        let after = Control::new(stops.clone(), stops.count(), 1, &policy);
        assert!(before.halted() && !after.halted());
    }

    #[test]
    fn the_error_rate_is_that_of_the_window() {
        let policy = ErrorPolicy {
            max_total_errors: u64::MAX,
            error_rate_threshold: 5.0,
            error_rate_window: Duration::from_secs(10),
            ..ErrorPolicy::default()
        };
        let (control, mut rate) = (control(&policy), ErrorRate::new(&policy));
        let second = 1_000_000_000;
        // 4 a second for a minute are tolerated.
        for at in 0..60 {
            err(&control, 4);
            assert_eq!(rate.sample(at * second, &control), None);
        }
        // 20 a second are noticed as soon as the window's mean is above 5.
        err(&control, 20);
        assert!(rate.sample(60 * second, &control).is_some());
    }
}
