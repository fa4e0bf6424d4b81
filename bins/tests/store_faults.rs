//! What goes wrong between a run and an object store: in its results as what it is, and on the wire as often as they say.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod support;

use iobench_servers::{Authority, Fault, Proxy, Refused, Rule, S3sFs};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Place, Process, json, until};

const LONG: Duration = Duration::from_secs(60);
/// Every error is counted, none ends the run.
const PATIENT: &str = "max_total_errors: 100000000, error_rate_threshold: 100000000";
const GETS: &str = "{op: get, path: objects/}";
const STATS: &str = "{op: stat, path: objects/}";

/// A store behind a proxy.
struct Scene {
    server: S3sFs,
    bucket: String,
    proxy: Proxy,
    place: Place,
}

/// How a run ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
    summary: Value,
}

impl Scene {
    fn new() -> Self {
        let server = S3sFs::open();
        let proxy = Proxy::start(server.address());
        Self { bucket: server.bucket(), proxy, server, place: Place::new() }
    }

    /// From now on this happens to reads of the data set's objects.
    fn break_gets(&self, rule: Rule) {
        self.proxy.add(rule.method("GET").path("/prepared-"));
    }

    /// A run that prepares four objects and works on them for half a second, one operation at a time for each entry.
    fn start(&self, workload: &[&str], error_handling: &str, more: &[&str]) -> Process {
        let entries: String = workload.iter().map(|entry| format!("  - {entry}\n")).collect();
        let file = self.place.file(
            "run.yaml",
            &format!(
                "target: s3://{}/{}/below\nduration: 500ms\ninterval: 100ms\nconcurrency: {}\n\
                 storage: {{credentials: anonymous}}\nerror_handling: {{{error_handling}}}\n\
                 prepare:\n  ensure_objects:\n    - {{base_uri: objects/, count: 4, size: 100KB}}\n\
                 workload:\n{entries}",
                self.proxy.address(),
                self.bucket,
                workload.len()
            ),
        );
        let results = self.place.path().join("results");
        std::fs::create_dir_all(&results).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_iobench"));
        command.arg("run").arg(file).arg("--results").arg(results).args(more);
        Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    fn run(&self, workload: &[&str], error_handling: &str, more: &[&str]) -> Ended {
        self.end(self.start(workload, error_handling, more))
    }

    fn end(&self, process: Process) -> Ended {
        let (code, stdout, stderr) = process.end(LONG);
        Ended { code, stdout, stderr, summary: json(&self.place.results().join("summary.json")) }
    }

    /// Reads of the data set's objects that came over the wire.
    fn gets(&self) -> u64 {
        let gets = self.proxy.count(|seen| seen.method == "GET" && seen.path.contains("/prepared-"));
        u64::try_from(gets).unwrap()
    }
}

impl Ended {
    fn stage(&self) -> &Value {
        let mut stages = self.summary["stages"].as_array().unwrap().iter();
        stages.find(|stage| stage["name"] == "execute").unwrap()
    }

    fn number(&self, name: &str) -> u64 {
        self.stage()[name].as_u64().unwrap()
    }

    /// The row of an operation with all its sizes.
    fn row(&self, operation: &str) -> &Value {
        let mut rows = self.stage()["operations"].as_array().unwrap().iter();
        rows.find(|row| row["operation"] == operation && row["size_bucket"] == "ALL").unwrap_or(&Value::Null)
    }

    fn count(&self, operation: &str) -> u64 {
        self.row(operation)["count"].as_u64().unwrap_or(0)
    }

    /// Operation, class, code and how many, of all failures.
    fn errors(&self) -> Vec<(&str, &str, u64, u64)> {
        let failures = self.stage()["errors"].as_array().unwrap().iter();
        failures
            .map(|failure| {
                (
                    failure["operation"].as_str().unwrap(),
                    failure["class"].as_str().unwrap(),
                    failure["code"].as_u64().unwrap(),
                    failure["count"].as_u64().unwrap(),
                )
            })
            .collect()
    }

