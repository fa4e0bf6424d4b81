//! The canaries: checks of the core that can be broken on purpose, and who notices in tier 1.

/// A check that can be broken.
#[derive(Copy, Clone, Debug)]
pub struct Canary {
    /// Its name at the check, in the core.
    pub mutant: &'static str,
    /// What is broken.
    pub breaks: &'static str,
    /// The checkers that may be the first to notice; `panic`: an assertion of the machine's own, in builds that have
    /// them.
    pub caught_by: &'static [&'static str],
}

const fn canary(mutant: &'static str, breaks: &'static str, caught_by: &'static [&'static str]) -> Canary {
    Canary { mutant, breaks, caught_by }
}

/// All of them: first the rows of `timeouts{}`.
pub const CANARIES: &[Canary] = &[
    canary("connect", "a TCP connection may take for ever", &["deadlines", "ends"]),
    canary("stream", "a stream may take for ever", &["deadlines", "ends"]),
    canary("idle", "a stream may wait for ever with its Configure", &["deadlines"]),
    canary("progress", "an untimed stage may hang", &["deadlines"]),
    canary("ready", "a READY agent waits for ever for a controller that is gone", &["lease"]),
    canary("first_stats", "a start may have no effect", &["deadlines"]),
    canary("silence", "a silent agent is never pinged", &["deadlines", "ends"]),
    canary("ping", "a ping may stay unanswered", &["deadlines", "ends"]),
    canary("ping_tries", "pings may stay unanswered for ever", &["deadlines", "ends"]),
    canary("hung", "an engine may hang", &["deadlines", "ends"]),
    canary("lease", "work outlives its controller", &["lease"]),
    canary("abort", "an engine may never answer Stop", &["deadlines"]),
    canary("abort_wait", "last results are awaited for ever", &["deadlines"]),
    canary("hasty", "whoever takes a quarter of its time is late", &["deadlines"]),
    canary("absence", "the controller blames others for its own absence", &["deadlines", "liveness"]),
    canary("agent_absence", "an agent blames others for its own absence", &["deadlines", "liveness"]),
    canary("session", "the controller heeds an old session", &["inert"]),
    canary(
        "run",
        "the controller heeds another run",
        &["counted_once", "deadlines", "fault_free", "liveness"],
    ),
    canary("agent_session", "an agent heeds an old session", &["inert"]),
    canary("agent_run", "an agent heeds another run", &["fault_free", "liveness", "issue"]),
    canary("agent_stream", "an agent heeds a dead stream", &["inert"]),
    canary("epoch", "an agent heeds an earlier run of its engine", &["inert", "counted_once"]),
    canary(
        "claim",
        "a second Configure takes the agent over",
        &["transitions", "liveness", "engine_stop", "panic"],
    ),
    canary("double_count", "a repeated interval counts again", &["counted_once"]),
    canary("early_acknowledgement", "an interval is acknowledged before it is on disk", &["acknowledged"]),
    canary("gap", "acknowledged past a gap", &["acknowledged"]),
    canary("send_again", "what did not arrive is not sent again", &["liveness"]),
    canary("refused_write", "what the disk refused is acknowledged later", &["acknowledged"]),
    canary("pending", "the totals overtake intervals that were held back", &["counted_once"]),
    canary("unacknowledged", "an agent keeps any number of intervals", &["memory"]),
    canary("keep", "results that nobody confirmed are forgotten", &["idle_again"]),
    canary("confirm", "a confirmation is awaited for ever", &["deadlines"]),
    canary("last_writes", "a disk may hang at the end", &["deadlines", "ends"]),
    canary("early_start", "a stage begins when Start arrives", &["issue"]),
    canary("late_start", "a start instant of the past is accepted", &["issue"]),
    canary("lease_at_start", "work begins although its lease has run out", &["lease"]),
    canary("clock", "a start instant is translated wrongly", &["fault_free"]),
    canary("lead", "a start may be nearer than a message takes", &["fault_free", "liveness"]),
    canary("pings", "nobody is pinged", &["fault_free", "liveness"]),
    canary("forget_abort", "Abort is not carried out", &["issue"]),
    canary("issue_after_abort", "the engine is not told to stop", &["issue"]),
    canary("stale_ping", "any Ping renews the lease, however old its echo", &["lease"]),
    canary("unstopped", "a run begins although the engine is stuck in the one before", &["engine_stop"]),
    canary("ready_twice", "READY is said twice", &["ready_once"]),
    canary("exit_precedence", "an earlier cause outranks Ctrl-C", &["exit_code"]),
    canary("min_alive", "any number of agents may fail", &["exit_code"]),
    canary("flood", "any number of invalid messages is borne", &["deadlines"]),
    canary("retries", "connecting is tried for ever", &["deadlines"]),
    canary("foreign_acknowledge", "an agent lets another run confirm its results", &["idle_again"]),
    canary("samples_kept", "all samples of a clock are kept", &["memory"]),
    canary("unsaid_state", "an agent does not say what it has become", &["transitions"]),
    canary("unsaid_agent", "the controller does not say what an agent has become", &["transitions"]),
    canary("unsaid_run", "the controller does not say what the run has become", &["transitions"]),
    canary("finish_twice", "a run ends twice", &["ends"]),
    canary("never_finished", "a run does not say that it has ended", &["ends", "deadlines"]),
    canary("untold", "nobody is told that last results may not be on disk", &["counted_once"]),
    canary("late_stream", "a stream of an attempt that was given up is used", &["transitions", "panic"]),
];
