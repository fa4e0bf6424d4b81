//! Programs on real object stores: one file for all of them, counts on both sides, verification, and secrets.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod support;

use iobench_backends::backend::Backend;
use iobench_core::plan::{Credentials, FileOptions, Reference, StorageOptions};
use iobench_servers::{Azurite, FakeGcs, Keys, Proxy, S3sFs, Weed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Agent, Place, Process, controller, until};

const LONG: Duration = Duration::from_secs(90);

/// Keys and sizes of everything in a store, as another client sees it.
fn listing(target: &str, credentials: Credentials) -> BTreeMap<String, u64> {
    let options = StorageOptions { credentials, ..StorageOptions::default() };
    let backend = Backend::open(&target.parse().unwrap(), &FileOptions::default(), &options).unwrap();
    let (mut found, mut prefixes) = (BTreeMap::new(), vec![Vec::new()]);
    while let Some(prefix) = prefixes.pop() {
        let mut token = None;
        loop {
            let page = backend.storage().list(&prefix, token.as_ref(), 1000).unwrap();
            let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
            found.extend(page.objects.into_iter().map(|(key, size)| (text(key), size.unwrap())));
            prefixes.extend(page.directories);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
    }
    found
}

/// Keys by reference to files of the test's directory, which only their owner reads.
fn by_file(place: &Place, Keys { id, secret }: Keys) -> Credentials {
    let file = |name: &str, content: &str| {
        let path = place.file(name, content);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Reference::File(path)
    };
    let (access_key, secret_key) = (file("id", id), file("secret", secret));
    Credentials::Keys { access_key, secret_key, session_token: None }
}

fn stage<'a>(summary: &'a Value, name: &str) -> &'a Value {
    summary["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == name).unwrap()
}

fn count(stage: &Value, operation: &str) -> u64 {
    let mut rows = stage["operations"].as_array().unwrap().iter();
    let row = rows.find(|row| row["operation"] == operation && row["size_bucket"] == "ALL");
    row.map_or(0, |row| row["count"].as_u64().unwrap())
}

/// One file, run against a target.
fn run(place: &Place, yaml: &str, arguments: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let results = place.path().join("results");
    std::fs::create_dir_all(&results).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_iobench"));
    command.arg("run").arg(place.file("run.yaml", yaml)).arg("--results").arg(results).args(arguments);
    command.envs(env.iter().copied());
    Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())).end(LONG)
}

/// Everything that files and object stores have in common.
const ANYWHERE: &str = "target: null://\nseed: 11\nduration: 500ms\ninterval: 100ms\nconcurrency: 4\n\
prepare:\n  ensure_objects:\n    - {base_uri: data/, count: 12, min_size: 1KiB, max_size: 64KiB}\n    - {base_uri: old/, count: 12, size: 1KiB}\n  cleanup: true\n\
workload:\n  - {op: get, path: data/, weight: 6, verify: true}\n  - {op: get, path: data/, range: {length: 512}}\n\
  \x20 - {op: put, path: new/, object_size: 20KiB, weight: 3}\n  - {op: stat, path: data/}\n\
  \x20 - {op: list, path: data/, page_size: 5}\n  - {op: delete, path: old/}\n";

/// The one file runs there; gives how many operations were cut off at the end of its time.
fn runs_on(target: &str, env: &[(&str, &str)]) -> u64 {
    let run_for = |duration: &str| {
        let place = Place::new();
        let arguments = ["--set", &format!("target={target}"), "--set", &format!("duration={duration}")];
        let (code, stdout, stderr) = run(&place, ANYWHERE, &arguments, env);
        assert_eq!(code, 0, "{target}: {stdout}{stderr}");
        (place.summary(), stdout)
    };
    let all = |summary: &Value| {
        ["get", "put", "stat", "list", "delete"]
            .iter()
            .all(|operation| count(stage(summary, "execute"), operation) > 0)
    };
    // On a host that is busy with other things, half a second may be too short for one of each.
    let short = run_for("500ms");
    let (summary, stdout) = if all(&short.0) { short } else { run_for("10s") };
    assert_eq!(summary["label"], "complete", "{target}");
    let work = stage(&summary, "execute");
    assert_eq!(work["errors"], Value::Array(Vec::new()), "{target}");
    for operation in ["get", "put", "stat", "list"] {
        assert!(count(work, operation) > 0, "{target}: {operation}: {stdout}");
    }
    assert!((1..=12).contains(&count(work, "delete")), "{target}: each at most once");
    assert_eq!(count(stage(&summary, "prepare"), "put"), 24, "{target}");
    assert_eq!(stage(&summary, "cleanup")["errors"], Value::Array(Vec::new()), "{target}");
    // Parts that only object stores tell: three pages of at most five are a listing of twelve.
    if !target.starts_with("file") && !target.starts_with("mem") {
        assert_eq!(count(work, "first_byte"), count(work, "get"), "{target}");
        assert!(count(work, "list_page") >= 3 * count(work, "list"), "{target}");
    }
    work["cancelled"].as_u64().unwrap()
}

