//! What a thread shows of objects that are not done.

use super::*;
use crate::engine::control::{Control, Shared, Stops};
use crate::engine::seat::Seat;
use crate::engine::source::source;
use crate::engine::tests::{cleanup, plan, pool, prepare, prepared};
use crate::engine::validate::{Limits, validate};
use crate::error::StorageError;
use crate::executor::{Clock, Turn, Waker};
use iobench_core::message::Configure;
use iobench_core::plan::{Naming, Plan, Share};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::channel;
use std::time::Instant;

/// Keeps every task until the next turn, and says of all that so much is transferred.
struct Held {
    moved: Arc<AtomicU64>,
    started: Vec<(u32, Task)>,
}

impl Executor for Held {
    fn start(&mut self, slot: u32, task: Task) {
        self.started.push((slot, task));
    }

    fn turn(&mut self, _: Duration, done: &mut Vec<Completion>) -> Result<Turn, StorageError> {
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
