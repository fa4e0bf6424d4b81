//! What stages do.

use super::*;

fn everything(base: &Path, milliseconds: u64) -> Plan {
    let tree =
        Naming::Tree(iobench_core::plan::Tree { width: 2, depth: 2, files_per_dir: 3, all_levels: false });
    let pools = vec![
        prepared(20, 10_000),
        pool("data/", Naming::Deletable, 50, 100),
        pool("new/", Naming::Put, u64::MAX, 5_000),
        pool("tree/", tree, u64::MAX, 300),
        pool("blocks/", Naming::Prepared, 2, 1 << 20),
    ];
    let entries = vec![
        entry(Operation::Get, 0),
        entry(Operation::Stat, 3),
        entry(Operation::List, 0),
        entry(Operation::Delete, 1),
        entry(Operation::Put, 2),
        entry(Operation::Read, 4),
        entry(Operation::Write, 4),
        entry(Operation::Fsync, 4),
    ];
    files(
        base,
        pools,
        vec![prepare(&[0, 1, 3, 4]), execute(milliseconds, entries), cleanup(&[0, 1, 2, 3, 4])],
    )
}

/// Does everything, on files unless it is changed to something else; longer where the host is busy with other things.
fn runs_everything(change: impl Fn(&mut Plan)) {
    if !runs_everything_in(300, &change) {
        assert!(runs_everything_in(20_000, &change), "everything was done");
    }
}

/// Whether the time was enough for everything.
fn runs_everything_in(milliseconds: u64, change: impl Fn(&mut Plan)) -> bool {
    let directory = memory();
    let mut plan = everything(directory.path(), milliseconds);
    change(&mut plan);
    let directory = (plan.target.scheme == Scheme::File).then_some(directory.path());
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let prepared = rig.run(0).done();
    assert_eq!(count(&prepared, Operation::Put), 20 + 50 + 12 + 2);
    assert_eq!(fact(&prepared, "objects"), Some("84"));
    if let Some(directory) = directory {
        assert_eq!(tree(directory).len(), 84);
    }
    let executed = rig.run(1).done();
    let wanted = [
        Operation::Get,
        Operation::Stat,
        Operation::List,
        Operation::Put,
        Operation::Read,
        Operation::Write,
        Operation::Fsync,
    ];
    let deleted = count(&executed, Operation::Delete);
    assert!(deleted <= 50, "each deletable object once");
    assert_eq!(executed.tally.errors, []);
    assert!(executed.process_cpu > 0);
    let cleaned = rig.run(2).done();
    assert_eq!(cleaned.tally.errors, []);
    if let Some(directory) = directory {
        assert!(
            !directory.join("target").exists(),
            "nothing is left, not even the directories: {:?}",
            tree(directory)
        );
    }
    deleted == 50 && wanted.iter().all(|&operation| count(&executed, operation) > 0)
}

#[test]
fn every_operation_on_files_by_io_uring() {
    runs_everything(|plan| plan.file.engine = FileEngine::Uring);
}

#[test]
fn every_operation_on_files_by_positioned_io() {
    runs_everything(posix);
}

#[test]
fn every_operation_in_memory_and_on_nothing() {
    runs_everything(|plan| plan.target = "mem://everything".parse().unwrap());
    runs_everything(|plan| {
        plan.target = "null://".parse().unwrap();
        // Nothing is missing there, so nothing is written.
        plan.stages[0].kind = StageKind::Prepare {
            pools: vec![PoolId(0), PoolId(1), PoolId(3), PoolId(4)],
            overwrite: true,
            skip_verification: false,
            settle: Duration::ZERO,
        };
    });
}

