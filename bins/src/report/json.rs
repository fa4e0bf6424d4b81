//! `summary.json` and `environment.json`: the same numbers as the text, for programs.
//!
//! Durations are seconds, latencies microseconds, throughput MiB (2^20 bytes) per second; stamps are UTC.

use super::bottleneck::bottleneck;
use super::subject::subject;
use crate::results::{AgentResult, AgentStage, Basis, Condition, Place, Results, StageResult};
use iobench_core::controller::{AgentEnd, Label};
use iobench_core::stats::Tally;
use iobench_core::stats::summary::{EndpointRow, Latency, Row, Scope};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of `summary.json`. Fields are added under the same number; a change of meaning raises it.
pub const SCHEMA: u32 = 1;

/// `summary.json`.
#[must_use]
pub fn json(results: &Results) -> String {
    pretty(&summary(results))
}

/// `environment.json`: what each host is and has, and the facts of each stage there.
#[must_use]
pub fn environment(results: &Results) -> String {
    let agents = (0..).zip(&results.agents).map(|(index, agent)| host(results, index, agent));
    pretty(&Environment {
        schema: SCHEMA,
        run: results.header.run.to_string(),
        controller_version: &results.header.version,
        agents: agents.collect(),
    })
}

fn pretty(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("maps have string keys and no value can fail");
    text + "\n"
}

#[derive(Serialize)]
struct Summary<'a> {
    schema: u32,
    iobench_version: &'a str,
    run: String,
    name: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    seed: u64,
    target: String,
    workload: String,
    started: String,
    condition: &'static str,
    label: Label,
    coverage: f64,
    cause: &'a str,
    exit_code: u8,
    stages: Vec<Stage<'a>>,
    agents: Vec<Agent<'a>>,
    tool: Tool,
    warnings: Vec<&'a str>,
    more_warnings: u64,
    losses: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    results_failure: Option<&'a str>,
}

#[derive(Serialize)]
struct Stage<'a> {
    index: u32,
    name: &'a str,
    start: String,
    planned_s: Option<f64>,
    duration_s: f64,
    basis: &'static str,
    operations: Vec<Line>,
    groups: Vec<Line>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<Endpoint<'a>>,
    #[serde(flatten)]
    failures: Failures,
    together: Option<Together>,
    time_series_complete: bool,
    agents: Vec<Part>,
}

#[derive(Serialize)]
struct Line {
    operation: &'static str,
    size_bucket: &'static str,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<u64>,
    bytes: u64,
    avg_bytes: f64,
    ops_per_sec: f64,
    throughput_mibps: f64,
    service_us: Option<Times>,
    response_us: Option<Times>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    endpoint: &'a str,
    count: u64,
    errors: u64,
    bytes: u64,
    ops_per_sec: f64,
    throughput_mibps: f64,
    service_us: Option<Times>,
}

#[derive(Serialize)]
struct Times {
    mean: f64,
    min: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

#[derive(Serialize)]
struct Failures {
    errors: Vec<Failure>,
    retries: u64,
    retry_time_s: f64,
    cancelled: u64,
}

#[derive(Serialize)]
struct Failure {
    operation: &'static str,
    class: &'static str,
    code: u32,
    count: u64,
}

#[derive(Serialize)]
struct Together {
    agents: usize,
    from_s: f64,
    to_s: f64,
    rates: Vec<Rate>,
}

#[derive(Serialize)]
struct Rate {
    operation: &'static str,
    ops_per_sec: f64,
    throughput_mibps: f64,
}

#[derive(Serialize)]
struct Part {
    agent: String,
    counts: bool,
    duration_s: f64,
    start_skew_us: Option<f64>,
    start_skew_bound_us: Option<f64>,
    operations: Vec<Line>,
    #[serde(flatten)]
    failures: Failures,
    cpu_user_pct: Option<f64>,
    cpu_system_pct: Option<f64>,
    cpu_iowait_pct: Option<f64>,
    process_cpu_s: f64,
    lag_us: f64,
    merged_intervals: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
}

/// What the agent's totals say, and what its intervals add up to.
#[derive(Serialize)]
struct Difference {
    count: [u64; 2],
    bytes: [u64; 2],
    errors: [u64; 2],
}

#[derive(Serialize)]
struct Agent<'a> {
    id: &'a str,
    address: &'a str,
    host: &'a str,
    version: &'a str,
    end: AgentEnd,
    reason: &'a str,
    ran_s: f64,
    planned_s: f64,
    invalid_messages: u64,
    merged_intervals: u64,
    missing_intervals: u64,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Tool {
    bottleneck: bool,
    signs: Vec<String>,
    disturbed: Vec<String>,
    lag_us: f64,
    host_cpu_busy_pct: Option<f64>,
    late: Vec<String>,
}

#[derive(Serialize)]
struct Environment<'a> {
    schema: u32,
    run: String,
    controller_version: &'a str,
    agents: Vec<Host<'a>>,
}

