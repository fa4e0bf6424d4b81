//! How a stage takes threads that are late, and its own absence. Threads work in earnest; the stage's time is modelled.

use super::*;
use crate::engine::tests::{execute_gets, plan, prepared};
use crate::engine::validate::{Limits, validate};
use iobench_core::message::Configure;
use iobench_core::stats::Operation;
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;

/// A timed stage of two threads whose work is over, and what they said at their end, which has not arrived. Both have
/// done something: a host may be too busy for that at the first try.
fn over() -> (Stage, Vec<(usize, Report)>) {
    let both = |stage: &Stage| {
        let mut counted = stage.threads.iter().map(|thread| thread.shared.counted.load(Ordering::Relaxed));
        counted.all(|counted| counted > 0)
    };
    (0..100).map(|_| once_over()).find(|(stage, _)| both(stage)).expect("work in ten seconds")
}

fn once_over() -> (Stage, Vec<(usize, Report)>) {
    let mut plan = plan("null://", vec![prepared(10, 1)], vec![execute_gets(100)]);
    // Even an abort within a millisecond is no reason to hurry threads at the end.
    plan.timeouts.abort = Duration::from_millis(1);
    plan.interval = Duration::from_millis(50);
    let limits = Limits { probe: crate::file::uring::probe };
    let loaded = validate(&Configure::default(), &move |_: &Configure| Ok(plan.clone()), limits);
    let prepared = Arc::new(loaded.expect("a valid plan").0);
    let (sender, reports) = channel();
    let report = |thread| {
        let sender = sender.clone();
        move |report| drop(sender.send((thread, report)))
    };
    let clock = Clock(Instant::now());
    let mut stage = Stage::start(&prepared, 0, clock, (Stops::default(), 0), report).expect("threads");
    let mut held = Vec::new();
    let mut finished = 0;
    while finished < stage.threads.len() {
        let (thread, report) = reports.recv().expect("a report");
        finished += usize::from(matches!(report, Report::Finished { .. }));
        match report {
            Report::Ready(_) => stage.reported(thread, report),
            report => held.push((thread, report)),
        }
    }
    stage.looked = stage.timeline.expect("it is timed").end();
    (stage, held)
}

/// Ticks at the usual pace from the end of the stage on, for so long; gives how it ended and when.
fn ticks(stage: &mut Stage, from: u64, long: u64) -> Option<(Ended, u64)> {
    (from..=from + long)
        .step_by(TICK as usize)
        .find_map(|now| stage.tick_at(now, &mut |_| ()).map(|ended| (ended, now)))
}

fn counted(ended: &Ended) -> u64 {
    ended.totals.tally.count()
}

#[test]
fn a_stage_that_was_absent_over_its_end_takes_what_its_threads_have_to_say() {
    let (mut stage, held) = over();
    let end = stage.timeline.expect("it is timed").end();
    stage.looked = end - SECOND / 20;
    let back = end + 10 * SECOND;
    assert!(ticks(&mut stage, back, PATIENCE - TICK).is_none(), "they have the whole patience from now on");
    let all: u64 = stage.threads.iter().map(|thread| thread.shared.counted.load(Ordering::Relaxed)).sum();
    held.into_iter().for_each(|(thread, report)| stage.reported(thread, report));
    let (ended, _) = ticks(&mut stage, back + PATIENCE, 0).expect("all have ended");
    assert_eq!((ended.failure.clone(), counted(&ended)), (None, all));
    assert!(ended.totals.lag > 9 * SECOND, "and it says that it stood still: {}", ended.totals.lag);
}

#[test]
fn counts_that_never_come_fail_the_stage_with_their_number_and_what_the_others_did() {
    let (mut stage, held) = over();
    let end = stage.timeline.expect("it is timed").end();
    let late = held.iter().filter(|(thread, _)| *thread == 1).count();
    assert!(late > 1);
    for (thread, report) in held.into_iter().filter(|(thread, _)| *thread == 0) {
        stage.reported(thread, report);
    }
    let missing = stage.threads[1].shared.counted.load(Ordering::Relaxed);
    let (ended, at) = ticks(&mut stage, end, 2 * PATIENCE).expect("patience has an end");
    assert_eq!(at, end + PATIENCE);
    let failure = ended.failure.clone().expect("it is not complete");
    assert_eq!(failure.class, FailureClass::Storage);
    let told = format!(
        "1 of 2 threads did not come back within 3 s of the end of the stage: the counts of {missing} op"
    );
    assert!(failure.message.contains(&told), "{failure}");
    assert_eq!(counted(&ended), stage.threads[0].counted, "what the other one did");
}

