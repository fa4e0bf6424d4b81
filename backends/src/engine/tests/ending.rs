//! How stages end when they do not just end.

use super::*;
use crate::file::uring::lease::Leased;
use rustix::fs::{CWD, Mode, mkfifoat};

/// A plan that reads one object.
fn reads_one(directory: &Path) -> Plan {
    let mut plan =
        files(directory, vec![prepared(1, 10)], vec![execute(60_000, vec![entry(Operation::Get, 0)])]);
    plan.concurrency = 2;
    plan.file.threads = Some(1);
    plan
}

fn object(directory: &Path) -> std::path::PathBuf {
    directory.join("target/data/prepared-00000000.dat")
}

/// As long as this is there, reading the object waits in the kernel.
fn hold(directory: &Path) -> Leased {
    Leased::new(&object(directory))
}

#[test]
fn stop_ends_a_stage_at_once() {
    let mut plan =
        plan("null://", vec![prepared(10, 1)], vec![execute(60_000, vec![entry(Operation::Get, 0)])]);
    // Longer than it is waited for, as is the stage.
    plan.timeouts.abort = Duration::from_secs(60);
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let begun = Instant::now();
    rig.start(0);
    rig.interval(|interval| interval.tally.count() > 0);
    let stopped = Instant::now();
    rig.command(EngineCommand::Stop);
    let ran = rig.finish();
    assert!(stopped.elapsed() < PATIENCE, "{:?}", stopped.elapsed());
    assert_eq!(ran.stuck, 0);
    let totals = ran.totals.unwrap();
    assert!(count(&totals, Operation::Get) > 0);
    assert!(totals.to.since(totals.from) <= begun.elapsed(), "they end when it was stopped");
}

#[test]
fn stop_is_answered_when_nothing_runs() {
    let mut rig = Rig::new(plan("null://", vec![prepared(10, 1)], vec![prepare(&[0])]));
    rig.command(EngineCommand::Stop);
    assert_eq!(rig.event(), EngineEvent::Stopped { totals: None, stuck: 0 });
    rig.validate().unwrap();
    rig.run(0).done();
}

#[test]
fn what_waits_in_the_kernel_is_cancelled_on_stop() {
    let directory = on_disk();
    let mut plan = reads_one(directory.path());
    // Three quarters of it are more than it is waited for: they end because they are cancelled.
    plan.timeouts.abort = Duration::from_secs(40);
    let mut rig = Rig::new(plan);
    let _lease = hold(directory.path());
    rig.validate().unwrap();
    rig.start(0);
    // Intervals come though nothing completes, and have the age of what waits.
    let waits = rig.interval(|interval| interval.oldest >= 150_000_000);
    assert_eq!((waits.tally.count(), waits.in_flight), (0, 2));
    let begun = Instant::now();
    rig.command(EngineCommand::Stop);
    let ran = rig.finish();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let tally = ran.totals.unwrap().tally;
    assert_eq!((ran.stuck, tally.cancelled), (0, 2), "{:?}", tally.errors);
}

