//! A timed stage is set up before it begins.

use super::*;

fn mix() -> Plan {
    plan("null://", vec![prepared(10, 1)], vec![execute(200, vec![entry(Operation::Get, 0)])])
}

#[test]
fn all_that_takes_time_is_done_when_the_stage_is_told_to_run() {
    let mut plan = mix();
    plan.name = TOLD.to_owned();
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    let begun = Instant::now();
    for all in (2..).step_by(2) {
        rig.command(EngineCommand::Arm { stage: 0 });
        while SET_UP.load(Ordering::Relaxed) < all {
            assert!(begun.elapsed() < PATIENCE, "not before it runs");
            std::thread::sleep(Duration::from_millis(5));
        }
        let run = Instant::now();
        let ran = rig.run(0);
        assert_eq!(SET_UP.load(Ordering::Relaxed), all, "and only once");
        assert!(run.elapsed() >= Duration::from_millis(200), "its time begins with Run");
        if count(&ran.done(), Operation::Get) > 0 {
            return;
        }
        // A host that does something else for so long leaves no time for it.
        assert!(begun.elapsed() < PATIENCE, "nothing is done");
    }
}

#[test]
fn nothing_is_said_or_done_before_the_stage_runs_and_it_can_be_stopped() {
    let mut rig = Rig::new(mix());
    rig.validate().unwrap();
    rig.command(EngineCommand::Arm { stage: 0 });
    assert!(rig.events.recv_timeout(Duration::from_millis(500)).is_err(), "no interval, no failure");
    rig.command(EngineCommand::Stop);
    assert_eq!(rig.event(), EngineEvent::Stopped { totals: None, stuck: 0 });
    rig.validate().unwrap();
    rig.run(0).done();
}

#[test]
fn a_set_up_that_fails_says_so_and_the_stage_runs_no_more() {
    let mut plan = mix();
    plan.name = BUGGY_SET_UP.to_owned();
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    rig.command(EngineCommand::Arm { stage: 0 });
    let EngineEvent::Failed { failure, totals: None } = rig.event() else { panic!("it has not begun") };
    assert!(failure.message.contains("panicked: no set-up"), "{failure}");
    // It was on its way.
    let failure = rig.run(0).failure.unwrap();
    assert!(failure.message.contains("not part of a validated run"), "{failure}");
}
