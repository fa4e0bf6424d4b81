//! How object stores are reached and used.

use std::fmt;
use std::path::PathBuf;

/// How an object store is reached and used. What is secret stands here only as a [`Reference`], which the agent's own
/// host resolves: the secret itself is never part of a plan, a message or a result.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StorageOptions {
    /// The services to talk to, `http://host:port` or `https://host:port`; empty: the target's own, else the
    /// provider's.
    pub endpoints: Vec<String>,
    /// How operations are spread over several endpoints.
    pub spread: Spread,
    /// The region that requests are signed for; `None`: from the environment, else the provider's default.
    pub region: Option<String>,
    /// Who asks.
    pub credentials: Credentials,
    /// Buckets are part of the host name (`bucket.host/key`) instead of the path (`host/bucket/key`).
    pub virtual_host: bool,
    /// A PEM file with the certificates that servers are trusted by, instead of the system's.
    pub tls_roots: Option<PathBuf>,
    /// Idle connections kept for each endpoint and thread; `None`: as many as operations are in flight.
    pub connections: Option<u32>,
    /// How large objects are written.
    pub multipart: Multipart,
    /// How large objects are read; `None`: in one request.
    pub ranges: Option<Ranges>,
    /// What is computed over everything that is written.
    pub checksum: Checksum,
    /// How the store encrypts what it keeps.
    pub encryption: Encryption,
}

/// How operations are spread over several endpoints.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Spread {
    /// One after another.
    #[default]
    RoundRobin,
    /// To the one with the fewest in flight on this thread.
    LeastConnections,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Credentials {
    /// What the provider's own tools find in the environment of the agent; nothing there: anonymous.
    #[default]
    Environment,
    /// Nobody: requests are not signed.
    Anonymous,
    /// A profile of the AWS credentials file (`$AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`).
    Profile(String),
    /// A pair of access key and secret (S3: access key id and secret access key; Azure: account and account key).
    Keys {
        /// The key's name.
        access_key: Reference,
        /// The secret.
        secret_key: Reference,
        /// The token of temporary credentials.
        session_token: Option<Reference>,
    },
    /// One secret alone (Azure: a shared access signature; Google: a bearer token).
    Token(Reference),
    /// A Google service account's key file, on the agent's own host.
    ServiceAccount(PathBuf),
}

/// Where a value stands on the agent's own host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reference {
    /// `env:NAME`: in this environment variable.
    Env(String),
    /// `file:PATH`: in this file, without the white space around it.
    File(PathBuf),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// How large objects are written: in parts.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Multipart {
    /// Objects of at least so many bytes are written in parts.
    pub threshold: u64,
    /// Bytes of each part but the last; at least 5 MiB for S3.
    pub part_size: u64,
    /// Parts of one object in flight.
    pub concurrency: u32,
}

impl Default for Multipart {
    fn default() -> Self {
        Self { threshold: 64 << 20, part_size: 16 << 20, concurrency: 4 }
    }
}

/// How large objects are read: in ranges.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ranges {
    /// Objects of at least so many bytes are read in ranges.
    pub threshold: u64,
    /// Bytes of each range but the last.
    pub chunk_size: u64,
    /// Ranges of one object in flight.
    pub concurrency: u32,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { threshold: 64 << 20, chunk_size: 16 << 20, concurrency: 4 }
    }
}

/// What is computed over everything that is written, for the store to check.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Checksum {
    /// Nothing.
    #[default]
    None,
    /// SHA-256.
    Sha256,
    /// CRC-64/NVME.
    Crc64Nvme,
}

/// How the store encrypts what it keeps.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Encryption {
    /// As it is set up.
    #[default]
    Store,
    /// With keys of S3 (`AES256`).
    S3,
    /// With this key of the key management service.
    Kms(String),
}