#[derive(Serialize)]
struct Host<'a> {
    id: &'a str,
    address: &'a str,
    host: &'a str,
    version: &'a str,
    cores: u32,
    memory_bytes: u64,
    facts: BTreeMap<&'a str, &'a str>,
    warnings: &'a [String],
    stages: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
}

fn summary(results: &Results) -> Summary<'_> {
    let (header, outcome) = (&results.header, &results.outcome);
    let subject = subject(results).unwrap_or_default();
    let failure = match &results.place {
        Place::Unwritten { cause, .. } => Some(cause.as_str()),
        _ => Some(outcome.results_failure.as_str()).filter(|cause| !cause.is_empty()),
    };
    Summary {
        schema: SCHEMA,
        iobench_version: &header.version,
        run: header.run.to_string(),
        name: &header.name,
        labels: pairs(&header.labels),
        seed: header.seed,
        target: subject.target,
        workload: subject.workload,
        started: header.started.unix.to_string(),
        condition: match results.condition {
            Condition::Finished => "finished",
            Condition::Running => "running",
            Condition::Interrupted => "interrupted",
            Condition::Kept => "kept",
        },
        label: outcome.label,
        coverage: f64::from(outcome.coverage_ppm) / 1e6,
        cause: &outcome.cause,
        exit_code: outcome.exit.code(),
        stages: results.stages.iter().map(|stage| stage_json(results, stage)).collect(),
        agents: results.agents.iter().map(agent).collect(),
        tool: tool(results),
        warnings: results.warnings.iter().map(String::as_str).collect(),
        more_warnings: results.warnings_beyond,
        losses: &results.losses,
        results_failure: failure,
    }
}

fn stage_json<'a>(results: &Results, stage: &'a StageResult) -> Stage<'a> {
    let together = stage.together.as_ref().map(|together| Together {
        agents: together.agents,
        from_s: together.from as f64 / 1e9,
        to_s: together.to as f64 / 1e9,
        rates: together
            .rates
            .iter()
            .map(|rate| Rate {
                operation: rate.operation.name(),
                ops_per_sec: rate.ops_per_sec,
                throughput_mibps: rate.mib_per_sec,
            })
            .collect(),
    });
    Stage {
        index: stage.index,
        name: &stage.name,
        start: stage.timeline.start.to_string(),
        planned_s: stage.timed.map(|timed| timed.as_secs_f64()),
        duration_s: stage.total.duration.as_secs_f64(),
        basis: match stage.basis {
            Basis::Completed => "completed_agents",
            Basis::Finished => "agents_that_finished_the_stage",
            Basis::Everything => "everything_measured",
        },
        operations: lines(&stage.total.rows, false),
        groups: lines(&stage.total.rows, true),
        endpoints: stage.total.endpoints.iter().map(endpoint).collect(),
        failures: failures(&stage.total.tally),
        together,
        time_series_complete: !stage.series_incomplete(),
        agents: stage.agents.iter().map(|part| part_json(results, stage, part)).collect(),
    }
}

fn part_json(results: &Results, stage: &StageResult, part: &AgentStage) -> Part {
    let start = results.outcome.starts.iter().find(|start| start.stage == stage.index);
    let skew = start.and_then(|start| start.skews.get(part.agent.0 as usize).copied().flatten());
    let cpu = part.totals.cpu;
    Part {
        agent: results.agent_id(part.agent),
        counts: part.counts,
        duration_s: part.measured.duration.as_secs_f64(),
        start_skew_us: skew.map(|skew| skew.nanos as f64 / 1_000.0),
        start_skew_bound_us: skew.map(|skew| skew.bound as f64 / 1_000.0),
        operations: lines(&part.measured.rows, false),
        failures: failures(&part.measured.tally),
        cpu_user_pct: cpu.map(|cpu| f64::from(cpu.user) / 100.0),
        cpu_system_pct: cpu.map(|cpu| f64::from(cpu.system) / 100.0),
        cpu_iowait_pct: cpu.map(|cpu| f64::from(cpu.iowait) / 100.0),
        process_cpu_s: seconds(part.totals.process_cpu),
        lag_us: part.totals.lag as f64 / 1_000.0,
        merged_intervals: part.merged,
        difference: part.difference.map(|difference| Difference {
            count: difference.count.into(),
            bytes: difference.bytes.into(),
            errors: difference.errors.into(),
        }),
    }
}

