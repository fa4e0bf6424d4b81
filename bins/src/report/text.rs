//! The one screen at the end of a run. At most 100 columns wide, as long as names are short.

use super::advice::together;
use super::bottleneck::bottleneck;
use super::subject::{storage, subject};
use super::units::{grouped, latency, percent, rate, signed, span};
use crate::results::{AgentStage, Basis, Condition, Place, Results, StageResult};
use crate::run::LOCAL;
use iobench_core::controller::{AgentEnd, AgentOutcome, Skew};
use iobench_core::stats::Operation;
use iobench_core::stats::summary::{Latency, Row, Scope};
use iobench_core::time::Unix;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// The fact in which an engine tells how many operations it had to leave to the kernel.
const STUCK: &str = "stuck operations";

/// So many endpoints fit on a screen.
const ENDPOINTS_SHOWN: usize = 8;

/// The fact in which an engine says what clean-up has left.
const LEFT: &str = "left behind";

/// The fact in which an engine names the first object that was not what was written.
const CORRUPT: &str = "corrupt";

/// The whole summary, ending in a line break.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    headline(&mut out, results);
    for stage in &results.stages {
        out.push('\n');
        stage_table(&mut out, results, stage);
    }
    if results.agents.len() > 1 {
        out.push('\n');
        agents_table(&mut out, results);
    }
    out.push('\n');
    remarks(&mut out, results);
    place(&mut out, results);
    with_agents(&mut out, results);
    out
}

/// A line of the summary. Writing to a string cannot fail.
macro_rules! line {
    ($out:expr, $($part:tt)*) => {
        { let _ = writeln!($out, $($part)*); }
    };
}

fn headline(out: &mut String, results: &Results) {
    let outcome = &results.outcome;
    let completed = outcome.agents.iter().filter(|agent| agent.end == AgentEnd::Completed).count();
    let of = match outcome.agents.len() {
        1 => String::new(),
        count => format!("{completed} of {count} agents completed, "),
    };
    let coverage = percent(f64::from(outcome.coverage_ppm), 1e6);
    let errors = errors(results);
    line!(out, "{}  {}: {of}{coverage} of the planned time{errors}", outcome.label, results.header.name);
    if !outcome.cause.is_empty() {
        line!(out, "  {}", outcome.cause);
    }
    let header = &results.header;
    let started = match header.started.unix {
        Unix(0) => "unknown".to_owned(),
        started => started.to_string(),
    };
    line!(out, "run {}  started {started}  seed {}", header.run, header.seed);
    if let Some(subject) = subject(results) {
        line!(out, "target    {}", subject.target);
        if !subject.workload.is_empty() {
            line!(out, "workload  {}", subject.workload);
        }
    }
    if let Some(storage) = storage(results) {
        line!(out, "storage   {storage}");
    }
    if !header.labels.is_empty() {
        let label =
            |(name, value): &(String, String)| format!("{}={}", on_one_line(name), on_one_line(value));
        let labels: Vec<_> = header.labels.iter().map(label).collect();
        line!(out, "{}", labels.join("  "));
    }
}

/// What somebody chose may pretend to be a line of ours, or a command for the terminal.
fn on_one_line(text: &str) -> String {
    text.chars()
        .flat_map(|it| if it.is_control() { it.escape_default().collect() } else { vec![it] })
        .collect()
}

/// How many operations of timed stages failed; nothing when none did.
fn errors(results: &Results) -> String {
    let timed = results.stages.iter().filter(|stage| stage.timed.is_some());
    let (done, failed) = timed.fold((0_u64, 0_u64), |(done, failed), stage| {
        (done + stage.total.tally.count(), failed + stage.total.tally.error_count())
    });
    match (done, failed) {
        (0, 0) if results.stages.iter().any(|stage| stage.timed.is_some()) => {
            return ", BUT NO OPERATION WAS COMPLETED".to_owned();
        }
        (_, 0) => return String::new(),
        _ => {}
    }
    let share = percent(failed as f64, (done + failed) as f64);
    format!(", WITH ERRORS: {} of {} operations failed ({share})", grouped(failed), grouped(done + failed))
}

fn stage_table(out: &mut String, results: &Results, stage: &StageResult) {
    line!(out, "{}", stage_title(results, stage));
    if stage.total.rows.is_empty() {
        let what = if stage.timed.is_some() { "was completed" } else { "had to be done" };
        line!(out, "  nothing {what}");
    } else {
        let columns = ["mean", "p50", "p90", "p95", "p99", "p99.9", "max"];
        let latencies: String = columns.map(|name| format!(" {name:>6}")).concat();
        line!(out, "{:<15} {:>12} {:>9} {:>8}{latencies}", "", "count", "ops/s", "MiB/s");
    }
    for operation in Operation::ALL {
        operation_rows(out, &stage.total.rows, operation);
    }
    if let Some(together) = &stage.together {
        let rates = together
            .rates
            .iter()
            .map(|r| format!("{} {} ops/s, {} MiB/s", r.operation, rate(r.ops_per_sec), rate(r.mib_per_sec)));
        let rates = rates.collect::<Vec<_>>().join("; ");
        line!(out, "  while all {} ran, {}: {rates}", together.agents, span(together.duration()));
    }
    endpoints(out, stage);
    failures(out, stage);
    beside(out, results, stage);
}

