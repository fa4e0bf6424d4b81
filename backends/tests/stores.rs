//! Object stores pass the suite of all backends.

mod common;

use common::{anonymous, keys, open};
use iobench_backends::conformance::{Lacks, check_all_but, check_executor, check_storage};
use iobench_core::plan::{Checksum, Credentials, Encryption, Multipart, Ranges, Reference, StorageOptions};
use iobench_servers::{Azurite, FakeGcs, S3sFs, Weed};

#[test]
fn s3_in_this_process() {
    let server = S3sFs::keyed();
    let directory = tempfile::tempdir().expect("a directory");
    let storage = StorageOptions { credentials: keys(directory.path(), S3sFs::KEYS), ..anonymous() };
    let backend = open(&format!("s3://{}/{}/prefix", server.address(), server.bucket()), &storage);
    check_storage(&**backend.storage());
    check_executor(&backend);
}

/// Everything of a mebibyte goes and comes in parts and ranges here. S3 takes no parts so small.
#[test]
fn google_in_parts_and_ranges() {
    let server = FakeGcs::open();
    let storage = StorageOptions {
        multipart: Multipart { threshold: 1 << 20, part_size: 300_000, concurrency: 3 },
        ranges: Some(Ranges { threshold: 1 << 20, chunk_size: 200_000, concurrency: 3 }),
        ..anonymous()
    };
    let backend = open(&format!("gs://{}/{}", server.address(), server.bucket()), &storage);
    check_storage(&**backend.storage());
    check_executor(&backend);
}

#[test]
fn s3_on_a_server_of_its_own() {
    let (server, directory) = (Weed::keyed(), tempfile::tempdir().expect("a directory"));
    let storage = StorageOptions { credentials: keys(directory.path(), Weed::KEYS), ..anonymous() };
    let backend = open(&format!("s3://{}/{}/prefix", server.address(), server.bucket()), &storage);
    check_storage(&**backend.storage());
    check_executor(&backend);
}

#[test]
fn s3_for_anybody() {
    let server = Weed::open();
    let backend = open(&format!("s3://{}/{}/prefix", server.address(), server.bucket()), &anonymous());
    check_storage(&**backend.storage());
    check_executor(&backend);
}

/// Its S3 port is Google's, too, but it does not know two of its headers: for these there is the fake.
#[test]
fn google_on_a_server_of_its_own() {
    let server = Weed::open();
    let backend = open(&format!("gs://{}/{}/prefix", server.address(), server.bucket()), &anonymous());
    check_all_but(&backend, Lacks { copies: true, conditions: true });
}

#[test]
fn azure() {
    let (server, directory) = (Azurite::shared(), tempfile::tempdir().expect("a directory"));
    let storage = StorageOptions { credentials: keys(directory.path(), Azurite::KEYS), ..anonymous() };
    let target = format!("az://{}/{}/{}/prefix", server.address(), Azurite::KEYS.id, server.container());
    let backend = open(&target, &storage);
    check_storage(&**backend.storage());
    check_executor(&backend);
}

#[test]
fn google() {
    let (server, directory) = (FakeGcs::keyed(), tempfile::tempdir().expect("a directory"));
    let token = directory.path().join("token");
    std::fs::write(&token, FakeGcs::TOKEN).expect("write");
    let storage = StorageOptions { credentials: Credentials::Token(Reference::File(token)), ..anonymous() };
    let backend = open(&format!("gs://{}/{}/prefix", server.address(), server.bucket()), &storage);
    check_storage(&**backend.storage());
    check_executor(&backend);
}

#[test]
fn checksums_and_encryption_go_with_what_is_written() {
    let server = S3sFs::open();
    for checksum in [Checksum::Sha256, Checksum::Crc64Nvme] {
        let storage = StorageOptions { checksum, encryption: Encryption::S3, ..anonymous() };
        let backend = open(&format!("s3://{}/{}", server.address(), server.bucket()), &storage);
        backend.storage().put(b"x", &&b"content"[..]).expect("put");
        assert_eq!(backend.storage().stat(b"x"), Ok(7), "{checksum:?}");
    }
}
