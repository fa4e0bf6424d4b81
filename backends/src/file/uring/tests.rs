//! What the kernel may say, and says rarely: each is put in at the boundary where results come back.

use super::{State, UringExecutor};
use crate::error::Fault;
use crate::executor::{Clock, Completion, Executor, ExecutorSpec, Manner, ObjectId, Objects, Outcome, Task};
use crate::file::aligned::AlignedBuffer;
use crate::file::target::FileTarget;
use iobench_core::plan::{FileOptions, Fsync, PoolId};
use iobench_core::stats::{ErrorClass, Operation};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Changes what the kernel says: each entry once, at the next result of its state.
#[derive(Default)]
pub(super) struct Faults(Vec<(State, Change)>);

#[derive(Copy, Clone)]
enum Change {
    /// It says this instead.
    Says(i32),
    /// It has done at most so many bytes.
    Short(i32),
}

impl Faults {
    pub(super) fn apply(&mut self, state: State, result: i32) -> i32 {
        match self.0.iter().position(|(at, _)| *at == state) {
            None => result,
            Some(index) => match self.0.remove(index).1 {
                Change::Says(other) => other,
                Change::Short(most) => result.min(most),
            },
        }
    }
}

const BUFFER: usize = 16 << 10;

struct Content(AlignedBuffer);

impl Objects for Content {
    fn name(&self, object: ObjectId, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("sub/object-{}", object.key).as_bytes());
    }
    fn payload(&self) -> &[u8] {
        self.0.bytes()
    }
    fn start(&self, _: ObjectId, offset: u64) -> usize {
        offset as usize
    }
    fn longest(&self) -> usize {
        BUFFER
    }
}

