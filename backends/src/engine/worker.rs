//! One thread of a stage: keeps its slots busy, counts what completes, hands its counts over once an interval.
//!
//! The loop takes no lock, allocates nothing and sends nothing while operations succeed; once an interval it sends
//! its recorder away and goes on with the one that came back for it.

use super::seat::{Counts, Directive, Equipment, Report, Seat, equip};
use super::source::{Feed, Source, Verdict};
use super::timeline::Timeline;
use crate::error::Fault;
use crate::executor::{Completion, Executor, Manner, ObjectId, Outcome, Task};
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{ErrorPolicy, PoolId, StageKind};
use iobench_core::stats::{ErrorClass, Operation, Recorder, cells_of};
use iobench_core::time::nanos;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A thread looks around at least this often, whatever it waits for.
const LOOK: u64 = 100_000_000;

/// What a slot is doing.
#[derive(Copy, Clone)]
struct Slot {
    task: Task,
    kind: u16,
    in_use: bool,
    /// It took too long and is being cancelled, to be tried again.
    late: bool,
    /// It was given up and has been counted.
    expired: bool,
    tries: u32,
    /// Bytes of its object that have been transferred.
    moved: u64,
    /// When this try began, nanoseconds.
    issued: u64,
    /// Bytes that it was seen to have transferred, and when they last grew, or when it began.
    seen: u64,
    stirred: u64,
    /// When the first one did.
    begun: u64,
}

const FREE: Slot = Slot {
    task: Task {
        operation: Operation::Stat,
        object: ObjectId { pool: PoolId(0), key: 0 },
        offset: 0,
        length: 0,
        manner: Manner::Plain,
    },
    kind: 0,
    in_use: false,
    late: false,
    expired: false,
    tries: 0,
    moved: 0,
    issued: 0,
    seen: 0,
    stirred: 0,
    begun: 0,
};

/// The thread at work.
pub(super) struct Worker {
    seat: Seat,
    executor: Box<dyn Executor>,
    source: Box<dyn Source>,
    policy: ErrorPolicy,
    slots: Box<[Slot]>,
    free: Vec<u32>,
    in_flight: u32,
    /// Bytes of finished objects, and what has been transferred of others.
    finished: u64,
    moving: u64,
    /// Failed tries that wait: until when, which slot.
    waiting: Vec<(u64, u32)>,
    recorder: Box<Recorder>,
    /// Operations counted so far, whatever became of the counts.
    counted: u64,
    spare: Option<Box<Recorder>>,
    done: Vec<Completion>,
    timeline: Option<Timeline>,
    /// The piece of the timeline that is being counted, and when it ends.
    piece: u64,
    piece_end: u64,
    end: u64,
    next_look: u64,
    /// The source is not asked before.
    ask_at: u64,
    lag: u64,
    exhausted: bool,
    jitter: u64,
    /// Where what is being counted was done, if there is a choice.
    endpoint: Option<u16>,
    has_endpoints: bool,
}

impl Worker {
    /// Sets everything up that takes time, waits for the common start, and works to the end.
    pub(super) fn run(seat: Seat) {
        let equipment = match equip(&seat) {
            Ok(equipment) => equipment,
            Err(failure) => {
                seat.control.fail(failure);
                seat.control.leave();
                seat.shared.drained.store(true, Ordering::Release);
                seat.shared.finished.store(true, Ordering::Release);
                return (seat.report)(Report::Finished { after: None });
            }
        };
        let mut worker = Self::new(seat, equipment);
        worker.prelude();
        if worker.wait_for_start() {
            worker.work();
        }
        worker.end();
    }

