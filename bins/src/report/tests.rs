//! What a person and a program read is the same, and says what it is worth.

use super::{environment, hlog_header, hlog_lines, json, series_header, series_row, stage_tsv, text, units};
use crate::results::testing::*;
use crate::results::{AgentRecord, Condition, Place, Record, Results, StageEntry, each_point};
use iobench_core::controller::{AgentEnd, Label};
use iobench_core::message::{AgentMessage, Report};
use iobench_core::stats::{Band, CpuShare, Encoded, ErrorClass, Histogram, Operation as Op, Recorder, Tally};
use serde_json::Value;
use std::collections::BTreeMap;

fn run((header, mut records, outcome): Scripted) -> Results {
    records.insert(0, warning(12, "agent-1", "agent-1: its round trip is 2.1 s; numbers are not affected"));
    records.push(Record::Outcome(Box::new(outcome)));
    results(header, records)
}

#[test]
fn a_complete_run_fits_one_screen() {
    assert_eq!(
        text(&run(complete_run())),
        "\
COMPLETE  nightly: 2 of 2 agents completed, 100 % of the planned time
run 0123456789abcdef0123456789abcdef  started 2026-03-01T12:30:05.000Z  seed 42
site=lab

prepare: 2.00 s, 2 agents
                       count     ops/s    MiB/s   mean    p50    p90    p95    p99  p99.9    max
put                      100      50.0     0.20 1.00ms 1.00ms 1.00ms 1.00ms 1.00ms 1.00ms 1.00ms

workload: 10.0 s, 2 agents
                       count     ops/s    MiB/s   mean    p50    p90    p95    p99  p99.9    max
get                       40      4.00     0.02  250µs  200µs  400µs  400µs  400µs  400µs  400µs
  while all 2 ran, 10.0 s: get 4.00 ops/s, 0.02 MiB/s

agents
  agent-0  completed  ran 10.0 s of 10.0 s (100 %), started +0ns ± 300µs
  agent-1  completed  ran 10.0 s of 10.0 s (100 %), started +1.50ms ± 300µs

This tool was not the limit: completions waited at most 200µs for it, host CPU at most 15 % busy.
warning: agent-1: its round trip is 2.1 s; numbers are not affected
Results: /results/nightly
"
    );
}

#[test]
fn a_partial_run_says_so_first_and_shows_whose_numbers_these_are() {
    assert_eq!(
        text(&run(partial_run())),
        "\
PARTIAL  nightly: 1 of 2 agents completed, 70.0 % of the planned time
  some agents are missing
run 0123456789abcdef0123456789abcdef  started 2026-03-01T12:30:05.000Z  seed 42
site=lab

prepare: 2.00 s, 2 agents
                       count     ops/s    MiB/s   mean    p50    p90    p95    p99  p99.9    max
put                      100      50.0     0.20 1.00ms 1.00ms 1.00ms 1.00ms 1.00ms 1.00ms 1.00ms

workload: 10.0 s, the 1 of 2 agents that completed
                       count     ops/s    MiB/s   mean    p50    p90    p95    p99  p99.9    max
get                       20      2.00     0.01  150µs  100µs  200µs  200µs  200µs  200µs  200µs
  while all 2 ran, 4.00 s: get 4.00 ops/s, 0.02 MiB/s
  not in the result: agent-1 measured in 4.00 s: 8 get, 2.00 ops/s, p50 300µs, p99 400µs

agents
  agent-0  completed  ran 10.0 s of 10.0 s (100 %), started +0ns ± 300µs
  agent-1  FAILED     ran 4.00 s of 10.0 s (40.0 %), started +1.50ms ± 300µs
           its stream broke; look at its log

This tool was not the limit: completions waited at most 200µs for it, host CPU at most 15 % busy.
warning: agent-1: its round trip is 2.1 s; numbers are not affected
Results: /results/nightly
"
    );
}

