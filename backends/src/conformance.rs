//! One suite that every backend passes: what it means to be a store.
//!
//! [`check_storage`] proves the plain view, [`check_executor`] the one with many operations in flight, each looked at
//! through the other. Both panic with what is wrong, as they are called from tests. They work below the target they are given and leave it as empty
//! as they found it.
#![expect(clippy::panic, reason = "it is called from tests, and says what is wrong")]

use crate::backend::Backend;
use crate::error::Fault;
use crate::executor::{
    Clock, Completion, Executor, ExecutorSpec, Inspector, Manner, ObjectId, Objects, Outcome, Task,
};
use crate::file::aligned::AlignedBuffer;
use crate::storage::{Content, Page, Storage};
use iobench_core::plan::PoolId;
use iobench_core::stats::{ErrorClass, Operation};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sizes at which something has gone wrong before, bytes.
const SIZES: [u64; 9] = [0, 1, 511, 4095, 4096, 4097, 65_536, (1 << 20) - 1, (1 << 20) + 1];
/// What is read and written at once, bytes: several pieces for the larger sizes.
const BUFFER: usize = 64 << 10;
/// No operation on a healthy store takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Proves a store by its plain view.
pub fn check_storage(storage: &dyn Storage) {
    objects_come_back_as_they_were_put(storage);
    a_put_replaces_the_whole_object(storage);
    a_missing_object_is_not_found(storage);
    blocks_are_read_and_written_in_place(storage);
    names_of_all_kinds_work(storage);
    a_listing_is_complete_page_by_page(storage);
    a_put_that_ends_early_leaves_nothing(storage);
    rename_moves_and_replaces(storage);
}

/// Proves the executors of a backend against its plain view.
pub fn check_executor(backend: &Backend) {
    let sample = Arc::new(Sample::new());
    executors_put_what_storage_gets(backend, &sample);
    executors_get_what_storage_put(backend, &sample);
    executors_work_on_blocks(backend, &sample);
    executors_report_what_is_missing(backend, &sample);
    executors_fail_when_an_inspector_says_so(backend, &sample);
    executors_list_and_stat(backend, &sample);
    executors_get_ranges(backend, &sample);
    executors_put_where_nothing_is(backend, &sample);
    cancelled_puts_leave_all_or_nothing(backend, &sample);
    for size in (0..SIZES.len() as u64).chain([100, 200]) {
        let _may_be_gone = backend.storage().delete(&Sample::key(size));
    }
    remove_directories(&**backend.storage(), &["conformance/d", "conformance"]);
}

fn objects_come_back_as_they_were_put(storage: &dyn Storage) {
    for size in SIZES {
        let data = pattern(size, size);
        put(storage, b"sized", &data);
        assert_eq!(storage.stat(b"sized"), Ok(size), "stat of {size} bytes");
        assert_eq!(get(storage, b"sized"), *data.bytes(), "content of {size} bytes");
    }
    storage.delete(b"sized").expect("delete");
}

fn a_put_replaces_the_whole_object(storage: &dyn Storage) {
    put(storage, b"replaced", &pattern(10_000, 1));
    let shorter = pattern(5_000, 2);
    put(storage, b"replaced", &shorter);
    assert_eq!(get(storage, b"replaced"), *shorter.bytes(), "nothing is left of the longer one");
    storage.delete(b"replaced").expect("delete");
}

fn a_missing_object_is_not_found(storage: &dyn Storage) {
    let class = |result: Result<(), crate::error::StorageError>| result.map_err(|error| error.class());
    let mut buffer = AlignedBuffer::new(BUFFER);
    let missing = Err(ErrorClass::NotFound);
    assert_eq!(class(storage.stat(b"missing").map(drop)), missing, "stat");
    assert_eq!(class(storage.get(b"missing", buffer.bytes_mut(), &mut |_| ()).map(drop)), missing, "get");
    assert_eq!(class(storage.read(b"missing", 0, buffer.bytes_mut()).map(drop)), missing, "read");
    assert_eq!(class(storage.write(b"missing", 0, &buffer.bytes()[..4096])), missing, "write");
    assert_eq!(class(storage.delete(b"missing")), missing, "delete");
    assert_eq!(class(storage.rename(b"missing", b"other")), missing, "rename");
    put(storage, b"once", &pattern(1, 0));
    assert_eq!(class(storage.delete(b"once")), Ok(()), "delete");
    assert_eq!(class(storage.delete(b"once")), missing, "delete twice");
}

