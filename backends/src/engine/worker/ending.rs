//! The way out of a thread: what is in flight is cancelled, and abandoned when it does not end.

use super::super::after;
use super::super::prepared::LET_GO;
use super::super::seat::Report;
use super::{LOOK, Worker};
use crate::executor::Outcome;
use iobench_core::stats::{Operation, Recorder};
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Worker {
    /// The way out: nothing new is issued, what is in flight is cancelled, and abandoned when it does not end.
    pub(super) fn end(mut self) {
        let waiting = self.waiting.len() as u64;
        self.waiting.clear();
        self.wind_down();
        // What was in flight at the end is in no other count, however it ended, but for what was given up before.
        self.recorder.cancelled(waiting + u64::from(self.in_flight - self.given_up()));
        self.show_given_up();
        self.seat.shared.in_flight.store(self.in_flight, Ordering::Relaxed);
        self.seat.shared.bytes.store(self.finished, Ordering::Relaxed);
        let warmup = self.timeline.is_some_and(|timeline| timeline.piece(self.piece).warmup);
        let counts = Box::new(self.counts(Box::new(Recorder::new(&[])), warmup, self.seat.clock.now()));
        let exhausted = self.exhausted;
        self.seat.shared.drained.store(true, Ordering::Release);
        (self.seat.report)(Report::Drained { counts, exhausted });
        let mut after = None;
        if self.seat.control.leave() && !self.seat.control.halted() {
            let mut recorder = Box::new(Recorder::new(&[]));
            match after::after(&self.seat, &mut recorder) {
                Ok(()) => after = Some(recorder),
                Err(failure) => self.seat.control.fail(failure),
            }
        }
        if self.in_flight == 0 {
            // Its threads are gone before the next stage starts as many: together they may be more than can be had.
            drop(self.executor);
            self.seat.shared.finished.store(true, Ordering::Release);
            return (self.seat.report)(Report::Finished { after });
        }
        (self.seat.report)(Report::Finished { after });
        self.linger();
        self.seat.shared.finished.store(true, Ordering::Release);
    }

    /// Cancels what is in flight and waits for its end: for less long from the instant on at which a stop is to be
    /// answered.
    fn wind_down(&mut self) {
        let mut now = self.seat.clock.now();
        let mut deadline = now + LET_GO;
        let mut halted = false;
        self.cancel_ended();
        for slot in 0..self.slots.len() {
            if self.slots[slot].in_use {
                self.executor.cancel(slot as u32);
            }
        }
        loop {
            if !halted && self.seat.control.halted() {
                halted = true;
                deadline = now + self.seat.prepared.let_go();
            }
            if self.in_flight == 0 || now >= deadline {
                return;
            }
            let timeout = Duration::from_nanos(deadline.saturating_sub(now).min(LOOK));
            let Ok(turn) = self.executor.turn(timeout, &mut self.done) else { return };
            now = turn.returned;
            self.cancel_ended();
        }
    }

    /// Takes completions that came too late. A timed stage counts them as cancelled, as they are not within its
    /// time; an untimed one counts what was done.
    fn cancel_ended(&mut self) {
        let timed = self.timeline.is_some();
        let mut done = std::mem::take(&mut self.done);
        for completion in done.drain(..) {
            let state = self.slots[completion.slot as usize];
            if !completion.last {
                if !timed {
                    self.count(completion.operation, completion.outcome, completion.service, 0);
                }
                continue;
            }
            self.in_flight -= 1;
            self.slots[completion.slot as usize].in_use = false;
            match completion.outcome {
                _ if state.expired => {}
                Outcome::Done(_) if !timed && state.task.operation != Operation::Stat => {
                    self.count_task(state.task, completion.outcome, completion.service);
                }
                _ => self.recorder.cancelled(1),
            }
        }
        self.done = done;
    }

    /// Keeps the memory of abandoned operations until the kernel has let go of them.
    fn linger(&mut self) {
        while self.in_flight > 0 {
            if self.executor.turn(Duration::from_secs(1), &mut self.done).is_err() {
                return;
            }
            self.cancel_ended();
            self.seat.shared.in_flight.store(self.in_flight, Ordering::Relaxed);
        }
    }
}