    /// Each operation is one try and its retries, also on the wire; what was cut off at the end may be there or not.
    fn agrees_with(&self, wire: u64) {
        let failed: u64 = self.errors().iter().map(|&(.., count)| count).sum();
        let tries = self.count("get") + failed + self.number("retries");
        let most = tries + self.number("cancelled");
        assert!(
            (tries..=most).contains(&wire),
            "{wire} on the wire, {tries} to {most} told: {}",
            self.stage()
        );
    }
}

/// A run of half a second; of ten where that was too short for what is to be seen, as it may be on a busy host.
fn long_enough(run: impl Fn(&str) -> (Scene, Ended), enough: impl Fn(&Ended) -> bool) -> (Scene, Ended) {
    let short = run("duration=500ms");
    if enough(&short.1) { short } else { run("duration=10s") }
}

/// Every read fails like this: each is an error of this class and code, and none has a latency, while other operations
/// go on.
fn every_get_is(fault: Fault, class: &str, code: Option<u64>) {
    let run = |duration: &str| {
        let scene = Scene::new();
        scene.break_gets(Rule::new(fault.clone()));
        let ended = scene.run(&[GETS, STATS], PATIENT, &["--set", duration]);
        (scene, ended)
    };
    let (scene, ended) = long_enough(run, |ended| !ended.errors().is_empty() && ended.count("stat") > 0);
    assert_eq!(ended.code, 0, "{fault:?}: {}{}", ended.stdout, ended.stderr);
    let errors = ended.errors();
    assert!(!errors.is_empty(), "{fault:?}: {}", ended.stage());
    for (operation, found, number, _) in errors {
        assert_eq!((operation, found), ("get", class), "{fault:?}");
        assert_eq!(number, code.unwrap_or(number), "{fault:?}");
    }
    assert_eq!(
        (ended.count("get"), ended.count("first_byte")),
        (0, 0),
        "{fault:?}: what failed has no latency"
    );
    assert!(ended.count("stat") > 0, "{fault:?}: {}", ended.stage());
    assert!(ended.stdout.contains("WITH ERRORS"), "{fault:?}: {}", ended.stdout);
    ended.agrees_with(scene.gets());
}

#[test]
fn answers_of_the_store_are_classes_with_their_status() {
    every_get_is(Fault::slow_down(), "throttled", Some(503));
    every_get_is(Fault::too_many_requests(1), "throttled", Some(429));
    every_get_is(Fault::status(500, "InternalError"), "storage", Some(500));
    every_get_is(Fault::expired_credentials(), "denied", Some(403));
    every_get_is(Fault::status(404, "NoSuchKey"), "not_found", Some(404));
}

#[test]
fn bodies_that_break_are_truncated_or_the_network() {
    every_get_is(Fault::Truncate { after: 50_000 }, "truncated", Some(0));
    every_get_is(Fault::Shorten { by: 1 }, "truncated", Some(0));
    every_get_is(Fault::Reset { after: 50_000 }, "network", None);
    every_get_is(Fault::Reset { after: 0 }, "network", None);
}

#[test]
fn a_storm_is_ridden_out_by_retries_that_are_told() {
    let retry = "retry_on_error: true, max_retries: 2, initial_retry_delay_ms: 1, retry_jitter_factor: 0";
    let run = |duration: &str| {
        let scene = Scene::new();
        scene.break_gets(Rule::new(Fault::slow_down()).of_every(2, 3));
        let ended = scene.run(&[GETS], retry, &["--set", duration]);
        (scene, ended)
    };
    let (scene, ended) = long_enough(run, |ended| ended.count("get") > 0);
    assert_eq!((ended.code, ended.errors()), (0, vec![]), "{}{}", ended.stdout, ended.stderr);
    let (count, retries) = (ended.count("get"), ended.number("retries"));
    assert!(count > 0 && (2 * count..=2 * count + 2).contains(&retries), "{count} gets, {retries} retries");
    ended.agrees_with(scene.gets());
    assert!(ended.stage()["retry_time_s"].as_f64().unwrap() >= 0.001 * retries as f64);
}

#[test]
fn retries_end_and_the_operation_has_failed_once() {
    let retry = "retry_on_error: true, max_retries: 2, initial_retry_delay_ms: 1, retry_jitter_factor: 0";
    let run = |duration: &str| {
        let scene = Scene::new();
        scene.break_gets(Rule::new(Fault::slow_down()));
        let ended = scene.run(&[GETS], &format!("{retry}, {PATIENT}"), &["--set", duration]);
        (scene, ended)
    };
    let (scene, ended) = long_enough(run, |ended| !ended.errors().is_empty());
    let &[("get", "throttled", 503, failed)] = &ended.errors()[..] else { panic!("{}", ended.stage()) };
    let retries = ended.number("retries");
    assert!((2 * failed..=2 * failed + 2).contains(&retries), "{failed} failed, {retries} retries");
    ended.agrees_with(scene.gets());
}

#[test]
fn a_store_that_asks_for_a_pause_gets_it_and_no_latency_holds_it() {
    let scene = Scene::new();
    scene.break_gets(Rule::new(Fault::too_many_requests(3)).first(1));
    let retry = "retry_on_error: true, initial_retry_delay_ms: 1, operation_timeout: 20s";
    let ended = scene.run(&[GETS], retry, &["--set", "duration=8s"]);
    assert_eq!((ended.code, ended.errors()), (0, vec![]), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.number("retries"), 1);
    let lost = ended.stage()["retry_time_s"].as_f64().unwrap();
    assert!((3.0..6.0).contains(&lost), "{lost} s");
    assert!(ended.row("get")["service_us"]["max"].as_f64().unwrap() < 3e6, "{}", ended.row("get"));
    ended.agrees_with(scene.gets());
}

#[test]
fn a_slow_first_byte_shows_in_the_get_and_in_its_part_and_nowhere_else() {
    let run = |duration: &str| {
        let scene = Scene::new();
        scene.break_gets(Rule::new(Fault::SlowFirstByte(Duration::from_millis(200))));
        let ended = scene.run(&[GETS, STATS], PATIENT, &["--set", duration]);
        (scene, ended)
    };
    let (scene, ended) = long_enough(run, |ended| ended.count("get") > 0 && ended.count("stat") > 0);
    assert_eq!((ended.code, ended.errors()), (0, vec![]), "{}{}", ended.stdout, ended.stderr);
    let time = |operation: &str, which: &str| ended.row(operation)["service_us"][which].as_f64().unwrap();
    assert!(time("first_byte", "min") >= 200e3 && time("get", "min") >= time("first_byte", "min"));
    assert_eq!(ended.count("first_byte"), ended.count("get"));
    assert!(time("stat", "min") < 200e3, "{}", ended.row("stat"));
    ended.agrees_with(scene.gets());
}

#[test]
fn a_stalled_body_is_given_up_in_time() {
    let scene = Scene::new();
    scene.break_gets(Rule::new(Fault::Stall { after: 50_000 }));
    // What is prepared must be done within it, too, also where the host stands still for a while.
    let limit = format!("operation_timeout: 3s, {PATIENT}");
    let ended = scene.run(&[GETS], &limit, &["--set", "duration=8s"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let &[("get", "timeout", 0, failed)] = &ended.errors()[..] else { panic!("{}", ended.stage()) };
    assert!((1..=2).contains(&failed), "{failed} of 3 s in 8 s");
    assert_eq!(ended.count("get"), 0, "what was given up has no latency");
    ended.agrees_with(scene.gets());
}

#[test]
fn credentials_that_expire_end_the_run_as_the_error_policy_says() {
    let scene = Scene::new();
    scene.proxy.add(Rule::new(Fault::expired_credentials()).method("GET").path("/prepared-").from(20));
    // Longer than it is waited for.
    let ended =
        scene.run(&[GETS], "max_total_errors: 10, error_rate_threshold: 1000", &["--set", "duration=600s"]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.errors(), [("get", "denied", 403, 11)], "{}", ended.stage());
    assert_eq!(ended.count("get"), 19, "what was measured before is kept");
    assert!(ended.stderr.contains("max_total_errors"), "{}", ended.stderr);
    ended.agrees_with(scene.gets());
}

#[test]
fn a_service_that_goes_away_in_the_middle_is_the_network() {
    let mut scene = Scene::new();
    let run = scene.start(&[GETS], PATIENT, &["--set", "duration=5s"]);
    until("load", LONG, || scene.gets() > 2);
    scene.proxy = Proxy::start(scene.server.address());
    let ended = scene.end(run);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.count("get") > 0);
    let errors = ended.errors();
    // One was in flight: its body may have been cut, which is another class.
    let is_it = |&(operation, class, _, count): &(&str, &str, u64, u64)| {
        operation == "get" && (class == "network" || (class, count) == ("truncated", 1))
    };
    assert!(errors.iter().all(is_it), "{errors:?}");
    let refused = u64::try_from(libc::ECONNREFUSED).unwrap();
    assert!(errors.iter().any(|&(_, _, code, count)| code == refused && count > 0), "{errors:?}");
}

/// What a run says that does not begin.
fn refusal(target: &str, more: &[&str]) -> String {
    let place = Place::new();
    let set = format!("target={target}");
    let file = place.file(
        "run.yaml",
        "target: null://\nduration: 500ms\nstorage: {credentials: anonymous}\nworkload: [{op: put, path: x/, object_size: 1}]\n",
    );
    let results = place.path().to_str().unwrap();
    let mut arguments = vec!["run", file.to_str().unwrap(), "--results", results, "--set", &set];
    arguments.extend(more);
    let (code, stdout, stderr) = support::iobench(&arguments);
    assert!(code != 0, "{stdout}{stderr}");
    stderr
}

#[test]
fn what_cannot_be_reached_is_refused_before_anything_is_measured() {
    let refused = Refused::new();
    let said = refusal(&format!("s3://{}/bucket/x", refused.address()), &[]);
    assert!(said.contains("Connection refused") && said.contains("that the service runs"), "{said}");
    let said = refusal("s3://no-such-host.invalid:80/bucket/x", &[]);
    assert!(said.contains("no-such-host.invalid") && said.contains("name resolution"), "{said}");
}

#[test]
fn tls_is_trusted_with_the_right_roots_only() {
    let (server, authority) = (S3sFs::open(), Authority::new());
    let proxy = Proxy::start_tls(server.address(), &authority);
    let place = Place::new();
    let target = format!("s3://{}/below", server.bucket());
    let endpoint = format!("storage.endpoint=https://{}", proxy.address());
    let said = refusal(&target, &["--set", &endpoint]);
    assert!(said.contains("certificate") && said.contains("storage.tls_roots"), "{said}");
    let roots = place.file("roots.pem", authority.pem());
    let roots = format!("storage.tls_roots={}", roots.display());
    let results = place.path().to_str().unwrap();
    let put = |duration: &str| {
        let (code, stdout, stderr) = support::iobench(&[
            "put",
            &target,
            "--anonymous",
            "--size",
            "1000",
            "--duration",
            duration,
            "--results",
            results,
            "--set",
            &endpoint,
            "--set",
            &roots,
        ]);
        assert!(code == 0 && stdout.starts_with("COMPLETE"), "{stdout}{stderr}");
        proxy.count(|seen| seen.method == "PUT" && seen.status == Some(200)) > 0
    };
    assert!(put("500ms") || put("10s"));
}

#[test]
fn what_clean_up_cannot_delete_is_an_error_only_while_it_is_there() {
    // A store that answers 500 …
    let wrong = || Rule::new(Fault::status(500, "InternalError")).method("DELETE").path("/prepared-");
    let deletes = "{op: delete, path: objects/}";
    let errors = |workload: &str, duration: &str, rule: Rule| {
        let scene = Scene::new();
        scene.proxy.add(rule);
        let set = ["--set", "prepare.cleanup=true", "--set", duration];
        let ended = scene.run(&[workload], PATIENT, &set);
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        let mut stages = ended.summary["stages"].as_array().unwrap().iter();
        let errors = &stages.find(|stage| stage["name"] == "cleanup").unwrap()["errors"];
        errors.as_array().unwrap().iter().map(|error| error["count"].as_u64().unwrap()).sum::<u64>()
    };
    // … once, to the first of four, and it is there; …
    assert_eq!(errors(STATS, "duration=500ms", wrong().first(1)), 0);
    // … to whatever was deleted already, as one does that is looking first while another delete is going on (however
    // long deleting takes here: it ends when nothing is left); …
    assert_eq!(errors(deletes, "duration=50s", wrong().from(5)), 0);
    // … always.
    assert_eq!(errors(STATS, "duration=500ms", wrong()), 4);
}