fn blocks_are_read_and_written_in_place(storage: &dyn Storage) {
    const BLOCK: usize = 4096;
    let data = pattern(8 * BLOCK as u64, 7);
    put(storage, b"blocks", &data);
    let block = pattern(BLOCK as u64, 8);
    storage.write(b"blocks", 3 * BLOCK as u64, block.bytes()).expect("write");
    storage.sync(b"blocks").expect("sync");
    let mut expected = data.bytes().to_vec();
    expected[3 * BLOCK..4 * BLOCK].copy_from_slice(block.bytes());
    assert_eq!(get(storage, b"blocks"), expected, "only the block has changed");
    let mut buffer = AlignedBuffer::new(2 * BLOCK);
    let read = storage.read(b"blocks", 2 * BLOCK as u64, buffer.bytes_mut());
    assert_eq!(
        (read, buffer.bytes()),
        (Ok(2 * BLOCK), &expected[2 * BLOCK..4 * BLOCK]),
        "a block in the middle"
    );
    let read = storage.read(b"blocks", 7 * BLOCK as u64, buffer.bytes_mut());
    assert_eq!(read, Ok(BLOCK), "less at the end");
    storage.delete(b"blocks").expect("delete");
}

fn names_of_all_kinds_work(storage: &dyn Storage) {
    let long = "n".repeat(255);
    let names = ["a b", "ümläut/日本語", ".hidden", "semi;colon'quote\"$(x)", &long, "a/b/c/d/e/f"];
    for name in names {
        let data = pattern(100, 3);
        put(storage, name.as_bytes(), &data);
        assert_eq!(get(storage, name.as_bytes()), *data.bytes(), "`{name}`");
        storage.delete(name.as_bytes()).expect("delete");
    }
    remove_directories(storage, &["ümläut", "a/b/c/d/e", "a/b/c/d", "a/b/c", "a/b", "a"]);
}

fn a_listing_is_complete_page_by_page(storage: &dyn Storage) {
    let data = pattern(1, 0);
    let key = |n: u32| format!("list/object-{n:03}");
    (0..25).for_each(|n| put(storage, key(n).as_bytes(), &data));
    put(storage, b"list/below/deep", &data);
    put(storage, b"list/other", &data);
    for limit in [1, 7, 100] {
        let (objects, directories) = list_all(storage, b"list/", limit);
        assert_eq!(objects.len(), 26, "with {limit} to a page");
        assert!((0..25).all(|n| objects.contains(key(n).as_bytes())), "with {limit} to a page");
        assert_eq!(directories, BTreeSet::from([b"list/below/".to_vec()]), "with {limit} to a page");
        assert_eq!(
            list_all(storage, b"list/object-01", limit).0.len(),
            10,
            "a prefix, with {limit} to a page"
        );
    }
    for (name, size) in storage.list(b"list/oth", None, 10).expect("list").objects {
        assert_eq!(name, b"list/other");
        assert!(size.is_none_or(|size| size == 1), "a size that is given is right");
    }
    (0..25).for_each(|n| storage.delete(key(n).as_bytes()).expect("delete"));
    storage.delete(b"list/below/deep").expect("delete");
    storage.delete(b"list/other").expect("delete");
    remove_directories(storage, &["list/below", "list"]);
}

fn a_put_that_ends_early_leaves_nothing(storage: &dyn Storage) {
    struct Ends(AlignedBuffer);
    impl Content for Ends {
        fn size(&self) -> u64 {
            1 << 20
        }
        fn piece(&self, offset: u64, max: usize) -> Option<&[u8]> {
            (offset < 8192).then(|| &self.0.bytes()[..max.min(4096)])
        }
    }
    let result = storage.put(b"ends/early", &Ends(AlignedBuffer::new(4096)));
    assert!(result.is_err(), "it ended early");
    assert_eq!(storage.stat(b"ends/early").map_err(|error| error.class()), Err(ErrorClass::NotFound));
    let left = storage.list(b"ends/", None, 10).unwrap_or_default();
    assert!(left.is_empty(), "nothing is left: {left:?}");
    remove_directories(storage, &["ends"]);
}

