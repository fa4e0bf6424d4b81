//! A target, and an executor to work on it with.
#![allow(dead_code, unreachable_pub, reason = "not every test program uses all of it")]
#![allow(clippy::panic, clippy::allow_attributes, reason = "a test")]

use iobench_backends::backend::Backend;
use iobench_backends::executor::{
    Clock, Completion, Executor, ExecutorSpec, Manner, ObjectId, Objects, Outcome, Task,
};
use iobench_core::plan::{Credentials, FileOptions, PoolId, Reference, StorageOptions};
use iobench_core::stats::Operation;
use iobench_servers::Keys;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No test waits longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a target that can be opened.
pub fn open(target: &str, storage: &StorageOptions) -> Backend {
    let target = target.parse().expect("a target");
    match Backend::open(&target, &FileOptions::default(), storage) {
        Ok(backend) => backend,
        Err(failure) => panic!("{failure}"),
    }
}

/// Unsigned requests.
pub fn anonymous() -> StorageOptions {
    StorageOptions { credentials: Credentials::Anonymous, ..StorageOptions::default() }
}

/// Keys as a person gives them: by reference.
pub fn keys(directory: &Path, keys: Keys) -> Credentials {
    let file = |name: &str, value: &str| {
        let path = directory.join(name);
        std::fs::write(&path, value).expect("write");
        Reference::File(path)
    };
    let (access_key, secret_key) = (file("id", keys.id), file("secret", keys.secret));
    Credentials::Keys { access_key, secret_key, session_token: None }
}

/// A task without anything special.
pub fn task(operation: Operation, key: u64, length: u64) -> Task {
    Task { operation, object: ObjectId { pool: PoolId(0), key }, offset: 0, length, manner: Manner::Plain }
}

/// Objects `data/<key>` with content from a pool that is smaller than many of them.
pub struct Numbered(Vec<u8>);

impl Numbered {
    /// A pool of so many bytes.
    pub fn new(pool: usize) -> Self {
        Self((0..pool).map(|n| (n * 31 % 251) as u8).collect())
    }
}

impl Objects for Numbered {
    fn name(&self, object: ObjectId, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("data/{:08}", object.key).as_bytes());
    }

    fn payload(&self) -> &[u8] {
        &self.0
    }

    fn start(&self, object: ObjectId, offset: u64) -> usize {
        (object.key + offset) as usize % (self.0.len() - self.longest() + 1)
    }

    fn longest(&self) -> usize {
        self.0.len() / 2
    }
}

/// An executor that is driven by hand.
pub struct Bench {
    pub executor: Box<dyn Executor>,
    slots: u32,
}

impl Bench {
    pub fn new(backend: &Backend, slots: u32) -> Self {
        Self::with(backend, slots, 64 << 10)
    }

    /// With a pool of so many bytes.
    pub fn with(backend: &Backend, slots: u32, pool: usize) -> Self {
        let spec = ExecutorSpec {
            slots,
            buffer: 4096,
            files: 0,
            lists: slots,
            clock: Clock(Instant::now()),
            objects: Arc::new(Numbered::new(pool)),
            inspector: None,
        };
        Self { executor: backend.executor(spec).expect("an executor"), slots }
    }

    /// One turn.
    pub fn turn(&mut self, timeout: Duration) -> Vec<Completion> {
        let mut done = Vec::new();
        self.executor.turn(timeout, &mut done).expect("turn");
        done
    }

    /// Turns until something completes, at most for this time.
    pub fn turns(&mut self, patience: Duration) -> Vec<Completion> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            let done = self.turn(Duration::from_millis(20));
            if !done.is_empty() {
                return done;
            }
        }
        Vec::new()
    }

    /// All that completes of these tasks.
    pub fn run(&mut self, tasks: &[Task]) -> Vec<Completion> {
        let (mut rest, mut free) = (tasks.iter(), (0..self.slots).rev().collect::<Vec<_>>());
        let (mut all, mut over, begun) = (Vec::new(), 0, Instant::now());
        while over < tasks.len() {
            assert!(begun.elapsed() < PATIENCE, "{all:?} and nothing more");
            while let Some(slot) = free.pop() {
                match rest.next() {
                    Some(&task) => self.executor.start(slot, task),
                    None => break,
                }
            }
            for completion in self.turn(Duration::from_millis(100)) {
                if completion.last {
                    free.push(completion.slot);
                    over += 1;
                }
                all.push(completion);
            }
        }
        all
    }

    /// How one task ends.
    pub fn run_one(&mut self, task: Task) -> Outcome {
        self.run(&[task]).pop().expect("it is over").outcome
    }
}
