//! What goes to standard output, and the log.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use tracing_subscriber::EnvFilter;

/// Writes to standard output; a closed pipe is no error. `false`, and a complaint, when it cannot be written.
pub(super) fn print(text: &str) -> bool {
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
    writeln!(std::io::stderr(), "error: {error}").ok();
}

/// Tells a person that something went well, beside the output.
pub(super) fn tell(text: impl Display) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// Tells a person something worth knowing.
pub(super) fn warn(text: impl Display) {
    writeln!(std::io::stderr(), "warning: {text}").ok();
}

/// Logs to standard error; `RUST_LOG` overrides the level.
pub(super) fn log(level: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,iobench={level}")));
    let colour =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}
