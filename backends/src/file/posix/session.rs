//! One thread's way to do any task, one after another, with the files it keeps open.

use super::super::aligned::AlignedBuffer;
use super::super::target::parent;
use super::{PosixFiles, PutError, read_block, read_whole, write_block};
use crate::error::{Fault, StorageError};
use crate::executor::{Clock, Manner, ObjectId, Objects, Outcome, Task};
use crate::storage::{Content, Storage};
use iobench_core::stats::Operation;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a thread needs to do tasks.
pub(crate) struct Session {
    files: PosixFiles,
    objects: Arc<dyn Objects>,
    clock: Clock,
    buffer: AlignedBuffer,
    key: Vec<u8>,
    open: Box<[Option<OpenFile>]>,
}

struct OpenFile {
    object: ObjectId,
    writable: bool,
    file: OwnedFd,
}

/// How the executor's thread holds on to a task that another thread does.
#[derive(Default)]
pub(crate) struct Leash {
    /// The task is to end before its next piece.
    pub(crate) cancelled: AtomicBool,
    /// Bytes that it has written.
    pub(crate) moved: AtomicU64,
}

impl Leash {
    /// For the next task.
    pub(crate) fn reset(&self) {
        self.cancelled.store(false, Ordering::Relaxed);
        self.moved.store(0, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// How a task ended here.
pub(crate) struct Performed {
    pub(crate) outcome: Outcome,
    /// How long its fsync took, nanoseconds.
    pub(crate) synced: Option<u64>,
    /// Keys and nanoseconds of each page that was listed.
    pub(crate) pages: Vec<(u64, u64)>,
}

impl From<Outcome> for Performed {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, synced: None, pages: Vec::new() }
    }
}

impl From<Result<u64, Fault>> for Performed {
    fn from(result: Result<u64, Fault>) -> Self {
        match result {
            Ok(bytes) => Outcome::Done(bytes).into(),
            Err(fault) => Outcome::Failed(fault).into(),
        }
    }
}

/// Sees what a session reads: offset in the object, bytes. An error ends the task with it.
pub(crate) type Look<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), Fault>;

impl Session {
    pub(crate) fn new(
        files: PosixFiles,
        objects: Arc<dyn Objects>,
        clock: Clock,
        buffer: usize,
        open: usize,
    ) -> Self {
        let open = (0..open.max(1)).map(|_| None).collect();
        Self { files, objects, clock, buffer: AlignedBuffer::new(buffer), key: Vec::new(), open }
    }

    /// Does a task; stops between two pieces of it when it is cancelled.
    pub(crate) fn perform(&mut self, task: Task, leash: &Leash, look: Look<'_>) -> Performed {
        self.key.clear();
        self.objects.name(task.object, &mut self.key);
        let done = |result: Result<(), StorageError>| result.map(|()| 0).map_err(|error| error.fault);
        match task.operation {
            Operation::Get => self.get(task, leash, look),
            Operation::Put => self.put(task, leash),
            Operation::Read => self.read(task, look).into(),
            Operation::Write => self.write(task),
            Operation::Fsync => self.sync(task).into(),
            Operation::List => self.list(task, leash),
            Operation::Stat => self.files.stat(&self.key).map_err(|error| error.fault).into(),
            Operation::Delete => done(self.files.delete(&self.key)).into(),
            Operation::Mkdir => done(self.files.mkdir(&self.key)).into(),
            Operation::Rmdir => done(self.files.rmdir(&self.key)).into(),
            // Refused when the configuration is read.
            Operation::Copy | Operation::FirstByte | Operation::ListPage => {
                Outcome::Failed(Fault::os(libc::EOPNOTSUPP)).into()
            }
        }
    }

    fn get(&mut self, task: Task, leash: &Leash, look: Look<'_>) -> Performed {
        let read = self.files.open(&self.key, false).and_then(|file| {
            let mut sink = |offset, piece: &[u8]| {
                look(offset, piece)?;
                Ok(!leash.is_cancelled())
            };
            let span = (task.offset, Some(task.length));
            read_whole(&file, &self.files.target, span, self.buffer.bytes_mut(), &mut sink)
        });
        match read {
            Ok(bytes) if bytes < task.length => Outcome::Cancelled.into(),
            other => other.into(),
        }
    }

