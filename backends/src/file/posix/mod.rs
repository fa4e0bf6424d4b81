//! Files by positioned I/O: one system call after another.

mod executor;
mod pool;
mod session;

pub(crate) use executor::{PosixExecutor, complete};
pub(crate) use pool::{Finished, Pool};
pub(crate) use session::Session;

use super::aligned::ALIGNMENT;
use super::target::{FileTarget, TEMPORARY, as_path, parent};
use crate::error::{Fault, StorageError};
use crate::executor::Clock;
use crate::storage::{Content, Page, Storage, Token};
use iobench_core::stats::ErrorClass;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, RenameFlags, SeekFrom, StatxFlags};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A system call that gives `EAGAIN` is tried again so often.
const AGAIN_MAX: u32 = 1000;
/// Memory for directory entries, bytes.
const ENTRIES: usize = 32 << 10;

/// Files below a directory.
#[derive(Clone, Debug)]
pub(crate) struct PosixFiles {
    pub(crate) target: Arc<FileTarget>,
}

/// How a put can fail.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum PutError {
    Failed(Fault),
    Cancelled,
}

impl From<Fault> for PutError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Errno> for PutError {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno.into())
    }
}

impl PosixFiles {
    /// Writes a whole object, `fresh`: only where none is; gives how long making it durable took, nanoseconds, if
    /// that was wanted.
    pub(crate) fn put_timed(
        &self,
        key: &[u8],
        content: &dyn Content,
        fresh: bool,
        clock: Option<Clock>,
    ) -> Result<Option<u64>, PutError> {
        let path = self.target.path(key);
        let mut written = path.clone();
        if self.target.rename {
            written.clear();
            self.target.push_temporary(&path, self.target.temporaries(1), &mut written);
        }
        let file = self.create(&written, fresh && !self.target.rename)?;
        let result = self.fill(&file, (&path, fresh), &written, content, clock);
        drop(file);
        if result.is_err() {
            // There is nothing more to be done about a failure here.
            let _gone = rustix::fs::unlink(as_path(&written));
        }
        result
    }

    fn create(&self, path: &[u8], fresh: bool) -> Result<OwnedFd, Fault> {
        let flags = creating(fresh) | self.target.flags();
        match open_file(path, flags) {
            Err(fault) if fault == Errno::NOENT.into() => {
                make_parents(path)?;
                open_file(path, flags)
            }
            other => other,
        }
    }

