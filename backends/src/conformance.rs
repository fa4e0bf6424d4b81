//! One suite that every backend passes: what it means to be a store.
//!
//! [`check_storage`] proves the plain view, [`check_executor`] the one with many operations in flight, each looked at
//! through the other. What legitimately differs between files and object stores is asked for by
//! [`is_object_store`](Storage::is_object_store), and both sides of each difference are checked. Both panic with what is wrong, as they are called from tests. They work below the target they are given and leave it as empty
//! as they found it.
#![expect(clippy::panic, reason = "it is called from tests, and says what is wrong")]

mod bench;

use crate::backend::Backend;
use crate::error::Fault;
use crate::executor::{Inspector, Manner, ObjectId, Outcome, Task};
use crate::file::aligned::AlignedBuffer;
use crate::storage::{Content, Storage};
use bench::{BUFFER, Driver, Sample, get, list_all, pattern, put, remove_directories, task};
use iobench_core::plan::PoolId;
use iobench_core::stats::{ErrorClass, Operation};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Sizes at which something has gone wrong before, bytes.
const SIZES: [u64; 9] = [0, 1, 511, 4095, 4096, 4097, 65_536, (1 << 20) - 1, (1 << 20) + 1];

/// What a server does not do although it says that it did. The suite proves that it is so, that nobody may rely on it,
/// and then everything else.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Lacks {
    /// Copies are empty, and so is what is renamed.
    pub copies: bool,
    /// What may only be written where nothing is replaces what is there.
    pub conditions: bool,
}

/// Proves a store and its executors on a server that lacks something.
pub fn check_all_but(backend: &Backend, lacks: Lacks) {
    check_storage_but(&**backend.storage(), lacks);
    check_executor_but(backend, lacks);
}

/// Proves a store by its plain view.
pub fn check_storage(storage: &dyn Storage) {
    check_storage_but(storage, Lacks::default());
}

/// Proves the executors of a backend against its plain view.
pub fn check_executor(backend: &Backend) {
    check_executor_but(backend, Lacks::default());
}

fn check_storage_but(storage: &dyn Storage, lacks: Lacks) {
    objects_come_back_as_they_were_put(storage);
    a_put_replaces_the_whole_object(storage);
    a_missing_object_is_not_found(storage, lacks);
    if storage.is_object_store() {
        blocks_are_read_and_never_written(storage);
    } else {
        blocks_are_read_and_written_in_place(storage);
    }
    names_of_all_kinds_work(storage);
    a_listing_is_complete_page_by_page(storage);
    a_put_that_ends_early_leaves_nothing(storage);
    rename_moves_and_replaces(storage, lacks);
}

