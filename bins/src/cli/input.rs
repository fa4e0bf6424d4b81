//! Where a configuration is read from: a file, standard input, or a pipe as a shell's `<(…)` hands it over.
//!
//! Never without end, neither in length nor, where nobody is there to write, in time.

use super::REJECTED;
use super::output::complain;
use iobench_core::config::BYTES_MAX;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// A pipe into which nobody writes for this time will stay empty.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a configuration; `-` is standard input. What stands in the way is said.
pub(super) fn read(path: &Path) -> Result<String, ExitCode> {
    let text = if path == Path::new("-") { all_of(io::stdin()) } else { read_path(path, PATIENCE) };
    text.and_then(|bytes| String::from_utf8(bytes).map_err(|_| because("it is not UTF-8 text"))).map_err(
        |error| {
            complain(format!("cannot read the configuration {}: {error}", path.display()));
            ExitCode::from(REJECTED)
        },
    )
}

fn read_path(path: &Path, patience: Duration) -> io::Result<Vec<u8>> {
    // Before it is opened: to open a device can do something to it.
    let kind = path.metadata()?.file_type();
    if kind.is_dir() {
        return Err(because("it is a directory; give a file in it"));
    }
    if !kind.is_file() && !kind.is_fifo() {
        return Err(because("it is neither a file nor a pipe; `-` reads standard input, whatever that is"));
    }
    // Otherwise opening a pipe waits for a writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if kind.is_fifo() { all_of(Pipe { file, patience }) } else { all_of(file) }
}

/// All bytes, if there are not more than a configuration can have.
fn all_of(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > BYTES_MAX {
        let message = format!("it has more than {} KiB, the most that are read", BYTES_MAX >> 10);
        return Err(because(&message));
    }
    Ok(bytes)
}

/// A pipe that is open without waiting, and is waited for here.
struct Pipe {
    file: File,
    patience: Duration,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = self.patience.try_into().expect("seconds fit");
        loop {
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&limit)) {
                Ok(0) => {
                    let patience = self.patience.as_secs();
                    return Err(because(&format!("nobody has written into this pipe for {patience} s")));
                }
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

fn because(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, mknodat};
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;
    use std::time::Instant;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    fn refused(path: &Path) -> String {
        read_path(path, SHORT).unwrap_err().to_string()
    }

    fn named_pipe() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, 0o600.into(), 0).unwrap();
        (place, path)
    }

    #[test]
    fn what_has_no_end_is_refused() {
        assert!(refused(Path::new("/dev/zero")).contains("neither a file nor a pipe"));
        assert!(all_of(io::repeat(b'#')).unwrap_err().to_string().contains("more than 1024 KiB"));
        let (_place, path) = named_pipe();
        std::thread::scope(|scope| {
            // It ends when nobody reads any more.
            scope.spawn(|| {
                let mut pipe = File::options().write(true).open(&path).unwrap();
                while pipe.write_all(&[b'#'; 4096]).is_ok() {}
            });
            assert!(read_path(&path, LONG).unwrap_err().to_string().contains("more than 1024 KiB"));
        });
    }

    #[test]
    fn a_file_is_read_up_to_the_longest_configuration() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        std::fs::write(&path, vec![b'#'; BYTES_MAX]).unwrap();
        assert_eq!(read_path(&path, SHORT).unwrap().len(), BYTES_MAX);
        std::fs::write(&path, vec![b'#'; BYTES_MAX + 1]).unwrap();
        assert!(refused(&path).contains("more than 1024 KiB"));
        assert!(refused(place.path()).contains("it is a directory"));
    }

    #[test]
    fn a_pipe_that_nobody_writes_into_is_not_waited_for_for_ever() {
        let (_place, path) = named_pipe();
        let begun = Instant::now();
        assert!(refused(&path).contains("nobody has written into this pipe"));
        assert!(begun.elapsed() >= SHORT);
        let (reader, _silent) = io::pipe().unwrap();
        let handed_over = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        assert!(refused(&handed_over).contains("nobody has written into this pipe"));
    }

    #[test]
    fn a_pipe_is_read_to_the_end_also_if_its_writer_comes_late_and_pauses() {
        let (_place, path) = named_pipe();
        let read = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(SHORT);
                let mut pipe = File::options().write(true).open(&path).unwrap();
                pipe.write_all(b"target: ").unwrap();
                std::thread::sleep(SHORT);
                pipe.write_all(b"mem://x").unwrap();
            });
            read_path(&path, LONG).unwrap()
        });
        assert_eq!(read, b"target: mem://x");
    }

    #[test]
    fn what_a_shell_hands_over_is_read_also_if_its_writer_is_gone() {
        for text in ["", "target: mem://x"] {
            let (reader, mut writer) = io::pipe().unwrap();
            let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
            writer.write_all(text.as_bytes()).unwrap();
            drop(writer);
            assert_eq!(read_path(&path, LONG).unwrap(), text.as_bytes());
        }
    }
}
