//! What goes wrong between us and an object store is counted as what it is.
#![expect(clippy::panic, reason = "a test")]

mod common;

use common::{Bench, anonymous, open, task};
use iobench_backends::error::{Fault, StorageError};
use iobench_backends::executor::{Completion, Manner, Outcome, Task};
use iobench_core::plan::{Credentials, Multipart, Ranges, Reference, Spread, StorageOptions};
use iobench_core::stats::{ErrorClass, Operation};
use iobench_servers::{Authority, Endless, Fault as Wrong, Proxy, Refused, Rule, S3sFs};
use std::time::{Duration, Instant};

const SIZE: u64 = 300_000;
/// More than anything takes that goes on at all.
const LONG: Duration = Duration::from_secs(60);

/// A server with one object behind a proxy, and a store that goes through the proxy.
struct Scene {
    _server: S3sFs,
    proxy: Proxy,
    target: String,
}

impl Scene {
    fn new() -> Self {
        let server = S3sFs::open();
        let proxy = Proxy::start(server.address());
        let target = format!("s3://{}/{}/p", proxy.address(), server.bucket());
        let mut bench = Bench::new(&open(&target, &anonymous()), 1);
        assert_eq!(bench.run_one(task(Operation::Put, 0, SIZE)), Outcome::Done(SIZE));
        Self { _server: server, proxy, target }
    }

    fn bench(&self, slots: u32, storage: &StorageOptions) -> Bench {
        Bench::new(&open(&self.target, storage), slots)
    }

    fn get(&self, wrong: Wrong) -> Fault {
        self.proxy.heal();
        self.proxy.add(Rule::new(wrong));
        match self.bench(1, &anonymous()).run_one(task(Operation::Get, 0, SIZE)) {
            Outcome::Failed(fault) => fault,
            other => panic!("{other:?}"),
        }
    }
}

fn fault(class: ErrorClass, code: u32) -> Fault {
    Fault { class, code }
}

#[test]
fn statuses_become_classes_and_stay_visible() {
    let scene = Scene::new();
    let expected = [
        (400, "ExpiredToken", ErrorClass::Denied),
        (400, "InvalidArgument", ErrorClass::Invalid),
        (401, "", ErrorClass::Denied),
        (403, "SignatureDoesNotMatch", ErrorClass::Denied),
        (404, "NoSuchKey", ErrorClass::NotFound),
        (408, "RequestTimeout", ErrorClass::Timeout),
        (409, "OperationAborted", ErrorClass::Exists),
        (412, "PreconditionFailed", ErrorClass::Exists),
        (416, "InvalidRange", ErrorClass::Truncated),
        (429, "TooManyRequests", ErrorClass::Throttled),
        (500, "InternalError", ErrorClass::Storage),
        (503, "SlowDown", ErrorClass::Throttled),
        (504, "", ErrorClass::Timeout),
        (301, "PermanentRedirect", ErrorClass::Invalid),
    ];
    for (status, code, class) in expected {
        assert_eq!(scene.get(Wrong::status(status, code)), fault(class, status.into()), "{status} {code}");
    }
    scene.proxy.heal();
    let outcome = scene.bench(1, &anonymous()).run_one(task(Operation::Get, 0, SIZE));
    assert_eq!(outcome, Outcome::Done(SIZE), "nothing stays broken");
}

#[test]
fn a_request_is_tried_once() {
    let scene = Scene::new();
    for wrong in [Wrong::slow_down(), Wrong::status(500, "InternalError"), Wrong::Reset { after: 0 }] {
        scene.proxy.heal();
        scene.proxy.add(Rule::new(wrong));
        let mut bench = scene.bench(1, &anonymous());
        for operation in [Operation::Get, Operation::Put, Operation::Stat, Operation::Delete, Operation::List]
        {
            scene.proxy.forget();
            let outcome = bench.run_one(task(operation, 0, SIZE));
            assert!(matches!(outcome, Outcome::Failed(_)), "{operation}: {outcome:?}");
            assert_eq!(scene.proxy.seen().len(), 1, "{operation}");
        }
    }
}

