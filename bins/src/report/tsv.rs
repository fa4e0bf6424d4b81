//! Tab-separated tables. A header line each; an empty field where there is no number.

use crate::results::{Measured, Point, Results};
use iobench_core::controller::Label;
use iobench_core::stats::Group;
use iobench_core::stats::summary::{Latency, Row, Scope};
use std::fmt::Write;

/// The columns of a stage's results. The first thirteen are those that other tools of the field write.
const RESULTS: &str = "operation\tsize_bucket\tbucket_idx\tmean_us\tp50_us\tp90_us\tp95_us\tp99_us\tmax_us\t\
     avg_bytes\tops_per_sec\tthroughput_mibps\tcount\tmin_us\tp999_us\tresponse_mean_us\tresponse_p50_us\t\
     response_p90_us\tresponse_p99_us\tresponse_p999_us\tresponse_max_us\terrors\tlabel";

/// The columns of the endpoints.
const ENDPOINTS: &str = "stage\tendpoint\tops\terrors\tbytes\tops_per_sec\tthroughput_mibps\t\
     mean_us\tp50_us\tp90_us\tp99_us\tp999_us\tmax_us";

/// The columns of the time series.
const SERIES: &str = "agent_id\ttimestamp_epoch_ms\telapsed_s\tstage\t\
     get_ops\tget_bytes\tget_iops\tget_mbps\tget_mean_us\tget_p50_us\tget_p90_us\tget_p99_us\t\
     put_ops\tput_bytes\tput_iops\tput_mbps\tput_mean_us\tput_p50_us\tput_p90_us\tput_p99_us\t\
     meta_ops\tmeta_iops\tmeta_mean_us\tmeta_p50_us\tmeta_p90_us\tmeta_p99_us\t\
     cpu_user_pct\tcpu_system_pct\tcpu_iowait_pct\terrors\tis_warmup\t\
     agents\tin_flight\toldest_us\tlag_us\tmerged";