#[test]
fn what_a_thread_counted_that_is_stuck_since_the_warm_up_is_missed_by_nobody() {
    let (mut stage, held) = over();
    let end = stage.timeline.expect("it is timed").end();
    for (thread, report) in held.into_iter().filter(|(thread, _)| *thread == 0) {
        stage.reported(thread, report);
    }
    let measured_from = stage.timeline.expect("it is timed").measured_from();
    assert!(stage.threads[1].shared.settled.load(Ordering::Relaxed) >= measured_from, "it was not");
    stage.threads[1].shared.settled.store(measured_from - 1, Ordering::Relaxed);
    let (ended, at) = ticks(&mut stage, end, 2 * PATIENCE).expect("patience has an end");
    assert_eq!((at, ended.failure.clone()), (end + PATIENCE, None));
}

#[test]
fn a_flush_is_not_judged_by_the_time_in_which_this_process_stood_still() {
    let (mut stage, held) = over();
    let end = stage.timeline.expect("it is timed").end();
    let finished = |report: &Report| matches!(report, Report::Finished { .. });
    let said = held.into_iter().filter(|(thread, report)| *thread == 0 || !finished(report));
    said.for_each(|(thread, report)| stage.reported(thread, report));
    let limit = nanos(stage.prepared.plan.errors.operation_timeout);
    stage.threads[1].shared.held.store(end, Ordering::Relaxed);
    let back = end + 2 * limit;
    assert!(ticks(&mut stage, back, limit).is_none(), "it has all its time from now on");
    let (ended, _) = ticks(&mut stage, back + limit + TICK, TICK).expect("its time is up");
    let failure = ended.failure.expect("it has failed");
    assert!(failure.message.contains("has waited 120s for one operation"), "{failure}");
}

#[test]
fn a_thread_that_is_stuck_and_has_nothing_more_to_say_fails_no_stage() {
    let (mut stage, held) = over();
    let end = stage.timeline.expect("it is timed").end();
    for (thread, report) in held {
        match report {
            Report::Drained { counts, .. } if thread == 1 => drop(stage.count(thread, *counts)),
            Report::Finished { .. } if thread == 1 => {}
            report => stage.reported(thread, report),
        }
    }
    // As one in a system call shows itself.
    stage.threads[1].shared.finished.store(false, Ordering::Relaxed);
    stage.threads[1].shared.in_flight.store(4, Ordering::Relaxed);
    stage.threads[1].shared.given_up.store(3, Ordering::Relaxed);
    let before = stage.totals.tally().cancelled;
    let (ended, at) = ticks(&mut stage, end, 2 * PATIENCE).expect("patience has an end");
    assert_eq!((at, ended.failure.clone(), ended.abandoned.len()), (end + PATIENCE, None, 1));
    assert_eq!(ended.totals.tally.cancelled, before + 1, "three were given up and are counted as that");
}

#[test]
fn what_was_done_after_the_work_is_in_an_interval_that_counts_whenever_it_comes() {
    let (mut stage, held) = over();
    let end = stage.timeline.expect("it is timed").end();
    let (finished, drained): (Vec<_>, _) =
        held.into_iter().partition(|(_, report)| matches!(report, Report::Finished { .. }));
    drained.into_iter().for_each(|(thread, report)| stage.reported(thread, report));
    assert!(ticks(&mut stage, end, 0).is_none(), "it is not made durable yet");
    for (thread, _) in finished {
        let mut after = Box::new(Recorder::new(&[]));
        after.record(Operation::Fsync, 0, 1);
        stage.reported(thread, Report::Finished { after: (thread == 0).then_some(after) });
    }
    let mut counted = 0;
    // A sign of life is due at the same time.
    let due = end + SECOND;
    let ended = stage.tick_at(due, &mut |event| {
        if let EngineEvent::Interval(interval) = event
            && !interval.warmup
        {
            counted += interval.tally.count();
        }
    });
    assert!(ended.is_some());
    assert_eq!(counted, 1);
}
