//! A ring that lends memory to the kernel and cannot be used wrongly.
//!
//! The one place of this program with `unsafe`. The rule that makes it sound: everything that the kernel may read or
//! write while an operation is in flight (buffer, paths, the result of a stat, the payload) belongs to the [`Ring`],
//! at an address that does not move; each slot has **at most one operation in flight**, and the memory of a busy slot
//! is out of reach. A ring that is dropped with operations in flight gives their memory away for ever.
//!
//! Needs Linux 5.15 (the youngest opcode is `mkdirat`); takes fewer interrupts from 5.19 on and runs completions on
//! its own thread from 6.1 on.
#![expect(
    unsafe_code,
    reason = "submission entries carry raw addresses; the module doc says why they stay valid"
)]

use super::super::aligned::AlignedBuffer;
use crate::executor::Objects;
use io_uring::types::{Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, opcode, squeue};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Marks the completions of cancel requests; no slot has this number.
const CANCEL: u64 = u64::MAX;
/// Marks the completions of the wake-up read.
const WAKE: u64 = u64::MAX - 1;
/// The kernel registers no more buffers than this (since 5.13; 1024 before).
const BUFFERS_MAX: usize = 1 << 14;

/// What one slot asks of the kernel.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Request {
    /// Open a path; the slot then owns the file.
    Open { path: Name, flags: i32 },
    /// Close the slot's own file.
    Close,
    /// Read into the slot's buffer from its beginning.
    Read { file: File, offset: u64, len: u32 },
    /// Write the payload from `start` on.
    Write { file: File, offset: u64, start: usize, len: u32 },
    /// Make a file durable.
    Fsync { file: File },
    /// Metadata of [`Name::First`], for [`Ring::stat`].
    Stat,
    /// Remove a file, or an empty directory.
    Unlink { path: Name, directory: bool },
    /// Make a directory.
    Mkdir { path: Name },
    /// Move [`Name::Second`] to [`Name::First`]; `fresh`: only if there is none.
    Rename { fresh: bool },
}

impl Request {
    /// The same for another try after `EAGAIN`: an open waits for the lease that somebody has on the file, and the
    /// file for its storage, unless it is in memory.
    pub(super) fn waiting(self, memory: bool) -> Self {
        match self {
            Self::Open { path, flags } if !memory => Self::Open { path, flags: flags & !libc::O_NONBLOCK },
            other => other,
        }
    }
}

/// One of the two paths of a slot.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Name {
    First = 0,
    Second = 1,
}

/// A file to work on.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum File {
    /// The one the slot opened.
    Own,
    /// One in the table of kept files.
    Kept(u32),
}

/// How large a ring is.
pub(super) struct RingSpec {
    pub(super) slots: u32,
    /// Bytes of each slot's buffer; rounded up to 4096.
    pub(super) buffer: usize,
    /// Places in the table of kept files.
    pub(super) files: usize,
    /// Register buffers and files with the kernel, where it lets us.
    pub(super) registered: bool,
}

/// What the kernel gave.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Features {
    pub(super) single_issuer: bool,
    pub(super) defer_taskrun: bool,
    pub(super) coop_taskrun: bool,
    pub(super) fixed_buffers: bool,
    pub(super) fixed_files: bool,
}

/// A ring, its slots' memory, and the files they have open.
pub(super) struct Ring {
    ring: ManuallyDrop<IoUring>,
    /// Lent to the kernel slot by slot; given away if something is in flight at the end.
    slots: ManuallyDrop<Box<[Slot]>>,
    /// Holds the payload, which the kernel reads.
    objects: ManuallyDrop<Arc<dyn Objects>>,
    payload: (*const u8, usize),
    wake: ManuallyDrop<Box<WakeUp>>,
    kept: Vec<Option<OwnedFd>>,
    busy: usize,
    features: Features,
}

struct Slot {
    buffer: AlignedBuffer,
    paths: [Vec<u8>; 2],
    stat: Box<libc::statx>,
    file: Option<OwnedFd>,
    busy: bool,
    opening: bool,
}

