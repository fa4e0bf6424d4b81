//! What a thread shows of objects that are not done, and how it takes what fails.

use super::*;
use crate::backend::Backend;
use crate::engine::control::{Control, Shared, Stops};
use crate::engine::seat::Seat;
use crate::engine::source::source;
use crate::engine::tests::{cleanup, execute_gets, plan, pool, prepare, prepared};
use crate::engine::validate::{Limits, validate};
use crate::error::{Fault as Broken, StorageError};
use crate::executor::{Clock, Turn, Waker};
use iobench_core::message::Configure;
use iobench_core::plan::{Credentials, Naming, Plan, Share, Stage};
use iobench_servers::{Fault as Wrong, Proxy, Rule, S3sFs};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::channel;
use std::time::Instant;

/// What an executor says that is broken from now on.
const STUCK: u64 = u64::MAX;

/// Keeps every task until the next turn, and says of all that so much is transferred. One that is told [`STUCK`] is
/// transferred never has a turn again.
struct Held {
    moved: Arc<AtomicU64>,
    started: Vec<(u32, Task)>,
}

impl Executor for Held {
    fn start(&mut self, slot: u32, task: Task) {
        self.started.push((slot, task));
    }

    fn turn(&mut self, _: Duration, done: &mut Vec<Completion>) -> Result<Turn, StorageError> {
        if self.moved.load(Ordering::Relaxed) == STUCK {
            return Err(Broken::TIMEOUT.at("wait", "the storage"));
        }
        done.extend(self.started.drain(..).map(|(slot, task)| Completion {
            slot,
            operation: task.operation,
            last: true,
            outcome: Outcome::Done(task.length),
            service: 1,
            endpoint: 0,
        }));
        Ok(Turn { entered: 0, returned: 0 })
    }

    fn cancel(&mut self, _: u32) {}

    fn moved(&self, _: u32) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    fn waker(&self) -> Waker {
        Arc::new(|| ())
    }
}

/// A thread at the first stage of a plan, what it shows, and what its executor says is transferred.
fn bench(plan: Plan) -> (Worker, Arc<Shared>, Arc<AtomicU64>) {
    let limits = Limits { probe: crate::file::uring::probe };
    let loaded = validate(&Configure::default(), &move |_: &Configure| Ok(plan.clone()), limits);
    let prepared = Arc::new(loaded.expect("a valid plan").0);
    let (shared, moved) = (Arc::new(Shared::default()), Arc::new(AtomicU64::new(0)));
    let seat = Seat {
        control: Arc::new(Control::new(Stops::default(), 0, 1, &prepared.plan.errors)),
        stage: 0,
        thread: 0,
        clock: Clock(Instant::now()),
        shared: Arc::clone(&shared),
        directives: channel().1,
        report: Box::new(|_| ()),
        prepared: Arc::clone(&prepared),
    };
    let executor = Box::new(Held { moved: Arc::clone(&moved), started: Vec::new() });
    let source = source(&prepared, 0, Share::WHOLE).expect("a source");
    (Worker::new(seat, Equipment { executor, source }), shared, moved)
}

#[test]
fn a_page_that_is_listed_for_cleaning_up_is_a_step() {
    let names = pool("new/", Naming::Put, u64::MAX, 10);
    let (mut worker, shared, _) = bench(plan("null://", vec![names], vec![cleanup(&[0])]));
    worker.refill(0);
    assert_eq!((shared.steps.load(Ordering::Relaxed), worker.exhausted), (1, true));
}

/// Pages without anything to do; the stage is stopped while the third is listed.
struct Pages(Arc<Control>, u32);

impl Source for Pages {
    fn next(&mut self) -> Feed {
        self.1 += 1;
        assert!(self.1 <= 3, "it looks for a stop between pages");
        if self.1 == 3 {
            self.0.halt();
        }
        Feed::Looked
    }

    fn over(&mut self, _: u16, _: Task, _: Outcome) -> Verdict {
        Verdict::Counts
    }
}

#[test]
fn a_listing_of_any_length_does_not_delay_a_stop() {
    let names = pool("new/", Naming::Put, u64::MAX, 10);
    let (mut worker, shared, _) = bench(plan("null://", vec![names], vec![cleanup(&[0])]));
    worker.source = Box::new(Pages(Arc::clone(&worker.seat.control), 0));
    worker.refill(0);
    assert_eq!((shared.steps.load(Ordering::Relaxed), worker.in_flight), (3, 0));
}