/// What each endpoint did, where there are several: the busiest first, and not more than fit.
fn endpoints(out: &mut String, stage: &StageResult) {
    let mut rows: Vec<_> = stage.total.endpoints.iter().collect();
    if rows.len() < 2 {
        return;
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.count, row.errors)));
    for row in rows.iter().take(ENDPOINTS_SHOWN) {
        let (count, ops) = (grouped(row.count), rate(row.ops_per_sec));
        let (p50, p99) = (latency(row.service.p50), latency(row.service.p99));
        let errors =
            if row.errors == 0 { String::new() } else { format!(", {} errors", grouped(row.errors)) };
        let mib = rate(row.mib_per_sec);
        line!(out, "  at {}: {count}, {ops} ops/s, {mib} MiB/s, p50 {p50}, p99 {p99}{errors}", row.name);
    }
    if rows.len() > ENDPOINTS_SHOWN {
        line!(out, "  and {} more endpoints; all are in endpoints.tsv", rows.len() - ENDPOINTS_SHOWN);
    }
}

fn stage_title(results: &Results, stage: &StageResult) -> String {
    let counted = stage.counted().count();
    let whose = match (stage.basis, counted, results.agents.len()) {
        (Basis::Everything, ..) => {
            format!(", NOT COMPLETED: all that {counted} of {} measured", agents(results))
        }
        (_, _, 1) => String::new(),
        (Basis::Completed, counted, all) if counted < all => {
            format!(", the {counted} of {} that completed", agents(results))
        }
        (Basis::Finished, counted, all) if counted < all => {
            format!(", the {counted} of {} that finished it", agents(results))
        }
        _ => format!(", {}", agents(results)),
    };
    format!("{}: {}{whose}", stage.name, span(stage.total.duration))
}

fn agents(results: &Results) -> String {
    match results.agents.len() {
        1 => "1 agent".to_owned(),
        count => format!("{count} agents"),
    }
}

/// The operation's row; its size bands below it when there is more than one.
fn operation_rows(out: &mut String, rows: &[Row], operation: Operation) {
    let Some(row) = rows.iter().find(|row| row.scope == Scope::Operation(operation)) else { return };
    table_row(out, operation.name(), row);
    if let Some(response) = &row.response {
        line!(out, "{:<47}{}", "  from its scheduled start", latencies(response));
    }
    let bands = rows.iter().filter_map(|row| match row.scope {
        Scope::Band(of, band) if of == operation => Some((band, row)),
        _ => None,
    });
    let bands: Vec<_> = bands.collect();
    if bands.len() > 1 {
        for (band, row) in bands {
            table_row(out, &format!("  {}", band.name()), row);
        }
    }
}

fn table_row(out: &mut String, name: &str, row: &Row) {
    let data = if row.bytes == 0 { "-".to_owned() } else { rate(row.mib_per_sec) };
    let latencies = if row.count == 0 { String::new() } else { latencies(&row.service) };
    let (count, ops) = (grouped(row.count), rate(row.ops_per_sec));
    line!(out, "{}", format!("{name:<15} {count:>12} {ops:>9} {data:>8}{latencies}").trim_end());
}

fn latencies(l: &Latency) -> String {
    [l.mean, l.p50, l.p90, l.p95, l.p99, l.p99_9, l.max]
        .map(|micros| format!(" {:>6}", latency(micros)))
        .concat()
}

fn failures(out: &mut String, stage: &StageResult) {
    let tally = &stage.total.tally;
    for error in &tally.errors {
        let code = match error.code {
            0 => String::new(),
            1..200 => format!(" (errno {})", error.code),
            status => format!(" (HTTP {status})"),
        };
        line!(out, "  errors: {} {} {}{code}", grouped(error.count), error.operation, error.class.name());
    }
    if tally.retries > 0 {
        let time = span(Duration::from_nanos(tally.retry_time));
        line!(out, "  retries: {}, which took {time} with their waits", grouped(tally.retries));
    }
    if tally.cancelled > 0 {
        line!(out, "  cancelled at the end, in no other count: {}", grouped(tally.cancelled));
    }
}