#[test]
fn a_stage_that_all_agents_finished_is_complete_in_a_partial_run() {
    let results = run(partial_run());
    let labels = |stage: &str| {
        let table =
            super::tsv(&results).split("# ").find_map(|table| table.strip_prefix(stage).map(str::to_owned));
        let rows: Vec<_> = table
            .unwrap()
            .lines()
            .skip(1)
            .filter(|row| !row.is_empty())
            .map(|row| row.rsplit('\t').next().unwrap().to_owned())
            .collect();
        rows
    };
    assert_eq!(labels("prepare\n"), ["complete"; 2]);
    assert_eq!(labels("workload\n"), ["partial"; 2]);
}

#[test]
fn what_a_lost_agent_left_behind_is_told_with_the_storage_that_was_measured() {
    const CLEANUP: u32 = 2;
    let (mut header, mut records, outcome) = partial_run();
    header.config = "target: file:///mnt/t\nduration: 10s\nprepare: {ensure_objects: [{base_uri: d/, count: 2, size: 4KiB}], cleanup: true}\nworkload: [{op: get, path: d/}]\n".to_owned();
    header.stages.push(StageEntry { name: "cleanup".to_owned(), timed: None });
    let mut survivor = Agent::new(0, 0);
    let totals = survivor.totals(CLEANUP, 20, 21, Tally::default());
    survivor.say(21, Report::StageDone(Box::new(totals)));
    let Record::Agent(cleaned) = survivor.records.pop().unwrap() else { unreachable!() };
    records.push(Record::Agent(Box::new(AgentRecord {
        message: AgentMessage { sequence: 1_000, ..cleaned.message },
        ..*cleaned
    })));
    for record in &mut records {
        if let Record::Agent(record) = record
            && let Report::Accepted(capabilities) = &mut record.message.body
        {
            let facts = [("filesystem", "ext4"), ("device", "/dev/sdb"), ("mounted at", "/mnt")];
            capabilities.facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        }
    }
    let text = text(&run((header, records, outcome)));
    assert!(text.contains("\nstorage   ext4 on /dev/sdb, mounted at /mnt\n"), "{text}");
    assert!(text.contains("Not cleaned up: what agent-1 made is still below file:///mnt/t;"), "{text}");
}

/// A run with every kind of row: several bands, responses, errors, retries, metadata.
fn varied_run() -> Scripted {
    let sizes = [4_096, 1 << 20];
    let cells = [(Op::Get, Band::of(sizes[0])), (Op::Get, Band::of(sizes[1])), (Op::Put, Band::of(sizes[0]))];
    let cells = [&cells[..], &[(Op::Fsync, Band::ZERO), (Op::Stat, Band::ZERO)]].concat();
    let mut agent = Agent::new(0, 3);
    agent.accepted();
    for second in 11..=20 {
        let mut recorder = Recorder::with_responses(&cells);
        for sample in 1..=100 {
            let nanos = sample * second * 1_237;
            recorder.record_with_response(Op::Get, sizes[(sample % 2) as usize], nanos, nanos * 3);
            recorder.record_with_response(Op::Put, sizes[0], nanos * 7, nanos * 8);
            recorder.record_with_response(Op::Fsync, 0, nanos * 11, nanos * 11);
        }
        recorder.error(Op::Get, ErrorClass::NotFound, 2);
        recorder.error(Op::Stat, ErrorClass::Timeout, 0);
        recorder.retry(5_000_000);
        recorder.cancelled(1);
        agent.interval(second, recorder.tally());
    }
    agent.completed(10, 20);
    let ends = vec![ended(0, AgentEnd::Completed, 10, "")];
    let skews = vec![skew(&agent, 0)];
    (header(1, 10), agent.records, outcome(Label::Complete, ends, skews))
}

