//! The thread that owns a run's journal: what it says is persisted is on the disk.
//!
//! ```text
//! driver ──persist──► queue ──► write all that is queued, one fdatasync ──► callback for each message
//! ```
//! The queue needs no bound of its own: an agent holds back after 32 intervals that were not acknowledged, and
//! nothing is acknowledged before it was written here; so it holds at most 32 messages and a few events an agent.
//! The same bound holds for what is kept in memory after the disk has failed.

use super::directory::{Condition, Directory, JOURNAL, PathError};
use super::files;
use super::journal::{self, MAGIC};
use super::record::{AgentRecord, Event, Header, Record};
use super::run::{Place, Results};
use super::source::{FromStart, Source};
use crate::report;
use iobench_core::controller::{ExitCode, Outcome};
use iobench_core::message::{AgentIndex, AgentMessage};
use iobench_core::time::Now;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// After the disk has failed, so many events are kept in memory for the summary.
const UNWRITTEN_EVENTS_MAX: usize = 1_000;

/// Tells whether a message is on the disk: whose, its sequence number, and if not, path and cause.
/// Called from the writer's thread, in the order of [`ResultsWriter::persist`]; must return at once.
pub type Persisted = Box<dyn Fn(AgentIndex, u64, Result<(), String>) + Send>;

/// Where the journal's bytes go. A file, or something that fails in a test or a simulation.
pub trait Sink: Send + 'static {
    /// Appends all of it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was appended is durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts off what was appended after this length.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// The file, to be read back although its name may be gone; `None` where there is none.
    fn open(&self) -> Option<File> {
        None
    }
}

impl Sink for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }

    fn open(&self) -> Option<File> {
        self.try_clone().ok()
    }
}

/// The results of a run, being written.
#[derive(Debug)]
pub struct ResultsWriter {
    queue: Sender<Item>,
    thread: JoinHandle<Option<Finished>>,
    path: Option<PathBuf>,
}

/// What is left of a run when its results are written, or could not be.
#[derive(Debug)]
pub struct Finished {
    /// The results directory; `None` when there never was one.
    pub directory: Option<PathBuf>,
    /// The results.
    pub results: Results,
    /// The whole summary for standard output.
    pub text: String,
    /// Why results are not, or not all, on the disk: path and cause.
    pub failure: Option<String>,
}

impl Finished {
    /// What the process returns: unwritten results replace a success or partial success.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        match (&self.failure, self.results.outcome.exit) {
            (Some(_), ExitCode::AllCompleted | ExitCode::SomeCompleted) => ExitCode::ResultsUnwritten,
            (_, exit) => exit,
        }
    }
}

enum Item {
    Message(Box<AgentRecord>),
    Event(Event),
    Finish(Box<Outcome>),
}

impl ResultsWriter {
    /// Makes the results directory under `parent` and begins its journal, both durable when this returns.
    pub fn create(parent: &Path, header: Header, persisted: Persisted) -> Result<Self, PathError> {
        let directory = Directory::create(parent, &header)?;
        let path = directory.path().join(JOURNAL);
        let created = File::options().read(true).write(true).create_new(true).open(&path);
        let file = created.map_err(PathError::on("create", &path))?;
        Self::begin(directory, Box::new(file), header, persisted).map_err(PathError::on("write", &path))
    }

    /// The same with another place for the journal's bytes.
    pub fn begin(
        directory: Directory,
        mut sink: Box<dyn Sink>,
        header: Header,
        persisted: Persisted,
    ) -> io::Result<Self> {
        let mut bytes = MAGIC.to_vec();
        journal::encode(&Record::Header(Box::new(header.clone())), &mut bytes)?;
        sink.append(&bytes)?;
        sink.sync()?;
        let path = directory.path().to_owned();
        let open = sink.open().map(Arc::new);
        let journal = Journal { sink, path: path.join(JOURNAL), length: bytes.len() as u64 };
        let worker = Worker { open, ..Worker::new(Ok(journal), Some(directory), header, persisted) };
        Self::spawn(worker, Some(path))
    }

    /// A writer without a disk, for a run that shall go on although its results cannot be written: every message
    /// is refused with `cause`, and [`ResultsWriter::finish`] gives the summary of what came all the same.
    pub fn detached(header: Header, cause: String, persisted: Persisted) -> io::Result<Self> {
        Self::spawn(Worker::new(Err(cause), None, header, persisted), None)
    }

    fn spawn(worker: Worker, path: Option<PathBuf>) -> io::Result<Self> {
        let (queue, items) = channel();
        let thread =
            thread::Builder::new().name("iobench-results".to_owned()).spawn(move || worker.run(&items))?;
        Ok(Self { queue, thread, path })
    }

    /// The results directory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Queues a message; the callback says when it is on the disk. Returns at once.
    pub fn persist(&self, agent: AgentIndex, received: Now, message: AgentMessage) {
        self.enqueue(Item::Message(Box::new(AgentRecord { agent, received, message })));
    }

    /// Queues an event. Returns at once.
    pub fn event(&self, event: Event) {
        self.enqueue(Item::Event(event));
    }

    fn enqueue(&self, item: Item) {
        // The thread ends only in `finish`, which consumes the writer; a panic there is reported by its join.
        let _ = self.queue.send(item);
    }

    /// Writes the outcome and all final files; waits for the disk.
    #[must_use = "it says whether the results are on the disk"]
    pub fn finish(self, outcome: Outcome) -> Finished {
        self.enqueue(Item::Finish(Box::new(outcome)));
        let finished = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        finished.expect("the thread ends without results only when its queue is dropped before the outcome")
    }
}

