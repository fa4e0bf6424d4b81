//! Object stores: how they are reached, what they can do, and that no secret is written down anywhere.

use super::{bad, good, working, wrong};
use crate::config::load;
use crate::plan::*;
use crate::stats::Operation;

const S3: &str = "target: s3://bucket/bench\nworkload: [{op: put, path: new/, object_size: 1MiB}]\n";

fn options(more: &str) -> StorageOptions {
    good(&format!("{S3}{more}")).plan(0, 1).storage
}

fn refused(more: &str) -> String {
    wrong(&format!("{S3}{more}")).join("; ")
}

#[test]
fn a_store_is_reached_as_written() {
    assert_eq!(options(""), StorageOptions::default());
    let all = options(
        "storage:
  endpoint: http://10.0.0.1:9000/
  region: eu-central-1
  credentials: {access_key: env:KEY, secret_key: file:/run/secret, session_token: env:TOKEN}
  virtual_host: true
  connections: 64
  multipart: {threshold: 32MiB, part_size: 8MiB, concurrency: 2}
  ranges: {threshold: 16MiB, chunk_size: 4MiB, concurrency: 8}
  checksum: crc64nvme
  sse: {kms: alias/bench}
",
    );
    let keys = Credentials::Keys {
        access_key: Reference::Env("KEY".into()),
        secret_key: Reference::File("/run/secret".into()),
        session_token: Some(Reference::Env("TOKEN".into())),
    };
    let expected = StorageOptions {
        endpoints: vec!["http://10.0.0.1:9000".into()],
        spread: Spread::RoundRobin,
        region: Some("eu-central-1".into()),
        credentials: keys,
        virtual_host: true,
        tls_roots: None,
        connections: Some(64),
        multipart: Multipart { threshold: 32 << 20, part_size: 8 << 20, concurrency: 2 },
        ranges: Some(Ranges { threshold: 16 << 20, chunk_size: 4 << 20, concurrency: 8 }),
        checksum: Checksum::Crc64Nvme,
        encryption: Encryption::Kms("alias/bench".into()),
    };
    assert_eq!(all, expected);
    let tls = options("storage: {endpoint: 'https://s3.example.com', tls_roots: /etc/ca.pem, sse: s3}");
    assert_eq!((tls.tls_roots, tls.encryption), (Some("/etc/ca.pem".into()), Encryption::S3));
}

#[test]
fn who_asks_is_a_word_or_references() {
    let of = |text: &str| options(&format!("storage: {{credentials: {text}}}")).credentials;
    assert_eq!(of("env"), Credentials::Environment);
    assert_eq!(of("anonymous"), Credentials::Anonymous);
    assert_eq!(of("'profile:bench'"), Credentials::Profile("bench".into()));
    let azure = S3.replace("s3:", "az:") + "storage: {credentials: {token: env:SAS}}";
    assert_eq!(good(&azure).plan(0, 1).storage.credentials, Credentials::Token(Reference::Env("SAS".into())));
    let google = S3.replace("s3:", "gs:") + "storage: {credentials: {service_account: /etc/key.json}}";
    let account = Credentials::ServiceAccount("/etc/key.json".into());
    assert_eq!(good(&google).plan(0, 1).storage.credentials, account);
    assert!(
        wrong(&azure.replace("token", "service_account").replace("env:SAS", "/x"))[0].contains("`az://`")
    );
    assert!(refused("storage: {credentials: {token: env:X}}").contains("mean nothing to `s3://`"));
    assert!(refused("storage: {credentials: {access_key: env:X}}").contains("do not form one kind"));
    assert!(refused("storage: {credentials: {session_token: env:X}}").contains("do not form one kind"));
    assert!(refused("storage: {credentials: {service_account: key.json}}").contains("absolute"));
}