#[test]
fn bands_errors_retries_and_late_operations_have_their_lines() {
    assert_eq!(
        text(&run(varied_run())),
        "\
COMPLETE  nightly: 100 % of the planned time, WITH ERRORS: 20 of 3,020 operations failed (0.7 %)
run 0123456789abcdef0123456789abcdef  started 2026-03-01T12:30:05.000Z  seed 42
site=lab

workload: 10.0 s
                       count     ops/s    MiB/s   mean    p50    p90    p95    p99  p99.9    max
get                    1,000       100     50.2  968µs  935µs 1.80ms 2.00ms 2.30ms 2.45ms 2.48ms
  from its scheduled start                      2.90ms 2.81ms 5.40ms 6.01ms 6.91ms 7.35ms 7.43ms
  1B-8KiB                500      50.0     0.20  978µs  941µs 1.81ms 2.02ms 2.30ms 2.48ms 2.48ms
  512KiB-4MiB            500      50.0     50.0  959µs  917µs 1.79ms 2.00ms 2.28ms 2.45ms 2.45ms
put                    1,000       100     0.39 6.78ms 6.55ms 12.6ms 14.0ms 16.1ms 17.2ms 17.3ms
  from its scheduled start                      7.75ms 7.48ms 14.4ms 16.0ms 18.4ms 19.6ms 19.8ms
stat                       0      0.00        -
fsync                  1,000       100        - 10.7ms 10.3ms 19.8ms 22.1ms 25.3ms 27.0ms 27.2ms
  from its scheduled start                      10.7ms 10.3ms 19.8ms 22.1ms 25.3ms 27.0ms 27.2ms
  errors: 10 get not_found (errno 2)
  errors: 10 stat timeout
  retries: 10, which took 50 ms with their waits
  cancelled at the end, in no other count: 10

This tool was not the limit: completions waited at most 200µs for it, host CPU at most 15 % busy.
warning: workload: get ran late: p99 6.91ms from its schedule, 2.30ms from its issue; lower the rate
warning: agent-1: its round trip is 2.1 s; numbers are not affected
Results: /results/nightly
"
    );
}

#[test]
fn a_label_is_no_line_of_ours() {
    let mut results = run(varied_run());
    results.header.labels = vec![("site".to_owned(), "lab\nCOMPLETE  forged\u{1b}[31m".to_owned())];
    let told = text(&results);
    assert!(told.contains("\nsite=lab\\nCOMPLETE  forged\\u{1b}[31m\n"), "{told}");
}

/// The fields of a table, by column.
fn table(tsv: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = tsv.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines
        .map(|fields| {
            assert_eq!(fields.len(), header.len());
            header.iter().copied().zip(fields).collect()
        })
        .collect()
}

#[test]
fn text_tsv_and_json_agree() {
    for scripted in [complete_run(), partial_run(), varied_run()] {
        let results = run(scripted);
        let summary: Value = serde_json::from_str(&json(&results)).unwrap();
        let screen = text(&results);
        for (stage, stage_json) in results.stages.iter().zip(summary["stages"].as_array().unwrap()) {
            let tsv = stage_tsv(&stage.total, results.outcome.label);
            let lines = stage_json["operations"].as_array().unwrap().iter();
            let lines = lines.chain(stage_json["groups"].as_array().unwrap());
            let mut rows = table(&tsv).into_iter();
            for line in lines {
                let operation = line["operation"].as_str().unwrap();
                let is_operation = line["size_bucket"] == "ALL" && operation == operation.to_lowercase();
                if is_operation {
                    assert_line_agrees(&screen, &stage.name, line);
                } else {
                    assert_row_agrees(&rows.next().unwrap(), line);
                }
            }
            assert_eq!(rows.next(), None);
        }
    }
}

fn assert_row_agrees(row: &BTreeMap<&str, &str>, line: &Value) {
    assert_eq!(
        (row["operation"], row["size_bucket"]),
        (line["operation"].as_str().unwrap(), line["size_bucket"].as_str().unwrap())
    );
    assert_eq!(row["count"], line["count"].to_string());
    assert_eq!(row["errors"], line.get("errors").map(Value::to_string).unwrap_or_default());
    let three = |value: &Value| value.as_f64().map_or_else(String::new, |value| format!("{value:.3}"));
    for (column, field) in
        [("ops_per_sec", "ops_per_sec"), ("throughput_mibps", "throughput_mibps"), ("avg_bytes", "avg_bytes")]
    {
        assert_eq!(row[column], three(&line[field]), "{column}");
    }
    for field in ["mean", "min", "p50", "p90", "p95", "p99", "p999", "max"] {
        assert_eq!(row[format!("{field}_us").as_str()], three(&line["service_us"][field]), "{field}");
    }
    for field in ["mean", "p50", "p90", "p99", "p999", "max"] {
        assert_eq!(
            row[format!("response_{field}_us").as_str()],
            three(&line["response_us"][field]),
            "{field}"
        );
    }
}