/// The one file runs on a store; nothing is left afterwards but what a put made that was cut off at the end: a store
/// may go on with it until after clean-up has looked.
fn leaves_nothing_on(target: &str, env: &[(&str, &str)], credentials: Credentials) {
    let cancelled = runs_on(target, env);
    let left = listing(target, credentials);
    assert!(left.keys().all(|key| key.starts_with("new/")), "{target}: {left:?}");
    assert!(left.len() as u64 <= cancelled, "{target}: {cancelled} were cut off: {left:?}");
}

#[test]
fn one_file_measures_a_disk_memory_and_every_store() {
    let place = Place::new();
    let directory = place.path().join("data");
    std::fs::create_dir(&directory).unwrap();
    runs_on(&format!("file://{}", directory.display()), &[]);
    assert_eq!(support::files(&directory), 0);
    runs_on("mem://bucket", &[]);

    let server = S3sFs::keyed();
    let keys = |keys: Keys| [("AWS_ACCESS_KEY_ID", keys.id), ("AWS_SECRET_ACCESS_KEY", keys.secret)];
    let target = format!("s3://{}/{}/below", server.address(), server.bucket());
    leaves_nothing_on(&target, &keys(S3sFs::KEYS), by_file(&place, S3sFs::KEYS));

    let weed = Weed::keyed();
    let target = format!("s3://{}/{}/below", weed.address(), weed.bucket());
    leaves_nothing_on(&target, &keys(Weed::KEYS), by_file(&place, Weed::KEYS));
}

#[test]
fn one_file_measures_azure_and_google_too() {
    let (place, azurite) = (Place::new(), Azurite::shared());
    let Keys { id, secret } = Azurite::KEYS;
    let target = format!("az://{}/{id}/{}/below", azurite.address(), azurite.container());
    let keys = [("AZURE_STORAGE_ACCOUNT", id), ("AZURE_STORAGE_KEY", secret)];
    leaves_nothing_on(&target, &keys, by_file(&place, Azurite::KEYS));

    let (weed, fake) = (Weed::open(), FakeGcs::open());
    for target in [
        format!("gs://{}/{}/below", weed.address(), weed.bucket()),
        format!("gs://{}/{}/below", fake.address(), fake.bucket()),
    ] {
        leaves_nothing_on(&target, &[], Credentials::Anonymous);
    }
}

#[test]
fn what_two_agents_did_is_what_the_server_has() {
    let (place, weed) = (Place::new(), Weed::open());
    let proxy = Proxy::start(weed.address());
    let bucket = weed.bucket();
    let file = place.file(
        "mixed.yaml",
        &format!(
            "target: s3://{}/{bucket}/mixed\nseed: 5\nduration: 4s\nconcurrency: 4\nstorage: {{credentials: anonymous}}\n\
             distributed: {{start_delay: 3s}}\n\
             prepare:\n  ensure_objects:\n    - {{base_uri: data/, count: 40, size: 10KiB}}\n\
             workload:\n  - {{op: get, path: data/, weight: 70}}\n  - {{op: put, path: new/, weight: 30, object_size: 6KiB}}\n",
            proxy.address()
        ),
    );
    let agents = ["a", "b"].map(|name| Agent::start(&place, name));
    let (code, stdout, stderr) = controller(&place, &file, &agents.each_ref(), &[]).end(LONG);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let summary = place.summary();
    let work = stage(&summary, "execute");
    assert_eq!(work["errors"], Value::Array(Vec::new()), "{stdout}");
    let (gets, puts) = (count(work, "get"), count(work, "put"));
    let share = gets as f64 / (gets + puts) as f64;
    // More than four times the standard deviation, however few a slow host has done.
    let near_enough = (2.0 / ((gets + puts) as f64).sqrt()).max(0.1);
    assert!((share - 0.7).abs() < near_enough, "{gets} gets and {puts} puts");

    // What was in flight when the time was up may have arrived, and is told.
    let cancelled = work["cancelled"].as_u64().unwrap();
    assert!(cancelled <= 8, "{cancelled} of two times four in flight");
    let wire = |method: &str, part: &str| {
        let seen = proxy.count(|seen| seen.method == method && seen.path.contains(part));
        u64::try_from(seen).unwrap()
    };
    let near = |what: &str, seen: u64, told: u64| {
        assert!(
            (told..=told + cancelled).contains(&seen),
            "{what}: {seen} there, {told} told, {cancelled} cancelled"
        );
    };
    near("gets on the wire", wire("GET", "/data/prepared-"), gets);
    near("puts on the wire", wire("PUT", "/new/obj_"), puts);
    let stored = listing(&format!("s3://{}/{bucket}/mixed", weed.address()), Credentials::Anonymous);
    let below = |part: &str| -> Vec<u64> {
        stored.iter().filter(|(key, _)| key.contains(part)).map(|(_, &size)| size).collect()
    };
    near("objects put", below("/new/obj_").len() as u64, puts);
    assert!(below("/new/obj_").iter().all(|&size| size == 6 << 10), "each is whole");
    assert_eq!(below("/data/").len() as u64, count(stage(&summary, "prepare"), "put"));
    assert_eq!(below("/data/"), [10 << 10; 80], "40 for each agent");
}