#[test]
fn bodies_that_break_are_truncated_or_the_network() {
    let scene = Scene::new();
    assert_eq!(scene.get(Wrong::Truncate { after: 100_000 }), Fault::TRUNCATED);
    assert_eq!(scene.get(Wrong::Shorten { by: 1 }), Fault::TRUNCATED);
    assert_eq!(scene.get(Wrong::Reset { after: 100_000 }).class, ErrorClass::Network);
    assert_eq!(scene.get(Wrong::Reset { after: 0 }).class, ErrorClass::Network);
}

#[test]
fn bodies_with_more_than_was_asked_for_are_corrupt() {
    let scene = Scene::new();
    assert_eq!(scene.get(Wrong::Lengthen { by: 1 }), Fault::excess(200));
    let ranges = StorageOptions {
        ranges: Some(Ranges { threshold: 1, chunk_size: 100_000, concurrency: 2 }),
        ..anonymous()
    };
    let part = Task { manner: Manner::Range, offset: 1000, ..task(Operation::Get, 0, 2000) };
    let whole = task(Operation::Get, 0, SIZE);
    let block = Task { offset: 4096, ..task(Operation::Read, 0, 4096) };
    for (wrong, status) in [(Wrong::IgnoreRange, 200), (Wrong::Lengthen { by: 1 }, 206)] {
        scene.proxy.heal();
        scene.proxy.add(Rule::new(wrong.clone()));
        for (task, storage) in [(part, anonymous()), (block, anonymous()), (whole, ranges.clone())] {
            let outcome = scene.bench(1, &storage).run_one(task);
            assert_eq!(outcome, Outcome::Failed(Fault::excess(status)), "{wrong:?}: {task:?}");
        }
    }
    scene.proxy.heal();
    assert_eq!(scene.bench(1, &ranges).run_one(whole), Outcome::Done(SIZE));
    assert_eq!(scene.bench(1, &anonymous()).run_one(part), Outcome::Done(2000));
}

#[test]
fn an_answer_without_an_end_does_not_fill_the_memory() {
    let server = Endless::new();
    let parts = StorageOptions {
        multipart: Multipart { threshold: 1, part_size: 5 << 20, concurrency: 1 },
        ..anonymous()
    };
    let batch = Task { manner: Manner::Batch(3), ..task(Operation::Delete, 0, 0) };
    for target in ["s3://{}/b", "az://{}/account/c", "gs://{}/b"] {
        let target = target.replace("{}", &server.address().to_string());
        let backend = open(&target, &parts);
        for task in [task(Operation::List, 0, 1000), task(Operation::Put, 0, 10), batch] {
            // Azure begins no upload, and Google has no batches.
            let asked = match task.operation {
                Operation::Put => !target.starts_with("az"),
                Operation::Delete => !target.starts_with("gs"),
                _ => true,
            };
            let outcome = Bench::new(&backend, 1).run_one(task);
            let endless = outcome == Outcome::Failed(fault(ErrorClass::Corrupt, 0));
            assert_eq!(endless, asked, "{target}: {}: {outcome:?}", task.operation);
        }
        let error = backend.storage().list(b"", None, 10).expect_err("this is no list");
        assert!(error.to_string().ends_with("corrupt: the answer is longer than 16 MiB"), "{error}");
    }
}

#[test]
fn an_object_is_longer_than_any_other_answer() {
    const LARGE: u64 = 20 << 20;
    let scene = Scene::new();
    let mut bench = scene.bench(1, &anonymous());
    assert_eq!(bench.run_one(task(Operation::Put, 1, LARGE)), Outcome::Done(LARGE));
    assert_eq!(bench.run_one(task(Operation::Get, 1, LARGE)), Outcome::Done(LARGE));
    let range = Task { manner: Manner::Range, offset: 1, ..task(Operation::Get, 1, LARGE - 1) };
    assert_eq!(bench.run_one(range), Outcome::Done(LARGE - 1));
}