/// The screen shows this operation of this stage with the document's numbers, rounded.
fn assert_line_agrees(screen: &str, stage: &str, line: &Value) {
    let name = line["operation"].as_str().unwrap();
    let of_stage = screen.lines().skip_while(|text| !text.starts_with(&format!("{stage}: ")));
    let shown = of_stage.map(|text| text.split_whitespace().collect::<Vec<_>>());
    let shown = shown.filter(|words| words.first() == Some(&name)).find(|words| words.len() > 1).unwrap();
    let number = |field: &str| line[field].as_f64().unwrap();
    let mut expected = vec![name.to_owned(), units::grouped(line["count"].as_u64().unwrap())];
    expected.push(units::rate(number("ops_per_sec")));
    expected.push(if number("bytes") > 0.0 {
        units::rate(number("throughput_mibps"))
    } else {
        "-".to_owned()
    });
    if line["count"] != 0 {
        let times = &line["service_us"];
        let fields = ["mean", "p50", "p90", "p95", "p99", "p999", "max"];
        expected.extend(fields.map(|field| units::latency(times[field].as_f64().unwrap())));
    }
    assert_eq!(shown, expected);
}

#[test]
fn a_run_that_never_started_says_why_for_each_agent() {
    let (header, _, mut end) = partial_run();
    end.agents = vec![
        ended(0, AgentEnd::Aborted, 0, "agent-1 could not be reached"),
        ended(1, AgentEnd::Failed, 0, "host1:7420 refused the connection, 4 attempts; start the agent there"),
    ];
    (end.starts, end.coverage_ppm) = (Vec::new(), 0);
    let screen = text(&results(header, vec![Record::Outcome(Box::new(end))]));
    assert!(
        screen.starts_with("PARTIAL  nightly: 0 of 2 agents completed, 0.0 % of the planned time\n"),
        "{screen}"
    );
    assert!(screen.contains("host1:7420 refused the connection") && !screen.contains("limit"), "{screen}");
}

#[test]
fn a_tool_at_its_limit_is_named_with_its_signs() {
    let mut agent = Agent::new(0, 0);
    agent.interval(11, gets(&[100]));
    let mut totals = agent.totals(WORKLOAD, 10, 11, gets(&[100]));
    (totals.lag, totals.cpu) = (12_000_000, None);
    agent.accepted();
    totals.process_cpu = 8 * SECOND;
    agent.say(11, Report::Completed { totals: vec![totals] });
    let screen = text(&results(header(1, 1), agent.records));
    for sign in ["THE LIMIT", "a completion waited 12.0ms", "this tool used 100 % of the CPUs it may use"] {
        assert!(screen.contains(sign), "{sign} is not in\n{screen}");
    }
}

/// One agent or two on one host, whose CPUs were busy so far, and whose completions waited; each used so many of the 80 s
/// of CPU that it may use.
fn busy_run(busy: u32, used: &[u64]) -> Results {
    let mut records = Vec::new();
    for (index, used) in (0..).zip(used) {
        let mut agent = Agent::new(index, 0);
        agent.accepted();
        if let Some(Record::Agent(record)) = agent.records.last_mut()
            && let Report::Accepted(capabilities) = &mut record.message.body
        {
            capabilities.host = "lab".to_owned();
        }
        agent.interval(20, gets(&[100]));
        let mut totals = agent.totals(WORKLOAD, 10, 20, gets(&[100]));
        (totals.lag, totals.process_cpu) = (12_000_000, used * SECOND);
        totals.cpu = Some(CpuShare { user: 100 * busy, system: 0, iowait: 0 });
        agent.say(20, Report::Completed { totals: vec![totals] });
        records.extend(agent.records);
    }
    results(header(used.len() as u32, 10), records)
}

