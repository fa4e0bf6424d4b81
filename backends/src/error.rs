//! Why storage failed: as data for counting, and as a sentence for a person.

use iobench_core::stats::ErrorClass;
use std::fmt;

/// The reason of one failed operation, small enough to be made in a hot loop.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fault {
    /// What kind it is.
    pub class: ErrorClass,
    /// The number behind it: an `errno` (below 200) or an HTTP status (from 200 on); 0 when there is none.
    pub code: u32,
}

impl Fault {
    /// Less data came or went than there should be.
    pub const TRUNCATED: Self = Self { class: ErrorClass::Truncated, code: 0 };
    /// Something is there under the name of an object, and is neither a file nor a block device. The number is that of
    /// `ESPIPE`, which tells the same of what has no offsets.
    pub const NOT_A_FILE: Self = Self { class: ErrorClass::Invalid, code: libc::ESPIPE.unsigned_abs() };
    /// It took too long and was given up.
    pub const TIMEOUT: Self = Self { class: ErrorClass::Timeout, code: 0 };

    /// The reason that the operating system gives with this error number.
    #[must_use]
    pub fn os(errno: i32) -> Self {
        Self { class: class_of(errno), code: errno.unsigned_abs() }
    }

    /// A reason without an error number.
    #[must_use]
    pub fn of(class: ErrorClass) -> Self {
        Self { class, code: 0 }
    }

    /// More data came than there should be, in an answer with this HTTP status, which is one of success.
    #[must_use]
    pub fn excess(status: u32) -> Self {
        Self { class: ErrorClass::Corrupt, code: status }
    }

    /// The same with the place, for a person.
    #[must_use]
    pub fn at(self, what: &'static str, place: impl Into<String>) -> StorageError {
        StorageError { fault: self, what, place: place.into(), detail: String::new() }
    }
}

impl From<rustix::io::Errno> for Fault {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::os(errno.raw_os_error())
    }
}

impl From<&std::io::Error> for Fault {
    fn from(error: &std::io::Error) -> Self {
        error.raw_os_error().map_or(Self::of(ErrorClass::Other), Self::os)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NOT_A_FILE {
            return f.write_str("it is neither a regular file nor a block device");
        }
        match (self.code, i32::try_from(self.code)) {
            (200, _) if self.class == ErrorClass::Corrupt => {
                f.write_str("more came than was asked for (HTTP 200; does the store ignore ranges, or is the object larger?)")
            }
            (HTTP..300, _) if self.class == ErrorClass::Corrupt => {
                write!(f, "more came than was asked for (HTTP {})", self.code)
            }
            (HTTP.., _) => write!(f, "{} (HTTP {})", self.class.name().replace('_', " "), self.code),
            (1.., Ok(errno)) => write!(f, "{}", std::io::Error::from_raw_os_error(errno)),
            _ => f.write_str(self.class.name()),
        }
    }
}

/// Codes from here on are HTTP statuses: no system has so many error numbers.
const HTTP: u32 = 200;

/// A failed operation: what was tried, where, and why it failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot {what} `{place}`: {fault}{}", Because(detail))]
pub struct StorageError {
    /// Why.
    pub fault: Fault,
    /// What was tried, as a verb: `write`, `list` …
    pub what: &'static str,
    /// Path or URI.
    pub place: String,
    /// What a store said in its own words, or a layer below; may be empty.
    pub detail: String,
}

/// A detail at the end of a sentence.
struct Because<'a>(&'a str);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

impl StorageError {
    /// The same with what a store said in its own words.
    #[must_use]
    pub fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.fault.class
    }
}

/// The class of an error number.
fn class_of(errno: i32) -> ErrorClass {
    match errno {
        libc::ENOENT | libc::ENOTDIR => ErrorClass::NotFound,
        libc::EEXIST | libc::ENOTEMPTY => ErrorClass::Exists,
        libc::EACCES | libc::EPERM | libc::EROFS => ErrorClass::Denied,
        libc::ENOSPC | libc::EDQUOT | libc::EFBIG => ErrorClass::NoSpace,
        libc::EINVAL | libc::ENAMETOOLONG | libc::EISDIR | libc::ELOOP | libc::EOPNOTSUPP => {
            ErrorClass::Invalid
        }
        libc::EAGAIN | libc::EBUSY => ErrorClass::Throttled,
        libc::EIO | libc::ENXIO | libc::ENODEV | libc::EREMOTEIO | libc::ESTALE => ErrorClass::Storage,
        libc::ETIMEDOUT => ErrorClass::Timeout,
        libc::ECONNREFUSED
        | libc::ECONNRESET
        | libc::ECONNABORTED
        | libc::EPIPE
        | libc::EHOSTDOWN
        | libc::EHOSTUNREACH
        | libc::ENETDOWN
        | libc::ENETUNREACH => ErrorClass::Network,
        _ => ErrorClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_why() {
        let error = Fault::os(libc::ENOSPC).at("write", "/mnt/full/x");
        assert_eq!(error.class(), ErrorClass::NoSpace);
        assert_eq!(error.to_string(), "cannot write `/mnt/full/x`: No space left on device (os error 28)");
        assert_eq!(Fault::TRUNCATED.at("read", "x").to_string(), "cannot read `x`: truncated");
        let denied =
            Fault { class: ErrorClass::NotFound, code: 404 }.at("list", "s3://b").because("NoSuchBucket");
        assert_eq!(denied.to_string(), "cannot list `s3://b`: not found (HTTP 404): NoSuchBucket");
    }

    #[test]
    fn an_answer_with_too_much_says_so() {
        let range = Fault::excess(206).at("get", "s3://b/x").to_string();
        assert_eq!(range, "cannot get `s3://b/x`: more came than was asked for (HTTP 206)");
        let whole = Fault::excess(200).at("get", "s3://b/x").to_string();
        assert!(
            whole.contains("more came than was asked for (HTTP 200; does the store ignore ranges"),
            "{whole}"
        );
    }

    #[test]
    fn what_nobody_foresaw_is_other_and_keeps_its_number() {
        assert_eq!(Fault::os(libc::ENOTTY), Fault { class: ErrorClass::Other, code: 25 });
    }
}