#[test]
fn what_cannot_be_cancelled_is_abandoned_and_the_next_run_is_refused_until_it_ends() {
    let directory = on_disk();
    let mut plan = reads_one(directory.path());
    // A quarter of it is left when the threads are given up, and is more than a host stands still.
    plan.timeouts.abort = Duration::from_secs(12);
    let abort = plan.timeouts.abort;
    posix(&mut plan);
    let mut rig = Rig::new(plan);
    let lease = hold(directory.path());
    rig.validate().unwrap();
    rig.start(0);
    rig.interval(|interval| interval.in_flight == 2 && interval.oldest >= 500_000_000);
    let begun = Instant::now();
    rig.command(EngineCommand::Stop);
    let ran = rig.finish();
    assert!(begun.elapsed() < abort, "{:?}", begun.elapsed());
    assert_eq!((ran.stuck, ran.totals.unwrap().tally.cancelled), (2, 2));
    let failure = rig.validate().unwrap_err();
    assert_eq!(failure.class, FailureClass::Resource);
    assert!(failure.message.contains("2 operations of an earlier run are still stuck"), "{failure}");
    let begun = Instant::now();
    drop(lease);
    while rig.validate().is_err() {
        assert!(begun.elapsed() < PATIENCE, "it is never accepted again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_operation_that_takes_too_long_is_given_up_and_counted() {
    let directory = on_disk();
    let mut plan = reads_one(directory.path());
    plan.errors.operation_timeout = Duration::from_millis(100);
    plan.errors.max_total_errors = 3;
    plan.errors.error_rate_threshold = f64::INFINITY;
    let _lease = hold(directory.path());
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let ran = rig.run(0);
    let failure = ran.failure.unwrap();
    assert!(failure.message.contains("4 operations failed"), "{failure}");
    assert!(failure.message.contains("timeout"), "{failure}");
    assert_eq!(errors(&ran.totals.unwrap(), ErrorClass::Timeout), 4);
}

/// Prepares objects and takes them away again behind the engine's back.
fn with_missing_objects(rig: &mut Rig, directory: &Path) {
    rig.validate().unwrap();
    rig.run(0).done();
    std::fs::remove_dir_all(directory.join("target/data")).unwrap();
}

fn reads(directory: &Path) -> Plan {
    files(
        directory,
        vec![prepared(10, 100)],
        vec![prepare(&[0]), execute(60_000, vec![entry(Operation::Get, 0)])],
    )
}

#[test]
fn a_panic_is_our_bug_and_the_other_threads_results_are_kept() {
    let mut plan =
        plan("null://", vec![prepared(10, 1)], vec![execute(60_000, vec![entry(Operation::Get, 0)])]);
    plan.name = BUGGY.to_owned();
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let begun = Instant::now();
    let ran = rig.run(0);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let failure = ran.failure.unwrap();
    assert_eq!(failure.class, FailureClass::Internal);
    assert!(failure.to_string().contains("`work-0` panicked: two and two are five"), "{failure}");
    assert!(failure.to_string().contains("please report it"), "{failure}");
    let totals = ran.totals.unwrap();
    assert!(count(&totals, Operation::Get) > 0, "what the other thread did");
    assert_eq!(fact(&totals, "stuck operations"), None);
    rig.set(|plan| plan.name.clear());
    rig.validate().unwrap();
}

#[test]
fn too_many_errors_fail_the_stage_with_what_was_done() {
    let directory = memory();
    let mut plan = reads(directory.path());
    // On a slow host their rate would be too high before their number is.
    plan.errors.error_rate_threshold = f64::INFINITY;
    let mut rig = Rig::new(plan);
    with_missing_objects(&mut rig, directory.path());
    let ran = rig.run(1);
    let failure = ran.failure.unwrap();
    assert_eq!(failure.class, FailureClass::Storage);
    assert!(failure.message.contains("more than the 100 allowed"), "{failure}");
    assert!(failure.message.contains("target/data/prepared-"), "the first is named: {failure}");
    let totals = ran.totals.unwrap();
    assert!(errors(&totals, ErrorClass::NotFound) > 100);
    assert_eq!(count(&totals, Operation::Get), 0, "errors are in no latency");
}

#[test]
fn errors_that_come_too_fast_fail_the_stage() {
    let directory = memory();
    let mut plan = reads(directory.path());
    plan.errors.max_total_errors = u64::MAX;
    plan.errors.error_rate_window = Duration::from_secs(1);
    let mut rig = Rig::new(plan);
    with_missing_objects(&mut rig, directory.path());
    let failure = rig.run(1).failure.unwrap();
    assert!(failure.message.contains("operations a second failed"), "{failure}");
}

/// A plan of reads, all errors tolerated, with two more tries.
fn retried(directory: &Path) -> Plan {
    let mut plan = reads(directory);
    plan.stages[1] = execute(200, vec![entry(Operation::Get, 0)]);
    plan.errors.max_total_errors = u64::MAX;
    plan.errors.error_rate_threshold = f64::INFINITY;
    plan.errors.max_retries = 2;
    plan.errors.initial_retry_delay = Duration::from_millis(2);
    plan
}

#[test]
fn a_retried_operation_is_one_operation() {
    let directory = memory();
    let mut rig = Rig::new(retried(directory.path()));
    rig.validate().unwrap();
    rig.run(0).done();
    // Too short now: that may heal.
    for file in tree(&directory.path().join("target/data")) {
        std::fs::write(file, "short").unwrap();
    }
    let tally = rig.run_until(1, |totals| !totals.tally.errors.is_empty()).tally;
    let errors: u64 = tally.errors.iter().map(|error| error.count).sum();
    assert!(errors > 0 && tally.errors.iter().all(|error| error.class == ErrorClass::Truncated));
    // Every error had two retries; operations in flight at the end had up to two.
    assert!(
        tally.retries >= 2 * errors && tally.retries <= 2 * (errors + 8),
        "{} of {errors}",
        tally.retries
    );
    assert!(tally.retry_time >= tally.retries * 1_500_000, "waits of about 2 and 4 ms are in it");
}

#[test]
fn what_cannot_heal_is_not_tried_again() {
    let directory = memory();
    let mut rig = Rig::new(retried(directory.path()));
    with_missing_objects(&mut rig, directory.path());
    let missing = |totals: &StageTotals| errors(totals, ErrorClass::NotFound) > 0;
    let totals = rig.run_until(1, missing);
    assert!(missing(&totals));
    assert_eq!(totals.tally.retries, 0);
}

#[test]
fn each_try_has_the_time_that_an_operation_may_take() {
    let directory = on_disk();
    let mut plan = reads_one(directory.path());
    // Of two, the one could be tried once more before the other is given up.
    plan.concurrency = 1;
    plan.errors.operation_timeout = Duration::from_millis(100);
    plan.errors.max_total_errors = 0;
    plan.errors.error_rate_threshold = f64::INFINITY;
    plan.errors.max_retries = 1;
    plan.errors.initial_retry_delay = Duration::from_millis(2);
    let _lease = hold(directory.path());
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let begun = Instant::now();
    let totals = rig.run(0).totals.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200), "two tries");
    assert_eq!((errors(&totals, ErrorClass::Timeout), totals.tally.retries), (1, 1));
}

