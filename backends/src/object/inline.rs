//! For stores that answer at once: a task is done when it is started.

use crate::error::{Fault, StorageError};
use crate::executor::{
    Clock, Completion, Executor, ExecutorSpec, Inspector, Objects, Outcome, Task, Turn, Waker,
};
use iobench_core::stats::Operation;
use std::sync::Arc;
use std::time::Duration;

/// A store that never keeps anyone waiting.
pub(crate) trait Immediate: Send + Sync {
    /// Does the task; what is read goes to `look`, offset in the object and bytes.
    fn perform(&self, task: Task, hands: &mut Hands<'_>) -> Outcome;
}

/// What a store gets to work with.
pub(crate) struct Hands<'a> {
    pub(crate) objects: &'a dyn Objects,
    pub(crate) key: &'a mut Vec<u8>,
    pub(crate) buffer: &'a mut [u8],
    pub(crate) look: Option<Look<'a>>,
    pub(crate) clock: Clock,
    /// Takes what the task is made of: each page of a listing, with its keys and nanoseconds.
    pub(crate) pages: &'a mut Vec<(u64, u64)>,
}

/// Sees what is read: offset in the object, bytes. An error ends the task with it.
pub(crate) type Look<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), Fault>;

/// Does each task where it is started. Its concurrency is that of the threads.
pub(crate) struct InlineExecutor {
    store: Arc<dyn Immediate>,
    objects: Arc<dyn Objects>,
    clock: Clock,
    key: Vec<u8>,
    buffer: Box<[u8]>,
    inspector: Option<Inspector>,
    pages: Vec<(u64, u64)>,
    done: Vec<Completion>,
}

impl InlineExecutor {
    pub(crate) fn new(store: Arc<dyn Immediate>, spec: ExecutorSpec) -> Self {
        Self {
            store,
            objects: spec.objects,
            clock: spec.clock,
            key: Vec::with_capacity(256),
            buffer: vec![0; spec.buffer.max(1)].into_boxed_slice(),
            inspector: spec.inspector,
            pages: Vec::new(),
            done: Vec::with_capacity(spec.slots as usize),
        }
    }
}

impl Executor for InlineExecutor {
    fn start(&mut self, slot: u32, task: Task) {
        let mut looking =
            self.inspector.as_mut().map(|look| |offset, bytes: &[u8]| look(task.object, offset, bytes));
        let mut hands = Hands {
            objects: &*self.objects,
            key: &mut self.key,
            buffer: &mut self.buffer,
            look: looking.as_mut().map(|look| look as Look<'_>),
            clock: self.clock,
            pages: &mut self.pages,
        };
        let begun = self.clock.now();
        let outcome = self.store.perform(task, &mut hands);
        let service = self.clock.now() - begun;
        let completion = |operation, last, outcome, service| Completion {
            slot,
            operation,
            last,
            outcome,
            service,
            endpoint: 0,
        };
        for (keys, service) in self.pages.drain(..) {
            self.done.push(completion(Operation::ListPage, false, Outcome::Done(keys), service));
        }
        self.done.push(completion(task.operation, true, outcome, service));
    }

    fn turn(&mut self, timeout: Duration, done: &mut Vec<Completion>) -> Result<Turn, StorageError> {
        let entered = self.clock.now();
        if self.done.is_empty() {
            std::thread::park_timeout(timeout);
        }
        done.append(&mut self.done);
        Ok(Turn { entered, returned: self.clock.now() })
    }

    fn cancel(&mut self, _slot: u32) {}

    fn waker(&self) -> Waker {
        let thread = std::thread::current();
        Arc::new(move || thread.unpark())
    }
}
