//! How object stores are reached and used, as a person writes it.

use crate::config::units::{Count, Size};
use crate::config::values::Credentials;
use crate::plan;
use serde::{Deserialize, Serialize};

/// How object stores are reached and used.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `region: eu-central-1`")]
pub struct Storage {
    /// The service to talk to; several of them: `multi_endpoint`.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// Who asks.
    pub credentials: Credentials,
    /// Whether buckets are part of the host name instead of the path.
    pub virtual_host: bool,
    /// A PEM file with the certificates that servers are trusted by.
    pub tls_roots: Option<String>,
    /// Idle connections kept for each endpoint and thread.
    pub connections: Option<Count>,
    /// How large objects are written.
    pub multipart: Multipart,
    /// How large objects are read; absent: in one request.
    pub ranges: Option<Ranges>,
    /// What is computed over everything that is written.
    pub checksum: Checksum,
    /// How the store encrypts what it keeps.
    #[serde(serialize_with = "serde_yaml::with::singleton_map_recursive::serialize")]
    pub sse: Sse,
}

/// How large objects are written: in parts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `part_size: 16MiB`")]
pub struct Multipart {
    /// Objects of at least so many bytes are written in parts.
    pub threshold: Size,
    /// Bytes of a part.
    pub part_size: Size,
    /// Parts of one object in flight.
    pub concurrency: Count,
}

impl Default for Multipart {
    fn default() -> Self {
        let default = plan::Multipart::default();
        Self {
            threshold: Size(default.threshold),
            part_size: Size(default.part_size),
            concurrency: Count(default.concurrency.into()),
        }
    }
}

/// How large objects are read: in ranges.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `chunk_size: 16MiB`")]
pub struct Ranges {
    /// Objects of at least so many bytes are read in ranges.
    pub threshold: Size,
    /// Bytes of a range.
    pub chunk_size: Size,
    /// Ranges of one object in flight.
    pub concurrency: Count,
}

impl Default for Ranges {
    fn default() -> Self {
        let default = plan::Ranges::default();
        Self {
            threshold: Size(default.threshold),
            chunk_size: Size(default.chunk_size),
            concurrency: Count(default.concurrency.into()),
        }
    }
}

/// Another place for `storage.ranges`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `enabled: true`")]
pub struct RangeEngine {
    /// Whether large objects are read in ranges at all.
    pub enabled: bool,
    /// Another name for `storage.ranges.chunk_size`.
    pub chunk_size: Size,
    /// Another name for `storage.ranges.concurrency`.
    pub max_concurrent_ranges: Count,
    /// Another name for `storage.ranges.threshold`.
    pub min_split_size: Size,
}

impl Default for RangeEngine {
    fn default() -> Self {
        let Ranges { threshold, chunk_size, concurrency } = Ranges::default();
        Self { enabled: false, chunk_size, max_concurrent_ranges: concurrency, min_split_size: threshold }
    }
}

impl From<RangeEngine> for Ranges {
    fn from(written: RangeEngine) -> Self {
        let RangeEngine { chunk_size, max_concurrent_ranges, min_split_size, .. } = written;
        Self { threshold: min_split_size, chunk_size, concurrency: max_concurrent_ranges }
    }
}

/// Several services with the same data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section with `strategy` and `endpoints`")]
pub struct MultiEndpoint {
    /// How operations are spread over them.
    #[serde(default)]
    pub strategy: Strategy,
    /// Which.
    pub endpoints: Vec<String>,
}

/// The words for [`plan::Spread`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of plan::Spread")]
pub enum Strategy {
    #[default]
    RoundRobin,
    LeastConnections,
}

/// The words for [`plan::Checksum`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of plan::Checksum")]
pub enum Checksum {
    #[default]
    None,
    Sha256,
    #[serde(rename = "crc64nvme")]
    Crc64Nvme,
}

/// How the store encrypts what it keeps.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sse {
    /// As it is set up.
    #[default]
    None,
    /// With keys of S3.
    S3,
    /// With a key of the key management service; written `{kms: KEY}`.
    Kms(String),
}