#[test]
fn each_of_several_endpoints_is_told_what_it_did() {
    // On a host that is busy with other things, half a second may be too short.
    assert!(each_endpoint_is_told("500ms") || each_endpoint_is_told("10s"), "each has done something");
}

/// Whether each has done something in this time.
fn each_endpoint_is_told(duration: &str) -> bool {
    let (place, server) = (Place::new(), S3sFs::open());
    let proxies = [Proxy::start(server.address()), Proxy::start(server.address())];
    let endpoints = proxies.each_ref().map(|proxy| format!("http://{}", proxy.address()));
    let yaml = format!(
        "target: s3://{}/below\nduration: {duration}\nconcurrency: 4\nstorage: {{credentials: anonymous}}\n\
         multi_endpoint: {{strategy: round_robin, endpoints: [{}]}}\n\
         workload:\n  - {{op: put, path: new/, object_size: 1KiB}}\n",
        server.bucket(),
        endpoints.join(", ")
    );
    let (code, stdout, stderr) = run(&place, &yaml, &[], &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let summary = place.summary();
    let work = stage(&summary, "execute");
    let cancelled = work["cancelled"].as_u64().unwrap();
    let (mut sum, mut each) = (0, true);
    for (endpoint, proxy) in endpoints.iter().zip(&proxies) {
        let mut all = work["endpoints"].as_array().unwrap().iter();
        let told = all.find(|told| told["endpoint"] == **endpoint);
        let told = told.map_or(0, |told| told["count"].as_u64().unwrap());
        let wire = proxy.count(|seen| seen.method == "PUT") as u64;
        assert!((told..=told + cancelled).contains(&wire), "{told} told, {wire} on the wire");
        sum += told;
        each &= told > 0;
    }
    assert_eq!(sum, count(work, "put"));
    each
}

#[test]
fn a_flipped_byte_is_found_and_named() {
    let (place, server) = (Place::new(), S3sFs::open());
    let bucket = server.bucket();
    let yaml = |duration: &str| {
        format!(
            "target: s3://{}/{bucket}/below\nseed: 3\nduration: {duration}\nstorage: {{credentials: anonymous}}\n\
         error_handling: {{max_total_errors: 100000000, error_rate_threshold: 100000000}}\n\
         prepare:\n  ensure_objects:\n    - {{base_uri: data/, count: 5, size: 100KiB}}\n\
         workload:\n  - {{op: get, path: data/, verify: true}}\n",
            server.address()
        )
    };
    let (code, stdout, stderr) = run(&place, &yaml("500ms"), &[], &[]);
    assert!(code == 0 && !stdout.contains("WITH ERRORS"), "{stdout}{stderr}");

    let file = server.file(&bucket, "below/data/prepared-00000003.dat");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[54_321] ^= 0x10;
    std::fs::write(&file, bytes).unwrap();
    let again = |duration: &str| {
        std::fs::remove_dir_all(place.path().join("results")).unwrap();
        let (_, stdout, stderr) = run(&place, &yaml(duration), &[], &[]);
        (place.summary(), stdout, stderr)
    };
    let short = again("500ms");
    let work = stage(&short.0, "execute");
    // On a busy host that may be too short for the wrong one and a right one.
    let enough = work["errors"] != Value::Array(Vec::new()) && count(work, "get") > 0;
    let (summary, stdout, stderr) = if enough { short } else { again("10s") };
    let errors = stage(&summary, "execute")["errors"].as_array().unwrap().clone();
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((error["operation"].as_str(), error["class"].as_str()), (Some("get"), Some("corrupt")));
    assert!(count(stage(&summary, "execute"), "get") > 0, "the other four are right");
    assert!(stdout.contains("WITH ERRORS"), "{stdout}");
    let told = [&*stdout, &*stderr].concat();
    assert!(told.contains("below/data/prepared-00000003.dat`") && told.contains("offset 54321"), "{told}");
}

const REFERENCES: &str = "{access_key: env:IOBENCH_TEST_ID, secret_key: env:IOBENCH_TEST_SECRET}";

/// Files below a directory that contain a text, and how many there are in all.
fn grep(directory: &Path, text: &[u8]) -> (Vec<PathBuf>, usize) {
    let (mut found, mut looked) = (Vec::new(), 0);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let (below, more) = grep(&path, text);
            found.extend(below);
            looked += more;
        } else if let Ok(bytes) = std::fs::read(&path) {
            looked += 1;
            found.extend(bytes.windows(text.len()).any(|window| window == text).then_some(path));
        }
    }
    (found, looked)
}