#[test]
fn the_limit_is_whoever_had_the_cpus_and_never_two_at_once() {
    let screen = text(&busy_run(100, &[8]));
    let others = "OTHER PROCESSES, NOT THIS TOOL, MAY HAVE BEEN THE LIMIT; stop them, or use other hosts:
  workload: the host's CPUs were 100 % busy, 10 % by this tool, and a completion waited 12.0ms for one
";
    assert!(screen.contains(others) && !screen.contains("THIS TOOL MAY"), "{screen}");
    let screen = text(&busy_run(100, &[64]));
    let own = "THIS TOOL MAY HAVE BEEN THE LIMIT; use more agents or cores, or a lower concurrency:
  workload: the host's CPUs were 100 % busy, 80 % by this tool
  workload: a completion waited 12.0ms for a thread of this tool
";
    assert!(screen.contains(own) && !screen.contains("OTHER"), "{screen}");
    // Each had less than half of the host that they share, and together they had more.
    let screen = text(&busy_run(100, &[24, 24]));
    let both = "agent-1 in workload: the host's CPUs were 100 % busy, 60 % by this tool";
    assert!(screen.contains(both), "{screen}");
    assert!(!screen.contains("OTHER PROCESSES"), "{screen}");
    // A little more than there is, as the times of measurement differ.
    let screen = text(&busy_run(100, &[28, 27, 27]));
    let all = "agent-1 in workload: the host's CPUs were 100 % busy, 100 % by this tool";
    assert!(screen.contains(all) && !screen.contains("OTHER PROCESSES"), "{screen}");
}

#[test]
fn agents_with_cpus_of_their_own_are_judged_by_themselves() {
    // Each half busy on its own ones.
    let half = json(&busy_run(50, &[40, 40]));
    assert!(!half.contains("of the CPUs it may use"), "{half}");
    // Together more than one has: what the others on the host used is not known from their sum.
    let screen = text(&busy_run(100, &[32, 64]));
    let (others, own) =
        ("agent-0 in workload: the host's CPUs were 100 % busy, 40 %", "busy, 80 % by this tool");
    assert!(screen.contains(others) && screen.contains(own), "{screen}");
}

#[test]
fn what_agents_advise_is_one_line_each() {
    let (header, mut records, outcome) = complete_run();
    for record in &mut records {
        if let Record::Agent(record) = record
            && let Report::Accepted(capabilities) = &mut record.message.body
        {
            capabilities.warnings = vec!["reads will measure the page cache".to_owned()];
        }
    }
    let text = text(&run((header, records, outcome)));
    let expected = "\nwarning: all 2 agents: reads will measure the page cache\n";
    assert!(text.contains(expected) && text.matches("page cache").count() == 1, "{text}");
}

#[test]
fn what_is_kept_without_a_cleanup_is_told_with_how_to_remove_it() {
    let (mut header, records, outcome) = varied_run();
    header.config = "target: file:///mnt/t\nduration: 10s\nprepare: {ensure_objects: [{base_uri: d/, count: 2000, size: 4KiB}]}\nworkload: [{op: get, path: d/}, {op: put, path: n/, object_size: 1MiB}]\n".to_owned();
    let told = text(&run((header.clone(), records.clone(), outcome.clone())));
    let expected =
        "\nKept below file:///mnt/t: 2,000 objects of 4 KiB each in d/, objects of 1 MiB each in n/;
  remove it with the same command and --set prepare.cleanup_only=true\n";
    assert!(told.contains(expected), "{told}");
    // All names, although fewer were put in the measured time: what was put before and after is in no count.
    header.config = header.config.replace("object_size: 1MiB", "object_size: 1MiB, count: 5000");
    let numbered = "d/, at most 5,000 objects of 1 MiB each in n/;";
    let told = text(&run((header.clone(), records.clone(), outcome.clone())));
    assert!(told.contains(numbered), "{told}");
    // The stage began, but no agent came to its end.
    let told = text(&results(header.clone(), vec![Record::Outcome(Box::new(outcome.clone()))]));
    assert!(told.contains(numbered), "{told}");
    header.config = header.config.replace("file:///mnt/t", "mem://");
    assert!(!text(&run((header, records, outcome))).contains("Kept"), "it is gone");
}

