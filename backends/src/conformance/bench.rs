//! What the suite works with: objects whose content is computed, and executors that are kept busy.

use crate::backend::Backend;
use crate::executor::{
    Clock, Completion, Executor, ExecutorSpec, Inspector, Manner, ObjectId, Objects, Outcome, Task,
};
use crate::file::aligned::AlignedBuffer;
use crate::storage::{Page, Storage};
use iobench_core::plan::PoolId;
use iobench_core::stats::Operation;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is read and written at once, bytes: several pieces for the larger sizes.
pub(super) const BUFFER: usize = 64 << 10;
/// No operation on a healthy store takes longer, however busy its disk is.
const PATIENCE: Duration = Duration::from_secs(120);

/// Objects with computed content under `conformance/`.
pub(super) struct Sample {
    payload: Data,
}

impl Sample {
    pub(super) const LONGEST: usize = BUFFER;
    pub(super) const STARTS: u64 = 16;

    pub(super) fn new() -> Self {
        Self { payload: pattern(Self::STARTS * 4096 + (2 << 20), 42) }
    }

    pub(super) fn key(key: u64) -> Vec<u8> {
        format!("conformance/d/object-{key}").into_bytes()
    }

    pub(super) fn data(&self, key: u64, size: u64) -> Data {
        let mut data = Data(AlignedBuffer::new(size as usize), size as usize);
        data.0.bytes_mut()[..size as usize].copy_from_slice(&self.content(key, size));
        data
    }

    pub(super) fn content(&self, key: u64, size: u64) -> Vec<u8> {
        let start = (key % Self::STARTS * 4096) as usize;
        self.payload.bytes()[start..start + size as usize].to_vec()
    }
}

impl Objects for Sample {
    fn name(&self, object: ObjectId, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::key(object.key));
    }

    fn payload(&self) -> &[u8] {
        self.payload.bytes()
    }

    fn start(&self, object: ObjectId, offset: u64) -> usize {
        (object.key % Self::STARTS * 4096 + offset) as usize
    }

    fn longest(&self) -> usize {
        Self::LONGEST
    }
}

/// Keeps an executor's slots busy with a list of tasks.
pub(super) struct Driver {
    executor: Box<dyn Executor>,
    slots: u32,
    seen: Arc<Mutex<Vec<u8>>>,
    /// What ended of the tasks without ending them.
    pub(super) parts: Vec<Completion>,
}

impl Driver {
    pub(super) fn new(backend: &Backend, sample: &Arc<Sample>, slots: u32) -> Self {
        let seen = Arc::new(Mutex::new(vec![0; 2 << 20]));
        let sink = Arc::clone(&seen);
        let inspector: Inspector = Box::new(move |_, offset, bytes| {
            let start = offset as usize;
            let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
            seen[start..start + bytes.len()].copy_from_slice(bytes);
            Ok(())
        });
        Self { seen, ..Self::inspecting(backend, sample, slots, inspector) }
    }

    pub(super) fn inspecting(
        backend: &Backend,
        sample: &Arc<Sample>,
        slots: u32,
        inspector: Inspector,
    ) -> Self {
        let spec = ExecutorSpec {
            slots,
            buffer: BUFFER,
            // Fewer places than files, so that they take turns.
            files: 1,
            lists: 1,
            clock: Clock(Instant::now()),
            objects: Arc::clone(sample) as _,
            inspector: Some(inspector),
        };
        let executor = backend.executor(spec).expect("an executor");
        Self { executor, slots, seen: Arc::default(), parts: Vec::new() }
    }

