//! Target URIs: the scheme chooses the backend.

use std::fmt;
use std::str::FromStr;

/// The backend of a URI.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// Files through the page cache.
    File,
    /// Files past the page cache (`O_DIRECT`).
    Direct,
    /// S3.
    S3,
    /// Azure Blob Storage.
    Az,
    /// Google Cloud Storage (`gs://`, also `gcs://`).
    Gs,
    /// Memory of the process.
    Mem,
    /// Nothing at all: measures the tool itself.
    Null,
}

impl Scheme {
    /// How it is written before `://`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Direct => "direct",
            Self::S3 => "s3",
            Self::Az => "az",
            Self::Gs => "gs",
            Self::Mem => "mem",
            Self::Null => "null",
        }
    }

    /// Whether its keys are files, so that blocks of them can be read and written.
    #[must_use]
    pub fn has_blocks(self) -> bool {
        matches!(self, Self::File | Self::Direct | Self::Mem | Self::Null)
    }

    /// Whether its keys are objects of a service that is reached over the network.
    #[must_use]
    pub fn is_object_store(self) -> bool {
        matches!(self, Self::S3 | Self::Az | Self::Gs)
    }

    /// Whether its keys are files in directories.
    #[must_use]
    pub fn has_files(self) -> bool {
        matches!(self, Self::File | Self::Direct)
    }
}

/// A parsed target: `scheme://rest`. For files the rest is an absolute path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Uri {
    /// Which backend.
    pub scheme: Scheme,
    /// Everything after `://`, without a trailing slash (unless it is the root).
    pub path: String,
}

/// What the path of an object store's target is made of: `host:port/bucket/prefix`; for Azure also
/// `account.blob.core.windows.net/container/prefix` and `host:port/account/container/prefix`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bucket<'a> {
    /// `host:port` or a host with dots, if the target addresses a service itself.
    pub endpoint: Option<&'a str>,
    /// The bucket or container; empty when none is named.
    pub name: &'a str,
    /// What keys begin with, without slashes at its ends; empty: the whole bucket.
    pub prefix: &'a str,
}

/// Why a text is no target.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UriError {
    /// No `scheme://`.
    #[error("`{0}` has no scheme; write for example `file:///mnt/data` or `s3://bucket/prefix`")]
    NoScheme(String),
    /// A scheme nobody knows.
    #[error("unknown scheme `{0}://`; known are file, direct, s3, az, gs, mem and null")]
    UnknownScheme(String),
    /// A file URI whose path is not absolute.
    #[error("`{0}` is not an absolute path; write three slashes, as in `file:///mnt/data`")]
    Relative(String),
    /// A character that no name should have, such as a zero byte.
    #[error("`{0}` contains a control character; write the path without it")]
    Control(String),
    /// A path that climbs.
    #[error("`{0}` contains `..`; write the path without it")]
    Climbs(String),
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UriError::NoScheme(text.to_owned()))?;
        let scheme = match scheme {
            "file" => Scheme::File,
            "direct" => Scheme::Direct,
            "s3" => Scheme::S3,
            "az" => Scheme::Az,
            "gs" | "gcs" => Scheme::Gs,
            "mem" => Scheme::Mem,
            "null" => Scheme::Null,
            other => return Err(UriError::UnknownScheme(other.to_owned())),
        };
        if matches!(scheme, Scheme::File | Scheme::Direct) && !rest.starts_with('/') {
            return Err(UriError::Relative(text.to_owned()));
        }
        if rest.chars().any(char::is_control) {
            return Err(UriError::Control(text.escape_debug().to_string()));
        }
        if rest.split('/').any(|segment| segment == "..") {
            return Err(UriError::Climbs(text.to_owned()));
        }
        let trimmed = rest.trim_end_matches('/');
        let path = if trimmed.is_empty() && rest.starts_with('/') { "/" } else { trimmed };
        Ok(Self { scheme, path: path.to_owned() })
    }
}

