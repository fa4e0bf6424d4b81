//! What a slot does, step by step: a small state machine for each kind of task.
//!
//! ```text
//! get     open → transfer… → close
//! put     open (→ parents… → open) → transfer… (→ sync) → close (→ rename (→ open, sync, close the directory))
//!         on failure or cancellation: → close → remove
//! read    (open →) transfer…                    the file is kept open, or closed again where there is no place
//! write   (open →) transfer… (→ sync)           as above
//! fsync   (open →) sync                         as above
//! stat, delete, mkdir, rmdir                    one step
//! list    on a thread beside
//! ```

use super::super::aligned::ALIGNMENT;
use super::super::posix::{check_kind, creating, not_opened};
use super::super::target::parent;
use super::ring::File;
use super::{Completion, ErrorClass, Fault, Found, Name, Operation, Outcome, Request, Task, UringExecutor};
use crate::executor::Manner;
use rustix::fs::OFlags;

/// A step that was interrupted or ends with `EAGAIN` is done again so often.
const TRIES_MAX: u16 = 1000;

/// The mark of a clock that does not run any more: nothing is later.
const STOPPED: u64 = u64::MAX;

/// A task and how far it has come.
#[derive(Copy, Clone, Debug)]
pub(super) struct Job {
    pub(super) task: Task,
    pub(super) state: State,
    /// When what is being measured was issued, nanoseconds.
    pub(super) mark: u64,
    pub(super) cancelled: bool,
    /// Service time before `mark`, nanoseconds.
    spent: u64,
    /// How long it took to make it durable, nanoseconds.
    synced: Option<u64>,
    /// Bytes transferred.
    pub(super) done: u64,
    /// Why it is being unwound.
    fault: Option<Fault>,
    /// Where its file is kept.
    place: Option<u32>,
    /// A put has made its file.
    created: bool,
    /// A put has looked after the directories that it needs.
    parents: bool,
    /// A directory above the missing one exists or was made: the way leads down again.
    descending: bool,
    tries: u16,
    /// The request in flight, to repeat it.
    request: Request,
}

/// Which step is in flight.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    Idle,
    Open,
    /// A missing directory, whose path has this length, is being made.
    Parents(u32),
    Transfer,
    Sync,
    Close,
    Rename,
    OpenDirectory,
    SyncDirectory,
    CloseDirectory,
    Remove,
    Stat,
    /// Delete, mkdir or rmdir.
    Simple,
    Listing,
}

impl State {
    /// After these the task can be unwound; steps that leave something behind are finished first.
    pub(super) fn can_be_cancelled(self) -> bool {
        matches!(self, Self::Open | Self::Transfer | Self::Sync | Self::Stat)
    }
}

impl Job {
    pub(super) const IDLE: Self = Self::new(Task {
        operation: Operation::Stat,
        object: crate::executor::ObjectId { pool: iobench_core::plan::PoolId(0), key: 0 },
        offset: 0,
        length: 0,
        manner: Manner::Plain,
    })
    .idle();

    pub(super) const fn new(task: Task) -> Self {
        Self {
            task,
            state: State::Simple,
            mark: 0,
            cancelled: false,
            spent: 0,
            synced: None,
            done: 0,
            fault: None,
            place: None,
            created: false,
            parents: false,
            descending: false,
            tries: 0,
            request: Request::Stat,
        }
    }

    const fn idle(mut self) -> Self {
        self.state = State::Idle;
        self
    }

    fn file(&self) -> File {
        self.place.map_or(File::Own, File::Kept)
    }

    /// Whether the kernel may be asked to give the step up. An interrupted open may have truncated an object all the
    /// same, and then nobody would know that there is something to remove.
    pub(super) fn is_interruptible(&self) -> bool {
        let makes = self.state == State::Open && self.task.operation == Operation::Put;
        self.state.can_be_cancelled() && !makes
    }

    fn writes(&self) -> bool {
        matches!(self.task.operation, Operation::Put | Operation::Write)
    }
}

