//! Deadlines, and what failures are put up with.

use crate::config::units::{Count, TimeSpan};
use crate::plan;
use serde::{Deserialize, Serialize};

/// Every deadline; [`plan::Timeouts`] says who keeps it. Absent ones are as long as the interval needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `lease: 30s`")]
#[expect(missing_docs, reason = "each field is explained where the machines read it: in plan::Timeouts")]
pub struct Timeouts {
    pub connect: TimeSpan,
    pub stream: TimeSpan,
    pub idle: TimeSpan,
    pub progress: Option<TimeSpan>,
    pub ready: TimeSpan,
    pub first_stats: Option<TimeSpan>,
    pub silence: Option<TimeSpan>,
    pub ping: TimeSpan,
    pub ping_tries: Count,
    pub hung: Option<TimeSpan>,
    pub lease: TimeSpan,
    pub abort: TimeSpan,
    pub abort_wait: TimeSpan,
}

impl Default for Timeouts {
    fn default() -> Self {
        let default = plan::Timeouts::default();
        Self {
            connect: TimeSpan(default.connect),
            stream: TimeSpan(default.stream),
            idle: TimeSpan(default.idle),
            progress: None,
            ready: TimeSpan(default.ready),
            first_stats: None,
            silence: None,
            ping: TimeSpan(default.ping),
            ping_tries: Count(default.ping_tries.into()),
            hung: None,
            lease: TimeSpan(default.lease),
            abort: TimeSpan(default.abort),
            abort_wait: TimeSpan(default.abort_wait),
        }
    }
}

/// When a run goes on in spite of failures.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `min_alive: 0.5`")]
pub struct Policy {
    /// The share of agents, 0 to 1, that must stay alive.
    pub min_alive: f64,
    /// Invalid messages a minute beyond which an agent has failed.
    pub max_invalid_per_minute: Count,
}

impl Default for Policy {
    fn default() -> Self {
        let default = plan::Policy::default();
        Self {
            min_alive: f64::from(default.min_alive_ppm) / 1e6,
            max_invalid_per_minute: Count(default.max_invalid_per_minute.into()),
        }
    }
}

/// What happens when operations fail.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `max_total_errors: 100`")]
pub struct ErrorHandling {
    /// The stage fails after more errors than this.
    pub max_total_errors: Count,
    /// The stage fails when errors come faster than this, per second …
    pub error_rate_threshold: f64,
    /// … over this window.
    pub error_rate_window: TimeSpan,
    /// Whether failed operations are tried again.
    pub retry_on_error: bool,
    /// How often, if so.
    pub max_retries: Count,
    /// The first wait between tries, milliseconds.
    pub initial_retry_delay_ms: Count,
    /// The longest wait between tries, milliseconds.
    pub max_retry_delay_ms: Count,
    /// Each wait is this many times the one before.
    pub retry_backoff_multiplier: f64,
    /// Each wait is varied by this share, 0 to 1.
    pub retry_jitter_factor: f64,
    /// An operation that takes longer is given up.
    pub operation_timeout: TimeSpan,
}

impl Default for ErrorHandling {
    fn default() -> Self {
        let default = plan::ErrorPolicy::default();
        Self {
            max_total_errors: Count(default.max_total_errors),
            error_rate_threshold: default.error_rate_threshold,
            error_rate_window: TimeSpan(default.error_rate_window),
            retry_on_error: false,
            max_retries: Count(3),
            initial_retry_delay_ms: Count(100),
            max_retry_delay_ms: Count(5000),
            retry_backoff_multiplier: default.retry_backoff_multiplier,
            retry_jitter_factor: default.retry_jitter_factor,
            operation_timeout: TimeSpan(default.operation_timeout),
        }
    }
}
