//! What an open waits for, for tests.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

/// A file that whoever opens it waits for until this goes: a lease (fcntl(2)), which the kernel takes away after
/// `/proc/sys/fs/lease-break-time`, 45 s.
pub(crate) struct Leased(File);

impl Leased {
    /// Makes the file, empty, or takes one that is there.
    #[expect(unsafe_code, reason = "the system call has no other name")]
    pub(crate) fn new(path: &Path) -> Self {
        // <asm-generic/fcntl.h>; libc does not have it.
        const F_SETSIG: i32 = 10;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let options = File::options().read(true).write(true).create(true).truncate(false).open(path);
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
        // SAFETY: it takes numbers and no memory. It gives what is to become of the lease.
        unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLEASE) != libc::F_WRLCK }
    }
}