/// A thread that is to clean up names without end in a store, the server, and the proxy that it goes through.
fn store(tolerant: bool) -> (Worker, S3sFs, Proxy) {
    let server = S3sFs::open();
    let proxy = Proxy::start(server.address());
    let names = pool("new/", Naming::Put, u64::MAX, 10);
    let target = format!("s3://{}/{}/p", proxy.address(), server.bucket());
    let kind = StageKind::Cleanup { pools: vec![PoolId(0)], tolerant };
    let mut plan = plan(&target, vec![names], vec![Stage { name: "cleanup".to_owned(), kind }]);
    plan.storage.credentials = Credentials::Anonymous;
    let backend = Backend::open(&plan.target, &plan.file, &plan.storage).expect("a store");
    backend.storage().put(b"new/obj_3", &&[0; 10][..]).expect("an object");
    let worker = bench(plan).0;
    // Whoever prepares it has looked what is there.
    proxy.forget();
    (worker, server, proxy)
}

#[test]
fn a_listing_that_fails_and_may_heal_is_tried_again_a_little_later() {
    let (mut worker, _server, proxy) = store(true);
    let lists = || proxy.count(|seen| seen.method == "GET");
    proxy.add(Rule::new(Wrong::status(500, "InternalError")).method("GET").first(2));
    let mut seen = Vec::new();
    for now in [0, LOOK - 1, LOOK, 2 * LOOK] {
        worker.refill(now);
        seen.push((lists(), worker.in_flight, worker.exhausted));
    }
    assert_eq!(seen, [(1, 0, false), (1, 0, false), (2, 0, false), (3, 1, true)]);
    assert_eq!(worker.seat.control.errors(), 0);
    assert_eq!(worker.seat.shared.steps.load(Ordering::Relaxed), 3, "each is a sign of life");
}

#[test]
fn a_listing_that_goes_on_failing_counts_once() {
    let (mut worker, _server, proxy) = store(true);
    proxy.add(Rule::new(Wrong::status(500, "InternalError")).method("GET"));
    let mut turns = 0..1000;
    while !worker.exhausted {
        worker.refill(turns.next().expect("an end") * LOOK);
    }
    assert_eq!(worker.seat.control.errors(), 1);
    assert!(proxy.count(|seen| seen.method == "GET") > 10);

    // What cannot heal is not tried again, nor what took its time, nor is anything by those who want to know.
    for (status, tolerant) in [(403, true), (504, true), (500, false)] {
        let (mut worker, _server, proxy) = store(tolerant);
        proxy.add(Rule::new(Wrong::status(status, "Any")).method("GET"));
        worker.refill(0);
        assert_eq!((worker.exhausted, worker.seat.control.errors()), (true, 1));
    }
}

#[test]
fn what_takes_too_long_counts_until_the_stage_has_failed_for_it() {
    let mut plan = plan("null://", vec![prepared(8, 1000)], vec![prepare(&[0])]);
    plan.errors.max_total_errors = 1;
    let timeout = nanos(plan.errors.operation_timeout);
    let (mut worker, ..) = bench(plan);
    worker.refill(0);
    assert_eq!(worker.in_flight, 4);
    worker.look(timeout + 1);
    assert_eq!(worker.seat.control.errors(), 2, "the other two are cancelled");
}

#[test]
fn what_was_given_up_is_counted_once_also_when_it_never_comes_back() {
    let mut plan = plan("null://", vec![prepared(8, 1000)], vec![execute_gets(1000)]);
    (plan.errors.max_total_errors, plan.errors.max_retries) = (u64::MAX, 0);
    let timeout = nanos(plan.errors.operation_timeout);
    let (mut worker, shared, moved) = bench(plan);
    let (sender, reports) = channel();
    worker.seat.report = Box::new(move |report| drop(sender.send(report)));
    worker.timeline = Timeline::new(&worker.seat.prepared.plan.stages[0].kind, Duration::from_secs(1), 0);
    worker.refill(0);
    worker.slots[0].stirred = timeout;
    worker.look(timeout + 1);
    shared.in_flight.store(worker.in_flight, Ordering::Relaxed);
    assert_eq!(shared.uncounted(), 1, "as the coordinator sees it when this thread does not come back");
    moved.store(STUCK, Ordering::Relaxed);
    worker.end();
    let Ok(Report::Drained { counts, .. }) = reports.recv() else { panic!("the last counts") };
    let tally = counts.recorder.tally();
    assert_eq!((tally.error_count(), tally.cancelled), (3, 1));
}

/// Comes back from its first turn so late, and from no other.
struct Asleep(Option<u64>);