#[test]
fn a_conditional_put_that_finds_something_does_not_use_up_the_budget() {
    let directory = memory();
    let fresh = Entry { detail: iobench_core::plan::Detail::IfAbsent, ..entry(Operation::Put, 0) };
    let objects = pool("new/", Naming::Put, 20, 100);
    let mut plan = files(directory.path(), vec![objects], vec![execute(300, vec![fresh])]);
    plan.errors.max_total_errors = 0;
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let put = std::cell::Cell::new(0);
    let totals = rig.run_until(0, |totals| {
        put.set(put.get() + count(totals, Operation::Put));
        errors(totals, ErrorClass::Exists) > 0
    });
    assert_eq!(put.get(), 20);
    assert!(errors(&totals, ErrorClass::Exists) > 0, "but it is counted");
}

#[test]
fn a_prepare_that_fails_ends_at_once_and_says_where() {
    let directory = memory();
    let mut rig = Rig::new(files(directory.path(), vec![prepared(10, 4096)], vec![prepare(&[0])]));
    rig.validate().unwrap();
    let data = directory.path().join("target/data");
    std::fs::create_dir_all(&data).unwrap();
    std::os::unix::fs::symlink("nowhere", data.join("prepared-00000004.dat")).unwrap();
    let failure = rig.run(0).failure.unwrap();
    assert_eq!(failure.class, FailureClass::Storage);
    assert!(
        failure.message.contains("prepared-00000004.dat") && failure.message.contains("symbolic links"),
        "{failure}"
    );
    let link = data.join("prepared-00000004.dat");
    assert!(link.is_symlink(), "a link that someone else made is not followed, and not removed");
}

#[test]
fn puts_that_are_stopped_leave_whole_objects_or_nothing() {
    const SIZE: u64 = 8 << 20;
    for rename in [false, true] {
        let directory = memory();
        let objects = pool("new/", Naming::Put, 40, SIZE);
        let mut plan =
            files(directory.path(), vec![objects], vec![execute(60_000, vec![entry(Operation::Put, 0)])]);
        plan.file.rename = rename;
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        rig.start(0);
        assert!(matches!(rig.event(), EngineEvent::Interval(_)));
        rig.command(EngineCommand::Stop);
        assert_eq!(rig.finish().stuck, 0);
        for path in tree(directory.path()) {
            assert!(!path.contains(".iobench-"), "{path}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), SIZE, "{path}");
        }
    }
}

#[test]
fn cleanup_removes_what_is_ours_and_nothing_else() {
    let directory = memory();
    let pools = vec![prepared(5, 10), pool("data/", Naming::Put, u64::MAX, 10)];
    let stages = vec![prepare(&[0]), execute(100, vec![entry(Operation::Put, 1)]), cleanup(&[0, 1])];
    let mut rig = Rig::new(files(directory.path(), pools, stages));
    rig.validate().unwrap();
    rig.run(0).done();
    let put = |totals: &StageTotals| count(totals, Operation::Put) > 0;
    assert!(put(&rig.run_until(1, put)));
    // Nothing that was put is 4 bytes long.
    let foreign = [
        "target/data/prepared-99999999.dat",
        "target/data/obj_7x",
        "target/data/obj_77777777",
        "target/notes.txt",
    ];
    foreign.iter().for_each(|name| std::fs::write(directory.path().join(name), b"keep").unwrap());
    rig.run(2).done();
    let mut kept: Vec<_> =
        foreign.iter().map(|name| directory.path().join(name).display().to_string()).collect();
    kept.sort();
    assert_eq!(tree(directory.path()), kept);
}

#[test]
fn cleanup_removes_temporary_files_of_its_own_run_and_tells_of_objects_that_it_leaves() {
    let directory = memory();
    let pools = vec![pool("new/", Naming::Put, u64::MAX, 10), pool("part/", Naming::Put, u64::MAX, 10)];
    let mut plan = files(directory.path(), pools, vec![cleanup(&[0, 1])]);
    plan.file.rename = true;
    let target = directory.path().join("target");
    let file = |name: &str| {
        let path = target.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"part").unwrap();
        path
    };
    let stem = crate::file::target::temporary_stem();
    let part = file("part/obj_7");
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let own = file(&format!("new/.iobench-{stem}-3.tmp"));
    let totals = rig.run(0).done();
    assert!(!own.exists() && !target.join("new").exists() && part.exists());
    let told = fact(&totals, "left behind").expect("it is told");
    let begins = format!("1 objects such as `{}` were left", part.display());
    assert!(told.starts_with(&begins), "{told}");
}