#[test]
fn what_hangs_can_be_cancelled_at_once() {
    let scene = Scene::new();
    scene.proxy.add(Rule::new(Wrong::Stall { after: 1000 }));
    let mut bench = scene.bench(1, &anonymous());
    bench.executor.start(0, task(Operation::Get, 0, SIZE));
    assert!(bench.turns(Duration::from_millis(300)).is_empty());
    // Nothing else would ever end it.
    bench.executor.cancel(0);
    let done = bench.turns(LONG);
    assert!(matches!(done[..], [Completion { outcome: Outcome::Cancelled, last: true, .. }]), "{done:?}");
    // The slot works again.
    scene.proxy.heal();
    assert_eq!(bench.run_one(task(Operation::Get, 0, SIZE)), Outcome::Done(SIZE));
}

#[test]
fn a_slow_first_byte_is_seen_as_one() {
    let scene = Scene::new();
    scene.proxy.add(Rule::new(Wrong::SlowFirstByte(Duration::from_millis(200))));
    let done = scene.bench(1, &anonymous()).run(&[task(Operation::Get, 0, SIZE)]);
    let [first, whole] = &done[..] else { panic!("{done:?}") };
    assert_eq!((first.operation, first.last), (Operation::FirstByte, false));
    assert!(first.service >= 200_000_000 && first.service <= whole.service, "{done:?}");
}

#[test]
fn a_store_that_asks_for_a_pause_is_heard() {
    let scene = Scene::new();
    scene.proxy.add(Rule::new(Wrong::too_many_requests(7)).first(1));
    let mut bench = scene.bench(1, &anonymous());
    assert_eq!(
        bench.run_one(task(Operation::Stat, 0, 0)),
        Outcome::Failed(fault(ErrorClass::Throttled, 429))
    );
    assert_eq!(bench.executor.pause(0), Some(Duration::from_secs(7)));
}

#[test]
fn an_upload_that_fails_or_is_cancelled_is_taken_back() {
    let scene = Scene::new();
    let parts = StorageOptions {
        multipart: Multipart { threshold: 1, part_size: 60_000, concurrency: 2 },
        ..anonymous()
    };
    let count = |method: &str, part: &str| {
        scene.proxy.count(|exchange| exchange.method == method && exchange.query.contains(part))
    };
    scene.proxy.add(Rule::new(Wrong::status(500, "InternalError")).method("PUT").from(3));
    let mut bench = scene.bench(1, &parts);
    scene.proxy.forget();
    assert_eq!(
        bench.run_one(task(Operation::Put, 1, SIZE)),
        Outcome::Failed(fault(ErrorClass::Storage, 500))
    );
    assert_eq!((count("POST", "uploads"), count("DELETE", "uploadId")), (1, 1));
    assert!(count("PUT", "partNumber") <= 4, "no part is begun after one has failed");

    scene.proxy.heal();
    scene.proxy.forget();
    scene.proxy.add(Rule::new(Wrong::SlowFirstByte(2 * LONG)).method("PUT"));
    bench.executor.start(0, task(Operation::Put, 1, SIZE));
    while count("PUT", "partNumber") == 0 {
        assert!(bench.turn(Duration::from_millis(20)).is_empty());
    }
    bench.executor.cancel(0);
    let done = bench.turns(LONG);
    assert!(matches!(done[..], [Completion { outcome: Outcome::Cancelled, .. }]), "{done:?}");
    assert_eq!(count("DELETE", "uploadId"), 1, "and only then it is over");
}

