//! A server process that ends with whoever started it, however that one ends.

use crate::install::build_directory;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A healthy server is ready in one or two seconds; a busy machine may take longer.
const READY: Duration = Duration::from_secs(120);
const STOPPED: Duration = Duration::from_secs(10);

/// Starts a server, and kills it when standard input ends: that is when this process drops its end, panics or is killed.
/// Arguments: the directory to remove after that, further files to remove (separated by spaces), the command.
const WARDEN: &str = r#"
directory=$1 files=$2
shift 2
exec 3<&0
"$@" </dev/null 3<&- >"$directory/log" 2>&1 &
server=$!
(read -r _ <&3; kill -KILL $server) 2>/dev/null &
watcher=$!
wait $server
code=$?
if [ $code -eq 137 ]; then rm -rf "$directory" $files; fi
kill $watcher 2>/dev/null
exit $code
"#;

/// A running server and its data directory; both are gone after the drop.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    warden: Child,
    directory: PathBuf,
}

/// A new directory for the data of a server.
pub(crate) fn data_directory(name: &str) -> PathBuf {
    let parent = build_directory().join("tmp");
    fs::create_dir_all(&parent).expect("the build directory is writable");
    let directory = tempfile::Builder::new().prefix(name).tempdir_in(parent);
    directory.expect("the build directory is writable").keep()
}

impl Server {
    /// Runs `command` and waits until `ready` says so; `files` are removed after its end together with the directory.
    ///
    /// # Errors
    ///
    /// What the server has written, when it ended by itself: a port may have been taken in the meantime.
    pub(crate) fn start(
        name: &'static str,
        directory: PathBuf,
        files: &[String],
        command: &Command,
        ready: impl Fn() -> bool,
    ) -> Result<Self, String> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", WARDEN, "sh"]).arg(&directory).arg(files.join(" "));
        shell.arg(command.get_program()).args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        // A group of its own: an interrupt from the terminal ends the test, and that ends the server.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let warden = shell.spawn().expect("there is a shell");
        let mut server = Self { name, warden, directory };
        let end = Instant::now() + READY;
        while !ready() {
            if server.warden.try_wait().expect("it is a child").is_some() {
                return Err(server.log());
            }
            assert!(Instant::now() < end, "{name} is not ready after {READY:?}; it says:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn log(&self) -> String {
        let text = fs::read(self.directory.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.warden.stdin.take());
        let end = Instant::now() + STOPPED;
        while self.warden.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        if self.directory.exists() && !std::thread::panicking() {
            fs::remove_dir_all(&self.directory).unwrap_or_else(|error| {
                panic!("{} has left {}: {error}", self.name, self.directory.display());
            });
        }
    }
}

/// Starts a server up to three times: `start` takes new ports each time.
pub(crate) fn insist<S>(name: &str, start: impl Fn() -> Result<S, String>) -> S {
    let mut said = String::new();
    for _ in 0..3 {
        match start() {
            Ok(server) => return server,
            Err(log) => said = log,
        }
    }
    panic!("{name} does not start; it says:\n{said}");
}