fn rename_moves_and_replaces(storage: &dyn Storage) {
    let (old, new) = (pattern(10, 1), pattern(20, 2));
    put(storage, b"to", &old);
    put(storage, b"from", &new);
    storage.rename(b"from", b"to").expect("rename");
    assert_eq!(get(storage, b"to"), *new.bytes());
    assert_eq!(storage.stat(b"from").map_err(|error| error.class()), Err(ErrorClass::NotFound));
    storage.delete(b"to").expect("delete");
}

fn executors_put_what_storage_gets(backend: &Backend, sample: &Arc<Sample>) {
    let mut driver = Driver::new(backend, sample, 4);
    let tasks: Vec<_> = (0..).zip(SIZES).map(|(key, size)| task(Operation::Put, key, 0, size)).collect();
    for (task, outcome) in driver.run(&tasks) {
        assert_eq!(outcome, Outcome::Done(task.length), "put of {} bytes", task.length);
    }
    for (key, size) in (0..).zip(SIZES) {
        let found = get(&**backend.storage(), &Sample::key(key));
        assert!(found == sample.content(key, size), "content of {size} bytes put by an executor");
    }
}

fn executors_get_what_storage_put(backend: &Backend, sample: &Arc<Sample>) {
    let mut driver = Driver::new(backend, sample, 3);
    for (key, size) in (0..).zip(SIZES) {
        put(&**backend.storage(), &Sample::key(key), &sample.data(key, size));
    }
    for (key, size) in (0..).zip(SIZES) {
        let outcomes = driver.run(&[task(Operation::Get, key, 0, size)]);
        assert_eq!(outcomes[0].1, Outcome::Done(size), "get of {size} bytes");
        assert!(driver.seen(size) == sample.content(key, size), "content of {size} bytes got by an executor");
    }
    let outcomes = driver.run(&[task(Operation::Get, 2, 0, 100_000)]);
    let Outcome::Failed(fault) = outcomes[0].1 else {
        panic!("an object too short cannot be got: {outcomes:?}")
    };
    assert_eq!(fault.class, ErrorClass::Truncated);
}

fn executors_work_on_blocks(backend: &Backend, sample: &Arc<Sample>) {
    const BLOCK: u64 = 4096;
    let mut driver = Driver::new(backend, sample, 8);
    driver.run(&[task(Operation::Put, 100, 0, 16 * BLOCK), task(Operation::Put, 200, 0, 16 * BLOCK)]);
    let all = |operation| -> Vec<Task> {
        [100, 200]
            .into_iter()
            .flat_map(|key| (0..16).map(move |n| task(operation, key, n * BLOCK, BLOCK)))
            .collect()
    };
    for (task, outcome) in driver.run(&all(Operation::Read)) {
        assert_eq!(outcome, Outcome::Done(BLOCK), "{task:?}");
    }
    for (task, outcome) in driver.run(&all(Operation::Write)) {
        assert_eq!(outcome, Outcome::Done(BLOCK), "{task:?}");
    }
    for key in [100, 200] {
        assert!(
            get(&**backend.storage(), &Sample::key(key)) == sample.content(key, 16 * BLOCK),
            "written blocks"
        );
    }
    assert_eq!(driver.run(&[task(Operation::Fsync, 100, 0, 0)])[0].1, Outcome::Done(0));
    let outcome = driver.run(&[task(Operation::Read, 100, 16 * BLOCK, BLOCK)])[0].1;
    assert!(matches!(outcome, Outcome::Failed(fault) if fault.class == ErrorClass::Truncated), "{outcome:?}");
}

fn executors_report_what_is_missing(backend: &Backend, sample: &Arc<Sample>) {
    let mut driver = Driver::new(backend, sample, 2);
    for operation in [Operation::Get, Operation::Stat, Operation::Delete, Operation::Read, Operation::Write] {
        let outcome = driver.run(&[task(operation, 999, 0, 4096)])[0].1;
        let found = matches!(outcome, Outcome::Failed(fault) if fault.class == ErrorClass::NotFound);
        assert!(found, "{operation} of what is not there: {outcome:?}");
    }
}

