//! Which requests fail, and how.

use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This answer at once; the server does not see the request.
    Answer {
        /// The status.
        status: u16,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
        /// The body, except for HEAD.
        body: String,
    },
    /// The server's answer, but its first byte this much later.
    SlowFirstByte(Duration),
    /// The server's answer stops after this many bytes of its body, and the connection stays open.
    Stall {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// The server's answer stops after this many bytes of its body, although its `Content-Length` says more, and the connection is closed.
    Truncate {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// The connection is reset after this many bytes of the body; with 0 without any answer, and the server does not see the request.
    Reset {
        /// Bytes of the body that are sent; some may be lost with the connection.
        after: u64,
    },
    /// The server's answer as a proper answer that is shorter.
    Shorten {
        /// Bytes that are missing at the end.
        by: u64,
    },
    /// The server's answer to the same request without a `Range`: all of the object, with status 200.
    IgnoreRange,
    /// The server's answer as a proper answer that is longer.
    Lengthen {
        /// Bytes that are appended.
        by: u64,
    },
}

impl Fault {
    /// A status with S3's kind of error body.
    pub fn status(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>made by a test</Message></Error>"
        );
        Self::Answer { status, headers: vec![("content-type", "application/xml".to_owned())], body }
    }

    /// 503, as from a server that is overloaded.
    pub fn slow_down() -> Self {
        Self::status(503, "SlowDown")
    }

    /// 429 that asks for a pause of this many seconds.
    pub fn too_many_requests(retry_after: u32) -> Self {
        let mut fault = Self::status(429, "TooManyRequests");
        if let Self::Answer { headers, .. } = &mut fault {
            headers.push(("retry-after", retry_after.to_string()));
        }
        fault
    }

    /// 403, as for credentials that were good before.
    pub fn expired_credentials() -> Self {
        Self::status(403, "ExpiredToken")
    }
}

/// Which requests a fault happens to: those of a method and a path, and of them all, or by their number.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    method: Option<&'static str>,
    path: String,
    which: Which,
    matched: u64,
}

#[derive(Debug, Clone, Copy)]
enum Which {
    All,
    First(u64),
    From(u64),
    Of { faulty: u64, every: u64 },
}

impl Rule {
    /// Happens to every request.
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, path: String::new(), which: Which::All, matched: 0 }
    }

    /// Only to those of this method.
    pub fn method(self, method: &'static str) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Only to those whose path, as it is sent, contains this.
    pub fn path(self, part: &str) -> Self {
        Self { path: part.to_owned(), ..self }
    }

    /// Only to the first of them.
    pub fn first(self, count: u64) -> Self {
        Self { which: Which::First(count), ..self }
    }

    /// Only from this one of them on, counted from 1.
    pub fn from(self, number: u64) -> Self {
        Self { which: Which::From(number), ..self }
    }

    /// Only to the first `faulty` of each `every` of them.
    pub fn of_every(self, faulty: u64, every: u64) -> Self {
        Self { which: Which::Of { faulty, every }, ..self }
    }

    fn applies(&mut self, method: &str, path: &str) -> bool {
        if self.method.is_some_and(|only| only != method) || !path.contains(&self.path) {
            return false;
        }
        let before = self.matched;
        self.matched += 1;
        match self.which {
            Which::All => true,
            Which::First(count) => before < count,
            Which::From(number) => before + 1 >= number,
            Which::Of { faulty, every } => before % every < faulty,
        }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What is to become of a request.
    pub(super) fn decide(&mut self, method: &str, path: &str) -> Option<Fault> {
        let rule = self.0.iter_mut().find_map(|rule| rule.applies(method, path).then_some(rule));
        rule.map(|rule| rule.fault.clone())
    }
}
