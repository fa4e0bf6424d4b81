//! Files by `io_uring`: one ring a thread, an operation in flight on each slot.

mod job;
#[cfg(test)]
pub(crate) mod lease;
mod ring;
mod table;
#[cfg(test)]
mod tests;

use super::posix::{Finished, Pool, PosixFiles, Session};
use super::target::FileTarget;
use crate::error::{Fault, StorageError};
use crate::executor::{
    Clock, Completion, Executor, ExecutorSpec, Inspector, Objects, Outcome, Task, Turn, Waker,
};
use iobench_core::stats::{ErrorClass, Operation};
use job::{Job, State};
use ring::{Name, Request, Ring, RingSpec};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use table::{Found, Table};

/// Executes tasks on a ring. What each slot does next is in [`job`].
///
/// Stamps: a turn reads the clock twice, before it enters the kernel and after it returns, and not for each
/// operation. A service time therefore begins at most the few microseconds too early that submitting the rest of the
/// batch takes, and ends at most the time too late that the kernel needs to complete inline what was submitted with it.
pub(crate) struct UringExecutor {
    ring: Ring,
    jobs: Box<[Job]>,
    table: Table,
    /// Slots whose clock starts with the next turn.
    fresh: Vec<u32>,
    lists: Option<(Pool, Receiver<Finished>)>,
    target: Arc<FileTarget>,
    objects: Arc<dyn Objects>,
    inspector: Option<Inspector>,
    buffer: usize,
    clock: Clock,
    /// Temporary names of this executor's slots begin here.
    first_temporary: u32,
    #[cfg(test)]
    faults: tests::Faults,
}

/// What the kernel's `io_uring` offers here; an error says why it cannot be used.
pub(crate) fn probe() -> Result<String, String> {
    let features = ring::probe().map_err(|error| error.to_string())?;
    let given = [
        (features.single_issuer, "single_issuer"),
        (features.defer_taskrun, "defer_taskrun"),
        (features.coop_taskrun, "coop_taskrun"),
    ];
    let names: Vec<_> = given.into_iter().filter(|(given, _)| *given).map(|(_, name)| name).collect();
    Ok(if names.is_empty() { "basic".to_owned() } else { names.join(" ") })
}

impl UringExecutor {
    pub(crate) fn new(target: Arc<FileTarget>, spec: ExecutorSpec) -> Result<Self, StorageError> {
        let ring_spec = RingSpec {
            slots: spec.slots,
            buffer: spec.buffer,
            files: spec.files,
            registered: target.registered,
        };
        let ring = Ring::new(&ring_spec, Arc::clone(&spec.objects))
            .map_err(|error| Fault::from(&error).at("set up an io_uring on", "this host"))?;
        let first_temporary = target.temporaries(spec.slots);
        let mut executor = Self {
            ring,
            jobs: vec![Job::IDLE; spec.slots as usize].into_boxed_slice(),
            table: Table::new(spec.files),
            fresh: Vec::with_capacity(spec.slots as usize),
            lists: None,
            target,
            objects: spec.objects,
            inspector: spec.inspector,
            buffer: spec.buffer.max(1).next_multiple_of(super::aligned::ALIGNMENT),
            clock: spec.clock,
            first_temporary,
            #[cfg(test)]
            faults: tests::Faults::default(),
        };
        if spec.lists > 0 {
            executor.lists = Some(executor.list_threads(spec.lists.min(spec.slots), spec.slots)?);
        }
        Ok(executor)
    }

    /// Directories are read on threads beside, as the ring has no operation for it: no other slot waits for them.
    fn list_threads(&self, threads: u32, slots: u32) -> Result<(Pool, Receiver<Finished>), StorageError> {
        let files = PosixFiles { target: Arc::clone(&self.target) };
        let session = |_| Session::new(files.clone(), Arc::clone(&self.objects), self.clock, 1, 1);
        Pool::new((0..threads).map(session).collect(), slots, self.clock, &self.waker(), None)
            .map_err(|error| Fault::from(&error).at("start a thread to list directories on", "this host"))
    }

    /// Takes what the listing threads have finished.
    fn take_lists(&mut self, done: &mut Vec<Completion>) {
        let Some((pool, receiver)) = &mut self.lists else { return };
        while let Ok(finished) = receiver.try_recv() {
            pool.finished(&finished);
            self.jobs[finished.slot as usize].state = State::Idle;
            super::posix::complete(finished, done);
        }
    }

    #[cfg(test)]
    fn result(&mut self, slot: u32, result: i32) -> i32 {
        self.faults.apply(self.jobs[slot as usize].state, result)
    }

    #[cfg(not(test))]
    #[inline]
    #[expect(clippy::unused_self, reason = "tests put faults here")]
    fn result(&mut self, _slot: u32, result: i32) -> i32 {
        result
    }
}

impl Executor for UringExecutor {
    #[inline]
    fn start(&mut self, slot: u32, task: Task) {
        debug_assert_eq!(self.jobs[slot as usize].state, State::Idle, "the slot is free");
        self.jobs[slot as usize] = Job::new(task);
        self.begin(slot);
    }

    fn turn(&mut self, timeout: Duration, done: &mut Vec<Completion>) -> Result<Turn, StorageError> {
        let entered = self.clock.now();
        for slot in self.fresh.drain(..) {
            self.jobs[slot as usize].mark = entered;
        }
        self.ring
            .enter(timeout)
            .map_err(|error| Fault::from(&error).at("use the io_uring on", "this host"))?;
        let returned = self.clock.now();
        while let Some((slot, result)) = self.ring.reap() {
            let result = self.result(slot, result);
            self.advance(slot, result, returned, done);
        }
        self.take_lists(done);
        Ok(Turn { entered, returned })
    }

    fn cancel(&mut self, slot: u32) {
        let job = &mut self.jobs[slot as usize];
        if job.cancelled || job.state == State::Idle {
            return;
        }
        job.cancelled = true;
        if job.state == State::Listing {
            if let Some((pool, _)) = &mut self.lists {
                pool.cancel(slot);
            }
        } else if job.is_interruptible() {
            self.ring.cancel(slot);
        }
    }

    fn moved(&self, slot: u32) -> u64 {
        self.jobs[slot as usize].done
    }

    fn fact(&self) -> Option<(&'static str, &'static str)> {
        let registered = match self.ring.registered() {
            (true, true) => "buffers, files",
            (true, false) => "buffers",
            // Locked memory is limited (ulimit -l).
            (false, true) => "files",
            (false, false) => "nothing",
        };
        Some(("registered with the kernel", registered))
    }

    fn waker(&self) -> Waker {
        let event: Arc<OwnedFd> = self.ring.event();
        Arc::new(move || {
            // Fails only when the counter is at its end, and then it is awake.
            let _woken = rustix::io::write(&*event, &1_u64.to_ne_bytes());
        })
    }
}