    pub(super) fn run(&mut self, tasks: &[Task]) -> Vec<(Task, Outcome)> {
        let mut rest = tasks.iter().copied();
        let mut running = vec![None; self.slots as usize];
        let (mut outcomes, mut done) = (Vec::new(), Vec::new());
        let begun = Instant::now();
        while outcomes.len() < tasks.len() {
            assert!(begun.elapsed() < PATIENCE, "{outcomes:?} and nothing more");
            for (slot, running) in (0..).zip(&mut running) {
                if running.is_none() {
                    *running = rest.next().inspect(|&task| self.executor.start(slot, task));
                }
            }
            self.executor.turn(Duration::from_millis(100), &mut done).expect("turn");
            self.parts.extend(done.iter().filter(|completion| !completion.last));
            for completion in done.drain(..).filter(|completion: &Completion| completion.last) {
                let task = running[completion.slot as usize].take().expect("only what was started completes");
                assert_eq!(completion.operation, task.operation);
                outcomes.push((task, completion.outcome));
            }
        }
        outcomes
    }

    pub(super) fn cancel_after(&mut self, turns: u32, task: Task) -> Outcome {
        let mut done = Vec::new();
        self.executor.start(0, task);
        for _ in 0..turns {
            self.executor.turn(Duration::from_millis(1), &mut done).expect("turn");
        }
        if done.is_empty() {
            self.executor.cancel(0);
        }
        let begun = Instant::now();
        loop {
            if let Some(completion) = done.iter().find(|completion| completion.last) {
                return completion.outcome;
            }
            assert!(begun.elapsed() < PATIENCE, "a cancelled task does not end");
            self.executor.turn(Duration::from_millis(100), &mut done).expect("turn");
        }
    }

    /// What parts of this kind brought.
    pub(super) fn parts(&self, operation: Operation) -> impl Iterator<Item = u64> {
        let parts = self.parts.iter().filter(move |part| part.operation == operation);
        parts.filter_map(|part| match part.outcome {
            Outcome::Done(amount) => Some(amount),
            Outcome::Failed(_) | Outcome::Cancelled => None,
        })
    }

    /// The first bytes that were read since the beginning.
    pub(super) fn seen(&self, size: u64) -> Vec<u8> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)[..size as usize].to_vec()
    }
}

pub(super) fn task(operation: Operation, key: u64, offset: u64, length: u64) -> Task {
    Task { operation, object: ObjectId { pool: PoolId(0), key }, offset, length, manner: Manner::Plain }
}

/// Content of any length in aligned memory.
pub(super) struct Data(pub(super) AlignedBuffer, usize);

impl Data {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.bytes()[..self.1]
    }
}

/// Bytes that look different everywhere.
pub(super) fn pattern(size: u64, seed: u64) -> Data {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut buffer = AlignedBuffer::new(size as usize);
    for chunk in buffer.bytes_mut().chunks_mut(8) {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
    Data(buffer, size as usize)
}

pub(super) fn put(storage: &dyn Storage, key: &[u8], data: &Data) {
    if let Err(error) = storage.put(key, &data.bytes()) {
        panic!("put: {error}");
    }
}

pub(super) fn get(storage: &dyn Storage, key: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = AlignedBuffer::new(BUFFER);
    match storage.get(key, buffer.bytes_mut(), &mut |piece| all.extend_from_slice(piece)) {
        Ok(size) => assert_eq!(size, all.len() as u64, "get says how much there is"),
        Err(error) => panic!("get: {error}"),
    }
    all
}

pub(super) fn list_all(
    storage: &dyn Storage,
    prefix: &[u8],
    limit: usize,
) -> (BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
    let (mut objects, mut directories) = (BTreeSet::new(), BTreeSet::new());
    let mut token = None;
    loop {
        let Page { objects: some, directories: more, next } =
            storage.list(prefix, token.as_ref(), limit).expect("list");
        assert!(some.len() + more.len() <= limit, "a page is no longer than its limit");
        for (key, _) in some {
            assert!(objects.insert(key), "nothing is listed twice");
        }
        for key in more {
            assert!(directories.insert(key), "nothing is listed twice");
        }
        match next {
            Some(next) => token = Some(next),
            None => return (objects, directories),
        }
    }
}

/// Directories stay where there are any, and are nothing where there are none.
pub(super) fn remove_directories(storage: &dyn Storage, directories: &[&str]) {
    for directory in directories {
        let _gone = storage.rmdir(directory.as_bytes());
    }
}
