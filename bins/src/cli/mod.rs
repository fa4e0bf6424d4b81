//! The command lines of the three programs. Each parses exact flags into settings, then hands over.

pub mod agent;
pub mod controller;
mod exit;
mod input;
pub mod iobench;
mod limits;
mod options;
mod output;
mod quick;

use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// The command line is wrong. (2 would mean that some agents completed.)
pub const USAGE: u8 = 64;
/// The configuration was rejected.
pub const REJECTED: u8 = 5;
/// An agent cannot be reached.
pub const UNREACHABLE: u8 = 4;

/// The settings on a command line, or the exit code after its help or mistake was shown.
fn parse<P: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<P, ExitCode> {
    P::try_parse_from(arguments).map_err(|error| {
        // A closed pipe must not turn help into a failure.
        error.print().ok();
        if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
    })
}

/// Runs a program's asynchronous part on this thread. What it has left behind in others (a name that is being looked
/// up, a disk that does not answer) is not waited for.
fn block_on<F: Future>(future: F) -> Result<F::Output, ExitCode> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let output = runtime.block_on(async {
                limits::fail_writes_beyond_the_largest_file();
                future.await
            });
            runtime.shutdown_background();
            Ok(output)
        }
        Err(error) => {
            output::complain(format!(
                "the program cannot start: {error}; look at `ulimit -n` and `ulimit -u`"
            ));
            Err(ExitCode::FAILURE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::block_on;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_thread_that_hangs_does_not_keep_the_program_from_ending() {
        let (_held, hang) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let output = block_on(async {
                let (begun, begins) = tokio::sync::oneshot::channel();
                tokio::task::spawn_blocking(move || {
                    begun.send(()).unwrap();
                    hang.recv()
                });
                begins.await
            });
            ended.send(output).unwrap();
        });
        let output = end.recv_timeout(Duration::from_secs(60)).expect("it has ended");
        assert!(matches!(output, Ok(Ok(()))));
    }
}