/// What looks at the bytes decides: the operation ends with its fault, and the next one is not touched by it.
fn executors_fail_when_an_inspector_says_so(backend: &Backend, sample: &Arc<Sample>) {
    const SIZE: u64 = 4 * BUFFER as u64;
    let refused = Fault::of(ErrorClass::Corrupt);
    let refuses: Inspector = Box::new(move |object, offset, _| match (object.key, offset) {
        (100, 0) => Ok(()),
        (100, _) => Err(refused),
        _ => Ok(()),
    });
    let mut driver = Driver::inspecting(backend, sample, 2, refuses);
    driver.run(&[task(Operation::Put, 100, 0, SIZE), task(Operation::Put, 200, 0, SIZE)]);
    let outcomes = driver.run(&[task(Operation::Get, 100, 0, SIZE), task(Operation::Get, 200, 0, SIZE)]);
    for (task, outcome) in outcomes {
        let expected =
            if task.object.key == 100 { Outcome::Failed(refused) } else { Outcome::Done(task.length) };
        assert_eq!(outcome, expected, "{task:?}");
    }
}

fn executors_list_and_stat(backend: &Backend, sample: &Arc<Sample>) {
    let mut driver = Driver::new(backend, sample, 2);
    let outcome = driver.run(&[task(Operation::Stat, 4, 0, 0)])[0].1;
    assert_eq!(outcome, Outcome::Done(SIZES[4]), "stat");
    let there = list_all(&**backend.storage(), b"conformance/d/", 100).0.len() as u64;
    let outcome = driver.run(&[task(Operation::List, 0, 0, 5)])[0].1;
    assert_eq!(outcome, Outcome::Done(there), "all keys of the directory");
    let pages: Vec<u64> = driver.parts(Operation::ListPage).collect();
    assert!(pages.len() as u64 >= there.div_ceil(5) && pages.iter().all(|&keys| keys <= 5), "{pages:?}");
    assert_eq!(pages.iter().sum::<u64>(), there, "page by page");
    assert_eq!(driver.run(&[task(Operation::Delete, 4, 0, 0)])[0].1, Outcome::Done(0), "delete");
    let gone = backend.storage().stat(&Sample::key(4)).map_err(|error| error.class());
    assert_eq!(gone, Err(ErrorClass::NotFound));
}

fn executors_get_ranges(backend: &Backend, sample: &Arc<Sample>) {
    const SIZE: u64 = 4 * BUFFER as u64;
    let range = |offset, length| Task { manner: Manner::Range, ..task(Operation::Get, 100, offset, length) };
    let mut driver = Driver::new(backend, sample, 2);
    driver.run(&[task(Operation::Put, 100, 0, SIZE)]);
    for (offset, length) in [(0, 4096), (4096, 2 * BUFFER as u64), (SIZE - 4096, 4096), (0, SIZE)] {
        let mut driver = Driver::new(backend, sample, 2);
        assert_eq!(
            driver.run(&[range(offset, length)])[0].1,
            Outcome::Done(length),
            "{length} from {offset}"
        );
        let (seen, end) = (driver.seen(SIZE), (offset + length) as usize);
        let expected = &sample.content(100, SIZE)[offset as usize..end];
        assert!(&seen[offset as usize..end] == expected, "content of {length} bytes from {offset}");
        assert!(
            seen[..offset as usize].iter().chain(&seen[end..]).all(|&byte| byte == 0),
            "and nothing else"
        );
    }
    let outcome = driver.run(&[range(SIZE - 4096, 8192)])[0].1;
    assert!(matches!(outcome, Outcome::Failed(fault) if fault.class == ErrorClass::Truncated), "{outcome:?}");
}

fn executors_put_where_nothing_is(backend: &Backend, sample: &Arc<Sample>) {
    let fresh = |length| Task { manner: Manner::IfAbsent, ..task(Operation::Put, 5, 0, length) };
    let mut driver = Driver::new(backend, sample, 1);
    let _may_be_gone = backend.storage().delete(&Sample::key(5));
    assert_eq!(driver.run(&[fresh(10_000)])[0].1, Outcome::Done(10_000), "nothing was there");
    let outcome = driver.run(&[fresh(5_000)])[0].1;
    assert!(matches!(outcome, Outcome::Failed(fault) if fault.class == ErrorClass::Exists), "{outcome:?}");
    assert!(get(&**backend.storage(), &Sample::key(5)) == sample.content(5, 10_000), "it is as it was");
}