#[test]
fn without_io_uring_files_are_accessed_by_positioned_io_and_that_is_said() {
    let directory = memory();
    let plan = everything(directory.path(), 300);
    let mut rig = Rig::with_probe(plan, || Err("Operation not permitted (os error 1)".to_owned()));
    let capabilities = rig.validate().unwrap();
    assert!(
        capabilities
            .warnings
            .iter()
            .any(|warning| warning.contains("io_uring cannot be used here (Operation not"))
    );
    assert!(capabilities.facts.contains(&("engine".to_owned(), "posix".to_owned())));
    assert_eq!(count(&rig.run(0).done(), Operation::Put), 84);
    rig.set(|plan| plan.file.engine = FileEngine::Uring);
    let failure = rig.validate().unwrap_err();
    assert_eq!(failure.class, FailureClass::Config, "who insists is refused");
}

#[test]
fn prepare_keeps_what_is_right_and_writes_the_rest() {
    let directory = memory();
    let mut rig = Rig::new(files(directory.path(), vec![prepared(10, 1000)], vec![prepare(&[0])]));
    rig.validate().unwrap();
    assert_eq!(count(&rig.run(0).done(), Operation::Put), 10);
    let file = |n: u32| directory.path().join(format!("target/data/prepared-{n:08}.dat"));
    std::fs::remove_file(file(3)).unwrap();
    std::fs::write(file(5), b"too short").unwrap();
    let again = rig.run(0).done();
    assert_eq!((count(&again, Operation::Put), fact(&again, "objects")), (2, Some("10")));
    assert_eq!(std::fs::metadata(file(5)).unwrap().len(), 1000);
    rig.set(|plan| {
        plan.stages[0].kind = StageKind::Prepare {
            pools: vec![PoolId(0)],
            overwrite: true,
            skip_verification: true,
            settle: Duration::ZERO,
        };
    });
    rig.validate().unwrap();
    assert_eq!(count(&rig.run(0).done(), Operation::Put), 10, "all again when it is wanted");
}

#[test]
fn agents_share_the_work_and_write_the_same_content() {
    let (one, both) = (memory(), memory());
    let plan = |directory: &Path, index, count| {
        let mut plan = files(directory, vec![prepared(11, 3000)], vec![prepare(&[0])]);
        plan.share = Share { index, count };
        plan
    };
    let puts = |plan| {
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        count(&rig.run(0).done(), Operation::Put)
    };
    assert_eq!(puts(plan(one.path(), 0, 1)), 11);
    assert_eq!(puts(plan(both.path(), 0, 2)) + puts(plan(both.path(), 1, 2)), 11);
    for (a, b) in tree(one.path()).iter().zip(tree(both.path())) {
        assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap(), "{a} has the same content");
    }
}

#[test]
fn all_measured_intervals_together_are_the_totals() {
    let mut plan = plan(
        "null://",
        vec![prepared(1000, 4096)],
        vec![execute(450, vec![entry(Operation::Get, 0), entry(Operation::Read, 0)])],
    );
    if let StageKind::Execute { warmup, .. } = &mut plan.stages[0].kind {
        *warmup = Duration::from_millis(250);
    }
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let count = |intervals: &[Interval]| intervals.iter().map(|it| it.tally.count()).sum::<u64>();
    let begun = Instant::now();
    let ran = loop {
        let ran = rig.run(0);
        // A busy host may leave its threads no time for the one or the other.
        if (count(&ran.intervals[..3]) > 0 && ran.sum().count() > 0) || begun.elapsed() > PATIENCE {
            break ran;
        }
    };
    let (sum, intervals) = (ran.sum(), ran.intervals.clone());
    let totals = ran.done();
    assert_eq!(sum, totals.tally);
    let lengths: Vec<_> = intervals.iter().map(|i| (i.warmup, i.to.since(i.from).as_millis())).collect();
    assert_eq!(lengths[..3], [(true, 100), (true, 100), (true, 50)], "the warm-up ends when it should");
    assert_eq!(lengths[3..8], [(false, 100), (false, 100), (false, 100), (false, 100), (false, 50)]);
    let life = &intervals[8..];
    // Where a host is slow to end the threads.
    assert!(life.iter().all(|interval| interval.warmup && interval.tally.cells.is_empty()), "{life:?}");
    assert!(intervals.windows(2).all(|pair| pair[0].to == pair[1].from));
    assert_eq!(totals.from, intervals[3].from, "totals begin with the measurement");
    // What a coordinator that is behind misses in one interval comes with a later one: so is the sum the same.
    assert!(count(&intervals[3..8]) > 0);
    assert!(count(&intervals[..3]) > 0, "the warm-up did something, and none of it is in the totals");
}

