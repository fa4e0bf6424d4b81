//! Positioned I/O with many operations in flight: a thread for each slot.

use super::pool::{Finished, Pool, SharedInspector};
use super::session::Performed;
use super::{PosixFiles, Session};
use crate::error::{Fault, StorageError};
use crate::executor::{Clock, Completion, Executor, ExecutorSpec, Outcome, Task, Turn, Waker};
use iobench_core::stats::Operation;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A thread per slot. The engine's thread only hands out tasks and collects what is done.
pub(crate) struct PosixExecutor {
    pool: Pool,
    finished: Receiver<Finished>,
    bell: (SyncSender<()>, Receiver<()>),
    clock: Clock,
}

impl PosixExecutor {
    pub(crate) fn new(files: &PosixFiles, spec: ExecutorSpec) -> Result<Self, StorageError> {
        // One ring of the bell is enough to end a turn.
        let bell = sync_channel(1);
        let waker = waker(&bell.0);
        let open = (spec.files / spec.slots.max(1) as usize).max(1);
        let session =
            |_| Session::new(files.clone(), Arc::clone(&spec.objects), spec.clock, spec.buffer, open);
        let sessions = (0..spec.slots).map(session).collect();
        let inspector = spec.inspector.map(|inspector| -> SharedInspector {
            let inspector = Mutex::new(inspector);
            Arc::new(move |object, offset, bytes: &[u8]| {
                (inspector.lock().unwrap_or_else(PoisonError::into_inner))(object, offset, bytes)
            })
        });
        let (pool, finished) = Pool::new(sessions, spec.slots, spec.clock, &waker, inspector.as_ref())
            .map_err(|error| {
                Fault::from(&error).at("start a thread for each operation in flight on", "this host")
            })?;
        Ok(Self { pool, finished, bell, clock: spec.clock })
    }

    fn take(&mut self, done: &mut Vec<Completion>) -> bool {
        let before = done.len();
        loop {
            match self.finished.try_recv() {
                Ok(finished) => {
                    self.pool.finished(&finished);
                    complete(finished, done);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return done.len() > before,
            }
        }
    }
}

/// What the engine learns of a finished task.
pub(crate) fn complete(finished: Finished, done: &mut Vec<Completion>) {
    let (slot, task, took) = (finished.slot, finished.task, finished.took);
    let Performed { outcome, synced, pages } = finished.performed();
    let completion = |operation, last, outcome, service| Completion {
        slot,
        operation,
        last,
        outcome,
        service,
        endpoint: 0,
    };
    if let Some(service) = synced {
        done.push(completion(Operation::Fsync, false, Outcome::Done(0), service));
    }
    for (keys, service) in pages {
        done.push(completion(Operation::ListPage, false, Outcome::Done(keys), service));
    }
    let service = took - synced.unwrap_or(0);
    done.push(completion(task.operation, true, outcome, service));
}

fn waker(bell: &SyncSender<()>) -> Waker {
    let bell = bell.clone();
    Arc::new(move || {
        // A full bell rings already.
        let _rang = bell.try_send(());
    })
}

impl Executor for PosixExecutor {
    fn start(&mut self, slot: u32, task: Task) {
        self.pool.start(slot, task);
    }

    fn turn(&mut self, timeout: Duration, done: &mut Vec<Completion>) -> Result<Turn, StorageError> {
        let entered = self.clock.now();
        if !self.take(done) {
            let _rang_or_time_out = self.bell.1.recv_timeout(timeout);
            self.take(done);
        }
        Ok(Turn { entered, returned: self.clock.now() })
    }

    fn cancel(&mut self, slot: u32) {
        self.pool.cancel(slot);
    }

    fn moved(&self, slot: u32) -> u64 {
        self.pool.moved(slot)
    }

    fn waker(&self) -> Waker {
        waker(&self.bell.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::{Manner, ObjectId, Objects};
    use crate::file::target::FileTarget;
    use iobench_core::plan::{FileOptions, PoolId};
    use std::time::Instant;

    const PIECE: usize = 4096;

    struct Zeros;

    impl Objects for Zeros {
        fn name(&self, _: ObjectId, out: &mut Vec<u8>) {
            out.extend_from_slice(b"object");
        }
        fn payload(&self) -> &[u8] {
            &[0; PIECE]
        }
        fn start(&self, _: ObjectId, _: u64) -> usize {
            0
        }
        fn longest(&self) -> usize {
            PIECE
        }
    }

    #[test]
    fn it_is_known_piece_by_piece_what_a_put_has_written() {
        let directory = crate::file::on_disk();
        let target = FileTarget::new(directory.path().to_str().unwrap(), &FileOptions::default());
        let spec = ExecutorSpec {
            slots: 1,
            buffer: PIECE,
            files: 1,
            lists: 0,
            clock: Clock(Instant::now()),
            objects: Arc::new(Zeros),
            inspector: None,
        };
        let mut executor = PosixExecutor::new(&PosixFiles { target: Arc::new(target) }, spec).unwrap();
        let object = ObjectId { pool: PoolId(0), key: 0 };
        let put = |length: usize| Task {
            operation: Operation::Put,
            object,
            offset: 0,
            length: length as u64,
            manner: Manner::Plain,
        };
        for (pieces, known) in [(3, 2 * PIECE), (1, 0)] {
            let mut done = Vec::new();
            executor.start(0, put(pieces * PIECE));
            while done.is_empty() {
                executor.turn(Duration::from_millis(100), &mut done).unwrap();
            }
            assert_eq!(executor.moved(0), known as u64, "all before the last of {pieces} pieces");
        }
    }
}