struct WakeUp {
    event: Arc<OwnedFd>,
    count: u64,
    armed: bool,
}

impl Ring {
    /// Sets a ring up. `PermissionDenied` or `Unsupported` mean that there is no such thing as `io_uring` here.
    pub(super) fn new(spec: &RingSpec, objects: Arc<dyn Objects>) -> io::Result<Self> {
        // One operation and one cancellation for each slot, and the wake-up: the queue is never full.
        let (ring, features) = set_up((spec.slots * 2 + 2).next_power_of_two())?;
        let slots = (0..spec.slots).map(|_| Slot::new(spec.buffer)).collect();
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
        let bytes = objects.payload();
        let mut ring = Self {
            ring: ManuallyDrop::new(ring),
            slots: ManuallyDrop::new(slots),
            payload: (bytes.as_ptr(), bytes.len()),
            objects: ManuallyDrop::new(objects),
            wake: ManuallyDrop::new(Box::new(WakeUp { event: Arc::new(event), count: 0, armed: false })),
            kept: (0..spec.files).map(|_| None).collect(),
            busy: 0,
            features,
        };
        if spec.registered {
            ring.register();
        }
        Ok(ring)
    }

    /// Registers buffers and files. Where a limit forbids it (locked memory, above all) the ring works without.
    fn register(&mut self) {
        let (address, len) = self.payload;
        let payload = libc::iovec { iov_base: address.cast_mut().cast(), iov_len: len };
        let buffers: Vec<_> = self.slots.iter_mut().map(Slot::iovec).chain([payload]).collect();
        // SAFETY: the buffers and the payload live as long as the ring, or for ever: see `drop`.
        let registered = |ring: &IoUring| unsafe { ring.submitter().register_buffers(&buffers) };
        self.features.fixed_buffers = buffers.len() <= BUFFERS_MAX && registered(&self.ring).is_ok();
        self.features.fixed_files =
            !self.kept.is_empty() && self.ring.submitter().register_files(&vec![-1; self.kept.len()]).is_ok();
    }

    /// Whether buffers, and whether files are registered.
    pub(super) fn registered(&self) -> (bool, bool) {
        (self.features.fixed_buffers, self.features.fixed_files)
    }

