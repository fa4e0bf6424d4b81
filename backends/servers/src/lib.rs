//! Object stores for tests: real servers that are installed when absent, started on free loopback ports and never
//! outlive the test; a proxy that makes any of them fail; and the part of Google Cloud Storage that no server covers.
//!
//! | server | speaks | runs | may be asked for |
//! |---|---|---|---|
//! | [`Weed`] (SeaweedFS) | S3; most of GCS's XML API | as a process, shared by a test program | anonymous, or with keys that are checked |
//! | [`Azurite`] | Azure Blob | as a process, shared by a test program | keys that are checked |
//! | [`S3sFs`] | S3 over a directory | in this process | anonymous, or with keys that are checked |
//! | [`FakeGcs`] | GCS's XML API with generations | in this process | anonymous, or with a token that is checked |
//! | [`Proxy`] | HTTP or HTTPS before any of them | in this process | [`Fault`]s by [`Rule`], and what came over the wire |
//! | [`Endless`] | HTTP: yes to everything, and then 96 MiB | in this process | |
//! | [`Refused`] | nothing: connections are refused | in this process | |
//!
//! Everything here blocks and panics with what to do next: it is called from tests, from any thread, with or without
//! a runtime. Ask each server for a bucket or container of its own per test; nothing else is shared.
#![expect(clippy::panic, reason = "a server that cannot be had fails the test with a reason")]

mod azurite;
mod background;
mod endless;
mod gcs;
mod http;
mod install;
mod ports;
mod process;
mod proxy;
mod refused;
mod s3s_fs;
mod tls;
mod weed;

pub use azurite::Azurite;
pub use endless::Endless;
pub use gcs::FakeGcs;
pub use proxy::{Exchange, Fault, Proxy, Rule};
pub use refused::Refused;
pub use s3s_fs::S3sFs;
pub use tls::Authority;
pub use weed::Weed;

/// What a client signs with: an access key and its secret, or an account and its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// The access key, or the name of the account.
    pub id: &'static str,
    /// What nobody else may see.
    pub secret: &'static str,
}
