//! The disk that a controller journals to: real frames in memory, written as late and as badly as a scenario wants.

use crate::checkers::Seen;
use crate::clock::truth;
use crate::state::{ControllerHost, Host, with};
use iobench::drive::Clock;
use iobench::drive::controller::{Handle, Results};
use iobench::results::journal::{self, MAGIC};
use iobench::results::{AgentRecord, Event, Header, Record};
use iobench_core::controller::{Notice, Outcome};
use iobench_core::message::{AgentIndex, AgentMessage};
use iobench_core::time::Now;
use std::time::Duration;

/// What is on the disk, and how it behaves.
#[derive(Clone, Debug)]
pub struct Disk {
    /// How long a write and its sync take.
    pub latency: Duration,
    /// Nothing can be written any more: path and cause.
    pub fails: Option<String>,
    /// Whole frames, as in a results directory's journal.
    pub bytes: Vec<u8>,
    /// What could not be written.
    pub unwritten: Vec<Record>,
    queue: Vec<Record>,
    writing: bool,
    /// The most records that ever waited.
    pub longest: usize,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(2),
            fails: None,
            bytes: Vec::new(),
            unwritten: Vec::new(),
            queue: Vec::new(),
            writing: false,
            longest: 0,
        }
    }
}

impl Disk {
    pub(crate) fn begin(&mut self, header: Header) {
        self.bytes = MAGIC.to_vec();
        let header = Record::Header(Box::new(header));
        journal::encode(&header, &mut self.bytes).expect("memory takes it");
    }

    /// Writes a batch; what cannot be written is remembered.
    fn write(&mut self, batch: &[Record]) -> Result<(), String> {
        if let Some(cause) = self.fails.clone() {
            self.unwritten.extend_from_slice(batch);
            return Err(cause);
        }
        for record in batch {
            journal::encode(record, &mut self.bytes).expect("memory takes it");
        }
        Ok(())
    }
}

/// The results port of a simulated controller.
pub(crate) struct Journal {
    pub(crate) controller: usize,
    pub(crate) handle: Handle,
    pub(crate) ids: Vec<String>,
}

impl Journal {
    fn name(&self, agent: Option<AgentIndex>) -> &str {
        agent.and_then(|agent| self.ids.get(agent.0 as usize)).map_or("controller", String::as_str)
    }

    fn queue(&self, record: Record) {
        let idle = host(self.controller, |host| {
            host.disk.queue.push(record);
            host.disk.longest = host.disk.longest.max(host.disk.queue.len());
            !std::mem::replace(&mut host.disk.writing, true)
        });
        if idle {
            tokio::spawn(write_all(self.controller, self.handle.clone()));
        }
    }

    /// The outcome is the last record, and is waited for.
    pub(crate) async fn finish(self, outcome: Outcome) {
        while host(self.controller, |host| host.disk.writing) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let record = Record::Outcome(Box::new(outcome));
        // What could not be written is remembered, and the summary says so.
        host(self.controller, |host| host.disk.write(&[record])).ok();
    }
}

fn host<R>(controller: usize, f: impl FnOnce(&mut ControllerHost) -> R) -> R {
    with(|state| f(&mut state.controllers[controller]))
}

/// Like the real writer: all that is queued at once, one sync, then the answers in order.
async fn write_all(controller: usize, handle: Handle) {
    loop {
        let batch = host(controller, |host| {
            let batch = std::mem::take(&mut host.disk.queue);
            host.disk.writing = !batch.is_empty();
            batch
        });
        if batch.is_empty() {
            return;
        }
        tokio::time::sleep(host(controller, |host| host.disk.latency)).await;
        crate::clock::SimClock(Host::Controller(controller)).while_stopped().await;
        let written = host(controller, |host| host.disk.write(&batch));
        if written.is_ok() && with(|state| state.watched == controller) {
            show(&batch);
        }
        for record in batch {
            if let Record::Agent(record) = record {
                handle.persisted(record.agent, record.message.sequence, written.clone());
            }
        }
    }
}

/// Tells the checkers what is safe.
fn show(batch: &[Record]) {
    for record in batch {
        if let Record::Agent(record) = record {
            with(|state| state.see(truth(), &Seen::Journalled(record.agent, &record.message)));
        }
    }
}

impl Results for Journal {
    fn persist(&mut self, now: Now, agent: AgentIndex, message: AgentMessage) {
        self.queue(Record::Agent(Box::new(AgentRecord { agent, received: now, message })));
    }

    fn transition(&mut self, now: Now, who: Option<AgentIndex>, from: &str, to: &str) {
        self.queue(Record::Event(Event::transition(now, self.name(who), from, to)));
    }

    fn notice(&mut self, now: Now, notice: &Notice) {
        self.queue(Record::Event(Event::notice(now, self.name(notice.agent), notice)));
    }
}