    fn put(&mut self, task: Task, leash: &Leash) -> Performed {
        let content = Computed { objects: &*self.objects, task, leash };
        let fresh = task.manner == Manner::IfAbsent;
        match self.files.put_timed(&self.key, &content, fresh, Some(self.clock)) {
            Ok(synced) => Performed { synced, ..Outcome::Done(task.length).into() },
            Err(PutError::Failed(fault)) => Outcome::Failed(fault).into(),
            Err(PutError::Cancelled) => Outcome::Cancelled.into(),
        }
    }

    fn read(&mut self, task: Task, look: Look<'_>) -> Result<u64, Fault> {
        let place = self.opened(task.object, false)?;
        let buffer = &mut self.buffer.bytes_mut()[..task.length as usize];
        let file = &self.open[place].as_ref().expect("it has just been opened").file;
        let read = read_block(file, task.offset, buffer)?;
        look(task.offset, &buffer[..read])?;
        if read < buffer.len() { Err(Fault::TRUNCATED) } else { Ok(read as u64) }
    }

    fn write(&mut self, task: Task) -> Performed {
        match self.write_and_sync(task) {
            Ok(synced) => Performed { synced, ..Outcome::Done(task.length).into() },
            Err(fault) => Outcome::Failed(fault).into(),
        }
    }

    fn write_and_sync(&mut self, task: Task) -> Result<Option<u64>, Fault> {
        let place = self.opened(task.object, true)?;
        let file = &self.open[place].as_ref().expect("it has just been opened").file;
        let content = Computed { objects: &*self.objects, task, leash: &Leash::default() };
        let data = content.slice(task.offset, task.length as usize);
        write_block(file, task.offset, data)?;
        if !self.files.target.sync_each {
            return Ok(None);
        }
        let begun = self.clock.now();
        rustix::io::retry_on_intr(|| rustix::fs::fsync(file))?;
        Ok(Some(self.clock.now() - begun))
    }

    fn sync(&mut self, task: Task) -> Result<u64, Fault> {
        let place = self.opened(task.object, false)?;
        let file = &self.open[place].as_ref().expect("it has just been opened").file;
        rustix::io::retry_on_intr(|| rustix::fs::fsync(file))?;
        Ok(0)
    }

    /// The directory that the key is in, page by page; stops between two pages when it is cancelled.
    fn list(&self, task: Task, leash: &Leash) -> Performed {
        let directory = match parent(&self.key) {
            b"." => Vec::new(),
            directory => [directory, b"/"].concat(),
        };
        let limit = usize::try_from(task.length).unwrap_or(usize::MAX).max(1);
        let (mut token, mut keys, mut pages) = (None, 0, Vec::new());
        let outcome = loop {
            let begun = self.clock.now();
            let page = match self.files.list(&directory, token.as_ref(), limit) {
                Ok(page) => page,
                Err(error) => break Outcome::Failed(error.fault),
            };
            pages.push((page.len() as u64, self.clock.now() - begun));
            keys += page.len() as u64;
            match page.next {
                None => break Outcome::Done(keys),
                Some(_) if leash.is_cancelled() => break Outcome::Cancelled,
                next => token = next,
            }
        };
        Performed { pages, ..outcome.into() }
    }

    /// The place of an open file, which is opened now if it is not; another one may have to go for it.
    fn opened(&mut self, object: ObjectId, writable: bool) -> Result<usize, Fault> {
        let place = (object.key as usize).wrapping_add(usize::from(object.pool.0)) % self.open.len();
        let fits = |open: &OpenFile| open.object == object && (open.writable || !writable);
        if !self.open[place].as_ref().is_some_and(fits) {
            let file = self.files.open(&self.key, writable)?;
            self.open[place] = Some(OpenFile { object, writable, file });
        }
        Ok(place)
    }
}

/// The computed content of an object.
struct Computed<'a> {
    objects: &'a dyn Objects,
    task: Task,
    leash: &'a Leash,
}

impl Computed<'_> {
    fn slice(&self, offset: u64, length: usize) -> &[u8] {
        let start = self.objects.start(self.task.object, offset);
        &self.objects.payload()[start..start + length.min(self.objects.longest())]
    }
}

impl Content for Computed<'_> {
    fn size(&self) -> u64 {
        self.task.length
    }

    fn piece(&self, offset: u64, max: usize) -> Option<&[u8]> {
        if self.leash.is_cancelled() {
            return None;
        }
        // What comes before the next piece is written.
        self.leash.moved.store(offset, Ordering::Relaxed);
        let rest = usize::try_from(self.task.length - offset).unwrap_or(usize::MAX);
        Some(self.slice(offset, rest.min(max)))
    }
}