/// A run of puts with these credentials: its bucket and its file.
fn secret_run(place: &Place, credentials: &str, duration: &str) -> (String, PathBuf) {
    let (weed, bucket) = (Weed::keyed(), Weed::keyed().bucket());
    let file = place.file(
        "secret.yaml",
        &format!(
            "target: s3://{}/{bucket}/below\nduration: {duration}\nstorage: {{credentials: {credentials}}}\n\
             distributed: {{start_delay: 3s}}\nworkload:\n  - {{op: put, path: new/, object_size: 1KiB}}\n",
            weed.address()
        ),
    );
    (bucket, file)
}

/// Runs with these credentials on these agents, and looks for the secret at processes and in what they say.
fn spreads_no(secret: &str, place: &Place, agents: &[Agent; 2], credentials: &str) -> (i32, String) {
    let (_, file) = secret_run(place, credentials, "1s");
    let mut run = controller(place, &file, &agents.each_ref(), &["-vv"]);
    let programs = [run.child.id(), agents[0].process.child.id(), agents[1].process.child.id()];
    for id in programs {
        let line = || String::from_utf8(std::fs::read(format!("/proc/{id}/cmdline")).unwrap()).unwrap();
        let end = Instant::now() + LONG;
        let line = loop {
            // A program that has just begun has none yet, and one that has ended none any more.
            match line() {
                line if !line.is_empty() => break Some(line),
                _ if id == run.child.id() && run.child.try_wait().unwrap().is_some() => break None,
                _ => assert!(Instant::now() < end, "no command line of {id}"),
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let Some(line) = line else { continue };
        assert!(line.contains("iobench") && !line.contains(secret), "`{line}` of {id} in {programs:?}");
    }
    let (code, stdout, stderr) = run.end(LONG);
    let said = [stdout, stderr].concat();
    assert!(!said.contains(secret), "{said}");
    (code, said)
}

#[test]
fn a_secret_stays_on_the_hosts_of_the_agents_and_is_written_nowhere() {
    let (place, Keys { id, secret }) = (Place::new(), Weed::KEYS);
    let env = [("IOBENCH_TEST_ID", id), ("IOBENCH_TEST_SECRET", secret)];
    let agents = ["a", "b"].map(|name| Agent::start_in(&place, name, &["--verbose"], &env));
    let (code, said) = spreads_no(secret, &place, &agents, REFERENCES);
    assert_eq!(code, 0, "the agents have what the controller has not: {said}");
    let found = grep(&place.path().join("results"), b"env:IOBENCH_TEST_SECRET").0;
    assert!(!found.is_empty(), "what is there is found");

    // One that is refused comes into errors, but not with its text.
    const WRONG: &str = "not-the-secret+but/one=too";
    let hidden = Place::new();
    let Credentials::Keys { secret_key: Reference::File(file), .. } =
        by_file(&hidden, Keys { id, secret: WRONG })
    else {
        panic!("files were asked for")
    };
    let credentials = format!("{{access_key: env:IOBENCH_TEST_ID, secret_key: \"file:{}\"}}", file.display());
    let (code, said) = spreads_no(WRONG, &place, &agents, &credentials);
    assert!(code != 0 && said.contains("storage.credentials"), "{said}");

    // Results that no controller has confirmed.
    let (bucket, file) = secret_run(&place, REFERENCES, "60s");
    let mut run = controller(&place, &file, &agents.each_ref(), &[]);
    let target = format!("s3://{}/{bucket}", Weed::keyed().address());
    until("load", LONG, || !listing(&target, by_file(&hidden, Weed::KEYS)).is_empty());
    std::thread::sleep(Duration::from_millis(1500));
    run.child.kill().unwrap();
    until("what agents keep", LONG, || agents.iter().all(|agent| agent.kept().len() == 1));
    drop(agents);
    for secret in [secret, WRONG] {
        for form in [secret.to_owned(), secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")] {
            let (found, looked) = grep(place.path(), form.as_bytes());
            assert!(found.is_empty() && looked > 10, "{form} is in {found:?} of {looked} files");
        }
    }
}