    /// Whoever writes 1 to it ends the next [`enter`](Self::enter).
    pub(super) fn event(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.wake.event)
    }

    /// Writes one of a slot's paths, appending to the first argument; the second is the slot's other path. A path
    /// with a zero byte becomes the empty path, which no file has.
    pub(super) fn set_path(&mut self, slot: u32, name: Name, write: impl FnOnce(&mut Vec<u8>, &[u8])) {
        let [first, second] = &mut self.idle(slot).paths;
        let (path, other) = if name == Name::First { (first, second) } else { (second, first) };
        path.clear();
        write(path, other.strip_suffix(&[0]).unwrap_or(other));
        if path.contains(&0) {
            path.clear();
        }
        path.push(0);
    }

    /// One of a slot's paths.
    pub(super) fn path(&self, slot: u32, name: Name) -> &[u8] {
        let path = &self.slots[slot as usize].paths[name as usize];
        path.strip_suffix(&[0]).unwrap_or(path)
    }

    /// What the slot has read.
    pub(super) fn buffer(&mut self, slot: u32) -> &[u8] {
        self.idle(slot).buffer.bytes()
    }

    /// What the slot's last [`Request::Stat`] found.
    pub(super) fn stat(&mut self, slot: u32) -> &libc::statx {
        &self.idle(slot).stat
    }

    /// The slot's own file.
    pub(super) fn file(&self, slot: u32) -> Option<BorrowedFd<'_>> {
        self.slots[slot as usize].file.as_ref().map(AsFd::as_fd)
    }

    /// Moves the slot's own file into the table. One that was there is closed; nothing may be in flight on it.
    pub(super) fn keep(&mut self, slot: u32, place: u32) -> io::Result<()> {
        let file = self.idle(slot).file.take().expect("the slot has opened a file");
        if self.features.fixed_files {
            self.ring.submitter().register_files_update(place, &[file.as_raw_fd()])?;
        }
        self.kept[place as usize] = Some(file);
        Ok(())
    }

    /// Queues a request of an idle slot; one that is sure to wait goes to the kernel's worker threads right away.
    #[inline]
    pub(super) fn push(&mut self, slot: u32, request: Request, waits: bool) {
        let flags = if waits { squeue::Flags::ASYNC } else { squeue::Flags::empty() };
        let entry = self.entry(slot, request).user_data(u64::from(slot)).flags(flags);
        let state = self.idle(slot);
        state.busy = true;
        state.opening = matches!(request, Request::Open { .. });
        self.busy += 1;
        // SAFETY: all addresses in the entry point into memory of this slot or into the payload. Both are owned by
        // this ring and stay where they are; `idle` keeps everyone away from the slot's until it has completed.
        unsafe { self.submit(&entry) };
    }

    /// Asks the kernel to give up what a busy slot has in flight.
    pub(super) fn cancel(&mut self, slot: u32) {
        let entry = opcode::AsyncCancel::new(u64::from(slot)).build().user_data(CANCEL);
        // SAFETY: the entry has no address.
        unsafe { self.submit(&entry) };
    }

    /// Submits what is queued and waits for a completion, a wake-up or the time-out.
    pub(super) fn enter(&mut self, timeout: Duration) -> io::Result<()> {
        self.arm();
        let timeout = Timespec::from(timeout);
        match self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout)) {
            Ok(_) => Ok(()),
            // Time is over, a signal came, or completions must be taken first: the caller reaps in any case.
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// The next completion: its slot, which is idle again, and the kernel's result.
    #[inline]
    pub(super) fn reap(&mut self) -> Option<(u32, i32)> {
        loop {
            let completion = self.ring.completion().next()?;
            match completion.user_data() {
                CANCEL => {}
                WAKE => self.wake.armed = false,
                slot => return Some(self.completed(slot as u32, completion.result())),
            }
        }
    }

    #[inline]
    fn completed(&mut self, index: u32, result: i32) -> (u32, i32) {
        let slot = &mut self.slots[index as usize];
        assert!(slot.busy, "a completion belongs to a busy slot");
        slot.busy = false;
        self.busy -= 1;
        if slot.opening && result >= 0 {
            // SAFETY: the kernel has just made this descriptor for this slot; nobody else knows it.
            slot.file = Some(unsafe { OwnedFd::from_raw_fd(result) });
        }
        (index, result)
    }

    /// Keeps one read of the event in flight, so that a wake-up is a completion.
    fn arm(&mut self) {
        if self.wake.armed {
            return;
        }
        let wake = &mut **self.wake;
        let address = (&raw mut wake.count).cast();
        let entry = opcode::Read::new(Fd(wake.event.as_raw_fd()), address, 8).build().user_data(WAKE);
        wake.armed = true;
        // SAFETY: the counter is boxed, owned by this ring and touched by nobody else.
        unsafe { self.submit(&entry) };
    }

    /// Ends the read of the event; gives whether that worked.
    fn disarm(&mut self) -> bool {
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            if !self.wake.armed {
                return true;
            }
            let woken = rustix::io::write(&*self.wake.event, &1_u64.to_ne_bytes()).is_ok();
            let timeout = Timespec::from(Duration::from_millis(1));
            let _time_out_or_signal =
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout));
            if !woken || self.reap().is_some() {
                return false;
            }
        }
        false
    }

    /// # Safety
    /// Every address in the entry is valid until its completion.
    #[inline]
    unsafe fn submit(&mut self, entry: &squeue::Entry) {
        // SAFETY: passed on to the caller.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            // Only when the kernel has taken nothing for a while; it copies entries, so submitting makes room.
            // An error shows again in `enter`.
            drop(self.ring.submit());
        }
    }

    #[inline]
    fn idle(&mut self, slot: u32) -> &mut Slot {
        let slot = &mut self.slots[slot as usize];
        assert!(!slot.busy, "the kernel holds this slot's memory");
        slot
    }

    #[inline]
    fn entry(&mut self, index: u32, request: Request) -> squeue::Entry {
        match request {
            Request::Read { file, offset, len } => self.read(index, file, offset, len),
            Request::Write { file, offset, start, len } => self.write(index, file, offset, start, len),
            Request::Fsync { file } => match self.target(index, file) {
                Target::Fixed(place) => opcode::Fsync::new(Fixed(place)).build(),
                Target::Fd(fd) => opcode::Fsync::new(Fd(fd)).build(),
            },
            Request::Close => {
                // From here on the kernel owns the descriptor.
                let file = self.idle(index).file.take().expect("the slot has opened a file");
                opcode::Close::new(Fd(file.into_raw_fd())).build()
            }
            _ => self.path_entry(index, request),
        }
    }

    #[inline]
    fn read(&mut self, index: u32, file: File, offset: u64, len: u32) -> squeue::Entry {
        let target = self.target(index, file);
        let fixed = self.features.fixed_buffers;
        let buffer = &mut self.idle(index).buffer;
        assert!(len as usize <= buffer.len(), "a piece fits its slot's buffer");
        let address = buffer.bytes_mut().as_mut_ptr();
        // `index` is below BUFFERS_MAX where buffers are registered.
        match (target, fixed) {
            (Target::Fixed(place), true) => {
                opcode::ReadFixed::new(Fixed(place), address, len, index as u16).offset(offset).build()
            }
            (Target::Fd(fd), true) => {
                opcode::ReadFixed::new(Fd(fd), address, len, index as u16).offset(offset).build()
            }
            (Target::Fixed(place), false) => {
                opcode::Read::new(Fixed(place), address, len).offset(offset).build()
            }
            (Target::Fd(fd), false) => opcode::Read::new(Fd(fd), address, len).offset(offset).build(),
        }
    }

    #[inline]
    fn write(&mut self, index: u32, file: File, offset: u64, start: usize, len: u32) -> squeue::Entry {
        let target = self.target(index, file);
        let (payload, size) = self.payload;
        let end = start.checked_add(len as usize);
        assert!(end.is_some_and(|end| end <= size), "a piece lies within the payload");
        let address = payload.wrapping_add(start);
        let place_of_payload = self.slots.len() as u16;
        match (target, self.features.fixed_buffers) {
            (Target::Fixed(place), true) => {
                opcode::WriteFixed::new(Fixed(place), address, len, place_of_payload).offset(offset).build()
            }
            (Target::Fd(fd), true) => {
                opcode::WriteFixed::new(Fd(fd), address, len, place_of_payload).offset(offset).build()
            }
            (Target::Fixed(place), false) => {
                opcode::Write::new(Fixed(place), address, len).offset(offset).build()
            }
            (Target::Fd(fd), false) => opcode::Write::new(Fd(fd), address, len).offset(offset).build(),
        }
    }

    fn path_entry(&mut self, index: u32, request: Request) -> squeue::Entry {
        let slot = self.idle(index);
        let here = Fd(libc::AT_FDCWD);
        let address = |name: Name| slot.paths[name as usize].as_ptr().cast();
        match request {
            Request::Open { path, flags } => {
                opcode::OpenAt::new(here, address(path)).flags(flags | libc::O_CLOEXEC).mode(0o666).build()
            }
            Request::Stat => {
                let result = (&raw mut *slot.stat).cast();
                let path = slot.paths[Name::First as usize].as_ptr().cast();
                opcode::Statx::new(here, path, result).mask(libc::STATX_SIZE | libc::STATX_TYPE).build()
            }
            Request::Unlink { path, directory } => {
                let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
                opcode::UnlinkAt::new(here, address(path)).flags(flags).build()
            }
            Request::Mkdir { path } => opcode::MkDirAt::new(here, address(path)).mode(0o777).build(),
            Request::Rename { fresh } => {
                let flags = if fresh { libc::RENAME_NOREPLACE } else { 0 };
                opcode::RenameAt::new(here, address(Name::Second), here, address(Name::First))
                    .flags(flags)
                    .build()
            }
            Request::Close | Request::Read { .. } | Request::Write { .. } | Request::Fsync { .. } => {
                unreachable!("these have no path")
            }
        }
    }

    #[inline]
    fn target(&self, slot: u32, file: File) -> Target {
        let file = match file {
            File::Kept(place) if self.features.fixed_files => return Target::Fixed(place),
            File::Kept(place) => self.kept[place as usize].as_ref(),
            File::Own => self.slots[slot as usize].file.as_ref(),
        };
        Target::Fd(file.expect("the file is open").as_raw_fd())
    }
}