    fn new(seat: Seat, Equipment { executor, source }: Equipment) -> Self {
        let plan = &seat.prepared.plan;
        let slots = seat.prepared.slots(seat.thread);
        seat.control.add_waker(executor.waker());
        let endpoints = executor.endpoints();
        let recorder = || Box::new(Recorder::new(&cells_of(plan, seat.stage)).with_endpoints(&endpoints));
        Self {
            endpoint: None,
            has_endpoints: !endpoints.is_empty(),
            executor,
            source,
            policy: plan.errors,
            slots: vec![FREE; slots as usize].into_boxed_slice(),
            free: (0..slots).rev().collect(),
            in_flight: 0,
            finished: 0,
            moving: 0,
            waiting: Vec::with_capacity(slots as usize),
            recorder: recorder(),
            counted: 0,
            spare: Some(recorder()),
            done: Vec::with_capacity(2 * slots as usize),
            timeline: None,
            piece: 0,
            piece_end: u64::MAX,
            end: u64::MAX,
            next_look: 0,
            ask_at: 0,
            lag: 0,
            exhausted: false,
            jitter: plan.seed ^ u64::from(seat.thread + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            seat,
        }
    }

    /// What has to be done before the start and is not measured: dropping this thread's part of the page cache.
    fn prelude(&self) {
        let prepared = &self.seat.prepared;
        if let (true, StageKind::Execute { entries, .. }) =
            (prepared.plan.file.drop_cache, &prepared.plan.stages[self.seat.stage].kind)
        {
            super::after::drop_cache(prepared, entries, self.seat.thread, &self.seat.control);
        }
        #[cfg(test)]
        super::tests::perhaps_tell(&prepared.plan);
    }

    fn wait_for_start(&mut self) -> bool {
        (self.seat.report)(Report::Ready(self.executor.fact()));
        let Ok(Directive::Go(start)) = self.seat.directives.recv() else { return false };
        let plan = &self.seat.prepared.plan;
        self.timeline = Timeline::new(&plan.stages[self.seat.stage].kind, plan.interval, start);
        if let Some(timeline) = &self.timeline {
            self.piece_end = timeline.piece(0).to;
            self.end = timeline.end();
        }
        self.next_look = start + LOOK;
        true
    }

    fn work(&mut self) {
        let mut now = self.seat.clock.now();
        while now < self.end && !self.seat.control.halted() {
            #[cfg(test)]
            super::tests::perhaps_panic(&self.seat);
            self.refill(now);
            if self.in_flight == 0 && self.waiting.is_empty() && self.exhausted {
                return;
            }
            let Some(returned) = self.turn(now) else { return };
            now = returned;
            if now >= self.piece_end {
                self.close_pieces(now);
            }
            // After a standstill it may be over: then what is in flight has not failed.
            if now < self.end {
                self.settle(now);
                if now >= self.next_look {
                    self.look(now);
                }
            }
        }
    }

    /// Starts tasks on all free slots.
    #[inline]
    fn refill(&mut self, now: u64) {
        if !self.waiting.is_empty() {
            self.try_again(now);
        }
        while now >= self.ask_at
            && let Some(&slot) = self.free.last()
        {
            match self.source.next() {
                Feed::Task(kind, task) => {
                    self.free.pop();
                    self.slots[slot as usize] =
                        Slot { task, kind, in_use: true, issued: now, stirred: now, begun: now, ..FREE };
                    self.start(slot, task);
                }
                Feed::Failed(operation, fault, pool) => self.count_failure(operation, fault, pool),
                // There may be any number of pages without anything to do.
                Feed::Looked => {
                    self.seat.shared.step();
                    if self.seat.control.halted() {
                        return;
                    }
                }
                Feed::Waiting => return,
                Feed::Later => {
                    self.seat.shared.step();
                    self.ask_at = now + LOOK;
                }
                Feed::Exhausted => {
                    self.exhausted = true;
                    return;
                }
            }
        }
    }

    #[inline]
    fn start(&mut self, slot: u32, task: Task) {
        self.in_flight += 1;
        self.executor.start(slot, task);
    }

    fn try_again(&mut self, now: u64) {
        let mut index = 0;
        while index < self.waiting.len() {
            let (at, slot) = self.waiting[index];
            if at > now {
                index += 1;
                continue;
            }
            self.waiting.swap_remove(index);
            let state = &mut self.slots[slot as usize];
            self.recorder.retry(now - state.issued);
            (state.issued, state.seen, state.stirred) = (now, 0, now);
            state.late = false;
            let task = state.task;
            self.start(slot, task);
        }
    }

    /// One turn of the executor; gives when it returned, `None` when the executor is broken.
    #[inline]
    fn turn(&mut self, before: u64) -> Option<u64> {
        let retry = self.waiting.iter().map(|&(at, _)| at).min().unwrap_or(u64::MAX);
        let until = self.piece_end.min(self.end).min(self.next_look).min(retry);
        let timeout = Duration::from_nanos(until.saturating_sub(before));
        self.seat.shared.in_flight.store(self.in_flight, Ordering::Relaxed);
        self.seat.shared.entered.store(before, Ordering::Relaxed);
        match self.executor.turn(timeout, &mut self.done) {
            Ok(turn) => {
                // What became ready while we were busy waited this long at most; and what became ready while we
                // were to be woken, as long as that took.
                let busy = turn.entered.saturating_sub(before);
                let late = turn.returned.saturating_sub(until.max(turn.entered));
                self.lag = self.lag.max(busy).max(if self.done.is_empty() { late } else { 0 });
                Some(turn.returned)
            }
            Err(error) => {
                self.seat.control.fail(Failure::new(FailureClass::Internal, error.to_string(), ""));
                None
            }
        }
    }

    /// Counts what has completed.
    #[inline]
    fn settle(&mut self, now: u64) {
        let mut done = std::mem::take(&mut self.done);
        for completion in done.drain(..) {
            self.endpoint = self.has_endpoints.then_some(completion.endpoint);
            match (completion.last, completion.outcome) {
                (false, outcome) => self.count(completion.operation, outcome, completion.service, 0),
                (true, outcome) => self.complete(completion.slot, outcome, completion.service, now),
            }
        }
        self.endpoint = None;
        self.done = done;
        self.seat.shared.settled.store(now, Ordering::Relaxed);
        self.seat.shared.counted.store(self.counted, Ordering::Relaxed);
    }

    #[inline]
    fn complete(&mut self, slot: u32, outcome: Outcome, service: u64, now: u64) {
        self.in_flight -= 1;
        let state = self.slots[slot as usize];
        if state.expired {
            // It has been counted when it was given up.
            if let Verdict::Fails(failure) =
                self.source.over(state.kind, state.task, Outcome::Failed(Fault::TIMEOUT))
            {
                self.seat.control.fail(failure);
            }
            self.release(slot);
            self.show_given_up();
            return;
        }
        let outcome = match outcome {
            // What has come at last is not thrown away, but what was cut off took too long.
            Outcome::Cancelled | Outcome::Failed(_) if state.late => Outcome::Failed(Fault::TIMEOUT),
            other => other,
        };
        if let Outcome::Failed(fault) = outcome
            && self.may_retry(slot, fault)
        {
            return self.wait_to_retry(slot, now);
        }
        let verdict = self.source.over(state.kind, state.task, outcome);
        self.judge(slot, verdict, outcome, service, now);
    }

    #[inline]
    fn judge(&mut self, slot: u32, verdict: Verdict, outcome: Outcome, service: u64, now: u64) {
        let task = self.slots[slot as usize].task;
        match verdict {
            Verdict::Counts => self.count_task(task, outcome, service),
            Verdict::Finishes(bytes) => {
                self.count_task(task, outcome, service);
                self.progress(slot, bytes);
            }
            Verdict::Skips(bytes) => self.progress(slot, bytes),
            Verdict::Then(counts, kind, next) => {
                if counts {
                    self.count_task(task, outcome, service);
                }
                let moved = self.slots[slot as usize].moved;
                self.slots[slot as usize] = Slot {
                    task: next,
                    kind,
                    in_use: true,
                    moved,
                    issued: now,
                    stirred: now,
                    begun: now,
                    ..FREE
                };
                return self.start(slot, next);
            }
            Verdict::Fails(failure) => {
                self.count_task(task, outcome, service);
                self.seat.control.fail(failure);
            }
        }
        self.release(slot);
    }

    #[inline]
    fn release(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        state.in_use = false;
        self.moving -= std::mem::take(&mut state.moved);
        self.free.push(slot);
    }

    #[inline]
    fn count_task(&mut self, task: Task, outcome: Outcome, service: u64) {
        let bytes = match (task.operation, outcome) {
            (Operation::Get | Operation::Put | Operation::Read | Operation::Write, Outcome::Done(bytes)) => {
                bytes
            }
            _ => 0,
        };
        if let Outcome::Failed(fault) = outcome
            && !is_expected(task, fault)
        {
            let place = || self.seat.prepared.place(task.object);
            self.seat.control.count_error(fault, task.operation.name(), place);
        }
        self.count(task.operation, outcome, service, bytes);
    }

    /// Counts what failed without being a task.
    #[cold]
    fn count_failure(&mut self, operation: Operation, fault: Fault, pool: PoolId) {
        let place = || self.seat.prepared.place(ObjectId { pool, key: 0 });
        self.seat.control.count_error(fault, operation.name(), place);
        self.recorder.error(operation, fault.class, fault.code);
        self.counted += 1;
    }

    #[inline]
    fn count(&mut self, operation: Operation, outcome: Outcome, service: u64, bytes: u64) {
        if let Some(endpoint) = self.endpoint.filter(|_| !operation.is_part()) {
            match outcome {
                Outcome::Done(_) => self.recorder.record_at(endpoint, bytes, service),
                Outcome::Failed(_) => self.recorder.error_at(endpoint),
                Outcome::Cancelled => {}
            }
        }
        self.counted += u64::from(!operation.is_part());
        match outcome {
            Outcome::Done(_) => self.recorder.record(operation, bytes, service),
            Outcome::Failed(fault) => self.recorder.error(operation, fault.class, fault.code),
            Outcome::Cancelled => self.recorder.cancelled(1),
        }
    }

    /// An object of so many bytes is done.
    fn progress(&mut self, slot: u32, bytes: u64) {
        self.moving -= std::mem::take(&mut self.slots[slot as usize].moved);
        self.finished += bytes;
        // This thread alone stores here.
        let shared = &self.seat.shared;
        shared.objects.store(shared.objects.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        shared.bytes.store(self.finished + self.moving, Ordering::Relaxed);
    }

    /// Shows how far the objects of an untimed stage have come that are not done, and that there are operations which
    /// still have time: only one that is given up is no sign of life.
    fn look_at_progress(&mut self) {
        let mut lives = false;
        for (slot, state) in self.slots.iter_mut().enumerate().filter(|(_, state)| state.in_use) {
            let moved = self.executor.moved(slot as u32).max(state.moved);
            self.moving += moved - std::mem::replace(&mut state.moved, moved);
            lives |= !state.expired;
        }
        self.seat.shared.bytes.store(self.finished + self.moving, Ordering::Relaxed);
        if lives {
            self.seat.shared.step();
        }
    }

    /// Whether the slot's task has a try left that may help.
    fn may_retry(&self, slot: u32, fault: Fault) -> bool {
        fault.class.may_heal() && self.slots[slot as usize].tries < self.policy.max_retries
    }

    fn wait_to_retry(&mut self, slot: u32, now: u64) {
        // What the store asks for is more than our own growing patience, but never more than an operation may take.
        let asked =
            self.executor.pause(slot).map_or(0, |pause| nanos(pause.min(self.policy.operation_timeout)));
        let state = &mut self.slots[slot as usize];
        let grown = self.policy.retry_backoff_multiplier.powi(state.tries.min(64) as i32);
        let delay = (nanos(self.policy.initial_retry_delay) as f64 * grown)
            .min(nanos(self.policy.max_retry_delay) as f64);
        state.tries += 1;
        // xorshift64 (Marsaglia 2003): enough to keep threads from trying in step.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let unit = (self.jitter >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
        #[expect(clippy::cast_sign_loss, reason = "`as` saturates at zero")]
        let delay = (delay * (1.0 + unit * self.policy.retry_jitter_factor)) as u64;
        self.waiting.push((now.saturating_add(delay.max(asked)), slot));
    }

    /// Gives up tries that take too long: for another one, or for good, until so many have failed that the stage has.
    /// One that cannot even be cancelled is counted without waiting for its end. In an untimed stage one that goes on
    /// does not take too long, whatever the size of its object.
    fn look(&mut self, now: u64) {
        self.next_look = now + LOOK;
        let timeout = nanos(self.policy.operation_timeout);
        for slot in 0..self.slots.len() as u32 {
            if self.seat.control.halted() {
                return;
            }
            if self.timeline.is_none() {
                self.look_at_movement(slot, now);
            }
            let state = self.slots[slot as usize];
            let patience =
                if state.late { timeout.saturating_add(self.seat.prepared.let_go()) } else { timeout };
            let too_long = state.in_use && !state.expired && now.saturating_sub(state.stirred) > patience;
            if !too_long || self.waiting.iter().any(|&(_, waiting)| waiting == slot) {
                continue;
            }
            self.executor.cancel(slot);
            if !state.late && self.may_retry(slot, Fault::TIMEOUT) {
                self.slots[slot as usize].late = true;
            } else {
                self.slots[slot as usize].expired = true;
                self.show_given_up();
                self.count_task(state.task, Outcome::Failed(Fault::TIMEOUT), 0);
            }
        }
        if self.timeline.is_none() {
            self.look_at_progress();
        }
    }

    /// Operations in flight that were given up: they are counted.
    fn given_up(&self) -> u32 {
        self.slots.iter().filter(|slot| slot.in_use && slot.expired).count() as u32
    }

    #[cold]
    fn show_given_up(&self) {
        self.seat.shared.given_up.store(self.given_up(), Ordering::Relaxed);
    }

    /// Notes whether bytes of a try have moved that is not being cancelled.
    fn look_at_movement(&mut self, slot: u32, now: u64) {
        let state = &mut self.slots[slot as usize];
        if !state.in_use || state.late {
            return;
        }
        let seen = std::mem::replace(&mut state.seen, self.executor.moved(slot));
        if state.seen > seen {
            state.stirred = now;
        }
    }

    /// Hands over what was counted in the pieces that are over by now.
    fn close_pieces(&mut self, now: u64) {
        let Some(timeline) = self.timeline else { return };
        let warmup = timeline.piece(self.piece).warmup;
        self.piece = timeline.number(now);
        self.piece_end =
            if self.piece < timeline.pieces() { timeline.piece(self.piece).to } else { u64::MAX };
        while let Ok(directive) = self.seat.directives.try_recv() {
            if let Directive::Spare(recorder) = directive {
                self.spare = Some(recorder);
            }
        }
        if self.piece >= timeline.pieces() {
            // The rest goes with the end.
            return;
        }
        if let Some(spare) = self.spare.take() {
            let counts = Box::new(self.counts(spare, warmup, now));
            (self.seat.report)(Report::Closed { piece: self.piece, counts });
        } else if warmup && !timeline.piece(self.piece).warmup {
            // The coordinator is behind: this thread goes on with the same recorder, and the interval's counts
            // come with the next one. But a warm-up's belong to no other.
            self.recorder.clear();
        }
    }

    fn counts(&mut self, next: Box<Recorder>, warmup: bool, now: u64) -> Counts {
        let issued = self.slots.iter().filter(|slot| slot.in_use).map(|slot| slot.begun);
        Counts {
            recorder: std::mem::replace(&mut self.recorder, next),
            counted: self.counted,
            warmup,
            in_flight: self.in_flight.into(),
            oldest: issued.min().map_or(0, |issued| now.saturating_sub(issued)),
            lag: std::mem::take(&mut self.lag),
        }
    }
}

/// A conditional write finds what is there: that is an answer, and no reason to give up.
fn is_expected(task: Task, fault: Fault) -> bool {
    task.manner == Manner::IfAbsent && fault.class == ErrorClass::Exists
}

mod ending;
#[cfg(test)]
mod tests;
