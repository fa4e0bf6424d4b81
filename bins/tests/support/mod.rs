//! Real processes on this host: agents and controllers, started, watched and ended.

#![allow(dead_code, reason = "every test program uses another part of it")]

use iobench::results::{JOURNAL, Record, Source};
use iobench_core::message::Report;
use rustix::fs::OFlags;
use serde_json::Value;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// A directory for one test, on the file system of the build directory (which has room and is not in memory).
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        Self(tempfile::TempDir::new_in(parent).expect("the build directory is writable"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("the test's directory is writable");
        path
    }

    /// The only results directory.
    pub(crate) fn results(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.path().join("results")).expect("results were written");
        let mut found: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        assert_eq!(found.len(), 1, "one run, one directory: {found:?}");
        found.remove(0)
    }

    pub(crate) fn summary(&self) -> Value {
        json(&self.results().join("summary.json"))
    }
}

pub(crate) fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("it was written");
    serde_json::from_str(&text).expect("it is JSON")
}

/// A process that ends with the test.
pub(crate) struct Process {
    pub(crate) child: Child,
}

/// Signals that this program was started to ignore, as in the background of a script or with `nohup`, would be ignored by
/// those that it starts as well; but what it catches they begin with as usual (execve(2)).
fn catch_what_is_ignored() {
    static ONCE: Once = Once::new();
    let catch = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
        let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a number");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _within = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            if ignored >> (kind.as_raw_value() - 1) & 1 == 1 {
                drop(signal(kind).expect("it can be caught"));
            }
        }
    };
    // On a thread of its own: a test may be in another runtime.
    ONCE.call_once(|| std::thread::spawn(catch).join().expect("it does not panic"));
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        catch_what_is_ignored();
        // What it says is asked for here, whatever level of it the user likes to see.
        command.env_remove("RUST_LOG");
        Self { child: command.spawn().expect("the program was built") }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill exists").success());
    }

    /// Waits for its end, but not for ever.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(Instant::now() < end, "the process did not end within {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its exit code, and what it wrote.
    pub(crate) fn end(mut self, limit: Duration) -> (i32, String, String) {
        let stdout = self.child.stdout.take().map(drain);
        let stderr = self.child.stderr.take().map(drain);
        let code = self.wait(limit).code().expect("it ended by itself");
        let text = |thread: Option<std::thread::JoinHandle<String>>| {
            thread.map_or(String::new(), |thread| thread.join().expect("reading does not panic"))
        };
        (code, text(stdout), text(stderr))
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An agent process on a free port, with its own state directory.
pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) address: String,
    pub(crate) state: PathBuf,
    log: PathBuf,
}

impl Agent {
    pub(crate) fn start(place: &Place, name: &str) -> Self {
        Self::start_with(place, name, &[])
    }

    pub(crate) fn start_with(place: &Place, name: &str, arguments: &[&str]) -> Self {
        Self::start_in(place, name, arguments, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_in(place: &Place, name: &str, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(log_of(place, name)).expect("writable");
        Self::start_saying(place, name, arguments, env, log)
    }

    /// The same with its standard error anywhere.
    pub(crate) fn start_saying(
        place: &Place,
        name: &str,
        arguments: &[&str],
        env: &[(&str, &str)],
        stderr: impl Into<Stdio>,
    ) -> Self {
        let state = place.path().join(format!("state-{name}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_iobench-agent"));
        command.args(["--listen", "127.0.0.1:0", "--state-dir"]).arg(&state).args(arguments);
        command.envs(env.iter().copied());
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(stderr));
        let mut line = String::new();
        let stdout = process.child.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().rsplit(' ').next().expect("an address ends the line").to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        Self { process, address, state, log: log_of(place, name) }
    }

    /// What it keeps because no controller has confirmed it, as far as it has said that it is on the disk.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.state) else { return Vec::new() };
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let whole = |path: &PathBuf| said.contains(&format!("kept in {};", path.display()));
        entries.map(|entry| entry.expect("readable").path()).filter(whole).collect()
    }
}