impl UringExecutor {
    /// The first step of a new task.
    #[inline]
    pub(super) fn begin(&mut self, slot: u32) {
        self.fresh.push(slot);
        let task = self.jobs[slot as usize].task;
        match task.operation {
            Operation::Read | Operation::Write | Operation::Fsync => self.begin_block(slot, task),
            Operation::List => {
                // Its clock is on the thread that does it.
                self.fresh.pop();
                self.jobs[slot as usize].state = State::Listing;
                let (lists, _) = self.lists.as_mut().expect("an executor that lists has threads for it");
                lists.start(slot, task);
            }
            operation => {
                let (target, objects) = (&self.target, &self.objects);
                let key = |out: &mut Vec<u8>| objects.name(task.object, out);
                self.ring.set_path(slot, Name::First, |out, _| target.push_path(key, out));
                let path = Name::First;
                match operation {
                    Operation::Put => self.create(slot),
                    Operation::Stat => self.push(slot, State::Stat, Request::Stat),
                    Operation::Delete => {
                        self.push(slot, State::Simple, Request::Unlink { path, directory: false });
                    }
                    Operation::Rmdir => {
                        self.push(slot, State::Simple, Request::Unlink { path, directory: true })
                    }
                    Operation::Mkdir => self.push(slot, State::Simple, Request::Mkdir { path }),
                    _ => self.open(slot, OFlags::RDONLY),
                }
            }
        }
    }

    #[inline]
    fn begin_block(&mut self, slot: u32, task: Task) {
        let writable = task.operation == Operation::Write;
        match self.table.find(task.object, writable) {
            Found::Open(place) => {
                self.jobs[slot as usize].place = Some(place);
                return self.block(slot);
            }
            Found::Free(place) => self.jobs[slot as usize].place = Some(place),
            Found::Taken => {}
        }
        let (target, objects) = (&self.target, &self.objects);
        let key = |out: &mut Vec<u8>| objects.name(task.object, out);
        self.ring.set_path(slot, Name::First, |out, _| target.push_path(key, out));
        self.open(slot, if writable { OFlags::RDWR } else { OFlags::RDONLY });
    }

    /// A step is over.
    #[inline]
    pub(super) fn advance(&mut self, slot: u32, result: i32, now: u64, done: &mut Vec<Completion>) {
        let job = &mut self.jobs[slot as usize];
        let state = job.state;
        if may_be_repeated(result) && !job.cancelled && job.tries < TRIES_MAX {
            job.tries += 1;
            let request = job.request.waiting(self.target.memory);
            // A close has taken the file away in any case.
            if request != Request::Close {
                return self.push(slot, state, request);
            }
        }
        // From here on there is something to remove, also when the task was cancelled meanwhile.
        job.created |= state == State::Open && result >= 0 && job.task.operation == Operation::Put;
        if job.cancelled && state.can_be_cancelled() {
            return self.unwind(slot, now, done);
        }
        let failure = (result < 0).then(|| Fault::os(-result));
        match (state, failure) {
            (State::Transfer, None) => self.transferred(slot, result.unsigned_abs(), now, done),
            (State::Open, None) => self.opened(slot, now, done),
            (State::Open, Some(fault)) => self.not_opened(slot, fault, now, done),
            (State::Parents(end), _) => self.made_parent(slot, end as usize, result, now, done),
            (State::Sync | State::SyncDirectory, None) => self.synced(slot, state, now, done),
            (State::Close, None) => self.closed(slot, now, done),
            // The file is gone from us, but not all that was written may have arrived.
            (State::Close, Some(fault)) => {
                if self.jobs[slot as usize].writes() {
                    self.jobs[slot as usize].fault.get_or_insert(fault);
                }
                self.closed(slot, now, done);
            }
            (State::Rename, None) => self.renamed(slot, now, done),
            (State::OpenDirectory, None) => {
                self.restart_clock(slot, now);
                self.push(slot, State::SyncDirectory, Request::Fsync { file: File::Own });
            }
            (State::Stat, None) => self.found(slot, now, done),
            (State::Simple, None) => self.finish(slot, Outcome::Done(0), now, done),
            (State::CloseDirectory, _) => {
                let length = self.jobs[slot as usize].task.length;
                self.finish(slot, Outcome::Done(length), now, done);
            }
            // Removed or not: the first failure is what counts.
            (State::Remove, _) => self.ended(slot, now, done),
            (State::Idle | State::Listing, _) => unreachable!("nothing is in flight on the ring"),
            (_, Some(fault)) => self.fail(slot, fault, now, done),
        }
    }

    #[inline]
    fn push(&mut self, slot: u32, state: State, request: Request) {
        let job = &mut self.jobs[slot as usize];
        job.state = state;
        job.request = request;
        // A file in memory does not wait, but is opened such that the kernel says `EAGAIN` to a write nevertheless;
        // and what has said so once would say it again.
        let waits = job.tries > 0 || (self.target.memory && matches!(request, Request::Write { .. }));
        self.ring.push(slot, request, waits);
    }

