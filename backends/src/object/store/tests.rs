//! What cannot be seen from outside.

use super::credentials::Environment;
use super::fault::Refused;
use super::site::Site;
use super::work::Context;
use crate::executor::{ObjectId, Objects};
use crate::storage::Storage;
use bytes::Bytes;
use iobench_core::message::Failure;
use iobench_core::plan::{Checksum, Credentials, Encryption, Multipart, PoolId, Reference, StorageOptions};
use iobench_core::stats::ErrorClass;
use iobench_servers::Endless;
use std::sync::Arc;

const NOTHING_SET: Environment<'_> = &|_| None;

fn open(target: &str, options: &StorageOptions) -> Result<Site, Failure> {
    Site::open(&target.parse().expect("a target"), options, NOTHING_SET)
}

fn anonymous() -> StorageOptions {
    StorageOptions { credentials: Credentials::Anonymous, ..StorageOptions::default() }
}

/// A pool of 1000 bytes, 800 of them at once.
struct Pool([u8; 1000]);

impl Objects for Pool {
    fn name(&self, object: ObjectId, out: &mut Vec<u8>) {
        out.extend_from_slice(object.key.to_string().as_bytes());
    }

    fn payload(&self) -> &[u8] {
        &self.0
    }

    fn start(&self, _object: ObjectId, offset: u64) -> usize {
        (offset % 200) as usize
    }

    fn longest(&self) -> usize {
        800
    }
}

#[test]
fn what_is_written_is_the_pool_itself_and_no_copy() {
    let objects = Arc::new(Pool([7; 1000]));
    let pool = objects.payload().as_ptr_range();
    let context = Context {
        endpoints: Vec::new(),
        prefix: String::new(),
        multipart: Multipart::default(),
        ranges: None,
        payload: Bytes::from_owner(super::executor::Shared(Arc::clone(&objects) as _)),
        objects: Arc::clone(&objects) as _,
        inspector: None,
    };
    let object = ObjectId { pool: PoolId(0), key: 0 };
    for (length, pieces) in [(0, 1), (1, 1), (800, 1), (801, 2), (10_000, 13)] {
        let payload = context.content(object, 100, length);
        assert_eq!((payload.content_length() as u64, payload.iter().count()), (length, pieces));
        let inside = |piece: &Bytes| piece.is_empty() || pool.contains(&piece.as_ptr());
        assert!(payload.iter().all(inside), "{length} bytes");
        assert_eq!(payload.iter().next().map(|piece| piece.as_ptr()), Some(pool.start.wrapping_add(100)));
    }
}

#[test]
fn an_error_body_gives_its_code_and_nothing_else() {
    let reason = |body: &str| Refused::reason_in(body.as_bytes());
    assert_eq!(reason("<Error><Code>SlowDown</Code><Message>x</Message></Error>"), "SlowDown");
    assert_eq!(reason("<html>go away</html>"), "");
    assert_eq!(reason("<Code>not a <b>code</Code>"), "");
}

#[test]
fn what_a_provider_lacks_is_refused_with_the_key() {
    let message = |target: &str, options: &StorageOptions| {
        open(target, options).err().expect("it cannot be done").message
    };
    let checksum = StorageOptions { checksum: Checksum::Sha256, ..anonymous() };
    assert!(message("gs://b", &checksum).contains("`storage.checksum` is not for `gs://`"));
    let kms = StorageOptions { encryption: Encryption::Kms("key".to_owned()), ..anonymous() };
    assert!(message("az://c", &kms).contains("is not for `az://`"));
    assert!(open("s3://b", &StorageOptions { checksum: Checksum::Crc64Nvme, ..kms }).is_ok());
    assert!(message("az://c", &anonymous()).contains("names no account"));
    let roots = StorageOptions { tls_roots: Some("/nowhere/roots.pem".into()), ..anonymous() };
    assert!(message("s3://127.0.0.1:1/b", &roots).contains("`storage.tls_roots`: cannot read `/nowhere"));
}

#[test]
fn endpoints_have_names_only_where_there_is_a_choice() {
    let names = |endpoints: &[&str]| {
        let endpoints = endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect();
        open("s3://b", &StorageOptions { endpoints, ..anonymous() }).expect("a site").names()
    };
    assert!(names(&[]).is_empty());
    assert!(names(&["http://a:1"]).is_empty());
    assert_eq!(names(&["http://a:1/", "http://b:1"]), ["http://a:1", "http://b:1"]);
}

#[test]
fn nothing_in_the_environment_opens_anonymously_with_a_warning() {
    let site = open("s3://127.0.0.1:1/b", &StorageOptions::default()).expect("a site");
    assert!(site.warnings[0].contains("requests are not signed"), "{:?}", site.warnings);
    let unset = Credentials::Token(Reference::Env("UNSET".to_owned()));
    let failure = open("gs://b", &StorageOptions { credentials: unset, ..StorageOptions::default() }).err();
    assert!(failure.expect("it is not set").message.contains("env:UNSET"));
}

#[test]
fn a_service_for_credentials_cannot_fill_the_memory() {
    let server = Endless::new();
    let endpoint = format!("http://{}", server.address());
    let env = |name: &str| (name == "AWS_METADATA_ENDPOINT").then(|| endpoint.clone());
    let target = format!("s3://{}/b", server.address()).parse().expect("a target");
    let site = Site::open(&target, &StorageOptions::default(), &env).expect("a site");
    let objects = super::plain::Objects::new(Arc::new(site));
    let error = objects.stat(b"x").expect_err("no credentials come of this");
    assert_eq!(error.class(), ErrorClass::Corrupt, "{error}");
    assert!(error.to_string().ends_with("the answer is longer than 16 MiB"), "{error}");
}
