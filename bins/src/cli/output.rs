//! What goes to standard output, and the log.

use crate::ui::stderr;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Somebody may hold the terminal: what was said before is waited for, but no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes to standard output; a closed pipe is no error. `false`, and a complaint, when it cannot be written.
pub(super) fn print(text: &str) -> bool {
    stderr().flush_within(PATIENCE);
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
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
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colour).init();
}