/// However a cancellation and a put meet, the object is whole or not there.
fn cancelled_puts_leave_all_or_nothing(backend: &Backend, sample: &Arc<Sample>) {
    const SIZE: u64 = (1 << 20) + 1;
    for turns in 0..12 {
        let mut driver = Driver::new(backend, sample, 1);
        let _may_be_gone = backend.storage().delete(&Sample::key(5));
        let outcome = driver.cancel_after(turns, task(Operation::Put, 5, 0, SIZE));
        let found = backend.storage().stat(&Sample::key(5)).map_err(|error| error.class());
        match outcome {
            Outcome::Done(SIZE) => assert_eq!(found, Ok(SIZE), "done"),
            Outcome::Cancelled => {
                assert_eq!(found, Err(ErrorClass::NotFound), "cancelled after {turns} turns")
            }
            other => panic!("a cancelled put ended as {other:?}"),
        }
    }
}

/// Objects with computed content under `conformance/`.
struct Sample {
    payload: Data,
}

impl Sample {
    const LONGEST: usize = BUFFER;
    const STARTS: u64 = 16;

    fn new() -> Self {
        Self { payload: pattern(Self::STARTS * 4096 + (2 << 20), 42) }
    }

    fn key(key: u64) -> Vec<u8> {
        format!("conformance/d/object-{key}").into_bytes()
    }

    fn data(&self, key: u64, size: u64) -> Data {
        let mut data = Data(AlignedBuffer::new(size as usize), size as usize);
        data.0.bytes_mut()[..size as usize].copy_from_slice(&self.content(key, size));
        data
    }

    fn content(&self, key: u64, size: u64) -> Vec<u8> {
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
struct Driver {
    executor: Box<dyn Executor>,
    slots: u32,
    seen: Arc<Mutex<Vec<u8>>>,
    /// What ended of the tasks without ending them.
    parts: Vec<Completion>,
}

impl Driver {
    fn new(backend: &Backend, sample: &Arc<Sample>, slots: u32) -> Self {
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

    fn inspecting(backend: &Backend, sample: &Arc<Sample>, slots: u32, inspector: Inspector) -> Self {
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

    fn run(&mut self, tasks: &[Task]) -> Vec<(Task, Outcome)> {
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

    fn cancel_after(&mut self, turns: u32, task: Task) -> Outcome {
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
    fn parts(&self, operation: Operation) -> impl Iterator<Item = u64> {
        let parts = self.parts.iter().filter(move |part| part.operation == operation);
        parts.filter_map(|part| match part.outcome {
            Outcome::Done(amount) => Some(amount),
            Outcome::Failed(_) | Outcome::Cancelled => None,
        })
    }

    /// The first bytes that were read since the beginning.
    fn seen(&self, size: u64) -> Vec<u8> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)[..size as usize].to_vec()
    }
}

fn task(operation: Operation, key: u64, offset: u64, length: u64) -> Task {
    Task { operation, object: ObjectId { pool: PoolId(0), key }, offset, length, manner: Manner::Plain }
}

/// Content of any length in aligned memory.
struct Data(AlignedBuffer, usize);

impl Data {
    fn bytes(&self) -> &[u8] {
        &self.0.bytes()[..self.1]
    }
}

/// Bytes that look different everywhere.
fn pattern(size: u64, seed: u64) -> Data {
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

fn put(storage: &dyn Storage, key: &[u8], data: &Data) {
    if let Err(error) = storage.put(key, &data.bytes()) {
        panic!("put: {error}");
    }
}

fn get(storage: &dyn Storage, key: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = AlignedBuffer::new(BUFFER);
    match storage.get(key, buffer.bytes_mut(), &mut |piece| all.extend_from_slice(piece)) {
        Ok(size) => assert_eq!(size, all.len() as u64, "get says how much there is"),
        Err(error) => panic!("get: {error}"),
    }
    all
}

fn list_all(storage: &dyn Storage, prefix: &[u8], limit: usize) -> (BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
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
fn remove_directories(storage: &dyn Storage, directories: &[&str]) {
    for directory in directories {
        let _gone = storage.rmdir(directory.as_bytes());
    }
}