/// Every stage's table, each after a line with its name: what `iobench report --format tsv` prints.
#[must_use]
pub fn tsv(results: &Results) -> String {
    let tables = results.stages.iter().map(|stage| {
        let label = stage.label(results.outcome.label, results.agents.len());
        format!("# {}\n{}", field(&stage.name), stage_tsv(&stage.total, label))
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// One stage's table: a row for each operation and size band, then one for each group.
#[must_use]
pub fn stage_tsv(measured: &Measured, label: Label) -> String {
    let mut out = format!("{RESULTS}\n");
    for row in &measured.rows {
        let (operation, bucket, index) = match row.scope {
            Scope::Band(operation, band) => (operation.name(), band.name(), band.index()),
            Scope::Group(group) => (super::group_name(group), "ALL", group_index(group)),
            // Groups sum up the bands; a further sum between them would count twice in a reader's own.
            Scope::Operation(_) => continue,
        };
        result_row(&mut out, row, [operation, bucket], index, label);
    }
    out
}

/// What each endpoint did in each stage; `None` when there was no choice.
#[must_use]
pub fn endpoints_tsv(results: &Results) -> Option<String> {
    let stages = || results.stages.iter().filter(|stage| !stage.total.endpoints.is_empty());
    stages().next()?;
    let mut out = format!("{ENDPOINTS}\n");
    for stage in stages() {
        for row in &stage.total.endpoints {
            let service = (row.count > 0).then_some(row.service);
            let time = |of: fn(&Latency) -> f64| number(service.as_ref().map(of));
            let fields = [
                field(&stage.name),
                field(&row.name),
                row.count.to_string(),
                row.errors.to_string(),
                row.bytes.to_string(),
                number(Some(row.ops_per_sec)),
                number(Some(row.mib_per_sec)),
                time(|l| l.mean),
                time(|l| l.p50),
                time(|l| l.p90),
                time(|l| l.p99),
                time(|l| l.p99_9),
                time(|l| l.max),
            ];
            push_line(&mut out, &fields);
        }
    }
    Some(out)
}

/// Groups come after all bands.
fn group_index(group: Group) -> usize {
    match group {
        Group::Meta => 97,
        Group::Get => 98,
        Group::Put => 99,
    }
}

fn result_row(out: &mut String, row: &Row, names: [&str; 2], index: usize, label: Label) {
    let service = (row.count > 0).then_some(row.service);
    let time = |of: fn(&Latency) -> f64| number(service.as_ref().map(of));
    let response = |of: fn(&Latency) -> f64| number(row.response.as_ref().map(of));
    let errors = if matches!(row.scope, Scope::Band(..)) { String::new() } else { row.errors.to_string() };
    let fields = [
        names[0].to_owned(),
        names[1].to_owned(),
        index.to_string(),
        time(|l| l.mean),
        time(|l| l.p50),
        time(|l| l.p90),
        time(|l| l.p95),
        time(|l| l.p99),
        time(|l| l.max),
        number(Some(row.average_bytes)),
        number(Some(row.ops_per_sec)),
        number(Some(row.mib_per_sec)),
        row.count.to_string(),
        time(|l| l.min),
        time(|l| l.p99_9),
        response(|l| l.mean),
        response(|l| l.p50),
        response(|l| l.p90),
        response(|l| l.p99),
        response(|l| l.p99_9),
        response(|l| l.max),
        errors,
        label.to_string().to_lowercase(),
    ];
    push_line(out, &fields);
}

/// The header line of the time series.
#[must_use]
pub fn series_header() -> String {
    format!("{SERIES}\n")
}

/// One line of the time series. `agent` is its name, or `all`.
#[must_use]
pub fn series_row(agent: &str, point: &Point<'_>) -> String {
    let mut fields = vec![
        field(agent),
        (point.stage.timeline.unix(point.elapsed).0 / 1_000_000).to_string(),
        number(Some(point.elapsed as f64 / 1e9)),
        field(&point.stage.name),
    ];
    data_fields(&mut fields, point.get.as_ref());
    data_fields(&mut fields, point.put.as_ref());
    let meta = point.meta.as_ref();
    fields.push(meta.map_or(0, |row| row.count).to_string());
    fields.push(number(Some(meta.map_or(0.0, |row| row.ops_per_sec))));
    latency_fields(&mut fields, meta);
    let share = |hundredths: Option<u32>| number(hundredths.map(|value| f64::from(value) / 100.0));
    let micros = |nanos: u64| number(Some(nanos as f64 / 1_000.0));
    fields.extend([
        share(point.cpu.map(|cpu| cpu.user)),
        share(point.cpu.map(|cpu| cpu.system)),
        share(point.cpu.map(|cpu| cpu.iowait)),
        point.errors.to_string(),
        u8::from(point.warmup).to_string(),
        point.agents.to_string(),
        point.in_flight.to_string(),
        micros(point.oldest),
        micros(point.lag),
        point.merged.to_string(),
    ]);
    let mut line = String::new();
    push_line(&mut line, &fields);
    line
}

fn data_fields(fields: &mut Vec<String>, row: Option<&Row>) {
    fields.push(row.map_or(0, |row| row.count).to_string());
    fields.push(row.map_or(0, |row| row.bytes).to_string());
    fields.push(number(Some(row.map_or(0.0, |row| row.ops_per_sec))));
    fields.push(number(Some(row.map_or(0.0, |row| row.mib_per_sec))));
    latency_fields(fields, row);
}

fn latency_fields(fields: &mut Vec<String>, row: Option<&Row>) {
    let service = row.filter(|row| row.count > 0).map(|row| row.service);
    let time = |of: fn(&Latency) -> f64| number(service.as_ref().map(of));
    fields.extend([time(|l| l.mean), time(|l| l.p50), time(|l| l.p90), time(|l| l.p99)]);
}

/// Three decimals: a latency in microseconds is then exact to the nanosecond.
fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.3}"))
}

/// A name cannot break the table.
fn field(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn push_line(out: &mut String, fields: &[String]) {
    let _ = writeln!(out, "{}", fields.join("\t"));
}