/// An executor with one slot in a directory of its own.
struct Bench {
    directory: TempDir,
    executor: UringExecutor,
    content: Arc<Content>,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Bench {
    fn new(options: FileOptions) -> Self {
        let directory = crate::file::on_disk();
        let mut payload = AlignedBuffer::new(1 << 20);
        payload
            .bytes_mut()
            .iter_mut()
            .zip(0_u32..)
            .for_each(|(byte, n)| *byte = (n % 251) as u8 ^ (n >> 12) as u8);
        let content = Arc::new(Content(payload));
        let read = Arc::new(Mutex::new(vec![0; 1 << 20]));
        let sink = Arc::clone(&read);
        let spec = ExecutorSpec {
            slots: 1,
            buffer: BUFFER,
            files: 1,
            lists: 0,
            clock: Clock(Instant::now()),
            objects: Arc::clone(&content) as _,
            inspector: Some(Box::new(move |_, offset, bytes| {
                let offset = offset as usize;
                sink.lock().unwrap()[offset..offset + bytes.len()].copy_from_slice(bytes);
                Ok(())
            })),
        };
        let target = Arc::new(FileTarget::new(directory.path().to_str().unwrap(), &options));
        let executor = UringExecutor::new(target, spec).unwrap();
        Self { directory, executor, content, read }
    }

    fn buffered() -> Self {
        Self::new(FileOptions { registered: true, ..FileOptions::default() })
    }

    fn direct() -> Self {
        Self::new(FileOptions { registered: true, direct: true, ..FileOptions::default() })
    }

    fn faults(&mut self, faults: &[(State, Change)]) {
        self.executor.faults.0 = faults.to_vec();
    }

    fn run(&mut self, operation: Operation, offset: u64, length: u64) -> Vec<Completion> {
        let object = ObjectId { pool: PoolId(0), key: 0 };
        self.executor.start(0, Task { operation, object, offset, length, manner: Manner::Plain });
        let mut done = Vec::new();
        let begun = Instant::now();
        while !done.iter().any(|completion: &Completion| completion.last) {
            assert!(begun.elapsed() < Duration::from_secs(120), "{operation} does not end");
            self.executor.turn(Duration::from_millis(100), &mut done).unwrap();
        }
        assert!(self.executor.faults.0.is_empty(), "every fault was met");
        done
    }

    fn outcome(&mut self, operation: Operation, offset: u64, length: u64) -> Outcome {
        self.run(operation, offset, length).last().unwrap().outcome
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("sub/object-0")
    }

    fn written(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    fn expected(&self, length: usize) -> &[u8] {
        &self.content.0.bytes()[..length]
    }

    /// Everything below the directory but directories.
    fn left(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.directory.path().join("sub")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn failed(class: ErrorClass) -> impl Fn(Outcome) -> bool {
    move |outcome| matches!(outcome, Outcome::Failed(fault) if fault.class == class)
}

const SIZE: usize = 50_000;

#[test]
fn short_writes_go_on_where_they_ended() {
    for (mut bench, short) in
        [(Bench::buffered(), 1), (Bench::buffered(), 5000), (Bench::direct(), 8192), (Bench::direct(), 5000)]
    {
        bench.faults(&[(State::Transfer, Change::Short(short)), (State::Transfer, Change::Short(short))]);
        assert_eq!(bench.outcome(Operation::Put, 0, SIZE as u64), Outcome::Done(SIZE as u64));
        assert!(bench.written() == bench.expected(SIZE), "after writes of {short} bytes");
        assert_eq!(bench.executor.moved(0), SIZE as u64);
    }
}

#[test]
fn short_reads_go_on_where_they_ended() {
    for (mut bench, short) in
        [(Bench::buffered(), 1), (Bench::buffered(), 5000), (Bench::direct(), 8192), (Bench::direct(), 5000)]
    {
        bench.run(Operation::Put, 0, SIZE as u64);
        bench.faults(&[(State::Transfer, Change::Short(short)), (State::Transfer, Change::Short(short))]);
        assert_eq!(bench.outcome(Operation::Get, 0, SIZE as u64), Outcome::Done(SIZE as u64));
        assert!(bench.read.lock().unwrap()[..SIZE] == *bench.expected(SIZE), "after reads of {short} bytes");
    }
}

#[test]
fn a_write_that_makes_no_progress_fails() {
    let mut bench = Bench::buffered();
    bench.faults(&[(State::Transfer, Change::Short(0))]);
    assert!(failed(ErrorClass::Storage)(bench.outcome(Operation::Put, 0, SIZE as u64)));
    assert!(bench.left().is_empty());
}

#[test]
fn interrupted_steps_are_repeated() {
    const ERESTARTSYS: i32 = 512;
    for errno in [libc::EINTR, libc::EAGAIN, ERESTARTSYS] {
        let mut bench = Bench::buffered();
        let again = Change::Says(-errno);
        bench.faults(&[(State::Open, again), (State::Transfer, again), (State::Transfer, again)]);
        assert_eq!(bench.outcome(Operation::Put, 0, SIZE as u64), Outcome::Done(SIZE as u64));
        assert!(bench.written() == bench.expected(SIZE));
        bench.faults(&[(State::Stat, again)]);
        assert_eq!(bench.outcome(Operation::Stat, 0, 0), Outcome::Done(SIZE as u64));
    }
}

#[test]
fn what_always_wants_to_be_repeated_fails_in_the_end() {
    let mut bench = Bench::buffered();
    bench.run(Operation::Put, 0, 4096);
    bench.faults(&[(State::Transfer, Change::Says(-libc::EAGAIN)); 1001]);
    assert!(failed(ErrorClass::Throttled)(bench.outcome(Operation::Read, 0, 4096)));
}

#[test]
fn a_put_that_fails_at_any_step_leaves_nothing() {
    let full = (Change::Says(-libc::ENOSPC), ErrorClass::NoSpace);
    let broken = (Change::Says(-libc::EIO), ErrorClass::Storage);
    for rename in [false, true] {
        for (state, (change, class)) in [
            (State::Transfer, full),
            (State::Transfer, broken),
            (State::Transfer, (Change::Says(-libc::EINVAL), ErrorClass::Invalid)),
            (State::Sync, broken),
            (State::Close, broken),
        ] {
            let mut bench = Bench::new(FileOptions { rename, fsync: Fsync::Each, ..FileOptions::default() });
            bench.faults(&[(state, change)]);
            let outcome = bench.outcome(Operation::Put, 0, SIZE as u64);
            assert!(failed(class)(outcome), "{state:?}: {outcome:?}");
            assert!(bench.left().is_empty(), "{state:?} left {:?}", bench.left());
        }
    }
    let mut bench = Bench::new(FileOptions { rename: true, ..FileOptions::default() });
    std::fs::create_dir_all(bench.path().join("in the way")).unwrap();
    assert!(
        matches!(bench.outcome(Operation::Put, 0, 10), Outcome::Failed(_)),
        "no file replaces a directory"
    );
    assert_eq!(bench.left(), [bench.path()], "the temporary file is gone");
}

#[test]
fn a_put_follows_no_link() {
    let mut bench = Bench::buffered();
    std::fs::create_dir(bench.directory.path().join("sub")).unwrap();
    let victim = bench.directory.path().join("victim");
    std::fs::write(&victim, "keep").unwrap();
    std::os::unix::fs::symlink(&victim, bench.path()).unwrap();
    let outcome = bench.outcome(Operation::Put, 0, 4096);
    assert_eq!(outcome, Outcome::Failed(Fault::os(libc::ELOOP)));
    assert_eq!(std::fs::read(victim).unwrap(), b"keep");
}

#[test]
fn failed_reads_say_why() {
    for (errno, class) in [(libc::EIO, ErrorClass::Storage), (libc::EINVAL, ErrorClass::Invalid)] {
        let mut bench = Bench::buffered();
        bench.run(Operation::Put, 0, SIZE as u64);
        for operation in [Operation::Get, Operation::Read] {
            bench.faults(&[(State::Transfer, Change::Says(-errno))]);
            let outcome = bench.outcome(operation, 0, 4096);
            assert_eq!(outcome, Outcome::Failed(Fault { class, code: errno.unsigned_abs() }), "{operation}");
        }
        assert_eq!(
            bench.outcome(Operation::Get, 0, SIZE as u64),
            Outcome::Done(SIZE as u64),
            "the slot goes on"
        );
    }
}

#[test]
fn a_misaligned_direct_read_is_invalid() {
    let mut bench = Bench::direct();
    bench.run(Operation::Put, 0, SIZE as u64);
    assert!(failed(ErrorClass::Invalid)(bench.outcome(Operation::Read, 100, 4096)));
}

#[test]
fn an_fsync_is_measured_beside_its_write() {
    let mut bench = Bench::new(FileOptions { fsync: Fsync::Each, ..FileOptions::default() });
    for operation in [Operation::Put, Operation::Write] {
        let done = bench.run(operation, 0, 4096);
        let kinds: Vec<_> = done.iter().map(|completion| (completion.operation, completion.last)).collect();
        assert_eq!(kinds, [(Operation::Fsync, false), (operation, true)]);
        assert!(done.iter().all(|completion| completion.service > 0));
    }
}

#[test]
fn a_put_makes_the_directories_it_needs() {
    let mut bench = Bench::buffered();
    assert_eq!(bench.outcome(Operation::Put, 0, 10), Outcome::Done(10));
    std::fs::remove_dir_all(bench.directory.path()).unwrap();
    assert_eq!(bench.outcome(Operation::Put, 0, 10), Outcome::Done(10), "two levels of them");
    assert_eq!(bench.written(), bench.expected(10));
}

#[test]
fn dropping_an_executor_with_something_in_flight_is_safe() {
    let mut bench = Bench::buffered();
    let _lease = super::lease::Leased::new(&bench.path());
    let object = ObjectId { pool: PoolId(0), key: 0 };
    bench
        .executor
        .start(0, Task { operation: Operation::Get, object, offset: 0, length: 10, manner: Manner::Plain });
    let mut done = Vec::new();
    for _ in 0..5 {
        bench.executor.turn(Duration::from_millis(10), &mut done).unwrap();
    }
    assert!(done.is_empty());
    drop(bench);
}

#[test]
fn what_is_no_file_is_refused_at_once_and_left_alone() {
    for reader in [false, true] {
        let mut bench = Bench::buffered();
        std::fs::create_dir(bench.directory.path().join("sub")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, bench.path(), rustix::fs::Mode::RWXU).unwrap();
        let _both =
            reader.then(|| std::fs::File::options().read(true).write(true).open(bench.path()).unwrap());
        for operation in [Operation::Stat, Operation::Get, Operation::Read, Operation::Write, Operation::Put]
        {
            let outcome = bench.outcome(operation, 0, 4096);
            assert_eq!(outcome, Outcome::Failed(Fault::NOT_A_FILE), "{operation}, {reader}");
        }
        assert!(bench.path().exists());
    }
}