#[test]
fn a_secret_in_the_file_is_refused_and_shown_nowhere() {
    const SECRET: &str = "wJalrXUtnFEMI";
    for more in [
        "storage: {credentials: {access_key: env:A, secret_key: wJalrXUtnFEMI}}",
        "storage:\n  credentials:\n    access_key: env:A\n    secret_key: 'wJalrXUtnFEMI'\n",
        "storage:\n  credentials:\n    access_key: env:A\n    secret_key: |\n      wJalrXUtnFEMI\n",
        "storage: {credentials: wJalrXUtnFEMI}",
        "storage: {credentials: {secret_acess_key: wJalrXUtnFEMI}}",
        "storage: {access_key: env:A, secret_key: wJalrXUtnFEMI}",
        "storage: {credentials: {token: [wJalrXUtnFEMI]}}",
        "storage: {credentials: {service_account: wJalrXUtnFEMI}}",
        "storage: {endpoint: 'http://user:wJalrXUtnFEMI@host:9000'}",
        "storage: {endpoint: 'http://host:9000?sig=wJalrXUtnFEMI'}",
        "multi_endpoint: {endpoints: ['http://user:wJalrXUtnFEMI@host:9000']}",
    ] {
        let yaml = format!("{S3}{more}");
        let shown = format!("{} {:?}", bad(&yaml), bad(&yaml));
        assert!(!shown.contains(SECRET), "{shown}");
    }
    let yaml = S3.replace("s3://bucket", "s3://key:wJalrXUtnFEMI@bucket");
    assert!(!bad(&yaml).to_string().contains(SECRET));
    for setting in ["storage.credentials.secret_key=wJalrXUtnFEMI", "storage={secret_key: wJalrXUtnFEMI}"] {
        let shown = load(S3, &[setting.to_owned()], "x").unwrap_err().to_string();
        assert!(!shown.contains(SECRET) && shown.contains("--set"), "{shown}");
    }
    let message = refused("storage: {credentials: {access_key: env:A, secret_key: wJalrXUtnFEMI}}");
    assert!(message.contains("write `env:NAME`") && message.starts_with("3:56 "), "{message}");
}

#[test]
fn the_resolved_configuration_names_references_only() {
    let yaml = format!("{S3}storage: {{credentials: {{access_key: env:KEY, secret_key: file:/run/secret}}}}");
    let resolved = good(&yaml).resolved_yaml(Some(1));
    assert!(resolved.contains("secret_key: file:/run/secret"), "{resolved}");
    assert_eq!(good(&resolved).plan(0, 1).storage, good(&yaml).plan(0, 1).storage);
}

#[test]
fn nonsense_about_stores_is_told() {
    for (more, expected) in [
        ("storage: {endpoint: 'host:9000'}", "begins with `http://`"),
        ("storage: {endpoint: 'ftp://host'}", "cannot reach"),
        ("storage: {endpoint: 'http://host:9000/bucket'}", "buckets and paths belong to `target`"),
        ("storage: {endpoint: 'http://host:99999'}", "is not of the form `http://host:port`"),
        ("storage: {endpoint: 'http://a', tls_roots: /ca.pem}", "no endpoint uses TLS"),
        ("storage: {endpoint: 'https://a', tls_roots: ca.pem}", "absolute"),
        ("storage: {connections: 0}", "concurrency of 0"),
        ("storage: {multipart: {part_size: 4MiB}}", "no parts of 4MiB"),
        ("storage: {multipart: {threshold: 0}}", "0 bytes"),
        ("storage: {multipart: {concurrency: 0}}", "0 requests"),
        ("storage: {ranges: {chunk_size: 0}}", "0 bytes"),
        ("storage: {checksum: md5}", "unknown value `md5`"),
        ("storage: {regoin: x}", "unknown key `regoin`"),
        ("storage: {ranges: {}}\nrange_engine: {enabled: true}", "another place for `storage.ranges`"),
        ("multi_endpoint: {endpoints: []}", "1 to 1024 endpoints"),
        ("multi_endpoint: {endpoints: ['http://a', 'http://a/']}", "given twice"),
        ("multi_endpoint: {strategy: fastest, endpoints: ['http://a']}", "unknown value `fastest`"),
        ("storage: {endpoint: 'http://a'}\nmulti_endpoint: {endpoints: ['http://b']}", "in `multi_endpoint`"),
    ] {
        let found = refused(more);
        assert!(found.contains(expected), "{more}: {found}");
    }
    assert!(wrong("target: s3://\nworkload: [{op: stat}]")[0].contains("names no bucket"));
    assert!(wrong("target: s3://host:9000\nworkload: [{op: stat}]")[0].contains("names no bucket"));
    let twice = "target: s3://host:9000/bucket\nworkload: [{op: stat}]\nstorage: {endpoint: 'http://a'}";
    assert!(wrong(twice)[0].contains("addresses an endpoint itself"));
    let azure = "target: az://box\nworkload: [{op: stat}]\nstorage: {sse: s3, checksum: sha256}";
    assert_eq!(wrong(azure).len(), 2);
    let token = "target: gs://b\nworkload: [{op: stat}]\nstorage: {endpoint: 'http://a', credentials: {token: env:T}}";
    assert!(good(token).warnings[0].message.contains("unencrypted"));
}

