//! Threads that do one task at a time for an executor.

use super::session::{Leash, Performed, Session};
use crate::error::Fault;
use crate::executor::{Clock, ObjectId, Task, Waker};
use std::collections::VecDeque;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Sees what is read on any of the threads: object, offset, bytes.
pub(crate) type SharedInspector = Arc<dyn Fn(ObjectId, u64, &[u8]) -> Result<(), Fault> + Send + Sync>;

/// Threads of one executor. Latency is measured on them, right around the work.
pub(crate) struct Pool {
    threads: Vec<Thread>,
    idle: Vec<u32>,
    backlog: VecDeque<(u32, Task)>,
    leashes: Vec<Arc<Leash>>,
}

struct Thread {
    orders: Sender<Order>,
    handle: JoinHandle<()>,
}

struct Order {
    slot: u32,
    task: Task,
    leash: Arc<Leash>,
}

/// What a thread says when it has done something.
pub(crate) struct Finished {
    thread: u32,
    pub(crate) slot: u32,
    pub(crate) task: Task,
    performed: std::thread::Result<Performed>,
    /// From begin to end, nanoseconds.
    pub(crate) took: u64,
}

impl Finished {
    /// How it ended. A panic on the thread that did it goes on here.
    pub(crate) fn performed(self) -> Performed {
        self.performed.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Pool {
    /// A thread for each session, and where they say that they have finished something; `waker` is called then.
    pub(crate) fn new(
        sessions: Vec<Session>,
        slots: u32,
        clock: Clock,
        waker: &Waker,
        inspector: Option<&SharedInspector>,
    ) -> io::Result<(Self, Receiver<Finished>)> {
        let (finished, receiver) = channel();
        let mut pool = Self {
            threads: Vec::with_capacity(sessions.len()),
            idle: Vec::with_capacity(sessions.len()),
            backlog: VecDeque::with_capacity(slots as usize),
            leashes: (0..slots).map(|_| Arc::default()).collect(),
        };
        for (index, session) in sessions.into_iter().enumerate() {
            let (orders, inbox) = channel();
            let (finished, waker) = (finished.clone(), Arc::clone(waker));
            let inspector = inspector.cloned();
            let index = index as u32;
            let work = move || serve(index, session, clock, &inbox, &finished, &waker, inspector.as_ref());
            let handle =
                std::thread::Builder::new().name(format!("io-{index}")).stack_size(256 << 10).spawn(work)?;
            pool.threads.push(Thread { orders, handle });
            pool.idle.push(index);
        }
        Ok((pool, receiver))
    }

    /// Does the task as soon as a thread is free.
    pub(crate) fn start(&mut self, slot: u32, task: Task) {
        self.leashes[slot as usize].reset();
        match self.idle.pop() {
            Some(thread) => self.order(thread, slot, task),
            None => self.backlog.push_back((slot, task)),
        }
    }

    /// Call with everything that was received: the thread takes the next task.
    pub(crate) fn finished(&mut self, finished: &Finished) {
        match self.backlog.pop_front() {
            Some((slot, task)) => self.order(finished.thread, slot, task),
            None => self.idle.push(finished.thread),
        }
    }

    /// Ends the slot's task before its next piece.
    pub(crate) fn cancel(&mut self, slot: u32) {
        self.leashes[slot as usize].cancelled.store(true, Ordering::Relaxed);
    }

    /// Bytes that the slot's task has written.
    pub(crate) fn moved(&self, slot: u32) -> u64 {
        self.leashes[slot as usize].moved.load(Ordering::Relaxed)
    }

    fn order(&self, thread: u32, slot: u32, task: Task) {
        let leash = Arc::clone(&self.leashes[slot as usize]);
        // A thread ends only with the pool.
        let _delivered = self.threads[thread as usize].orders.send(Order { slot, task, leash });
    }
}

impl Drop for Pool {
    /// Ends the threads. One that is stuck in the kernel ends when it comes back; nobody waits for it.
    fn drop(&mut self) {
        let all_idle = self.idle.len() == self.threads.len();
        for Thread { orders, handle } in self.threads.drain(..) {
            drop(orders);
            if all_idle {
                let _panicked = handle.join();
            }
        }
    }
}

fn serve(
    thread: u32,
    mut session: Session,
    clock: Clock,
    inbox: &Receiver<Order>,
    finished: &Sender<Finished>,
    waker: &Waker,
    inspector: Option<&SharedInspector>,
) {
    while let Ok(Order { slot, task, leash }) = inbox.recv() {
        let mut look = |offset: u64, bytes: &[u8]| match inspector {
            Some(inspector) => inspector(task.object, offset, bytes),
            None => Ok(()),
        };
        let begun = clock.now();
        // A panic goes on where somebody sees it: see `Finished::performed`.
        let perform = AssertUnwindSafe(|| session.perform(task, &leash, &mut look));
        let performed = std::panic::catch_unwind(perform);
        let took = clock.now() - begun;
        if finished.send(Finished { thread, slot, task, performed, took }).is_err() {
            return;
        }
        waker();
    }
}
