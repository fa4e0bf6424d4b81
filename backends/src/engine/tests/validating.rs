//! What is refused before anything is touched.

use super::*;
use iobench_core::plan::Fsync;

fn refused(plan: Plan, class: FailureClass, says: &[&str]) {
    let failure = Rig::new(plan).validate().unwrap_err();
    assert_eq!(failure.class, class, "{failure}");
    for text in says {
        assert!(failure.to_string().contains(text), "`{text}` in: {failure}");
    }
    assert!(!failure.next_step.is_empty(), "{failure} says what to do next");
}

fn get(base: &Path) -> Plan {
    files(base, vec![prepared(10, 100)], vec![execute(100, vec![entry(Operation::Get, 0)])])
}

#[test]
fn reading_what_nobody_has_prepared() {
    let directory = memory();
    refused(
        get(directory.path()),
        FailureClass::Config,
        &["target/data/prepared-00000000.dat", "no stage prepares it"],
    );
    assert!(!directory.path().join("target").exists(), "nothing was made");
}

#[test]
fn reading_a_file_that_is_not_there() {
    let directory = memory();
    let mut plan = get(directory.path());
    plan.pools = vec![pool("missing.img", Naming::Single, 1, 0)];
    refused(plan, FailureClass::Config, &["target/missing.img"]);
}

#[test]
fn a_glob_that_matches_nothing() {
    let directory = memory();
    std::fs::create_dir(directory.path().join("target")).unwrap();
    let mut plan = get(directory.path());
    plan.pools = vec![pool("", Naming::Listed { glob: "data-*.bin".to_owned() }, 0, 0)];
    refused(plan.clone(), FailureClass::Config, &["nothing matches", "target/data-*.bin"]);
    plan.pools = vec![pool("", Naming::Listed { glob: "no/such/*".to_owned() }, 0, 0)];
    refused(plan, FailureClass::Config, &["target/no/such"]);
}

#[test]
fn a_data_set_larger_than_the_disk() {
    let directory = memory();
    let huge = files(directory.path(), vec![prepared(1 << 20, 1 << 40)], vec![prepare(&[0])]);
    refused(huge, FailureClass::Resource, &["needs 1024.0 PiB", "are free there"]);
    assert!(!directory.path().join("target").exists(), "nothing was made");
}

#[test]
fn what_exists_already_needs_no_space() {
    let directory = memory();
    // A hole is as large as a file needs to be here.
    let size = 1_u64 << 50;
    let path = directory.path().join("target/data");
    std::fs::create_dir_all(&path).unwrap();
    let file = std::fs::File::create(path.join("prepared-00000000.dat")).unwrap();
    file.set_len(size).unwrap();
    let mut plan = files(directory.path(), vec![prepared(1, size)], vec![prepare(&[0])]);
    Rig::new(plan.clone()).validate().unwrap();
    plan.pools[0].count = 2;
    refused(plan, FailureClass::Resource, &["of which 1.0 PiB exist"]);
}

#[test]
fn more_memory_than_there_is() {
    let directory = memory();
    let mut plan = files(
        directory.path(),
        vec![prepared(1, 1 << 40)],
        vec![prepare(&[0]), execute(100, vec![entry(Operation::Read, 0)])],
    );
    if let StageKind::Execute { entries, .. } = &mut plan.stages[1].kind {
        entries[0].block_size = Some(4 << 30);
    }
    plan.concurrency = 1000;
    plan.target = "null://".parse().unwrap();
    refused(plan, FailureClass::Resource, &["1000 operations in flight with 4.0 GiB each", "are available"]);
}

#[test]
fn no_concurrency() {
    let mut plan = plan("null://", vec![prepared(1, 1)], vec![prepare(&[0])]);
    plan.concurrency = 0;
    refused(plan, FailureClass::Config, &["`concurrency` is 0"]);
}

