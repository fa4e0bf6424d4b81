//! What a stage shows of what is neither an object nor a byte, and what bounds it.

use super::*;
use crate::file::uring::lease::Leased;

/// Steps in the reports of a stage whose objects are all done.
fn after_the_objects(ran: &Ran, objects: u64) -> Vec<u64> {
    ran.progress.iter().filter(|it| it.objects == objects).map(|it| it.steps).collect()
}

/// Each of several reports shows more than the one before. A host that stands still takes reports away, and the time
/// for something between them: a stage that shows it at all shows it when it is run again.
fn each_goes_on(steps: &[u64]) -> bool {
    steps.len() > 1 && steps.is_sorted_by(|before, after| before < after)
}

#[test]
fn a_rest_goes_on_report_by_report() {
    let mut plan = plan("null://", vec![prepared(10, 1)], vec![prepare(&[0])]);
    plan.interval = Duration::from_millis(200);
    if let StageKind::Prepare { settle, .. } = &mut plan.stages[0].kind {
        *settle = Duration::from_millis(900);
    }
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let goes_on = |ran: &Ran| each_goes_on(&after_the_objects(ran, 10));
    let ran = rig.ran_until(0, goes_on);
    assert!(goes_on(&ran), "{:?}", ran.progress);
    ran.done();
}

#[test]
fn a_flush_goes_on_report_by_report_after_objects_and_interval_by_interval_after_a_mix() {
    let directory = memory();
    let stages = vec![prepare(&[0]), execute(100, vec![entry(Operation::Put, 0)])];
    let mut plan = files(directory.path(), vec![pool("new/", Naming::Put, 20, 10)], stages);
    plan.name = SLOW.to_owned();
    plan.file.fsync = iobench_core::plan::Fsync::End;
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let goes_on = |ran: &Ran| each_goes_on(&after_the_objects(ran, 20));
    let ran = rig.ran_until(0, goes_on);
    assert!(goes_on(&ran), "{:?}", ran.progress);
    assert_eq!(count(&ran.done(), Operation::Fsync), 1);
    let life = |ran: &Ran| ran.intervals.iter().filter(|interval| interval.warmup).count();
    let ran = rig.ran_until(1, |ran| life(ran) > 1);
    assert!(life(&ran) > 1, "intervals while it is made durable: {:?}", ran.intervals);
    assert_eq!(count(&ran.done(), Operation::Fsync), 1);
}

#[test]
fn every_directory_that_is_removed_is_a_step() {
    let directory = memory();
    let mut plan = files(
        directory.path(),
        vec![pool("a/b/c/", Naming::Prepared, 5, 10)],
        vec![prepare(&[0]), cleanup(&[0])],
    );
    plan.name = SLOW.to_owned();
    // Longer than one removal: what goes on within one is seen in the tests above.
    plan.interval = SLOWLY + Duration::from_millis(200);
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let begun = Instant::now();
    loop {
        rig.run(0).done();
        let ran = rig.run(1);
        let steps = after_the_objects(&ran, 5);
        ran.done();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "a, b, c and the target");
        if steps.len() > 1 && steps[1] - steps[0] >= 2 {
            return;
        }
        // As above: a busy host takes reports away.
        assert!(begun.elapsed() < PATIENCE, "one went, another is going: {steps:?}");
    }
}

#[test]
fn a_flush_that_takes_longer_than_an_operation_may_ends_the_stage_whatever_its_kind() {
    for stage in [prepare(&[0]), execute(3000, vec![entry(Operation::Put, 0)])] {
        let directory = memory();
        let mut plan = files(directory.path(), vec![pool("new/", Naming::Put, 20, 10)], vec![stage]);
        plan.name = VERY_SLOW.to_owned();
        plan.file.fsync = iobench_core::plan::Fsync::End;
        // Longer than a put takes on a host that stands still for a while.
        plan.errors.operation_timeout = Duration::from_secs(3);
        plan.timeouts.abort = Duration::from_secs(1);
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        let ran = rig.run(0);
        let failure = ran.failure.unwrap();
        assert_eq!(failure.class, FailureClass::Timeout);
        assert!(
            failure.to_string().contains("the end of the stage has waited 3s for one operation")
                && failure.to_string().contains("raise `error_handling.operation_timeout`"),
            "{failure}"
        );
        let totals = ran.totals.unwrap();
        assert!(count(&totals, Operation::Put) > 0, "what was done before");
        assert_eq!(fact(&totals, "stuck operations"), Some("1"));
    }
}

#[test]
fn an_operation_in_flight_is_a_step_a_report_until_it_has_had_its_time() {
    let directory = on_disk();
    let mut plan = files(directory.path(), vec![prepared(1, 10)], vec![prepare(&[0])]);
    plan.errors.operation_timeout = Duration::from_secs(3);
    plan.interval = Duration::from_millis(200);
    posix(&mut plan);
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let _lease = Leased::new(&directory.path().join("target/data/prepared-00000000.dat"));
    rig.start(0);
    let begun = Instant::now();
    let mut steps = Vec::new();
    let mut reports_until = |so: fn(&[u64]) -> bool| {
        while !so(&steps) {
            assert!(begun.elapsed() < PATIENCE, "{steps:?}");
            let EngineEvent::Progress(progress) = rig.event() else { panic!("only reports: nothing moves") };
            assert_eq!((progress.objects, progress.bytes), (0, 0));
            steps.push(progress.steps);
        }
    };
    reports_until(|steps| steps.first() < steps.last());
    // It was given up.
    reports_until(|steps| steps.ends_with(&[steps[steps.len() - 1]; 5]));
    rig.command(EngineCommand::Stop);
    assert_eq!(rig.finish().stuck, 1);
}