    /// Opens an existing file. A FIFO is not waited for: see [`accept`](Self::accept).
    fn open(&mut self, slot: u32, access: OFlags) {
        let flags = flags(access | OFlags::NONBLOCK | self.target.flags());
        self.push(slot, State::Open, Request::Open { path: Name::First, flags });
    }

    /// Opens a new file: under a temporary name if it is to be renamed.
    fn create(&mut self, slot: u32) {
        let path = if self.target.rename {
            let (target, number) = (&self.target, self.first_temporary + slot);
            self.ring.set_path(slot, Name::Second, |out, last| target.push_temporary(last, number, out));
            Name::Second
        } else {
            Name::First
        };
        let fresh = !self.target.rename && self.jobs[slot as usize].task.manner == Manner::IfAbsent;
        let flags = flags(creating(fresh) | OFlags::NONBLOCK | self.target.flags());
        self.push(slot, State::Open, Request::Open { path, flags });
    }

    /// Takes what was opened if it is a file or a block device, and has it wait where it should: only in memory
    /// nothing ever does. Two short system calls; the ring would give a `statx` to a worker thread.
    fn accept(&self, slot: u32) -> Result<(), Fault> {
        let file = self.ring.file(slot).expect("it has just been opened");
        check_kind(file)?;
        if !self.target.memory {
            rustix::fs::fcntl_setfl(file, self.target.flags() & OFlags::DIRECT)?;
        }
        Ok(())
    }

    fn opened(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        if let Err(fault) = self.accept(slot) {
            // It was there before, whatever it is.
            self.jobs[slot as usize].created &= fault != Fault::NOT_A_FILE;
            return self.fail(slot, fault, now, done);
        }
        let job = &mut self.jobs[slot as usize];
        match job.task.operation {
            Operation::Put | Operation::Get => {}
            // Opening is no part of a block operation.
            _ => {
                self.fresh.push(slot);
                if let Some(place) = job.place {
                    if let Err(error) = self.ring.keep(slot, place) {
                        return self.fail(slot, Fault::from(&error), now, done);
                    }
                    self.table.opened(place);
                }
                return self.block(slot);
            }
        }
        self.next_piece(slot, now, done);
    }

    fn not_opened(&mut self, slot: u32, fault: Fault, now: u64, done: &mut Vec<Completion>) {
        let job = &mut self.jobs[slot as usize];
        // A put makes the directories it needs, once.
        if job.task.operation == Operation::Put && fault.code == libc::ENOENT.unsigned_abs() && !job.parents {
            job.parents = true;
            let end = parent(self.ring.path(slot, Name::First)).len();
            self.make_parent(slot, end);
        } else {
            let fault = not_opened(self.ring.path(slot, Name::First), fault);
            self.fail(slot, fault, now, done);
        }
    }

    fn make_parent(&mut self, slot: u32, end: usize) {
        self.ring.set_path(slot, Name::Second, |out, path| out.extend_from_slice(&path[..end]));
        // A path has at most 4096 bytes.
        self.push(slot, State::Parents(end as u32), Request::Mkdir { path: Name::Second });
    }

    /// Goes up while directories are missing, then down again to the last one.
    fn made_parent(&mut self, slot: u32, end: usize, result: i32, now: u64, done: &mut Vec<Completion>) {
        if self.jobs[slot as usize].cancelled {
            return self.unwind(slot, now, done);
        }
        let path = self.ring.path(slot, Name::First);
        let last = parent(path).len();
        match -result {
            0 | libc::EEXIST if end == last => self.create(slot),
            0 | libc::EEXIST => {
                self.jobs[slot as usize].descending = true;
                let below = path[end + 1..].iter().position(|&b| b == b'/');
                let below = below.map_or(last, |length| end + 1 + length);
                self.make_parent(slot, below);
            }
            // What is missing below something that exists cannot be made: a dangling link, or a file system that
            // takes no directories.
            libc::ENOENT if end > 1 && !self.jobs[slot as usize].descending => {
                let above = parent(&path[..end]).len();
                self.make_parent(slot, above);
            }
            errno => self.fail(slot, Fault::os(errno), now, done),
        }
    }

    /// The one step of a block operation on an open file.
    #[inline]
    fn block(&mut self, slot: u32) {
        let job = &self.jobs[slot as usize];
        let (file, task) = (job.file(), job.task);
        match task.operation {
            Operation::Fsync => self.push(slot, State::Sync, Request::Fsync { file }),
            // A block is no larger than what is asked at once: see `ExecutorSpec::buffer` and `Objects::longest`.
            Operation::Write => {
                let offset = task.offset + job.done;
                let start = self.objects.start(task.object, offset);
                let len = (task.length - job.done) as u32;
                self.push(slot, State::Transfer, Request::Write { file, offset, start, len });
            }
            _ => {
                let (offset, len) = (task.offset + job.done, (task.length - job.done) as u32);
                self.push(slot, State::Transfer, Request::Read { file, offset, len });
            }
        }
    }