#[test]
fn tables_have_the_columns_that_readers_of_the_field_expect() {
    let results = run(varied_run());
    let tsv = stage_tsv(&results.stages[0].total, Label::Complete);
    assert!(tsv.starts_with(
        "operation\tsize_bucket\tbucket_idx\tmean_us\tp50_us\tp90_us\tp95_us\tp99_us\tmax_us\t\
         avg_bytes\tops_per_sec\tthroughput_mibps\tcount\t"
    ));
    let rows = table(&tsv);
    let keys: Vec<_> =
        rows.iter().map(|row| [row["operation"], row["size_bucket"], row["bucket_idx"]]).collect();
    assert_eq!(
        keys,
        [
            ["get", "1B-8KiB", "1"],
            ["get", "512KiB-4MiB", "4"],
            ["put", "1B-8KiB", "1"],
            ["fsync", "zero", "0"],
            ["META", "ALL", "97"],
            ["GET", "ALL", "98"],
            ["PUT", "ALL", "99"],
        ]
    );
    assert_eq!((rows[5]["count"], rows[5]["errors"], rows[0]["errors"]), ("1000", "10", ""));
}

#[test]
fn the_time_series_has_a_row_an_agent_and_second_and_one_for_all() {
    let (header, records, end) = complete_run();
    let records = [records, vec![Record::Outcome(Box::new(end))]].concat();
    let source = memory(header, records);
    let results = Results::fold(&source, Condition::Finished, Place::Merged(Vec::new())).unwrap();
    let mut series = series_header();
    each_point(&source, &results, |point| {
        let name = point.agent.map_or_else(|| "all".to_owned(), |agent| results.agent_id(agent));
        series += &series_row(&name, &point);
    })
    .unwrap();
    let rows = table(&series);
    assert_eq!(rows.len(), 30);
    let start = (EPOCH + 10 * SECOND) / 1_000_000;
    let expected = [
        ("agent-0", "2", "2.000", "150.000"),
        ("agent-1", "2", "2.000", "350.000"),
        ("all", "4", "4.000", "250.000"),
    ];
    for (agent, ops, iops, mean) in expected {
        let row = rows.iter().find(|row| row["agent_id"] == agent).unwrap();
        let fields = ["agent_id", "get_ops", "get_iops", "get_mean_us"].map(|column| row[column]);
        assert_eq!(fields, [agent, ops, iops, mean]);
        assert_eq!(row["timestamp_epoch_ms"], (start + 1_000).to_string());
        let fields = ["elapsed_s", "stage", "put_ops", "put_p99_us", "cpu_user_pct", "is_warmup"]
            .map(|column| row[column]);
        assert_eq!(fields, ["1.000", "workload", "0", "", "10.000", "0"]);
    }
}

#[test]
fn the_interval_log_holds_each_operations_histogram() {
    use base64::Engine;
    let (header, records, end) = varied_run();
    let source = memory(header, [records, vec![Record::Outcome(Box::new(end))]].concat());
    let results = Results::fold(&source, Condition::Finished, Place::Merged(Vec::new())).unwrap();
    let mut lines = Vec::new();
    let start = results.header.started.unix;
    each_point(&source, &results, |point| {
        if point.agent.is_none() {
            lines.extend(hlog_lines(start, &point).unwrap().lines().map(str::to_owned));
        }
    })
    .unwrap();
    assert!(
        hlog_header(start).starts_with("#[Histogram log format version 1.3]\n#[StartTime: 1772368205.000 ")
    );
    assert_eq!(lines.len(), 30);
    let fields: Vec<_> = lines[0].split(',').collect();
    assert_eq!(fields[..4], ["Tag=get", "10.000", "1.000", "1.361"]);
    let encoded = base64::engine::general_purpose::STANDARD.decode(fields[4]).unwrap();
    assert_eq!(Histogram::decode(&Encoded(encoded)).unwrap().count(), 100);
}

#[test]
fn the_environment_names_hosts_facts_and_devices() {
    let environment: Value = serde_json::from_str(&environment(&run(complete_run()))).unwrap();
    let host = &environment["agents"][1];
    assert_eq!((&host["host"], &host["cores"]), (&Value::from("host1"), &Value::from(8)));
    assert_eq!(host["facts"]["kernel"], "6.8");
    assert_eq!(host["stages"]["workload"]["device"], "nvme0n1");
}