#[test]
fn a_target_below_a_file() {
    let directory = memory();
    std::fs::write(directory.path().join("file"), b"x").unwrap();
    let target = format!("file://{}/file/below", directory.path().display());
    refused(
        plan(&target, vec![prepared(1, 1)], vec![prepare(&[0])]),
        FailureClass::Config,
        &["file` is a file"],
    );
}

#[test]
fn cleaning_up_the_root() {
    let plan = plan("file:///", vec![pool("", Naming::Prepared, 1, 1)], vec![cleanup(&[0])]);
    refused(plan, FailureClass::Config, &["the root of all file systems, is refused"]);
}

#[test]
fn a_store_that_nobody_serves() {
    let mut plan = plan("s3://127.0.0.1:9/bucket/x", vec![prepared(1, 1)], vec![prepare(&[0])]);
    plan.storage.credentials = iobench_core::plan::Credentials::Anonymous;
    refused(plan.clone(), FailureClass::Storage, &["s3://127.0.0.1:9/bucket/x", "that the service runs"]);
    plan.target = "s3://bucket/x".parse().unwrap();
    plan.storage.endpoints = ["http://127.0.0.1:9", "http://127.0.0.1:10"].map(str::to_owned).into();
    refused(plan, FailureClass::Storage, &["endpoint http://127.0.0.1:9: "]);
}

#[test]
fn direct_blocks_that_no_device_can_do() {
    let directory = memory();
    let mut plan = files(
        directory.path(),
        vec![prepared(1, 1 << 20)],
        vec![prepare(&[0]), execute(100, vec![entry(Operation::Read, 0)])],
    );
    plan.file.direct = true;
    if let StageKind::Execute { entries, .. } = &mut plan.stages[1].kind {
        entries[0].block_size = Some(1000);
    }
    refused(plan, FailureClass::Config, &["blocks of 1000 bytes"]);
}

#[test]
fn blocks_larger_than_every_file() {
    let directory = memory();
    let plan = files(
        directory.path(),
        vec![prepared(4, 100)],
        vec![prepare(&[0]), execute(100, vec![entry(Operation::Read, 0)])],
    );
    let failure = Rig::new(plan).validate().unwrap_err();
    assert!(failure.message.contains("no file with a whole block of 4096 bytes"), "{failure}");
}

#[test]
fn a_directory_that_cannot_be_written() {
    // Nobody can write to what is mounted to be read; who is not root cannot write to `/usr` either.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let read_only = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|mount| {
        let stores = !line_has_pseudo_file_system(mount);
        stores && mount[5].split(',').any(|option| option == "ro") && Path::new(mount[4]).is_dir()
    });
    let directory = match read_only {
        Some(mount) => mount[4],
        None if !rustix::process::geteuid().is_root() => "/usr",
        None => return,
    };
    let plan = plan(&format!("file://{directory}/iobench"), vec![prepared(1, 1)], vec![prepare(&[0])]);
    refused(plan, FailureClass::Config, &[&format!("`{directory}` cannot be written to")]);
}

fn line_has_pseudo_file_system(mount: &[&str]) -> bool {
    ["proc", "sysfs", "cgroup", "cgroup2", "devpts", "debugfs", "tracefs"]
        .iter()
        .any(|kind| mount.contains(kind))
}

#[test]
fn a_file_system_that_stores_nothing() {
    let plan = plan("file:///proc/sys/kernel/iobench", vec![prepared(1, 1)], vec![prepare(&[0])]);
    refused(plan, FailureClass::Config, &["`/proc/sys/kernel` is in a proc file system"]);
}

#[test]
fn validation_changes_nothing_and_describes_the_host() {
    let directory = memory();
    let mut rig = Rig::new(files(
        directory.path(),
        vec![prepared(10, 1000)],
        vec![prepare(&[0]), execute(100, vec![entry(Operation::Get, 0)])],
    ));
    let capabilities = rig.validate().unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(capabilities.cores >= 1 && capabilities.memory > 0 && !capabilities.host.is_empty());
    let fact =
        |name: &str| capabilities.facts.iter().find(|(fact, _)| fact == name).map(|(_, value)| value.clone());
    assert_eq!(fact("filesystem").as_deref(), Some("tmpfs"));
    assert!(fact("kernel").is_some_and(|kernel| kernel.starts_with("Linux ")));
    assert!(
        fact("engine").is_some() && fact("limit of open files").is_some() && fact("mount options").is_some()
    );
}