fn check_executor_but(backend: &Backend, lacks: Lacks) {
    let sample = Arc::new(Sample::new());
    executors_put_what_storage_gets(backend, &sample);
    executors_get_what_storage_put(backend, &sample);
    if backend.storage().is_object_store() {
        executors_read_blocks_and_write_none(backend, &sample);
        executors_do_what_only_object_stores_do(backend, &sample, lacks);
    } else {
        executors_work_on_blocks(backend, &sample);
    }
    executors_report_what_is_missing(backend, &sample);
    executors_fail_when_an_inspector_says_so(backend, &sample);
    executors_list_and_stat(backend, &sample);
    executors_get_ranges(backend, &sample);
    executors_put_where_nothing_is(backend, &sample, lacks);
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

fn a_missing_object_is_not_found(storage: &dyn Storage, lacks: Lacks) {
    let class = |result: Result<(), crate::error::StorageError>| result.map_err(|error| error.class());
    let mut buffer = AlignedBuffer::new(BUFFER);
    let missing = Err(ErrorClass::NotFound);
    assert_eq!(class(storage.stat(b"missing").map(drop)), missing, "stat");
    assert_eq!(class(storage.get(b"missing", buffer.bytes_mut(), &mut |_| ()).map(drop)), missing, "get");
    assert_eq!(class(storage.read(b"missing", 0, buffer.bytes_mut()).map(drop)), missing, "read");
    if !storage.is_object_store() {
        assert_eq!(class(storage.write(b"missing", 0, &buffer.bytes()[..4096])), missing, "write");
    }
    assert_eq!(class(storage.delete(b"missing")), missing, "delete");
    let renamed = class(storage.rename(b"missing", b"other"));
    if lacks.copies {
        assert_eq!((renamed, storage.stat(b"other")), (Ok(()), Ok(0)), "an empty copy of nothing");
        storage.delete(b"other").expect("delete");
    } else {
        assert_eq!(renamed, missing, "rename");
    }
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

fn blocks_are_read_and_never_written(storage: &dyn Storage) {
    const BLOCK: usize = 4096;
    let data = pattern(8 * BLOCK as u64, 7);
    put(storage, b"blocks", &data);
    let written = storage.write(b"blocks", 0, &data.bytes()[..BLOCK]);
    assert_eq!(written.map_err(|error| error.class()), Err(ErrorClass::Invalid), "write");
    storage.sync(b"blocks").expect("sync");
    let mut buffer = AlignedBuffer::new(2 * BLOCK);
    let read = storage.read(b"blocks", 2 * BLOCK as u64, buffer.bytes_mut());
    assert_eq!((read, buffer.bytes()), (Ok(2 * BLOCK), &data.bytes()[2 * BLOCK..4 * BLOCK]), "in the middle");
    let read = storage.read(b"blocks", 7 * BLOCK as u64, buffer.bytes_mut());
    assert_eq!(read, Ok(BLOCK), "less at the end");
    let read = storage.read(b"blocks", 8 * BLOCK as u64, buffer.bytes_mut());
    assert_eq!(read, Ok(0), "nothing behind it");
    storage.delete(b"blocks").expect("delete");
}

fn names_of_all_kinds_work(storage: &dyn Storage) {
    // As long as a file's name may be; servers that keep objects in files make longer ones of them.
    let long = "n".repeat(if storage.is_object_store() { 140 } else { 255 });
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

fn rename_moves_and_replaces(storage: &dyn Storage, lacks: Lacks) {
    let (old, new) = (pattern(10, 1), pattern(20, 2));
    put(storage, b"to", &old);
    put(storage, b"from", &new);
    storage.rename(b"from", b"to").expect("rename");
    let expected = if lacks.copies { &[][..] } else { new.bytes() };
    assert_eq!(get(storage, b"to"), expected);
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

fn executors_read_blocks_and_write_none(backend: &Backend, sample: &Arc<Sample>) {
    const BLOCK: u64 = 4096;
    let mut driver = Driver::new(backend, sample, 4);
    driver.run(&[task(Operation::Put, 100, 0, 16 * BLOCK)]);
    let reads: Vec<_> = (0..16).map(|n| task(Operation::Read, 100, n * BLOCK, BLOCK)).collect();
    for (task, outcome) in driver.run(&reads) {
        assert_eq!(outcome, Outcome::Done(BLOCK), "{task:?}");
    }
    assert!(driver.seen(16 * BLOCK) == sample.content(100, 16 * BLOCK), "read blocks");
    let outcome = driver.run(&[task(Operation::Read, 100, 16 * BLOCK, BLOCK)])[0].1;
    assert!(matches!(outcome, Outcome::Failed(fault) if fault.class == ErrorClass::Truncated), "{outcome:?}");
    let outcome = driver.run(&[task(Operation::Write, 100, 0, BLOCK)])[0].1;
    assert!(matches!(outcome, Outcome::Failed(fault) if fault.class == ErrorClass::Invalid), "{outcome:?}");
}

fn executors_do_what_only_object_stores_do(backend: &Backend, sample: &Arc<Sample>, lacks: Lacks) {
    let mut driver = Driver::new(backend, sample, 4);
    let manner = |operation, key, manner| Task { manner, ..task(operation, key, 0, 0) };
    // A copy.
    let copy = manner(Operation::Copy, 7, Manner::To(ObjectId { pool: PoolId(0), key: 300 }));
    assert_eq!(driver.run(&[copy])[0].1, Outcome::Done(0), "a copy");
    let size = if lacks.copies { 0 } else { SIZES[7] };
    assert!(get(&**backend.storage(), &Sample::key(300)) == sample.content(7, size), "a copy's content");
    // A batch.
    driver.run(&[task(Operation::Put, 301, 0, 10), task(Operation::Put, 302, 0, 10)]);
    let batch = manner(Operation::Delete, 300, Manner::Batch(3));
    assert_eq!(driver.run(&[batch])[0].1, Outcome::Done(3), "a batch");
    for key in 300..303 {
        let gone = backend.storage().stat(&Sample::key(key)).map_err(|error| error.class());
        assert_eq!(gone, Err(ErrorClass::NotFound), "{key} of the batch");
    }
    // First bytes come with every get that succeeds, before its end.
    driver.run(&[task(Operation::Get, 0, 0, 0), task(Operation::Get, 8, 0, SIZES[8])]);
    assert_eq!(driver.parts(Operation::FirstByte).count(), 2, "{:?}", driver.parts);
}

fn executors_report_what_is_missing(backend: &Backend, sample: &Arc<Sample>) {
    let mut driver = Driver::new(backend, sample, 2);
    let files = [Operation::Get, Operation::Stat, Operation::Read, Operation::Delete, Operation::Write];
    let operations = if backend.storage().is_object_store() { &files[..3] } else { &files[..] };
    for &operation in operations {
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

fn executors_put_where_nothing_is(backend: &Backend, sample: &Arc<Sample>, lacks: Lacks) {
    let fresh = |length| Task { manner: Manner::IfAbsent, ..task(Operation::Put, 5, 0, length) };
    let mut driver = Driver::new(backend, sample, 1);
    let _may_be_gone = backend.storage().delete(&Sample::key(5));
    assert_eq!(driver.run(&[fresh(10_000)])[0].1, Outcome::Done(10_000), "nothing was there");
    let outcome = driver.run(&[fresh(5_000)])[0].1;
    if lacks.conditions {
        assert_eq!(outcome, Outcome::Done(5_000), "it does look before it writes");
        return;
    }
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
            Outcome::Cancelled if backend.storage().is_object_store() => {
                assert!(
                    found == Ok(SIZE) || found == Err(ErrorClass::NotFound),
                    "{found:?} after {turns} turns"
                );
            }
            Outcome::Cancelled => {
                assert_eq!(found, Err(ErrorClass::NotFound), "cancelled after {turns} turns")
            }
            other => panic!("a cancelled put ended as {other:?}"),
        }
    }
}
