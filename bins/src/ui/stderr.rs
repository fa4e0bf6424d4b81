//! Standard error, written by a thread of its own.
//!
//! A terminal that is held (Ctrl-S), a pager that nobody turns, a pipe that nobody reads: whoever writes to them
//! waits. A run must not, nor must an agent whose lease runs out. What cannot be shown for long is dropped, the oldest
//! first, and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many pieces wait at the most.
const KEPT: usize = 1_000;

/// Where a person is told things while a run goes on. Each `write` is one piece, shown whole or not at all; it never
/// waits and never fails.
#[derive(Clone, Debug)]
pub struct Stderr(Option<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Vec<u8>>,
    /// Older ones that are not shown.
    dropped: u64,
    /// Some are on their way.
    writing: bool,
}

/// The standard error of this process.
pub fn stderr() -> Stderr {
    // Where no thread can be started, what is to be said about that is written at once.
    static STDERR: LazyLock<Stderr> = LazyLock::new(|| Stderr::new(io::stderr()).unwrap_or(Stderr(None)));
    STDERR.clone()
}

impl Stderr {
    fn new(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("stderr".to_owned()).spawn(move || theirs.show(out))?;
        Ok(Self(Some(shared)))
    }

    /// Waits until everything is shown, but not for ever. Before standard output is written, and at the end.
    pub fn flush_within(&self, limit: Duration) {
        let Some(shared) = &self.0 else { return };
        let end = Instant::now() + limit;
        let mut waiting = shared.waiting();
        while waiting.writing || !waiting.pieces.is_empty() {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return };
            waiting = shared.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Write for Stderr {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let Some(shared) = &self.0 else { return io::stderr().write(piece) };
        let mut waiting = shared.waiting();
        if waiting.pieces.len() == KEPT {
            waiting.pieces.pop_front();
            waiting.dropped += 1;
        }
        waiting.pieces.push_back(piece.to_vec());
        shared.changed.notify_all();
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, mut out: impl Write) {
        loop {
            let (mut pieces, dropped) = self.take();
            if dropped > 0 {
                pieces.push_front(
                    format!("[{dropped} lines are not shown: the output was not read in time]\n").into(),
                );
            }
            for piece in pieces {
                // A closed standard error must not end a run.
                out.write_all(&piece).ok();
            }
            self.waiting().writing = false;
            self.changed.notify_all();
        }
    }

    /// Everything that waits, once something does.
    fn take(&self) -> (VecDeque<Vec<u8>>, u64) {
        let mut waiting = self.waiting();
        while waiting.pieces.is_empty() {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writing = true;
        (std::mem::take(&mut waiting.pieces), std::mem::take(&mut waiting.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Shows a piece whenever it is let.
    struct Held {
        shown: Sender<String>,
        go: Receiver<()>,
    }

    impl Write for Held {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.shown.send(String::from_utf8_lossy(piece).into_owned()).map_err(io::Error::other)?;
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn held() -> (Stderr, Sender<()>, Receiver<String>) {
        let ((go, may), (shown, seen)) = (channel(), channel());
        (Stderr::new(Held { shown, go: may }).unwrap(), go, seen)
    }

    #[test]
    fn what_is_written_is_shown_in_order() {
        let (mut stderr, go, seen) = held();
        for piece in ["a\n", "b\n"] {
            stderr.write_all(piece.as_bytes()).unwrap();
            go.send(()).unwrap();
        }
        stderr.flush_within(Duration::from_secs(60));
        assert_eq!(seen.try_iter().collect::<String>(), "a\nb\n");
    }

    #[test]
    fn nobody_waits_for_a_held_terminal_and_the_oldest_lines_are_dropped_and_counted() {
        let (mut stderr, go, seen) = held();
        stderr.write_all(b"first\n").unwrap();
        while !stderr.0.as_ref().unwrap().waiting().writing {
            std::thread::yield_now();
        }
        for number in 0..KEPT + 7 {
            stderr.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        stderr.flush_within(Duration::from_millis(1));
        assert_eq!(seen.try_recv().ok(), None, "it is held");

        (0..2 * KEPT).for_each(|_| go.send(()).unwrap());
        stderr.flush_within(Duration::from_secs(60));
        let seen: String = seen.try_iter().collect();
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!(lines[0], "first");
        assert!(lines[1].starts_with("[7 lines are not shown"), "{}", lines[1]);
        assert_eq!((lines[2], lines[lines.len() - 1]), ("7", "1006"));
    }
}