struct Journal {
    sink: Box<dyn Sink>,
    path: PathBuf,
    /// Bytes known to be whole frames.
    length: u64,
}

impl Journal {
    /// Appends frames and waits for the disk; on failure the file is cut back to its last whole state.
    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self.sink.append(bytes).and_then(|()| self.sink.sync()) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // If this fails as well, the reader finds a torn tail and keeps all before it.
                let _ = self.sink.truncate(self.length).and_then(|()| self.sink.sync());
                Err(format!("cannot write {}: {error}", self.path.display()))
            }
        }
    }
}

/// Writes the journal again if somebody has removed it from its directory.
fn restore(directory: &mut Directory, source: &Source) -> Result<(), PathError> {
    let (Some(open), false) = (&source.open, directory.path().join(JOURNAL).exists()) else { return Ok(()) };
    directory.stage(JOURNAL, |out| io::copy(&mut FromStart::of(open), out).map(drop))
}

/// The writer's thread.
struct Worker {
    /// The journal, or for good why it cannot be written.
    journal: Result<Journal, String>,
    directory: Option<Directory>,
    header: Header,
    persisted: Persisted,
    /// The journal's file, for reading it back.
    open: Option<Arc<File>>,
    /// What came after the journal had failed.
    unwritten: Vec<Record>,
    unwritten_events: usize,
}

impl Worker {
    fn new(
        journal: Result<Journal, String>,
        directory: Option<Directory>,
        header: Header,
        persisted: Persisted,
    ) -> Self {
        Self { journal, directory, header, persisted, open: None, unwritten: Vec::new(), unwritten_events: 0 }
    }

    /// Until the outcome; `None` when the writer is dropped without one: the directory then stays as an
    /// interrupted controller leaves it.
    fn run(mut self, items: &Receiver<Item>) -> Option<Finished> {
        let mut batch = Vec::new();
        while let Ok(first) = items.recv() {
            let mut outcome = None;
            for item in std::iter::once(first).chain(items.try_iter()) {
                match item {
                    Item::Message(message) => batch.push(Record::Agent(message)),
                    Item::Event(event) => batch.push(Record::Event(event)),
                    Item::Finish(end) => outcome = Some(end),
                }
            }
            self.write(&mut batch);
            if let Some(outcome) = outcome {
                return Some(self.finish(*outcome));
            }
        }
        None
    }

    /// Writes a batch with one sync, then answers for each of its messages.
    fn write(&mut self, batch: &mut Vec<Record>) {
        if batch.is_empty() {
            return;
        }
        let written = self.append(batch);
        for record in batch.drain(..) {
            if let Record::Agent(message) = &record {
                (self.persisted)(message.agent, message.message.sequence, written.clone());
            }
            if written.is_err() {
                self.remember(record);
            }
        }
    }

    fn append(&mut self, batch: &[Record]) -> Result<(), String> {
        let journal = self.journal.as_mut().map_err(|cause| cause.clone())?;
        let mut bytes = Vec::new();
        let encoded = batch.iter().try_for_each(|record| journal::encode(record, &mut bytes));
        let written = encoded.map_err(|error| error.to_string()).and_then(|()| journal.write(&bytes));
        if let Err(cause) = &written {
            self.journal = Err(cause.clone());
        }
        written
    }

    fn remember(&mut self, record: Record) {
        if matches!(record, Record::Event(_)) {
            self.unwritten_events += 1;
            if self.unwritten_events > UNWRITTEN_EVENTS_MAX {
                return;
            }
        }
        self.unwritten.push(record);
    }

    fn finish(mut self, outcome: Outcome) -> Finished {
        let outcome = Record::Outcome(Box::new(outcome));
        self.write(&mut vec![outcome.clone()]);
        let path = self.directory.as_ref().map(|directory| directory.path().to_owned());
        let source = self.source(path.as_deref());
        let place = Place::Directory(path.clone().unwrap_or_default());
        let (mut results, readable) = match Results::fold(&source, Condition::Finished, place.clone()) {
            Ok(results) => (results, Ok(())),
            // Not even the journal's beginning can be read back: what is in memory is all there is.
            Err(error) => {
                let header = Record::Header(Box::new(self.header.clone()));
                let records = [header].into_iter().chain(source.unwritten.clone()).chain([outcome]);
                let memory = Source { journals: Vec::new(), open: None, unwritten: records.collect() };
                let results = Results::fold(&memory, Condition::Finished, place);
                (results.expect("no disk is read, and there is a header"), Err(error.to_string()))
            }
        };
        let journal = std::mem::replace(&mut self.journal, Err(String::new())).map(drop);
        let written = journal.and(readable).and_then(|()| match self.directory.take() {
            Some(mut directory) => {
                let whole = restore(&mut directory, &source).map_err(files::FinalError::from);
                let written = whole.and_then(|()| files::write(directory, &results, &source));
                written.map(drop).map_err(|error| error.to_string())
            }
            None => Ok(()),
        });
        let failure = written.err();
        if let Some(cause) = &failure {
            results.place = Place::Unwritten { cause: cause.clone(), partly: path.clone() };
        }
        Finished { directory: path, text: report::text(&results), results, failure }
    }

    /// The journal as far as it was written, then what was not.
    fn source(&mut self, directory: Option<&Path>) -> Source {
        let journals = directory.map(|path| path.join(JOURNAL)).into_iter().collect::<Vec<_>>();
        let mut unwritten = std::mem::take(&mut self.unwritten);
        if journals.is_empty() {
            unwritten.insert(0, Record::Header(Box::new(self.header.clone())));
        }
        Source { journals, open: self.open.take(), unwritten }
    }
}