impl Uri {
    /// The parts of an object store's target; `None` for other targets.
    #[must_use]
    pub fn bucket(&self) -> Option<Bucket<'_>> {
        if !self.scheme.is_object_store() {
            return None;
        }
        let cut = |path| -> (&str, &str) { str::split_once(path, '/').unwrap_or((path, "")) };
        let azure = self.scheme == Scheme::Az;
        let (first, others) = cut(&self.path);
        let addressed = first.contains(':');
        // No bucket has a colon in its name, and no container a dot.
        let (endpoint, rest) = match addressed || azure && first.contains('.') {
            false => (None, self.path.as_str()),
            // An emulator's account comes before its containers.
            true if azure && addressed => (Some(first), cut(others).1),
            true => (Some(first), others),
        };
        let (name, prefix) = cut(rest);
        Some(Bucket { endpoint, name, prefix: prefix.trim_matches('/') })
    }

    /// The service at the `host:port` of a target: by TLS at port 443, else without.
    #[must_use]
    pub fn service(address: &str) -> String {
        let scheme = if address.ends_with(":443") { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// The URI of something below this one; an absolute `relative` (with a scheme) stands for itself elsewhere.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        let relative = relative.trim_matches('/');
        let path = match (self.path.as_str(), relative) {
            (path, "") => path.to_owned(),
            ("", relative) => relative.to_owned(),
            (path, relative) => format!("{}/{relative}", path.trim_end_matches('/')),
        };
        Self { scheme: self.scheme, path }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_backend_and_slashes_are_tidied() {
        let uri: Uri = "file:///mnt/data/".parse().unwrap();
        assert_eq!((uri.scheme, uri.path.as_str()), (Scheme::File, "/mnt/data"));
        assert_eq!(uri.join("a/b/").to_string(), "file:///mnt/data/a/b");
        assert_eq!("gcs://bucket".parse::<Uri>().unwrap().to_string(), "gs://bucket");
        assert_eq!("mem://".parse::<Uri>().unwrap().join("x").to_string(), "mem://x");
        assert_eq!("file:///".parse::<Uri>().unwrap().join("x").to_string(), "file:///x");
    }

    #[test]
    fn a_bucket_is_told_from_the_service_before_it_and_the_prefix_behind_it() {
        let parts = |text: &str| {
            let uri: Uri = text.parse().unwrap();
            uri.bucket().map(|at| (at.endpoint.map(str::to_owned), at.name.to_owned(), at.prefix.to_owned()))
        };
        let of = |endpoint: Option<&str>, name: &str, prefix: &str| {
            Some((endpoint.map(str::to_owned), name.to_owned(), prefix.to_owned()))
        };
        assert_eq!(parts("s3://bucket"), of(None, "bucket", ""));
        assert_eq!(parts("gs://bucket/a/b/"), of(None, "bucket", "a/b"));
        assert_eq!(parts("s3://10.0.0.1:9000/bucket/a"), of(Some("10.0.0.1:9000"), "bucket", "a"));
        assert_eq!(parts("s3://host:9000"), of(Some("host:9000"), "", ""));
        assert_eq!(parts("s3://my.bucket/a"), of(None, "my.bucket", "a"));
        let (service, emulator) = (Some("me.blob.core.windows.net"), Some("127.0.0.1:10000"));
        assert_eq!(parts("az://me.blob.core.windows.net/box/a"), of(service, "box", "a"));
        assert_eq!(parts("az://127.0.0.1:10000/account/box/a"), of(emulator, "box", "a"));
        assert_eq!(parts("az://127.0.0.1:10000/account"), of(emulator, "", ""));
        assert_eq!(parts("file:///mnt/a:b"), None);
        assert_eq!(Uri::service("host:443"), "https://host:443");
        assert_eq!(Uri::service("host:9000"), "http://host:9000");
    }

    #[test]
    fn what_is_no_target_says_what_to_write_instead() {
        let error = |text: &str| text.parse::<Uri>().unwrap_err().to_string();
        assert!(error("/mnt/data").contains("no scheme"));
        assert!(error("nfs://x").contains("unknown scheme `nfs://`"));
        assert!(error("file://mnt").contains("three slashes"));
        assert!(error("file:///a/../b").contains("`..`"));
        assert!(error("file:///a\0b").contains("control character"));
    }
}