#[test]
fn large_objects_go_and_come_in_as_many_requests_as_configured() {
    const LARGE: u64 = 12 << 20;
    let scene = Scene::new();
    let storage = StorageOptions {
        multipart: Multipart { threshold: LARGE, part_size: 5 << 20, concurrency: 2 },
        ranges: Some(Ranges { threshold: LARGE, chunk_size: 5 << 20, concurrency: 2 }),
        ..anonymous()
    };
    let mut bench = scene.bench(1, &storage);
    for (length, parts, ranges) in [(LARGE, 3, 3), (LARGE - 1, 0, 0)] {
        scene.proxy.forget();
        assert_eq!(bench.run_one(task(Operation::Put, 1, length)), Outcome::Done(length));
        assert_eq!(scene.proxy.count(|exchange| exchange.query.contains("partNumber")), parts);
        assert_eq!(bench.executor.moved(0), if parts > 0 { length } else { 0 }, "known part by part");
        assert_eq!(bench.run_one(task(Operation::Get, 1, length)), Outcome::Done(length));
        assert_eq!(scene.proxy.count(|exchange| exchange.status == Some(206)), ranges);
    }
}

#[test]
fn what_cannot_be_reached_is_the_network() {
    let refused = Refused::new();
    let class = |target: &str, storage: &StorageOptions| -> StorageError {
        open(target, storage).storage().stat(b"x").expect_err("nobody is there")
    };
    let error = class(&format!("s3://{}/b", refused.address()), &anonymous());
    assert_eq!(error.fault, Fault::os(libc_econnrefused()), "{error}");
    let error = class("s3://nobody.invalid:80/b", &anonymous());
    assert_eq!(error.fault, fault(ErrorClass::Network, 0), "{error}");
    assert!(!error.detail.is_empty(), "{error}");
}

fn libc_econnrefused() -> i32 {
    111
}

#[test]
fn tls_is_trusted_only_with_the_right_roots() {
    let (server, authority, other) = (S3sFs::open(), Authority::new(), Authority::new());
    let proxy = Proxy::start_tls(server.address(), &authority);
    let directory = tempfile::tempdir().expect("a directory");
    let with = |authority: &Authority| {
        let path = directory.path().join("roots.pem");
        std::fs::write(&path, authority.pem()).expect("write");
        let endpoints = vec![format!("https://{}", proxy.address())];
        StorageOptions { tls_roots: Some(path), endpoints, ..anonymous() }
    };
    let target = format!("s3://{}/p", server.bucket());
    let trusting = open(&target, &with(&authority));
    trusting.storage().put(b"x", &&b"content"[..]).expect("put");
    assert_eq!(trusting.storage().stat(b"x"), Ok(7));
    let error = open(&target, &with(&other)).storage().stat(b"x").expect_err("not to be trusted");
    assert_eq!(error.fault, fault(ErrorClass::Network, 0));
    assert!(error.detail.contains("certificate"), "{error}");
}

#[test]
fn operations_are_spread_over_endpoints() {
    let server = S3sFs::open();
    let proxies = [Proxy::start(server.address()), Proxy::start(server.address())];
    let target = format!("s3://{}/p", server.bucket());
    let endpoints: Vec<_> = proxies.iter().map(|proxy| format!("http://{}", proxy.address())).collect();
    let storage = |spread| StorageOptions { endpoints: endpoints.clone(), spread, ..anonymous() };
    let tasks: Vec<_> = (0..20).map(|key| task(Operation::Put, key, 100)).collect();

    let mut bench = Bench::new(&open(&target, &storage(Spread::RoundRobin)), 4);
    assert_eq!(bench.executor.endpoints(), endpoints);
    let done = bench.run(&tasks);
    assert_eq!(done.iter().filter(|completion| completion.endpoint == 1).count(), 10);
    assert_eq!(proxies.each_ref().map(|proxy| proxy.seen().len()), [10, 10]);

    // The first one does not answer: it has its part of the first four, and the other gets all that it leaves.
    proxies[0].add(Rule::new(Wrong::SlowFirstByte(2 * LONG)));
    proxies.iter().for_each(Proxy::forget);
    let mut bench = Bench::new(&open(&target, &storage(Spread::LeastConnections)), 4);
    let (mut free, mut rest, mut done) = ((0..4).collect::<Vec<_>>(), tasks.iter(), Vec::new());
    while done.len() < 18 {
        free.drain(..).zip(&mut rest).for_each(|(slot, &task)| bench.executor.start(slot, task));
        let completed = bench.turns(LONG);
        assert!(!completed.is_empty(), "{done:?} and nothing more");
        free.extend(completed.iter().map(|completion| completion.slot));
        done.extend(completed);
    }
    assert!(done.iter().all(|completion| completion.endpoint == 1), "{done:?}");
    assert_eq!(proxies.each_ref().map(|proxy| proxy.seen().len()), [2, 18]);
}

