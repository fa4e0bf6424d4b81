//! Requests in flight: a current-thread runtime and connections of its own for each executor.

use super::board::Board;
use super::site::Site;
use super::work::{Context, perform};
use crate::error::{Fault, StorageError};
use crate::executor::{Completion, Executor, ExecutorSpec, Objects, Task, Turn, Waker};
use bytes::Bytes;
use iobench_core::plan::Spread;
use iobench_core::stats::ErrorClass;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

/// Keeps requests in flight, on the thread that takes its turns.
pub(crate) struct StoreExecutor {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    context: Arc<Context>,
    board: Arc<Board>,
    clock: crate::executor::Clock,
    /// Tasks to be issued with the next turn.
    started: Vec<(u32, Task)>,
    /// The latest task of each slot.
    running: Box<[Option<JoinHandle<()>>]>,
    spread: Spread,
    names: Vec<String>,
    /// Tasks of each endpoint in flight.
    loads: Box<[u32]>,
    next: usize,
    /// Rings when a turn has lasted long enough; never later, at times earlier.
    alarm: Pin<Box<Sleep>>,
}

impl StoreExecutor {
    pub(super) fn new(site: &Site, spec: ExecutorSpec) -> Result<Self, StorageError> {
        let fails = |detail: String| {
            Fault::of(ErrorClass::Other).at("start requests to", site.target.to_string()).because(detail)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| fails(error.to_string()))?;
        let endpoints = site.connect(spec.slots).map_err(|failure| fails(failure.message))?;
        let alarm = {
            let _entered = runtime.enter();
            Box::pin(tokio::time::sleep(Duration::ZERO))
        };
        Ok(Self {
            runtime: Some(runtime),
            board: Board::new(spec.slots, spec.clock),
            clock: spec.clock,
            started: Vec::with_capacity(spec.slots as usize),
            running: (0..spec.slots).map(|_| None).collect(),
            spread: site.options.spread,
            names: site.names(),
            loads: vec![0; endpoints.len()].into(),
            next: 0,
            alarm,
            context: Arc::new(Context {
                endpoints,
                prefix: site.address.prefix.clone(),
                multipart: site.options.multipart,
                ranges: site.options.ranges,
                payload: Bytes::from_owner(Shared(Arc::clone(&spec.objects))),
                objects: spec.objects,
                inspector: spec.inspector.map(Mutex::new),
            }),
        })
    }

    /// The endpoint of the next task.
    fn choose(&mut self) -> u16 {
        let count = self.loads.len();
        let chosen = match self.spread {
            _ if count == 1 => 0,
            Spread::RoundRobin => self.next % count,
            // Of several with the fewest, the one after the last one chosen.
            Spread::LeastConnections => (0..count)
                .map(|n| (self.next + n) % count)
                .min_by_key(|&endpoint| self.loads[endpoint])
                .expect("there is an endpoint"),
        };
        self.next = chosen + 1;
        self.loads[chosen] += 1;
        // A plan has far fewer.
        chosen as u16
    }

    /// Gives what was started to the runtime; only from within it, which spares a wake-up for each.
    fn issue(&mut self) {
        for index in 0..self.started.len() {
            let (slot, task) = self.started[index];
            let endpoint = self.choose();
            let ticket = self.board.ticket(slot, task.operation, endpoint);
            let work = perform(Arc::clone(&self.context), ticket, task);
            self.running[slot as usize] = Some(tokio::spawn(work));
        }
        self.started.clear();
    }
}

impl Executor for StoreExecutor {
    fn start(&mut self, slot: u32, task: Task) {
        self.started.push((slot, task));
    }

    fn turn(&mut self, timeout: Duration, done: &mut Vec<Completion>) -> Result<Turn, StorageError> {
        let entered = self.clock.now();
        let before = done.len();
        let deadline = Instant::now() + timeout;
        let runtime = self.runtime.take().expect("it is there except while a turn borrows it");
        let mut begun = false;
        runtime.block_on(poll_fn(|cx| {
            if !begun {
                begun = true;
                self.issue();
                if timeout.is_zero() {
                    // One round for everybody, however short the turn.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if self.board.take(cx, done) || Instant::now() >= deadline {
                return Poll::Ready(());
            }
            // Setting an alarm costs more than looking at the clock: an earlier one is left as it is.
            if self.alarm.is_elapsed() || self.alarm.deadline() > deadline {
                self.alarm.as_mut().reset(deadline);
            }
            while self.alarm.as_mut().poll(cx).is_ready() {
                if Instant::now() >= deadline {
                    return Poll::Ready(());
                }
                self.alarm.as_mut().reset(deadline);
            }
            Poll::Pending
        }));
        self.runtime = Some(runtime);
        for completion in done[before..].iter().filter(|completion| completion.last) {
            self.loads[usize::from(completion.endpoint)] -= 1;
        }
        Ok(Turn { entered, returned: self.clock.now() })
    }

    fn cancel(&mut self, slot: u32) {
        if let Some(index) = self.started.iter().position(|&(started, _)| started == slot) {
            let (slot, task) = self.started.swap_remove(index);
            let endpoint = self.choose();
            // It never began.
            return drop(self.board.ticket(slot, task.operation, endpoint));
        }
        if let Some(running) = &self.running[slot as usize] {
            running.abort();
        }
    }

    fn moved(&self, slot: u32) -> u64 {
        self.board.moved(slot)
    }

    fn waker(&self) -> Waker {
        let board = Arc::clone(&self.board);
        Arc::new(move || board.wake())
    }

    fn endpoints(&self) -> Vec<String> {
        self.names.clone()
    }

    fn pause(&self, slot: u32) -> Option<Duration> {
        self.board.pause(slot)
    }
}

impl Drop for StoreExecutor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name that is being looked up may take long, and nobody waits for it.
            runtime.shutdown_background();
        }
    }
}

/// The payload as memory that is shared, not copied.
pub(super) struct Shared(pub(super) Arc<dyn Objects>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.payload()
    }
}
