//! What goes to standard output, and the log.

use crate::signals::when_told_to_end;
use crate::ui::stderr;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Somebody may hold the terminal: what was said before is waited for, but no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes to standard output; a closed pipe is no error. `false`, and a complaint, when it cannot be written.
pub(super) fn print(text: &str) -> bool {
    stderr().flush_within(PATIENCE);
    written(write(text))
}

/// The same at the end of a run, which has taken the signals that would end this process: whoever does not read (a
/// pager, a held terminal) holds it only until it is told to end.
pub(super) fn print_unless_told(text: String) -> bool {
    stderr().flush_within(PATIENCE);
    let done = super::block_on(async {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        // Without signals there is nothing to wait for but the reader.
        let end = move || {
            // It is told until it ends.
            tell.send(()).ok();
        };
        let listens = when_told_to_end(end).is_ok();
        let writing = tokio::task::spawn_blocking(move || write(&text));
        tokio::select! {
            biased;
            done = writing => Some(done.unwrap_or_else(|panic| Err(io::Error::other(panic)))),
            Some(()) = told.recv(), if listens => None,
        }
    });
    match done {
        Ok(Some(result)) => written(result),
        Ok(None) => {
            complain("told to end before anybody had read all of standard output");
            false
        }
        Err(_) => false,
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

fn written(result: io::Result<()>) -> bool {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format!("cannot write to standard output: {error}"));
            false
        }
        _ => true,
    }
}

/// Tells a person what went wrong.
pub(super) fn complain(error: impl Display) {
    tell(format_args!("error: {error}"));
}

/// Tells a person that something went well, beside the output.
pub(super) fn tell(text: impl Display) {
    stderr().write_all(format!("{text}\n").as_bytes()).ok();
}

/// Tells a person something worth knowing.
pub(super) fn warn(text: impl Display) {
    tell(format_args!("warning: {text}"));
}

/// A program's last step: whatever it has said is shown.
pub(super) fn ended(code: ExitCode) -> ExitCode {
    stderr().flush_within(PATIENCE);
    code
}

/// Logs to standard error; `RUST_LOG` overrides the level.
pub(super) fn log(level: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,iobench={level}")));
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colour).init();
}
