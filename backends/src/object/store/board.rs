//! Where the tasks of an executor say what became of them, and where its thread waits for that.

use super::fault::Verdict;
use crate::executor::{Clock, Completion, Outcome};
use iobench_core::stats::Operation;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

/// Completions on their way from the tasks to a turn. All on one thread but [`wake`](Self::wake).
pub(super) struct Board {
    clock: Clock,
    notes: Mutex<Notes>,
    woken: AtomicBool,
}

struct Notes {
    done: Vec<Completion>,
    /// For each slot, how long the store asked to wait.
    pauses: Box<[Option<Duration>]>,
    /// For each slot, bytes of its task that have arrived.
    moved: Box<[u64]>,
    /// The turn that waits.
    waiting: Option<Waker>,
}

impl Board {
    pub(super) fn new(slots: u32, clock: Clock) -> Arc<Self> {
        let notes = Notes {
            done: Vec::with_capacity(2 * slots as usize),
            pauses: vec![None; slots as usize].into(),
            moved: vec![0; slots as usize].into(),
            waiting: None,
        };
        Arc::new(Self { clock, notes: Mutex::new(notes), woken: AtomicBool::new(false) })
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is done; `false` when nothing is and nobody called: then the waker is kept.
    pub(super) fn take(&self, cx: &Context<'_>, done: &mut Vec<Completion>) -> bool {
        let mut notes = self.notes();
        let some = !notes.done.is_empty();
        done.append(&mut notes.done);
        if some || self.woken.swap(false, Ordering::Acquire) {
            return true;
        }
        if !notes.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker())) {
            notes.waiting = Some(cx.waker().clone());
        }
        false
    }

    /// Ends the turn that waits, or the next one. From any thread.
    pub(super) fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        let waiting = self.notes().waiting.take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// How long the store asked to wait when it last failed the slot's task.
    pub(super) fn pause(&self, slot: u32) -> Option<Duration> {
        self.notes().pauses[slot as usize]
    }

    /// Bytes of the slot's task that have arrived.
    pub(super) fn moved(&self, slot: u32) -> u64 {
        self.notes().moved[slot as usize]
    }

    /// A task that is about to begin.
    pub(super) fn ticket(self: &Arc<Self>, slot: u32, operation: Operation, endpoint: u16) -> Ticket {
        self.notes().moved[slot as usize] = 0;
        // Before it begins it takes no time.
        Ticket { board: Arc::clone(self), slot, operation, endpoint, begun: u64::MAX, open: true }
    }
}

/// The right to say once how a task ended. One that goes without a word was cancelled.
pub(super) struct Ticket {
    board: Arc<Board>,
    slot: u32,
    operation: Operation,
    endpoint: u16,
    begun: u64,
    open: bool,
}

impl Ticket {
    /// The task is issued now and not before.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.begun = self.now();
    }

    /// Nanoseconds of the executor's clock.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.board.clock.now()
    }

    /// When the task was issued.
    #[inline]
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Which endpoint serves it.
    #[inline]
    pub(super) fn endpoint(&self) -> usize {
        self.endpoint.into()
    }

    /// A part of the task took so long, nanoseconds.
    pub(super) fn part(&self, operation: Operation, amount: u64, service: u64) {
        let completion = self.completion(operation, false, Outcome::Done(amount), service);
        self.board.notes().done.push(completion);
    }

    /// So many more bytes of the task have arrived.
    pub(super) fn moved(&self, bytes: u64) {
        self.board.notes().moved[self.slot as usize] += bytes;
    }

    /// The task is over.
    pub(super) fn end(mut self, result: Result<u64, Verdict>) {
        let outcome = match result {
            Ok(amount) => Outcome::Done(amount),
            Err(verdict) => {
                self.board.notes().pauses[self.slot as usize] = verdict.retry_after;
                Outcome::Failed(verdict.fault)
            }
        };
        self.close(outcome);
    }

    fn close(&mut self, outcome: Outcome) {
        self.open = false;
        let completion =
            self.completion(self.operation, true, outcome, self.now().saturating_sub(self.begun));
        let mut notes = self.board.notes();
        notes.done.push(completion);
        if let Some(waiting) = notes.waiting.take() {
            waiting.wake();
        }
    }

    fn completion(&self, operation: Operation, last: bool, outcome: Outcome, service: u64) -> Completion {
        Completion { slot: self.slot, operation, last, outcome, service, endpoint: self.endpoint }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            self.close(Outcome::Cancelled);
        }
    }
}