/// What agents measured that is not part of the result.
fn beside(out: &mut String, results: &Results, stage: &StageResult) {
    for part in stage.agents.iter().filter(|part| !part.counts) {
        let whole = |row: &&Row| matches!(row.scope, Scope::Operation(operation) if !operation.is_part());
        let rows = part.measured.rows.iter().filter(whole).map(lost_row).collect::<Vec<_>>();
        let rows = if rows.is_empty() { "nothing".to_owned() } else { rows.join(", ") };
        let (agent, time) = (results.agent_id(part.agent), span(part.measured.duration));
        line!(out, "  not in the result: {agent} measured in {time}: {rows}");
    }
    for part in &stage.agents {
        difference(out, results, part);
    }
}

fn lost_row(row: &Row) -> String {
    let name = match row.scope {
        Scope::Operation(operation) | Scope::Band(operation, _) => operation.name(),
        Scope::Group(_) => "operations",
    };
    let (count, ops) = (grouped(row.count), rate(row.ops_per_sec));
    let (p50, p99) = (latency(row.service.p50), latency(row.service.p99));
    format!("{count} {name}, {ops} ops/s, p50 {p50}, p99 {p99}")
}

fn difference(out: &mut String, results: &Results, part: &AgentStage) {
    let Some(difference) = part.difference else { return };
    let (totals, intervals) = difference.count;
    if results.condition == Condition::Kept {
        // The others are with the controller.
        line!(
            out,
            "  {} kept those of its intervals that no controller confirmed: {} of {} operations in its time series; its \
             totals are whole",
            results.agent_id(part.agent),
            grouped(intervals),
            grouped(totals)
        );
        return;
    }
    line!(
        out,
        "  the time series of {} is incomplete: its intervals hold {} operations, its totals {}",
        results.agent_id(part.agent),
        grouped(intervals),
        grouped(totals)
    );
}

fn agents_table(out: &mut String, results: &Results) {
    line!(out, "agents");
    let width = results.agents.iter().map(|agent| agent.outcome.id.chars().count()).max().unwrap_or(0);
    for (index, agent) in results.agents.iter().enumerate() {
        let outcome = &agent.outcome;
        let end = match outcome.end {
            AgentEnd::Completed => "completed",
            AgentEnd::Failed if results.condition == Condition::Running && outcome.reason.is_empty() => {
                "running"
            }
            AgentEnd::Failed => "FAILED",
            AgentEnd::Aborted => "aborted",
        };
        let skew =
            skew(results, index).map(|skew| format!(", started {}", skew_text(skew))).unwrap_or_default();
        line!(out, "{}", format!("  {:<width$}  {end:<9}{}{skew}", outcome.id, ran(outcome)).trim_end());
        if !outcome.reason.is_empty() {
            line!(out, "  {:<width$}  {}", "", outcome.reason);
        }
    }
}

/// How much of its timed stages an agent has measured; nothing where there are none.
fn ran(outcome: &AgentOutcome) -> String {
    if outcome.planned == 0 {
        return String::new();
    }
    let (ran, planned) = (Duration::from_nanos(outcome.ran), Duration::from_nanos(outcome.planned));
    let share = percent(outcome.ran as f64, outcome.planned as f64);
    format!("  ran {} of {} ({share})", span(ran), span(planned))
}

/// The agent's start of the first timed stage.
fn skew(results: &Results, agent: usize) -> Option<Skew> {
    results.outcome.starts.first()?.skews.get(agent).copied().flatten()
}

fn skew_text(skew: Skew) -> String {
    format!("{} ± {}", signed(skew.nanos), latency(skew.bound as f64 / 1_000.0))
}