fn endpoint(row: &EndpointRow) -> Endpoint<'_> {
    Endpoint {
        endpoint: &row.name,
        count: row.count,
        errors: row.errors,
        bytes: row.bytes,
        ops_per_sec: row.ops_per_sec,
        throughput_mibps: row.mib_per_sec,
        service_us: (row.count > 0).then(|| times(&row.service)),
    }
}

fn lines(rows: &[Row], groups: bool) -> Vec<Line> {
    let wanted = rows.iter().filter(|row| matches!(row.scope, Scope::Group(_)) == groups);
    wanted.map(line).collect()
}

fn line(row: &Row) -> Line {
    let (operation, size_bucket) = match row.scope {
        Scope::Band(operation, band) => (operation.name(), band.name()),
        Scope::Operation(operation) => (operation.name(), "ALL"),
        Scope::Group(group) => (super::group_name(group), "ALL"),
    };
    Line {
        operation,
        size_bucket,
        count: row.count,
        errors: (!matches!(row.scope, Scope::Band(..))).then_some(row.errors),
        bytes: row.bytes,
        avg_bytes: row.average_bytes,
        ops_per_sec: row.ops_per_sec,
        throughput_mibps: row.mib_per_sec,
        service_us: (row.count > 0).then(|| times(&row.service)),
        response_us: row.response.as_ref().map(times),
    }
}

fn times(latency: &Latency) -> Times {
    Times {
        mean: latency.mean,
        min: latency.min,
        p50: latency.p50,
        p90: latency.p90,
        p95: latency.p95,
        p99: latency.p99,
        p999: latency.p99_9,
        max: latency.max,
    }
}

fn failures(tally: &Tally) -> Failures {
    let errors = tally.errors.iter().map(|error| Failure {
        operation: error.operation.name(),
        class: error.class.name(),
        code: error.code,
        count: error.count,
    });
    Failures {
        errors: errors.collect(),
        retries: tally.retries,
        retry_time_s: seconds(tally.retry_time),
        cancelled: tally.cancelled,
    }
}

fn agent(agent: &AgentResult) -> Agent<'_> {
    let (outcome, capabilities) = (&agent.outcome, &agent.capabilities);
    Agent {
        id: &outcome.id,
        address: &outcome.address,
        host: &capabilities.host,
        version: &capabilities.version,
        end: outcome.end,
        reason: &outcome.reason,
        ran_s: seconds(outcome.ran),
        planned_s: seconds(outcome.planned),
        invalid_messages: outcome.invalid,
        merged_intervals: outcome.merged,
        missing_intervals: outcome.missing,
        warnings: &capabilities.warnings,
    }
}

fn tool(results: &Results) -> Tool {
    let found = bottleneck(results);
    Tool {
        bottleneck: !found.signs.is_empty(),
        signs: found.signs,
        disturbed: found.disturbed,
        lag_us: found.lag.as_secs_f64() * 1e6,
        host_cpu_busy_pct: found.busy,
        late: found.late,
    }
}

fn host<'a>(results: &'a Results, index: u32, agent: &'a AgentResult) -> Host<'a> {
    let (outcome, capabilities) = (&agent.outcome, &agent.capabilities);
    let stages = results.stages.iter().filter_map(|stage| {
        let part = stage.agents.iter().find(|part| part.agent.0 == index)?;
        Some((stage.name.as_str(), pairs(&part.totals.facts)))
    });
    Host {
        id: &outcome.id,
        address: &outcome.address,
        host: &capabilities.host,
        version: &capabilities.version,
        cores: capabilities.cores,
        memory_bytes: capabilities.memory,
        facts: pairs(&capabilities.facts),
        warnings: &capabilities.warnings,
        stages: stages.filter(|(_, facts)| !facts.is_empty()).collect(),
    }
}

fn pairs(pairs: &[(String, String)]) -> BTreeMap<&str, &str> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}