#[test]
fn the_other_dialects_sections_mean_the_same() {
    let engine = options(
        "range_engine: {enabled: true, chunk_size: 8MiB, max_concurrent_ranges: 16, min_split_size: 32MiB}",
    );
    assert_eq!(engine.ranges, Some(Ranges { threshold: 32 << 20, chunk_size: 8 << 20, concurrency: 16 }));
    assert_eq!(options("range_engine: {enabled: false}").ranges, None);
    let several = options(
        "multi_endpoint:
  strategy: least_connections
  endpoints: ['http://10.0.0.1:9000', 's3://10.0.0.2:9000/bucket/bench/']",
    );
    assert_eq!(several.spread, Spread::LeastConnections);
    assert_eq!(several.endpoints, ["http://10.0.0.1:9000", "http://10.0.0.2:9000"]);
    assert!(refused("multi_endpoint: {endpoints: ['s3://a:9000/other']}").contains("a different place"));
}

#[test]
fn an_agent_may_have_services_of_its_own() {
    let run = good(&format!(
        "{S3}multi_endpoint: {{endpoints: ['http://common']}}
distributed:
  agents:
    - a
    - {{address: b, multi_endpoint: {{strategy: least_connections, endpoints: ['http://own']}}}}"
    ));
    assert_eq!(run.plan(0, 1).storage.endpoints, ["http://common"]);
    let own = run.plan(1, 1).storage;
    assert_eq!((&*own.endpoints[0], own.spread), ("http://own", Spread::LeastConnections));
    assert_eq!(good(&run.resolved_yaml(Some(1))).plan(1, 1).storage, own);
}

#[test]
fn what_a_store_cannot_do_is_refused_with_what_to_do_instead() {
    let entry = |target: &str, entry: &str| format!("target: {target}\nworkload: [{{{entry}}}]");
    let block = wrong(&entry("s3://b", "op: read, path: x"));
    assert_eq!(block, ["2:17 `s3://` has no blocks: this store has only whole objects"]);
    assert!(wrong(&entry("gs://b", "op: write, path: x"))[0].contains("no blocks"));
    for files in ["file:///x", "direct:///x"] {
        assert!(wrong(&entry(files, "op: copy, path: a/, to: b/"))[0].contains("cannot copy"));
        assert!(wrong(&entry(files, "op: delete, path: a/, batch: 10"))[0].contains("one file at a time"));
        good(&entry(files, "op: delete, path: a/, batch: 1"));
    }
    let agents = "target: s3://b\nworkload: [{op: read, path: x}]
distributed: {agents: [{address: a, target_override: 'file:///x'}, b]}";
    assert!(wrong(agents)[0].contains("`s3://` has no blocks"), "wherever an agent works");
}

#[test]
fn the_root_of_a_bucket_is_not_cleaned_up_without_a_clear_word() {
    let root = "target: s3://bucket\nprepare: {cleanup: true}\nworkload: [{op: put, object_size: 1}]\n";
    assert_eq!(wrong(root), ["1:9 cleaning up would delete at the root of the bucket `s3://bucket`"]);
    assert!(load(root, &["prepare.yes_delete_everything=true".to_owned()], "x").is_ok());
    good(&root.replace("s3://bucket", "s3://bucket/bench"));
    good(&root.replace("op: put", "op: put, path: new/"));
    good(&root.replace("cleanup: true", "cleanup: false"));
}