fn remarks(out: &mut String, results: &Results) {
    if results.stages.iter().any(|stage| stage.timed.is_some()) {
        tool(out, results);
    }
    let advice: Vec<_> = results
        .agents
        .iter()
        .flat_map(|agent| {
            agent.capabilities.warnings.iter().map(|text| (agent.outcome.id.as_str(), text.as_str()))
        })
        .collect();
    for warning in together(advice.iter().copied(), results.agents.len()) {
        line!(out, "warning: {warning}");
    }
    // What an agent advised was told while it ran as well.
    let is_advice = |text: &str| advice.iter().any(|(_, advice)| text.ends_with(advice));
    for warning in results.warnings.iter().filter(|text| !is_advice(text)) {
        line!(out, "warning: {warning}");
    }
    if results.warnings_beyond > 0 {
        line!(out, "and {} more warnings; all are in events.jsonl", grouped(results.warnings_beyond));
    }
    for stage in &results.stages {
        let failed = stage.total.tally.error_count();
        if stage.timed.is_none() && failed > 0 {
            line!(
                out,
                "warning: {}: {} operations failed, so the stage is not complete",
                stage.name,
                grouped(failed)
            );
        }
        for part in &stage.agents {
            if let Some((_, corrupt)) = part.totals.facts.iter().find(|(name, _)| name == CORRUPT) {
                let agent = results.agent_id(part.agent);
                line!(out, "CORRUPT: agent {agent}, {}: {corrupt}", stage.name);
            }
            if let Some((_, left)) = part.totals.facts.iter().find(|(name, _)| name == LEFT) {
                line!(out, "warning: {}, {}: {left}", results.agent_id(part.agent), stage.name);
            }
            if let Some((_, stuck)) = part.totals.facts.iter().find(|(name, _)| name == STUCK) {
                let agent = results.agent_id(part.agent);
                line!(
                    out,
                    "warning: agent {agent}, {}: {stuck} operations could not be cancelled and went on after its end",
                    stage.name
                );
            }
        }
    }
    let merged: u64 = results.agents.iter().map(|agent| agent.outcome.merged).sum();
    if merged > 0 {
        line!(
            out,
            "warning: {} intervals arrived merged into others, because results were written or confirmed too slowly; no operation is missing, but the time series is coarser",
            grouped(merged)
        );
    }
    for loss in &results.losses {
        line!(out, "warning: {loss}");
    }
    let Some(subject) = subject(results) else { return };
    let did_something = !results.stages.is_empty() || !results.outcome.starts.is_empty();
    if !subject.left_behind.is_empty() {
        line!(out, "Not cleaned up: {};", subject.left_behind);
        line!(out, "  remove it with the same command and --set prepare.cleanup_only=true");
    } else if !subject.kept.is_empty() && did_something {
        line!(out, "Kept {};", subject.kept);
        line!(out, "  remove it with the same command and --set prepare.cleanup_only=true");
    }
}

fn tool(out: &mut String, results: &Results) {
    let found = bottleneck(results);
    if found.signs.is_empty() && !found.disturbed.is_empty() {
        line!(out, "OTHER PROCESSES, NOT THIS TOOL, MAY HAVE BEEN THE LIMIT; stop them, or use other hosts:");
        found.disturbed.iter().for_each(|sign| line!(out, "  {sign}"));
    } else if found.signs.is_empty() {
        let lag = latency(found.lag.as_secs_f64() * 1e6);
        let busy = found.busy.map(|busy| format!(", host CPU at most {busy:.0} % busy")).unwrap_or_default();
        line!(out, "This tool was not the limit: completions waited at most {lag} for it{busy}.");
    } else {
        line!(out, "THIS TOOL MAY HAVE BEEN THE LIMIT; use more agents or cores, or a lower concurrency:");
        found.signs.iter().for_each(|sign| line!(out, "  {sign}"));
        if !found.disturbed.is_empty() {
            line!(out, "Elsewhere other processes may have been; stop them, or use other hosts:");
            found.disturbed.iter().for_each(|sign| line!(out, "  {sign}"));
        }
    }
    found.late.iter().for_each(|late| line!(out, "warning: {late}"));
}

/// Where more may be than a controller could write that did not come to its end; asked again when its directory has
/// been finished for it, too.
fn with_agents(out: &mut String, results: &Results) {
    let Place::Directory(path) = &results.place else { return };
    // The agent of a run on one host ended with it.
    let remote = results.header.agents.iter().any(|agent| agent.address != LOCAL);
    if remote && !results.end_told && results.condition != Condition::Running {
        line!(
            out,
            "Agents keep what no controller confirmed, by default in ~/.local/state/iobench-agent on their hosts. Add it with:"
        );
        line!(out, "  iobench merge {} STATE_DIR…", path.display());
    }
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn place(out: &mut String, results: &Results) {
    match (&results.place, results.condition) {
        (Place::Directory(path), Condition::Finished | Condition::Kept) => {
            line!(out, "Results: {}", path.display())
        }
        (Place::Directory(path), Condition::Running) => {
            line!(out, "Results so far: {} (the run is still going on)", path.display());
        }
        (Place::Directory(path), Condition::Interrupted) => {
            line!(out, "Results: {}, as an interrupted controller left them", path.display());
        }
        (Place::Merged(paths), Condition::Kept) => {
            line!(out, "Results that agents kept, from {}", listed(paths));
            line!(out, "What the controller had confirmed is in its results directory. Add it with:");
            line!(out, "  iobench merge RESULTS_DIR {}", listed(paths).replace(", ", " "));
        }
        (Place::Merged(paths), _) => {
            line!(out, "Results merged from {}", listed(paths));
        }
        (Place::Unwritten { cause, partly }, _) => {
            line!(out, "RESULTS NOT WRITTEN: {cause}");
            line!(
                out,
                "This summary is all there is of the end of the run; make room, permit writing there, or look at that disk."
            );
            if let Some(partly) = partly {
                line!(out, "What was written before can be read: iobench report {}", partly.display());
            }
        }
    }
}