    fn fill(
        &self,
        file: &OwnedFd,
        (path, fresh): (&[u8], bool),
        written: &[u8],
        content: &dyn Content,
        clock: Option<Clock>,
    ) -> Result<Option<u64>, PutError> {
        let size = content.size();
        let mut done = 0;
        while done < size {
            let piece = content.piece(done, usize::MAX).ok_or(PutError::Cancelled)?;
            let length = self.target.piece(size - done, piece.len());
            if self.target.is_tail(length) {
                buffered(file)?;
            }
            let wrote = again(|| rustix::io::pwrite(file, &piece[..length], done))?;
            if wrote == 0 {
                return Err(PutError::Failed(Fault::of(ErrorClass::Storage)));
            }
            let next = done + wrote as u64;
            done = if next < size { self.target.resume(next) } else { next };
        }
        let begun = clock.map(Clock::now);
        if self.target.sync_each {
            retry_on_intr(|| rustix::fs::fsync(file))?;
        }
        let mut synced = clock.zip(begun).map(|(clock, begun)| clock.now() - begun);
        if self.target.rename {
            let flags = if fresh { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
            rustix::fs::renameat_with(CWD, as_path(written), CWD, as_path(path), flags)?;
            if self.target.sync_each {
                let begun = clock.map(Clock::now);
                let directory = open(parent(path), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
                retry_on_intr(|| rustix::fs::fsync(&directory))?;
                synced = synced.zip(clock.zip(begun)).map(|(sum, (clock, begun))| sum + clock.now() - begun);
            }
        }
        Ok(synced.filter(|_| self.target.sync_each))
    }

    /// Opens an existing file for blocks.
    pub(crate) fn open(&self, key: &[u8], writable: bool) -> Result<OwnedFd, Fault> {
        let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
        open_file(&self.target.path(key), access | self.target.flags())
    }

    fn error(&self, what: &'static str, key: &[u8]) -> impl Fn(Fault) -> StorageError {
        let place = self.place(key);
        move |fault| fault.at(what, place.clone())
    }
}

/// Reads a block; fewer bytes than the buffer takes only at the end of the file.
pub(crate) fn read_block(file: &OwnedFd, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
    let mut done = 0;
    while done < buffer.len() {
        let read = again(|| rustix::io::pread(file, &mut buffer[done..], offset + done as u64));
        match read {
            Ok(0) => break,
            Ok(n) => done += n,
            // Within a block there is no going on directly: what came is all there is.
            Err(Errno::INVAL) if done > 0 => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(done)
}

/// Writes a block, all of it.
pub(crate) fn write_block(file: &OwnedFd, offset: u64, data: &[u8]) -> Result<(), Fault> {
    let mut done = 0;
    while done < data.len() {
        match again(|| rustix::io::pwrite(file, &data[done..], offset + done as u64))? {
            0 => return Err(Fault::of(ErrorClass::Storage)),
            n => done += n,
        }
    }
    Ok(())
}

/// How a file is opened to be written; `fresh`: only if there is none.
pub(crate) fn creating(fresh: bool) -> OFlags {
    let existing = if fresh { OFlags::EXCL } else { OFlags::TRUNC };
    OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | existing
}

/// Takes what is read, with its offset; says whether to go on.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<bool, Fault>;

/// Reads `size` bytes of an object from `from` on, or all there is if that is not known; gives how many.
pub(crate) fn read_whole(
    file: &OwnedFd,
    target: &FileTarget,
    (from, size): (u64, Option<u64>),
    buffer: &mut [u8],
    sink: Sink<'_>,
) -> Result<u64, Fault> {
    let mut done = 0;
    loop {
        let rest = size.map_or(u64::MAX, |size| size - done);
        if rest == 0 {
            return Ok(done);
        }
        // Direct I/O asks for whole blocks, beyond the end too.
        let want = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let ask = if target.direct { want.next_multiple_of(ALIGNMENT).min(buffer.len()) } else { want };
        let read = again(|| rustix::io::pread(file, &mut buffer[..ask], from + done))?;
        let fresh = (read as u64).min(rest) as usize;
        if !sink(from + done, &buffer[..fresh])? {
            return Ok(done);
        }
        let next = done + fresh as u64;
        let at_end = read == 0 || (target.direct && !read.is_multiple_of(ALIGNMENT));
        match size {
            Some(size) if next == size => return Ok(next),
            Some(_) if at_end => return Err(Fault::TRUNCATED),
            None if at_end => return Ok(next),
            _ => done = next,
        }
    }
}

impl Storage for PosixFiles {
    fn put(&self, key: &[u8], content: &dyn Content) -> Result<(), StorageError> {
        match self.put_timed(key, content, false, None) {
            Ok(_) => Ok(()),
            Err(PutError::Failed(fault)) => Err(fault.at("write", self.place(key))),
            Err(PutError::Cancelled) => Err(Fault::os(libc::ECANCELED).at("write", self.place(key))),
        }
    }

    fn get(&self, key: &[u8], buffer: &mut [u8], sink: &mut dyn FnMut(&[u8])) -> Result<u64, StorageError> {
        let error = self.error("read", key);
        let file = self.open(key, false).map_err(&error)?;
        let mut all = |_, piece: &[u8]| {
            sink(piece);
            Ok(true)
        };
        read_whole(&file, &self.target, (0, None), buffer, &mut all).map_err(error)
    }

    fn read(&self, key: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let error = self.error("read", key);
        let file = self.open(key, false).map_err(&error)?;
        read_block(&file, offset, buffer).map_err(error)
    }

    fn write(&self, key: &[u8], offset: u64, data: &[u8]) -> Result<(), StorageError> {
        let error = self.error("write", key);
        let file = self.open(key, true).map_err(&error)?;
        write_block(&file, offset, data).map_err(error)
    }

    fn stat(&self, key: &[u8]) -> Result<u64, StorageError> {
        stat_size(&self.target.path(key)).map_err(self.error("look at", key))
    }

    fn list(&self, prefix: &[u8], token: Option<&Token>, limit: usize) -> Result<Page, StorageError> {
        let (directory, start) = match prefix.iter().rposition(|&b| b == b'/') {
            Some(at) => prefix.split_at(at + 1),
            None => (&b""[..], prefix),
        };
        let path = self.target.path(directory.strip_suffix(b"/").unwrap_or(directory));
        list_directory(&path, directory, start, token, limit)
            .map_err(|errno| Fault::from(errno).at("list", self.place(prefix)))
    }

    fn delete(&self, key: &[u8]) -> Result<(), StorageError> {
        rustix::fs::unlink(as_path(&self.target.path(key)))
            .map_err(|errno| Fault::from(errno).at("remove", self.place(key)))
    }

    fn mkdir(&self, key: &[u8]) -> Result<(), StorageError> {
        make_directory(&self.target.path(key))
            .map_err(|errno| Fault::from(errno).at("make directory", self.place(key)))
    }

    fn rmdir(&self, key: &[u8]) -> Result<(), StorageError> {
        rustix::fs::rmdir(as_path(&self.target.path(key)))
            .map_err(|errno| Fault::from(errno).at("remove directory", self.place(key)))
    }

    fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), StorageError> {
        rustix::fs::rename(as_path(&self.target.path(from)), as_path(&self.target.path(to)))
            .map_err(|errno| Fault::from(errno).at("rename", self.place(from)))
    }

    fn sync(&self, key: &[u8]) -> Result<(), StorageError> {
        let file = open_file(&self.target.path(key), OFlags::RDONLY | OFlags::CLOEXEC);
        file.and_then(|file| Ok(retry_on_intr(|| rustix::fs::fsync(&file))?)).map_err(self.error("sync", key))
    }

    fn sync_all(&self) -> Result<(), StorageError> {
        let sync = || {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let target = open(&self.target.path(b""), flags)?;
            retry_on_intr(|| rustix::fs::syncfs(&target))
        };
        sync().map_err(|errno| Fault::from(errno).at("sync", self.place(b"")))
    }

    fn drop_cache(&self, key: &[u8]) -> Result<(), StorageError> {
        let forget = || {
            let file = open_file(&self.target.path(key), OFlags::RDONLY | OFlags::CLOEXEC)?;
            // The kernel keeps what is not written yet.
            retry_on_intr(|| rustix::fs::fdatasync(&file))?;
            Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
        };
        forget().map_err(self.error("drop the cache of", key))
    }

    fn place(&self, key: &[u8]) -> String {
        String::from_utf8_lossy(&self.target.path(key)).into_owned()
    }
}

fn open(path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| rustix::fs::open(as_path(path), flags, Mode::from_raw_mode(0o666)))
}

/// Opens a file, or a block device, and nothing else. A FIFO is not waited for; only a lease on a file is, which
/// another program holds, and which shows as `EAGAIN`.
fn open_file(path: &[u8], flags: OFlags) -> Result<OwnedFd, Fault> {
    let file = match open(path, flags | OFlags::NONBLOCK) {
        Err(Errno::AGAIN) => open(path, flags)?,
        opened => opened.map_err(|errno| not_opened(path, errno.into()))?,
    };
    check_kind(&file)?;
    Ok(file)
}

/// Whether what was opened is a file or a block device.
#[inline]
pub(crate) fn check_kind(file: impl std::os::fd::AsFd) -> Result<(), Fault> {
    match FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode) {
        FileType::RegularFile | FileType::BlockDevice => Ok(()),
        FileType::Directory => Err(Fault::os(libc::EISDIR)),
        _ => Err(Fault::NOT_A_FILE),
    }
}

/// Why something cannot be opened: sockets, and FIFOs that nobody reads, say the same as a device that is not there.
pub(crate) fn not_opened(path: &[u8], fault: Fault) -> Fault {
    let other = fault == Errno::NXIO.into() && stat_size(path) == Err(Fault::NOT_A_FILE);
    if other { Fault::NOT_A_FILE } else { fault }
}

/// Takes `O_DIRECT` off a file.
pub(crate) fn buffered(file: impl std::os::fd::AsFd) -> Result<(), Errno> {
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags - OFlags::DIRECT)
}