    /// The next piece of a whole object, or what comes after the last.
    fn next_piece(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        let job = &self.jobs[slot as usize];
        let (task, offset) = (job.task, job.done);
        let rest = task.length - offset;
        if rest == 0 {
            return self.transferred_all(slot, now);
        }
        if task.operation == Operation::Get {
            let want = usize::try_from(rest).map_or(self.buffer, |rest| rest.min(self.buffer));
            // Direct I/O asks for whole blocks, beyond the end too.
            let len = if self.target.direct { want.next_multiple_of(ALIGNMENT) } else { want };
            return self.push(
                slot,
                State::Transfer,
                Request::Read { file: File::Own, offset: task.offset + offset, len: len as u32 },
            );
        }
        let len = self.target.piece(rest, self.objects.longest());
        if self.target.is_tail(len) {
            let cleared = self.ring.file(slot).map_or(Ok(()), super::super::posix::buffered);
            if let Err(errno) = cleared {
                return self.fail(slot, errno.into(), now, done);
            }
        }
        let start = self.objects.start(task.object, offset);
        let request = Request::Write { file: File::Own, offset, start, len: len as u32 };
        self.push(slot, State::Transfer, request);
    }

    /// Some bytes have come or gone, not necessarily all that were asked for.
    #[inline]
    fn transferred(&mut self, slot: u32, bytes: u32, now: u64, done: &mut Vec<Completion>) {
        let job = &mut self.jobs[slot as usize];
        let (before, length) = (job.done, job.task.length);
        let reached = (before + u64::from(bytes)).min(length);
        let whole = matches!(job.task.operation, Operation::Get | Operation::Put);
        if reached < length {
            // In the middle of an object direct I/O goes on at a block's beginning.
            let resumed = if whole { self.target.resume(reached) } else { reached };
            if resumed == before {
                let writes = job.writes();
                let fault = if writes { Fault::of(ErrorClass::Storage) } else { Fault::TRUNCATED };
                return self.fail(slot, fault, now, done);
            }
            job.done = resumed;
        } else {
            job.done = length;
        }
        if let Some(inspector) = self.inspector.as_mut().filter(|_| !job.writes()) {
            let piece = &self.ring.buffer(slot)[..(reached - before) as usize];
            if let Err(fault) = inspector(job.task.object, job.task.offset + before, piece) {
                return self.fail(slot, fault, now, done);
            }
        }
        match (whole, reached == length) {
            (true, false) => self.next_piece(slot, now, done),
            (true, true) => self.transferred_all(slot, now),
            (false, false) => self.block(slot),
            (false, true) => self.block_done(slot, now, done),
        }
    }

    #[inline]
    fn block_done(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        let job = &self.jobs[slot as usize];
        if job.task.operation == Operation::Write && self.target.sync_each {
            let file = job.file();
            self.restart_clock(slot, now);
            self.push(slot, State::Sync, Request::Fsync { file });
        } else if job.place.is_some() {
            let length = job.task.length;
            self.finish(slot, Outcome::Done(length), now, done);
        } else {
            // The operation is over; only its file is still to be closed.
            let job = &mut self.jobs[slot as usize];
            job.spent += now - job.mark;
            job.mark = STOPPED;
            self.push(slot, State::Close, Request::Close);
        }
    }

    fn transferred_all(&mut self, slot: u32, now: u64) {
        if self.jobs[slot as usize].task.operation == Operation::Put && self.target.sync_each {
            self.restart_clock(slot, now);
            self.push(slot, State::Sync, Request::Fsync { file: File::Own });
        } else {
            self.push(slot, State::Close, Request::Close);
        }
    }

    /// Ends one measured part and begins another with the next turn.
    fn restart_clock(&mut self, slot: u32, now: u64) {
        let job = &mut self.jobs[slot as usize];
        job.spent += now - job.mark;
        job.mark = now;
        self.fresh.push(slot);
    }