#[test]
fn cleanup_removes_made_directories_too() {
    for names in [20, u64::MAX] {
        let directory = memory();
        let pools = vec![pool("", Naming::Put, names, 0)];
        let stages = vec![execute(50, vec![entry(Operation::Mkdir, 0)]), cleanup(&[0])];
        let mut plan = files(directory.path(), pools, stages);
        // Of twenty names the twenty-first exists.
        plan.errors.max_total_errors = u64::MAX;
        plan.errors.error_rate_threshold = f64::INFINITY;
        let target = directory.path().join("target");
        std::fs::create_dir(&target).unwrap();
        let made = || std::fs::read_dir(&target).unwrap().count();
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        rig.run_until(0, |_| made() >= 20);
        let all = made();
        assert!(all >= 20);
        let removed = count(&rig.run(1).done(), Operation::Rmdir);
        assert_eq!(made(), 0, "{removed} of {all}");
    }
}

#[test]
fn cleanup_leaves_directories_that_are_not_ours() {
    let directory = memory();
    let put = pool("new/", Naming::Put, u64::MAX, 10);
    let stages = vec![execute(20, vec![entry(Operation::Put, 0)]), cleanup(&[0, 1])];
    let mut rig = Rig::new(files(directory.path(), vec![put, pool("empty/", Naming::Put, 5, 10)], stages));
    let theirs = ["target/empty", "target/new/obj_99999999", "target/new/obj_1x"];
    theirs.iter().for_each(|name| std::fs::create_dir_all(directory.path().join(name)).unwrap());
    rig.validate().unwrap();
    rig.run(0).done();
    let totals = rig.run(1).done();
    assert!(totals.tally.errors.is_empty(), "{:?}", totals.tally.errors);
    assert!(theirs.iter().all(|name| directory.path().join(name).is_dir()), "empty as they are");
    assert!(tree(directory.path()).is_empty());
}

#[test]
fn a_prepare_does_not_pass_over_what_took_too_long() {
    let directory = on_disk();
    let mut plan = files(directory.path(), vec![prepared(1, 10)], vec![prepare(&[0])]);
    plan.errors.operation_timeout = Duration::from_millis(50);
    posix(&mut plan);
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let lease = hold(directory.path());
    rig.start(0);
    let begun = Instant::now();
    while !lease.is_waited_for() {
        assert!(begun.elapsed() < PATIENCE, "nobody wants the object");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Far longer than it may take, so that this is seen, too: in pieces, or a host that stands still could take all of
    // that time away from who is to see it.
    (0..30).for_each(|_| std::thread::sleep(Duration::from_millis(50)));
    drop(lease);
    let failure = rig.finish().failure.expect("the object is not there");
    assert!(failure.message.contains("prepared-00000000.dat"), "{failure}");
}

#[test]
fn what_is_no_file_is_an_error_that_names_it_and_never_waits() {
    let fifo_engines: [fn(&mut Plan); 2] = [posix, |_| ()];
    for engine in fifo_engines {
        let directory = on_disk();
        let mut plan = reads_one(directory.path());
        engine(&mut plan);
        plan.errors.max_total_errors = 0;
        let path = object(directory.path());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, [0; 10]).unwrap();
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        std::fs::remove_file(&path).unwrap();
        mkfifoat(CWD, &path, Mode::RWXU).unwrap();
        // Nobody ever opens its other end: who waited would wait for ever.
        let failure = rig.run(0).failure.unwrap();
        let told = "prepared-00000000.dat`: it is neither a regular file nor a block device";
        assert!(failure.message.contains(told), "{failure}");
        let failure = rig.validate().unwrap_err();
        assert!(failure.message.contains(told), "{failure}");
    }
}