#[test]
fn a_secret_is_in_no_message() {
    const SECRET: &str = "the-secret-that-nobody-sees";
    let (server, directory) = (S3sFs::keyed(), tempfile::tempdir().expect("a directory"));
    let file = directory.path().join("secret");
    std::fs::write(&file, SECRET).expect("write");
    let reference = Reference::File(file);
    let credentials = Credentials::Keys {
        access_key: reference.clone(),
        secret_key: reference.clone(),
        session_token: Some(reference),
    };
    let storage = StorageOptions { credentials, ..StorageOptions::default() };
    let backend = open(&format!("s3://{}/{}", server.address(), server.bucket()), &storage);
    let error = backend.storage().stat(b"x").expect_err("nobody knows this key");
    assert_eq!(error.class(), ErrorClass::Denied);
    let error = backend.storage().list(b"", None, 10).expect_err("nobody knows this key");
    assert!(!format!("{error} {error:?} {storage:?} {:?}", backend.warnings()).contains(SECRET), "{error}");
    let wrong = iobench_backends::backend::Backend::open(
        &"az://container".parse().expect("a target"),
        &iobench_core::plan::FileOptions::default(),
        &storage,
    );
    let failure = wrong.err().expect("this is no account key");
    assert!(!format!("{failure} {failure:?}").contains(SECRET), "{failure}");
}

#[test]
fn a_page_of_a_listing_is_timed_on_its_own() {
    let scene = Scene::new();
    let mut bench = scene.bench(2, &anonymous());
    let puts: Vec<_> = (0..12).map(|key| task(Operation::Put, key, 10)).collect();
    bench.run(&puts);
    scene.proxy.forget();
    let done = bench.run(&[task(Operation::List, 0, 5)]);
    let shown: Vec<_> = done.iter().map(|one| (one.operation, one.last, one.outcome)).collect();
    let page = |keys| (Operation::ListPage, false, Outcome::Done(keys));
    assert_eq!(shown, [page(5), page(5), page(2), (Operation::List, true, Outcome::Done(12))]);
    assert!(done[..3].iter().map(|page| page.service).sum::<u64>() <= done[3].service);
    assert_eq!(scene.proxy.seen().len(), 3);
}

#[test]
fn a_waker_ends_a_turn() {
    let scene = Scene::new();
    let mut bench = scene.bench(1, &anonymous());
    let waker = bench.executor.waker();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            waker();
        });
        let begun = Instant::now();
        assert!(bench.turn(2 * LONG).is_empty());
        assert!(begun.elapsed() < LONG);
    });
    let begun = Instant::now();
    assert!(bench.turn(Duration::from_millis(50)).is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(50), "once is once");
}

#[test]
fn objects_that_are_to_be_new_are_never_written_twice() {
    let scene = Scene::new();
    let mut bench = scene.bench(1, &anonymous());
    let new = Task { manner: Manner::IfAbsent, ..task(Operation::Put, 0, 10) };
    let Outcome::Failed(fault) = bench.run_one(new) else { panic!("it is there") };
    assert_eq!(fault.class, ErrorClass::Exists);
}
