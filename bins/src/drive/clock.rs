//! The clocks of this host.

use super::Clock;
use iobench_core::time::{Mono, Now, Unix, nanos};
use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The system's clocks; the monotonic one counts from when this was made.
#[derive(Copy, Clone, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The instant that is `Mono(0)`.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.origin
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: Mono(nanos(self.origin.elapsed())), unix: Unix(nanos(unix)) }
    }

    fn sleep_until(&self, at: Mono) -> impl Future<Output = ()> + Send {
        tokio::time::sleep_until((self.origin + Duration::from_nanos(at.0)).into())
    }
}