#[derive(Copy, Clone)]
enum Target {
    Fd(RawFd),
    Fixed(u32),
}

impl Slot {
    fn new(buffer: usize) -> Self {
        // SAFETY: plain integers, for which all zeros is a value.
        let stat = Box::new(unsafe { std::mem::zeroed() });
        let paths = [Vec::with_capacity(256), Vec::with_capacity(256)];
        Self { buffer: AlignedBuffer::new(buffer), paths, stat, file: None, busy: false, opening: false }
    }

    fn iovec(&mut self) -> libc::iovec {
        let bytes = self.buffer.bytes_mut();
        libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let quiet = self.busy == 0 && self.disarm();
        // SAFETY: each field is dropped at most once, here, and not used again. The ring goes first. Memory that
        // the kernel may still touch is not dropped at all.
        unsafe {
            ManuallyDrop::drop(&mut self.ring);
            if quiet {
                ManuallyDrop::drop(&mut self.slots);
                ManuallyDrop::drop(&mut self.objects);
                ManuallyDrop::drop(&mut self.wake);
            }
        }
    }
}

/// What a ring would be given here; the error says why there is none.
pub(super) fn probe() -> io::Result<Features> {
    set_up(2).map(|(_, features)| features)
}

/// The best ring that this kernel gives.
fn set_up(entries: u32) -> io::Result<(IoUring, Features)> {
    let mut builder = IoUring::builder();
    builder.setup_clamp();
    let mut best = builder.clone();
    best.setup_single_issuer().setup_defer_taskrun();
    let mut good = builder.clone();
    good.setup_coop_taskrun();
    let tried = [
        (best, Features { single_issuer: true, defer_taskrun: true, ..Features::default() }),
        (good, Features { coop_taskrun: true, ..Features::default() }),
        (builder, Features::default()),
    ];
    let mut result = Err(io::ErrorKind::Unsupported.into());
    for (builder, features) in tried {
        result = builder.build(entries).map(|ring| (ring, features));
        // An unknown flag is EINVAL; anything else does not get better with other flags.
        if !matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EINVAL)) {
            break;
        }
    }
    let (ring, features) = result?;
    check_opcodes(&ring)?;
    Ok((ring, features))
}

/// Whether the kernel has everything we ask for.
fn check_opcodes(ring: &IoUring) -> io::Result<()> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let needed = [
        opcode::OpenAt::CODE,
        opcode::Close::CODE,
        opcode::Read::CODE,
        opcode::Write::CODE,
        opcode::ReadFixed::CODE,
        opcode::WriteFixed::CODE,
        opcode::Fsync::CODE,
        opcode::Statx::CODE,
        opcode::UnlinkAt::CODE,
        opcode::RenameAt::CODE,
        opcode::MkDirAt::CODE,
        opcode::AsyncCancel::CODE,
    ];
    let complete = needed.into_iter().all(|code| probe.is_supported(code));
    if complete && ring.params().is_feature_ext_arg() {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel's io_uring lacks operations of Linux 5.15",
        ))
    }
}
