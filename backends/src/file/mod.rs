//! Files, through the page cache (`file://`) or past it (`direct://`).

pub(crate) mod aligned;
pub(crate) mod leftover;
pub(crate) mod posix;
pub(crate) mod target;
pub(crate) mod uring;

/// A directory beside the test program, which is on a real disk.
#[cfg(test)]
pub(crate) fn on_disk() -> tempfile::TempDir {
    let program = std::env::current_exe().unwrap();
    tempfile::tempdir_in(program.parent().unwrap()).unwrap()
}

/// A file that whoever opens it waits for until this goes: a lease (fcntl(2)), which the kernel takes away after
/// `/proc/sys/fs/lease-break-time`, 45 s.
#[cfg(test)]
pub(crate) struct Leased(std::fs::File);

#[cfg(test)]
impl Leased {
    /// Makes the file, empty, or takes one that is there.
    #[expect(unsafe_code, reason = "the system call has no other name")]
    pub(crate) fn new(path: &std::path::Path) -> Self {
        use std::os::fd::AsRawFd as _;
        // <asm-generic/fcntl.h>; libc does not have it.
        const F_SETSIG: i32 = 10;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let options = std::fs::File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = options.unwrap();
        // SAFETY: these take numbers and no memory. The signal that would end this process is one that does nothing.
        let leased = unsafe {
            libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) == 0
                && libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) == 0
        };
        assert!(leased, "{}", std::io::Error::last_os_error());
        Self(file)
    }

    /// Whether somebody waits for it.
    #[expect(unsafe_code, reason = "the system call has no other name")]
    pub(crate) fn is_waited_for(&self) -> bool {
        use std::os::fd::AsRawFd as _;
        // SAFETY: it takes numbers and no memory. It gives what is to become of the lease.
        unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLEASE) != libc::F_WRLCK }
    }
}