/// Tries a system call again after a signal, and when the kernel says so.
fn again<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 0..AGAIN_MAX {
        match call() {
            Err(Errno::INTR | Errno::AGAIN) => std::thread::yield_now(),
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

fn make_directory(path: &[u8]) -> Result<(), Errno> {
    rustix::fs::mkdir(as_path(path), Mode::from_raw_mode(0o777))
}

/// Makes the directories above a path, as far as they are missing.
fn make_parents(path: &[u8]) -> Result<(), Errno> {
    let directory = parent(path);
    match make_directory(directory) {
        Err(Errno::NOENT) if directory.len() > 1 => {
            make_parents(directory)?;
            make_directory(directory).or_else(existing)
        }
        other => other.or_else(existing),
    }
}

fn existing(errno: Errno) -> Result<(), Errno> {
    if errno == Errno::EXIST { Ok(()) } else { Err(errno) }
}

/// The size of a file or block device; a directory is no object.
fn stat_size(path: &[u8]) -> Result<u64, Fault> {
    let found = rustix::fs::statx(CWD, as_path(path), AtFlags::empty(), StatxFlags::SIZE | StatxFlags::TYPE)?;
    match FileType::from_raw_mode(found.stx_mode.into()) {
        FileType::Directory => Err(Fault::of(ErrorClass::NotFound)),
        FileType::BlockDevice => device_size(path),
        FileType::RegularFile => Ok(found.stx_size),
        _ => Err(Fault::NOT_A_FILE),
    }
}

/// A block device is as large as its end is far.
fn device_size(path: &[u8]) -> Result<u64, Fault> {
    let device = open(path, OFlags::RDONLY | OFlags::CLOEXEC)?;
    Ok(rustix::fs::seek(&device, SeekFrom::End(0))?)
}

fn list_directory(
    path: &[u8],
    directory: &[u8],
    start: &[u8],
    token: Option<&Token>,
    limit: usize,
) -> Result<Page, Errno> {
    let file = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
    if let Some(cookie) = token.and_then(|token| token.0.as_slice().try_into().ok()) {
        rustix::fs::seek(&file, SeekFrom::Start(u64::from_ne_bytes(cookie)))?;
    }
    let mut memory = Vec::with_capacity(ENTRIES);
    let mut entries = RawDir::new(&file, memory.spare_capacity_mut());
    let mut page = Page::default();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") || name.starts_with(TEMPORARY) || !name.starts_with(start) {
            continue;
        }
        let key = [directory, name].concat();
        if is_directory(&file, &entry)? {
            page.directories.push([&key[..], b"/"].concat());
        } else {
            page.objects.push((key, None));
        }
        if page.len() >= limit {
            page.next = Some(Token(entry.next_entry_cookie().to_ne_bytes().to_vec()));
            break;
        }
    }
    Ok(page)
}

/// Some file systems do not say in the directory what an entry is.
fn is_directory(parent: &OwnedFd, entry: &rustix::fs::RawDirEntry<'_>) -> Result<bool, Errno> {
    if entry.file_type() != FileType::Unknown {
        return Ok(entry.file_type() == FileType::Directory);
    }
    match rustix::fs::statat(parent, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}