    fn synced(&mut self, slot: u32, state: State, now: u64, done: &mut Vec<Completion>) {
        let job = &mut self.jobs[slot as usize];
        if job.task.operation != Operation::Fsync {
            *job.synced.get_or_insert(0) += now - job.mark;
            job.mark = now;
            self.fresh.push(slot);
        }
        let job = &self.jobs[slot as usize];
        match (state, job.place) {
            (State::SyncDirectory, _) => self.push(slot, State::CloseDirectory, Request::Close),
            (_, None) => self.push(slot, State::Close, Request::Close),
            (_, Some(_)) => {
                let length = job.task.length;
                self.finish(slot, Outcome::Done(length), now, done);
            }
        }
    }

    fn closed(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        let job = &self.jobs[slot as usize];
        if job.fault.is_some() || job.cancelled {
            self.unwind(slot, now, done);
        } else if job.task.operation == Operation::Put && self.target.rename {
            let fresh = job.task.manner == Manner::IfAbsent;
            self.push(slot, State::Rename, Request::Rename { fresh });
        } else {
            let length = job.task.length;
            self.finish(slot, Outcome::Done(length), now, done);
        }
    }

    fn renamed(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        let job = &mut self.jobs[slot as usize];
        job.created = false;
        if !self.target.sync_each {
            let length = job.task.length;
            return self.finish(slot, Outcome::Done(length), now, done);
        }
        // The new name is durable when its directory is.
        self.ring.set_path(slot, Name::Second, |out, path| out.extend_from_slice(parent(path)));
        let flags = flags(OFlags::RDONLY | OFlags::DIRECTORY);
        self.push(slot, State::OpenDirectory, Request::Open { path: Name::Second, flags });
    }

    fn found(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        let stat = self.ring.stat(slot);
        let outcome = match u32::from(stat.stx_mode) & libc::S_IFMT {
            libc::S_IFDIR => Outcome::Failed(Fault::of(ErrorClass::NotFound)),
            libc::S_IFREG | libc::S_IFBLK => Outcome::Done(stat.stx_size),
            _ => Outcome::Failed(Fault::NOT_A_FILE),
        };
        self.finish(slot, outcome, now, done);
    }

    fn fail(&mut self, slot: u32, fault: Fault, now: u64, done: &mut Vec<Completion>) {
        self.jobs[slot as usize].fault.get_or_insert(fault);
        self.unwind(slot, now, done);
    }

    /// The way out of a task that failed or was cancelled: close what is open, remove what was made.
    fn unwind(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        if self.ring.file(slot).is_some() {
            return self.push(slot, State::Close, Request::Close);
        }
        let job = &mut self.jobs[slot as usize];
        if std::mem::take(&mut job.created) {
            let path = if self.target.rename { Name::Second } else { Name::First };
            return self.push(slot, State::Remove, Request::Unlink { path, directory: false });
        }
        self.ended(slot, now, done);
    }

    fn ended(&mut self, slot: u32, now: u64, done: &mut Vec<Completion>) {
        let outcome = match self.jobs[slot as usize].fault {
            // What ended because it was cancelled did not fail.
            Some(fault) if !self.jobs[slot as usize].cancelled => Outcome::Failed(fault),
            _ => Outcome::Cancelled,
        };
        self.finish(slot, outcome, now, done);
    }

    #[inline]
    fn finish(&mut self, slot: u32, outcome: Outcome, now: u64, done: &mut Vec<Completion>) {
        let job = &mut self.jobs[slot as usize];
        job.state = State::Idle;
        if let Some(place) = job.place.take() {
            self.table.release(place);
        }
        if let (Some(service), Outcome::Done(_)) = (job.synced, outcome) {
            let outcome = Outcome::Done(0);
            done.push(Completion {
                slot,
                operation: Operation::Fsync,
                last: false,
                outcome,
                service,
                endpoint: 0,
            });
        }
        let service = job.spent + now.saturating_sub(job.mark);
        done.push(Completion {
            slot,
            operation: job.task.operation,
            last: true,
            outcome,
            service,
            endpoint: 0,
        });
    }
}

/// Whether a step has done nothing, and only has to be done again. Where a process is stopped, an open that waits ends with
/// one of the kernel's own numbers (include/linux/errno.h) for "restart the call", which no other call lets out.
fn may_be_repeated(result: i32) -> bool {
    const ERESTARTSYS: i32 = 512;
    const ERESTART_RESTARTBLOCK: i32 = 516;
    matches!(-result, libc::EINTR | libc::EAGAIN | ERESTARTSYS..=ERESTART_RESTARTBLOCK)
}

#[expect(clippy::cast_possible_wrap, reason = "flags are bits, not a number")]
fn flags(flags: OFlags) -> i32 {
    flags.bits() as i32
}