#[test]
fn a_stage_ends_early_when_nothing_is_left() {
    let directory = memory();
    let mut rig = Rig::new(files(
        directory.path(),
        vec![pool("", Naming::Deletable, 100, 10)],
        vec![prepare(&[0]), execute(60_000, vec![entry(Operation::Delete, 0)])],
    ));
    rig.validate().unwrap();
    rig.run(0).done();
    let begun = Instant::now();
    let ran = rig.run(1);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    let sum = ran.sum();
    let totals = ran.done();
    assert_eq!((count(&totals, Operation::Delete), sum.count()), (100, 100));
    assert!(fact(&totals, "ended early").is_some());
    assert!(totals.to.since(totals.from) <= took, "rates are of the time it took");
}

#[test]
fn a_glob_finds_what_is_there() {
    let directory = memory();
    for (name, size) in [("a/one.dat", 10), ("a/two.dat", 20), ("a/b/three.dat", 30), ("a/other.txt", 40)] {
        let path = directory.path().join("target").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![0; size]).unwrap();
    }
    let bytes = |glob: &str| {
        let naming = Naming::Listed { glob: glob.to_owned() };
        let mut all = entry(Operation::Get, 0);
        all.pattern = Pattern::Sequential;
        let mut plan = files(directory.path(), vec![pool("", naming, 0, 0)], vec![execute(50, vec![all])]);
        plan.file.threads = Some(1);
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        let totals = rig.run_until(0, |totals| totals.tally.count() >= 100);
        totals.tally.bytes() / totals.tally.count().max(1)
    };
    assert_eq!(bytes("a/*.txt"), 40);
    assert!((14..=16).contains(&bytes("a/*.dat")), "ten and twenty in turn");
    assert!((19..=21).contains(&bytes("**/*.dat")), "ten, twenty and thirty in turn");
}

#[test]
fn data_is_made_durable_once_at_the_end() {
    let directory = memory();
    let mut plan = files(
        directory.path(),
        vec![prepared(3, 1 << 16)],
        vec![prepare(&[0]), execute(100, vec![entry(Operation::Write, 0)])],
    );
    plan.file.fsync = iobench_core::plan::Fsync::End;
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    assert_eq!(count(&rig.run(0).done(), Operation::Fsync), 1, "all together");
    let ran = rig.run(1);
    let sum = ran.sum();
    let totals = ran.done();
    assert_eq!(count(&totals, Operation::Fsync), 3, "each file");
    assert_eq!(sum, totals.tally);
}

#[test]
fn the_page_cache_can_be_dropped_before_a_stage() {
    let directory = on_disk();
    let mut plan = files(
        directory.path(),
        vec![prepared(4, 1 << 20)],
        vec![prepare(&[0]), execute(100, vec![entry(Operation::Read, 0)])],
    );
    plan.file.drop_cache = true;
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    rig.run(0).done();
    let read = |totals: &StageTotals| count(totals, Operation::Read) > 0;
    assert!(read(&rig.run_until(1, read)));
}

#[test]
fn untimed_stages_report_progress_although_nothing_moves() {
    let mut plan = plan("null://", vec![prepared(10, 1)], vec![prepare(&[0])]);
    if let StageKind::Prepare { settle, .. } = &mut plan.stages[0].kind {
        *settle = Duration::from_secs(1);
    }
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let ran = rig.ran_until(0, |ran| ran.progress.len() >= 3);
    assert!(ran.progress.len() >= 3, "{} reports", ran.progress.len());
    ran.done();
}