#[test]
fn a_data_set_that_fits_into_memory_is_warned_about_on_a_real_disk() {
    let directory = on_disk();
    let mut plan = files(
        directory.path(),
        vec![prepared(10, 1000)],
        vec![prepare(&[0]), execute(100, vec![entry(Operation::Get, 0)])],
    );
    let warnings = |plan: &Plan| Rig::new(plan.clone()).validate().unwrap().warnings;
    assert!(
        warnings(&plan)[0].ends_with("reads will measure the page cache; use direct://, or prepare more")
    );
    plan.file.drop_cache = true;
    assert!(warnings(&plan)[0].contains("what is read again is read from it"));
    plan.file.direct = true;
    assert_eq!(warnings(&plan), [""; 0]);
}

#[test]
fn writes_that_nobody_waits_for_are_warned_about() {
    let directory = on_disk();
    let stages = vec![execute(100, vec![entry(Operation::Put, 0)])];
    let mut plan = files(directory.path(), vec![prepared(10, 1000)], stages);
    let warnings = |plan: &Plan| Rig::new(plan.clone()).validate().unwrap().warnings;
    assert!(warnings(&plan)[0].contains("nothing waits for the device (`file.fsync: never`)"));
    plan.file.fsync = Fsync::Each;
    assert_eq!(warnings(&plan), [""; 0]);
}

/// A file of somebody else where the run will put its second object.
fn with_a_foreign_object(directory: &Path) {
    std::fs::create_dir_all(directory.join("target/new")).unwrap();
    std::fs::write(directory.join("target/new/obj_1"), b"mine").unwrap();
}

#[test]
fn objects_that_will_be_written_over_are_told_before() {
    let directory = on_disk();
    with_a_foreign_object(directory.path());
    let pools = || vec![pool("new/", Naming::Put, 20, 100)];
    let put = || execute(100, vec![entry(Operation::Put, 0)]);
    let told = |stages| {
        let mut plan = files(directory.path(), pools(), stages);
        plan.file.direct = true;
        Rig::new(plan).validate().unwrap().warnings.join("\n")
    };
    assert!(told(vec![put()]).ends_with("new/obj_1` exists: objects of such names are overwritten"));
    assert!(told(vec![put(), cleanup(&[0])]).ends_with("are overwritten, and removed at the end"));
}

#[test]
fn what_a_killed_process_left_where_the_run_writes_is_told_before() {
    let directory = memory();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let name = format!(".iobench-{}-{}-0123abcd-0.tmp", crate::file::target::temporary_host(), child.id());
    std::fs::create_dir_all(directory.path().join("target/new")).unwrap();
    std::fs::write(directory.path().join("target/new").join(name), b"part").unwrap();
    let warnings = |operation| {
        let stages = vec![execute(100, vec![entry(operation, 0)])];
        let plan = files(directory.path(), vec![pool("new/", Naming::Put, 20, 100)], stages);
        Rig::new(plan).validate().map(|can| can.warnings.join("\n"))
    };
    let told = warnings(Operation::Put).unwrap();
    assert!(told.contains("1 temporary files of process"), "{told}");
    assert!(told.contains("target/new' -maxdepth 1 -name '.iobench-"), "{told}");
}

#[test]
fn cleaning_up_what_a_conditional_put_finds_is_refused() {
    let directory = memory();
    with_a_foreign_object(directory.path());
    let fresh = Entry { detail: iobench_core::plan::Detail::IfAbsent, ..entry(Operation::Put, 0) };
    let plan = |stages| files(directory.path(), vec![pool("new/", Naming::Put, 20, 100)], stages);
    let stages = || vec![execute(100, vec![fresh.clone()])];
    Rig::new(plan(stages())).validate().expect("without cleaning up nothing of it is lost");
    let cleaned = plan([stages(), vec![cleanup(&[0])]].concat());
    refused(cleaned, FailureClass::Config, &["new/obj_1", "if_absent"]);
}