fn log_of(place: &Place, name: &str) -> PathBuf {
    place.path().join(format!("{name}.log"))
}

/// How many such records the journal of a run holds that may still be going on.
pub(crate) fn journalled(results: &Path, what: impl Fn(&Record) -> bool) -> usize {
    let mut found = 0;
    let source = Source::journal(results.join(JOURNAL));
    source.each(|record| found += usize::from(what(record))).map_or(0, |_| found)
}

/// An interval of the agent with this place in the run's list, in which it has done something: where a host stands
/// still there may be others.
pub(crate) fn interval_of(agent: u32) -> impl Fn(&Record) -> bool {
    move |record| match record {
        Record::Agent(record) => match &record.message.body {
            Report::Running(interval) => record.agent.0 == agent && interval.tally.count() > 0,
            _ => false,
        },
        _ => false,
    }
}

/// A pipe that is full and that nobody reads: whoever writes to it waits, for as long as the reader lives.
pub(crate) fn held() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a process may have pipes");
    let nonblocking = |on| {
        let flags = if on { OFlags::NONBLOCK } else { OFlags::empty() };
        rustix::fs::fcntl_setfl(&writer, flags).expect("it is ours");
    };
    nonblocking(true);
    while (&writer).write(&[b'.'; 4096]).is_ok() {}
    nonblocking(false);
    (reader, writer)
}

/// `iobench-controller run` on these agents, results under `results` of the test's directory.
pub(crate) fn controller(place: &Place, file: &Path, agents: &[&Agent], arguments: &[&str]) -> Process {
    controller_at(place, file, &addresses(agents), arguments)
}

/// The same with agents at these addresses, or nobody.
pub(crate) fn controller_at(place: &Place, file: &Path, agents: &[&str], arguments: &[&str]) -> Process {
    let results = place.path().join("results");
    std::fs::create_dir_all(&results).expect("writable");
    started(&results, file, agents, arguments)
}

/// The same with the results anywhere.
pub(crate) fn controller_with_results(
    results: &Path,
    file: &Path,
    agents: &[&Agent],
    arguments: &[&str],
) -> Process {
    started(results, file, &addresses(agents), arguments)
}

fn addresses<'a>(agents: &[&'a Agent]) -> Vec<&'a str> {
    agents.iter().map(|agent| agent.address.as_str()).collect()
}

fn started(results: &Path, file: &Path, agents: &[&str], arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iobench-controller"));
    command.arg("run").arg(file).args(["--agents", &agents.join(",")]).arg("--results").arg(results);
    command.args(arguments);
    Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// `iobench` with these arguments, to its end.
pub(crate) fn iobench(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iobench"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process::start(&mut command).end(Duration::from_secs(60))
}

/// A directory that nobody may write, not even root, for as long as this lives.
pub(crate) struct Forbidden<'a>(&'a Path);

impl<'a> Forbidden<'a> {
    pub(crate) fn new(directory: &'a Path) -> Self {
        let path = directory.to_str().expect("a plain name");
        if rustix::process::geteuid().is_root() {
            // A read-only mount over itself: permissions do not bind root.
            mount(&["--bind", path, path]);
            mount(&["-o", "remount,bind,ro", path]);
        } else {
            permit(directory, 0o555);
        }
        Self(directory)
    }
}

impl Drop for Forbidden<'_> {
    fn drop(&mut self) {
        if rustix::process::geteuid().is_root() {
            Command::new("umount").arg(self.0).status().ok();
        } else {
            permit(self.0, 0o755);
        }
    }
}

fn mount(arguments: &[&str]) {
    let status = Command::new("mount").args(arguments).status().expect("mount exists");
    assert!(status.success(), "mount {arguments:?}");
}

fn permit(directory: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// Waits until something is so, but not for ever.
pub(crate) fn until(what: &str, limit: Duration, test: impl Fn() -> bool) {
    let end = Instant::now() + limit;
    while !test() {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Files below a directory.
pub(crate) fn files(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}
