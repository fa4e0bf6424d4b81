//! Every backend passes the same suite.

use iobench_backends::backend::Backend;
use iobench_backends::conformance::{check_executor, check_storage};
use iobench_core::plan::{FileEngine, FileOptions, Fsync, StorageOptions, Uri};
use std::path::Path;
use tempfile::TempDir;

/// A directory on the file system of the build, which is a real one.
fn disk() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory")
}

/// A directory in memory.
fn memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a temporary directory")
}

fn check(scheme: &str, directory: &Path, options: &FileOptions) {
    let target: Uri = format!("{scheme}://{}/target", directory.display()).parse().expect("a target");
    let backend = Backend::open(&target, options, &StorageOptions::default()).expect("a backend");
    std::fs::create_dir(directory.join("target")).expect("make the target");
    check_storage(&**backend.storage());
    check_executor(&backend);
    let left: Vec<_> = std::fs::read_dir(directory.join("target")).expect("list").collect();
    assert!(left.is_empty(), "something is left: {left:?}");
}

fn uring() -> FileOptions {
    FileOptions { engine: FileEngine::Uring, registered: true, ..FileOptions::default() }
}

fn posix() -> FileOptions {
    FileOptions { engine: FileEngine::Posix, ..FileOptions::default() }
}

#[test]
fn files_by_io_uring() {
    check("file", disk().path(), &uring());
    check("file", memory().path(), &uring());
}

#[test]
fn files_by_io_uring_with_nothing_registered() {
    check("file", memory().path(), &FileOptions { registered: false, ..uring() });
}

#[test]
fn files_by_positioned_io() {
    check("file", disk().path(), &posix());
    check("file", memory().path(), &posix());
}

#[test]
fn direct_files_by_io_uring() {
    check("direct", disk().path(), &uring());
}

#[test]
fn direct_files_by_positioned_io() {
    check("direct", disk().path(), &posix());
}

#[test]
fn durable_files_under_temporary_names() {
    for options in [uring(), posix()] {
        let options = FileOptions { rename: true, fsync: Fsync::Each, ..options };
        check("file", disk().path(), &options);
        check("direct", disk().path(), &options);
    }
}

#[test]
fn objects_in_memory() {
    let backend = Backend::open(
        &"mem://conformance".parse().unwrap(),
        &FileOptions::default(),
        &StorageOptions::default(),
    )
    .expect("a backend");
    check_storage(&**backend.storage());
    check_executor(&backend);
}