#[test]
fn a_link_that_leads_out_of_the_target() {
    let directory = memory();
    let elsewhere = memory();
    std::fs::create_dir(directory.path().join("target")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("target/data")).unwrap();
    let plan = |stages| files(directory.path(), vec![prepared(10, 1000)], stages);
    refused(plan(vec![prepare(&[0])]), FailureClass::Config, &["target/data` is a symbolic link"]);
    refused(plan(vec![cleanup(&[0])]), FailureClass::Config, &["target/data` is a symbolic link"]);
}

#[test]
fn a_directory_that_is_missing_two_deep_may_be_a_disk_that_is_not_mounted() {
    let directory = memory();
    let stages = || vec![prepare(&[0]), execute(100, vec![entry(Operation::Get, 0)])];
    let below = |path: &str| files(&directory.path().join(path), vec![prepared(10, 1000)], stages());
    let warnings = |plan: Plan| Rig::new(plan).validate().unwrap().warnings;
    assert_eq!(warnings(below("")), [""; 0], "its own directory is made");
    let told = warnings(below("mistyped"));
    assert!(told[0].contains("mistyped does not exist and is created on tmpfs on "), "{told:?}");
}

#[test]
fn configurations_are_read_as_their_users_write_them() {
    let directory = memory();
    let (sender, events) = channel();
    let callback = Arc::new(move |_, event| drop(sender.send(event)));
    let mut engine = LocalEngine::new(Instant::now(), callback);
    let mut validate = |yaml: String| {
        let configure = Configure { yaml, seed: 1, count: 1, ..Configure::default() };
        engine.command(Epoch(0), EngineCommand::Validate(Box::new(configure)));
        events.recv_timeout(PATIENCE).unwrap()
    };
    let good = format!(
        "target: file://{}\nduration: 1s\nprepare:\n  ensure_objects:\n    - base_uri: data/\n      count: 3\n      size: 4KiB\nworkload:\n  - op: get\n    path: data/*\n    weight: 1\n",
        directory.path().display()
    );
    let event = validate(good.clone());
    assert!(
        matches!(&event, EngineEvent::Validated { outline, .. } if !outline.stages.is_empty()),
        "{event:?}"
    );
    let event = validate(good.replace("duration", "duratoin"));
    let EngineEvent::Failed { failure, .. } = event else { panic!("{event:?}") };
    assert!(failure.class == FailureClass::Config && failure.message.contains("duratoin"), "{failure}");
}

#[test]
fn more_threads_than_there_can_be_are_refused_with_the_limit() {
    let directory = on_disk();
    let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let mut plan = files(directory.path(), vec![prepared(1, 10)], vec![prepare(&[0])]);
    plan.concurrency = mappings.trim().parse::<u32>().unwrap() / 4;
    posix(&mut plan);
    let failure = Rig::new(plan).validate().unwrap_err();
    assert_eq!(failure.class, FailureClass::Resource);
    assert!(failure.message.contains("one for each operation in flight"), "{failure}");
    assert!(failure.to_string().contains("lower `concurrency`"), "{failure}");
}

#[test]
fn the_threads_of_a_stage_are_gone_when_it_is_over() {
    let directory = on_disk();
    let mut plan = files(directory.path(), vec![prepared(1, 10)], vec![prepare(&[0])]);
    plan.concurrency = 3000;
    posix(&mut plan);
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let ours = || {
        let names = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        names.filter_map(name).filter(|name| name.len() == 8 && name.starts_with("io-1")).count()
    };
    rig.run(0).done();
    // A thread that has been joined may be seen for a moment: the kernel is still taking it down. One that was not
    // stays for as long as the engine does.
    let end = Instant::now() + PATIENCE;
    while ours() > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(ours(), 0, "of the thousand, io-1000 and so on, that only this test has");
}
