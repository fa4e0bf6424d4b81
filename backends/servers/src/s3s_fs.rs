//! An S3 server in this process, whose objects are files.

use crate::Keys;
use crate::background::Background;
use crate::install::build_directory;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// An S3 server over a directory; it starts in milliseconds, and each test can have its own.
#[derive(Debug)]
pub struct S3sFs {
    // Dropped in this order: the server before its files.
    background: Background,
    directory: TempDir,
    made: AtomicUsize,
}

impl S3sFs {
    /// These may do everything on a keyed server.
    pub const KEYS: Keys = Keys { id: "IOBENCHTESTS3SFS", secret: "s3s-secret+of/the=tests" };

    /// A server that lets anybody do anything.
    pub fn open() -> Self {
        Self::start(None)
    }

    /// A server that checks signatures.
    pub fn keyed() -> Self {
        Self::start(Some(Self::KEYS))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.background.address()
    }

    /// The same as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// An empty bucket that nobody else uses.
    pub fn bucket(&self) -> String {
        let name = format!("bucket-{:02}", self.made.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(self.directory.path().join(&name)).expect("the directory is ours");
        name
    }

    /// The file that holds an object.
    pub fn file(&self, bucket: &str, key: &str) -> PathBuf {
        self.directory.path().join(bucket).join(key)
    }

    fn start(keys: Option<Keys>) -> Self {
        let parent = build_directory().join("tmp");
        fs::create_dir_all(&parent).expect("the build directory is writable");
        let directory = TempDir::with_prefix_in("s3s-", parent).expect("the build directory is writable");
        let mut service =
            S3ServiceBuilder::new(FileSystem::new(directory.path()).expect("an empty directory"));
        if let Some(Keys { id, secret }) = keys {
            service.set_auth(SimpleAuth::from_single(id, secret));
        }
        let service = service.build();
        let background = Background::start(move |stream| {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            async move {
                let _the_client_knows = connection.await;
            }
        });
        Self { background, directory, made: AtomicUsize::new(0) }
    }
}