impl Executor for Asleep {
    fn start(&mut self, _: u32, _: Task) {}

    fn turn(&mut self, _: Duration, _: &mut Vec<Completion>) -> Result<Turn, StorageError> {
        let returned = self.0.take().ok_or_else(|| Broken::TIMEOUT.at("wait", "the storage"))?;
        Ok(Turn { entered: 0, returned })
    }

    fn cancel(&mut self, _: u32) {}

    fn waker(&self) -> Waker {
        Arc::new(|| ())
    }
}

#[test]
fn what_is_in_flight_when_a_standstill_ends_after_the_stage_has_not_failed() {
    let plan = plan("null://", vec![prepared(8, 1000)], vec![execute_gets(60_000)]);
    let timeout = nanos(plan.errors.operation_timeout);
    let (mut worker, ..) = bench(plan);
    let (sender, reports) = channel();
    worker.seat.report = Box::new(move |report| drop(sender.send(report)));
    let timeline = Timeline::new(&worker.seat.prepared.plan.stages[0].kind, Duration::from_secs(100), 0);
    worker.end = timeline.expect("it is timed").end();
    worker.timeline = timeline;
    worker.executor = Box::new(Asleep(Some(worker.end + 2 * timeout)));
    worker.work();
    worker.end();
    let Ok(Report::Drained { counts, .. }) = reports.recv() else { panic!("the last counts") };
    let tally = counts.recorder.tally();
    assert_eq!((tally.error_count(), tally.cancelled), (0, 4));
}

#[test]
fn what_moves_is_not_given_up_in_an_untimed_stage_and_is_in_a_timed_one() {
    let timeout = |plan: &Plan| nanos(plan.errors.operation_timeout);
    let mut untimed = plan("null://", vec![prepared(1, 1000)], vec![prepare(&[0])]);
    if let StageKind::Prepare { overwrite, .. } = &mut untimed.stages[0].kind {
        *overwrite = true;
    }
    let timed = plan("null://", vec![prepared(1, 1000)], vec![execute_gets(1000)]);
    let half = timeout(&untimed) / 2;
    let (mut worker, _, moved) = bench(untimed);
    worker.refill(0);
    for step in 1..10 {
        moved.store(step, Ordering::Relaxed);
        worker.look(step * half);
        assert_eq!(worker.seat.control.errors(), 0, "it goes on");
    }
    // Nothing has moved for as long as an operation may take, and then for longer.
    worker.look(9 * half + 2 * half);
    assert_eq!((worker.seat.control.errors(), worker.slots.iter().any(|slot| slot.late)), (0, false));
    worker.look(9 * half + 2 * half + 1);
    assert!(worker.seat.control.errors() > 0 || worker.slots.iter().any(|slot| slot.late), "it has stopped");

    let (mut worker, _, moved) = bench(timed);
    worker.timeline = Timeline::new(&worker.seat.prepared.plan.stages[0].kind, Duration::from_secs(1), 0);
    worker.refill(0);
    moved.store(1, Ordering::Relaxed);
    worker.look(2 * half);
    moved.store(2, Ordering::Relaxed);
    worker.look(2 * half + 1);
    let given_up = worker.slots.iter().filter(|slot| slot.late || slot.expired).count();
    assert_eq!(given_up, worker.slots.iter().filter(|slot| slot.in_use).count(), "all of them are");
}

#[test]
fn bytes_of_an_object_count_while_they_go_and_once_when_it_is_done() {
    let mut plan = plan("null://", vec![prepared(1, 1000)], vec![prepare(&[0])]);
    if let StageKind::Prepare { overwrite, .. } = &mut plan.stages[0].kind {
        *overwrite = true;
    }
    let (mut worker, shared, moved) = bench(plan);
    let shown = || {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&shared.objects), of(&shared.bytes), of(&shared.steps))
    };
    worker.refill(0);
    worker.look(LOOK);
    assert_eq!(shown(), (0, 0, 1), "it is in flight");
    moved.store(600, Ordering::Relaxed);
    worker.look(2 * LOOK);
    assert_eq!(shown(), (0, 600, 2));
    moved.store(0, Ordering::Relaxed);
    worker.look(3 * LOOK);
    assert_eq!(shown(), (0, 600, 3), "what is done a second time does not take back what was shown");
    for turn in 4..6 {
        // It is written; then it has been looked at.
        worker.turn(0);
        worker.settle(turn * LOOK);
    }
    worker.look(6 * LOOK);
    assert_eq!(shown(), (1, 1000, 3), "nothing is in flight any more");
}
