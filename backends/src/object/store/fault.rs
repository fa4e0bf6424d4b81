//! Why a request failed: from the errors of all layers to one class and one number.

use crate::error::Fault;
use iobench_core::stats::ErrorClass;
use std::error::Error;
use std::time::Duration;

/// What a server answered instead of doing what was asked. It never holds more of the answer than its error code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("HTTP {status} {reason}")]
pub(super) struct Refused {
    /// The status, not 2xx.
    pub(super) status: u16,
    /// The store's own code, such as `SlowDown`; empty when it gave none.
    pub(super) reason: String,
    /// How long it asks to wait before the next try.
    pub(super) retry_after: Option<Duration>,
}

/// How an exchange broke.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Before the head of an answer came.
    #[error("no answer")]
    Asking(#[source] hyper_util::client::legacy::Error),
    /// In the body of the answer.
    #[error("the answer ended early")]
    Receiving(#[source] hyper::Error),
    /// It goes on where an answer that is no object's data has long ended.
    #[error("the answer is longer than {} MiB", most >> 20)]
    Endless {
        /// The longest answer, bytes.
        most: u64,
    },
}

/// What becomes of an error of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// For counting.
    pub(super) fault: Fault,
    /// For a person: the store's own code, or what the innermost layer said; may be empty.
    pub(super) detail: String,
    /// How long the store asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Verdict {
    fn of(class: ErrorClass, code: u32, detail: impl Into<String>) -> Self {
        Self { fault: Fault { class, code }, detail: detail.into(), retry_after: None }
    }
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self { fault, detail: String::new(), retry_after: None }
    }
}

/// Classifies an error by the first layer that knows what happened.
pub(super) fn verdict(error: &object_store::Error) -> Verdict {
    let mut layer: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = layer {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return refused.verdict();
        }
        if let Some(broken) = error.downcast_ref::<Broken>() {
            return broken.verdict();
        }
        layer = error.source();
    }
    untyped(error)
}

impl Refused {
    /// The store's code in an error's body: `<Code>SlowDown</Code>`, in S3, GCS and Azure alike.
    pub(super) fn reason_in(body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let code =
            text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
        let sound = |code: &&str| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        code.filter(sound).unwrap_or_default().to_owned()
    }

    fn verdict(&self) -> Verdict {
        let class = self.class();
        Verdict { retry_after: self.retry_after, ..Verdict::of(class, self.status.into(), &*self.reason) }
    }

    /// Some statuses stand for several things, and then the store's code decides.
    fn class(&self) -> ErrorClass {
        match (self.status, &*self.reason) {
            (_, "SlowDown" | "ServerBusy" | "RequestLimitExceeded" | "TooManyRequests") => {
                ErrorClass::Throttled
            }
            (
                400,
                "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "AuthorizationHeaderMalformed",
            ) => ErrorClass::Denied,
            (_, "RequestTimeout" | "OperationTimedOut") => ErrorClass::Timeout,
            (_, "BadDigest" | "XAmzContentSHA256Mismatch" | "Md5Mismatch") => ErrorClass::Corrupt,
            (404 | 410, _) => ErrorClass::NotFound,
            (401 | 403 | 407, _) => ErrorClass::Denied,
            (409 | 412, _) => ErrorClass::Exists,
            (408 | 504, _) => ErrorClass::Timeout,
            (416, _) => ErrorClass::Truncated,
            (429 | 503, _) => ErrorClass::Throttled,
            (507, _) => ErrorClass::NoSpace,
            (500.., _) => ErrorClass::Storage,
            _ => ErrorClass::Invalid,
        }
    }
}

impl Broken {
    fn verdict(&self) -> Verdict {
        let (truncated, error): (bool, &(dyn Error + 'static)) = match self {
            Self::Asking(error) => (false, error),
            Self::Receiving(error) => (true, error),
            Self::Endless { .. } => return Verdict::of(ErrorClass::Corrupt, 0, self.to_string()),
        };
        let mut innermost = error;
        let mut layer = Some(error);
        while let Some(error) = layer {
            innermost = error;
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                if let Some(verdict) = of_io(error) {
                    return verdict;
                }
                if truncated && error.kind() == std::io::ErrorKind::UnexpectedEof {
                    return Fault::TRUNCATED.into();
                }
            }
            if let Some(error) = error.downcast_ref::<hyper::Error>() {
                if error.is_timeout() {
                    return Verdict::of(ErrorClass::Timeout, 0, error.to_string());
                }
                if truncated && error.is_incomplete_message() {
                    return Fault::TRUNCATED.into();
                }
            }
            layer = error.source();
        }
        Verdict::of(ErrorClass::Network, 0, innermost.to_string())
    }
}

/// What the operating system said; `None` when it said nothing and an inner layer may know more.
fn of_io(error: &std::io::Error) -> Option<Verdict> {
    if error.kind() == std::io::ErrorKind::TimedOut {
        return Some(Verdict::of(ErrorClass::Timeout, 0, error.to_string()));
    }
    let errno = error.raw_os_error()?;
    let fault = match Fault::os(errno) {
        fault @ Fault { class: ErrorClass::Timeout | ErrorClass::Network, .. } => fault,
        other => Fault { class: ErrorClass::Network, ..other },
    };
    Some(fault.into())
}

/// "Range not satisfiable", whoever says it.
pub(super) const BEHIND_THE_END: Fault = Fault { class: ErrorClass::Truncated, code: 416 };

/// The status of an answer with all of an object …
pub(super) const WHOLE: u32 = 200;
/// … and with a part of it.
pub(super) const PART: u32 = 206;

/// Errors that come without an answer of their own: object_store's, and parts of an answer that is a success as a
/// whole (a batch, a copy), which are known only by their text.
fn untyped(error: &object_store::Error) -> Verdict {
    use object_store::Error as E;
    let class = match error {
        E::NotFound { .. } => ErrorClass::NotFound,
        E::AlreadyExists { .. } | E::Precondition { .. } => ErrorClass::Exists,
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => ErrorClass::Denied,
        E::InvalidPath { .. }
        | E::NotSupported { .. }
        | E::NotImplemented { .. }
        | E::UnknownConfigurationKey { .. } => ErrorClass::Invalid,
        _ => {
            let text = error.to_string();
            let says = |word| text.contains(word);
            // Where a server lets it pass, object_store looks itself.
            if says("Wanted range starting at") {
                return BEHIND_THE_END.into();
            }
            if says("non-partial") {
                return Fault::excess(WHOLE).into();
            }
            match () {
                () if says("SlowDown") || says("ServerBusy") => ErrorClass::Throttled,
                () if says("AccessDenied") => ErrorClass::Denied,
                () if says("InternalError") => ErrorClass::Storage,
                () if says("Content-Range") => ErrorClass::Truncated,
                () => ErrorClass::Other,
            }
        }
    };
    // The innermost layer says it best; the outer ones add the place, which we say ourselves.
    let mut innermost: &(dyn Error + 'static) = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    Verdict::of(class, 0, innermost.to_string().lines().next().unwrap_or_default())
}