#[test]
fn the_root_of_all_file_systems_is_never_cleaned_up() {
    let refused = |target: &str| {
        let root = format!(
            "target: {target}\nprepare: {{cleanup: true, yes_delete_everything: true}}\nworkload: [{{op: put, object_size: 1}}]\n"
        );
        assert!(
            wrong(&root)[0].starts_with("1:9 cleaning up in `")
                && wrong(&root)[0].contains("root of all file systems")
        );
        good(&root.replace(target, "file:///mnt"));
        good(&root.replace("cleanup: true", "cleanup: false"));
        good(&root.replace("op: put", "op: put, path: new/"));
    };
    ["file:///", "file:////", "file:///.", "direct:///"].into_iter().for_each(refused);
    let agents = |target: &str, more: &str| {
        format!(
            "target: {target}\nprepare: {{cleanup: true}}\nworkload: [{{op: put, object_size: 1}}]\n\
             distributed: {{agents: [a, b], {more}}}"
        )
    };
    let shared = agents("file:///", "shared_filesystem: true");
    assert!(wrong(&shared)[0].contains("cleaning up in `file:///`"), "wherever an agent works");
    for target in ["file:///", "s3://bucket"] {
        good(&agents(target, "shared_filesystem: false"));
    }
}

#[test]
fn entries_say_more_than_their_operation() {
    let detail = |entry: &str| {
        let plan = good(&working(&[entry]).replace("file:///tmp/x", "mem://x")).plan(0, 1);
        let StageKind::Execute { entries, .. } = &plan.stages[1].kind else { panic!() };
        (entries[0].detail, entries[0].verify)
    };
    let at = |offset, length| Detail::Range { offset, length };
    assert_eq!(detail("op: get, path: data/, range: {length: 4KiB}"), (at(None, 4096), false));
    assert_eq!(detail("op: get, path: data/, range: {offset: random, length: 10}").0, at(None, 10));
    assert_eq!(detail("op: get, path: data/, range: {offset: 1KiB, length: 10}").0, at(Some(1024), 10));
    assert_eq!(detail("op: get, path: data/, verify: true"), (Detail::None, true));
    assert_eq!(detail("op: put, path: new/, object_size: 1, if_absent: true").0, Detail::IfAbsent);
    assert_eq!(detail("op: delete, path: data/, batch: 100").0, Detail::Batch(100));
    let plan = good(
        "target: mem://x\nprepare: {cleanup: true, ensure_objects: [{base_uri: a, count: 1}]}
workload: [{op: copy, path: a/, to: copies/, count: 50}]",
    );
    let plan = plan.plan(0, 1);
    let StageKind::Execute { entries, .. } = &plan.stages[1].kind else { panic!() };
    assert_eq!((entries[0].operation, entries[0].detail), (Operation::Copy, Detail::CopyTo(PoolId(1))));
    assert_eq!(
        (&*plan.pools[1].base, &plan.pools[1].naming, plan.pools[1].count),
        ("copies/", &Naming::Put, 50)
    );
    let StageKind::Cleanup { pools, .. } = &plan.stages[2].kind else { panic!() };
    assert_eq!(pools, &[PoolId(0), PoolId(1)], "clean-up knows the copies");
}

#[test]
fn details_that_cannot_be_meant_are_refused() {
    for (entries, expected) in [
        (&["op: get, path: data/, range: {length: 0}"][..], "at least 1 byte"),
        (&["op: get, path: data/, range: {offset: 60KiB, length: 8KiB}"], "beyond objects of 64KiB"),
        (&["op: get, path: data/, range: {offset: 5}"], "the key `length` is missing"),
        (&["op: stat, path: data/, range: {length: 5}"], "`range` belongs to get"),
        (&["op: stat, path: data/, verify: true"], "`verify` belongs to get and read"),
        (&["op: get, path: other/, verify: true"], "what `other/` should contain is not known"),
        (&["op: get, path: data/, if_absent: true"], "`if_absent` belongs to put"),
        (&["op: delete, path: data/, batch: 2000"], "cannot be deleted in one request"),
        (
            &["op: delete, path: data/, batch: 2", "op: delete, path: data/, batch: 3"],
            "batches of another size",
        ),
        (&["op: copy, path: data/"], "needs a place for the copies"),
        (&["op: copy, path: data/, to: data/"], "other objects of this run lie there"),
        (&["op: copy, path: data/, to: ''"], "copies need a directory of their own"),
    ] {
        let found = wrong(&working(entries).replace("file:///tmp/x", "mem://x"));
        assert!(found.len() == 1 && found[0].contains(expected), "{entries:?}: {found:?}");
    }
    // What an earlier run of the same configuration and seed has put can be verified.
    good(&working(&["op: get, path: new/, verify: true", "op: put, path: new/, object_size: 1"]));
    let direct = working(&["op: get, path: data/, range: {length: 100}"]).replace("file:", "direct:");
    assert!(wrong(&direct)[0].contains("multiples of 512"));
}
