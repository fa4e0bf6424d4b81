//! 10 to 13: timing.

use crate::judge::*;
use iobench_core::agent::StateName;
use iobench_core::controller::{Label, Level, RunState};
use iobench_core::message::{Control, ControlMessage, FailureClass, Report, StartAt};
use iobench_core::time::{Mono, nanos};
use sim::faults::Fault;
use sim::state::Host;
use sim::world::{Cluster, World, simulate};
use std::time::Duration;

pub(crate) fn abort_before_the_start() {
    simulate(&Cluster::of(3).set("distributed.start_delay=10s"), |world| {
        until_run(world, RunState::WorkloadPhase);
        world.run_for(s(4));
        assert!(world.agents().all(|index| world.agent(index, |host| host.state == StateName::Ready)));
        world.inject(Fault::Interrupt);
        let at = world.now();
        world.run_until("all agents have stopped waiting", |world| {
            world.agents().all(|index| world.agent(index, |host| host.state != StateName::Ready))
        });
        assert!(world.now() - at <= ms(50), "the wait ends at once: {:?}", world.now() - at);
        let end = world.ending();
        ended(&end, 3, Label::Aborted, &["interrupted by the user"]);
        assert!(end.at - at <= s(1));
        world.run_for(s(20));
        never_measured(world, &end);
        world.agents().for_each(|index| was_aborted(world, index));
        world.until_all(StateName::Idle);
    });
}

/// Start reaches agent 0 a second time, where `reach` has brought the run.
///
/// `warned`: how often it is told. What comes on a stream that is over is not even looked at.
fn started_again(duration: &str, warned: usize, reach: fn(&mut World<'_>)) {
    simulate(&Cluster::of(3).set(format!("duration={duration}")), |world| {
        reach(world);
        let (stream, start) = received(world, 0, |body| matches!(body, Control::Start { .. }));
        for _ in 0..3 {
            world.tell_agent(0, stream, start.clone());
            world.run_for(ms(300));
        }
        let end = world.ending();
        all_completed(world, &end);
        assert_eq!(world.agent(0, |host| host.engine.began().len()), 1, "nothing restarts");
        let told = world.agent(0, |host| host.warnings.clone());
        assert_eq!(told.len(), warned, "{told:?}");
        assert!(told.iter().all(|text| text.contains("repeated or late Start")), "{told:?}");
        assert_eq!(world.agent(0, |host| host.readies(host.run)), 1);
    });
}

pub(crate) fn a_second_start() {
    started_again("20s", 1, |world| into_workload(world, s(5)));
    started_again("1s", 1, |world| {
        world.run_until("the first agent is done", |world| {
            world.agent(0, |host| host.state == StateName::Completed)
        });
    });
    started_again("1s", 0, |world| {
        into_workload(world, ms(100));
        world.run_until("the first agent is idle", |world| {
            world.agent(0, |host| host.state == StateName::Idle)
        });
    });
}

/// Agent 1's numbers begin so near their end that the run cannot be carried out.
fn exhausted(left: u64, exit: u8, label: Label) {
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.first_sequence = u64::MAX - left);
        world.disturb(Some(1));
        let end = world.ending();
        ended(&end, exit, label, &["agent-1", "the sequence numbers of this run are used up"]);
        let sent: Vec<_> =
            world.agent(1, |host| host.sent.iter().map(|(_, message)| message.clone()).collect());
        let last = sent.last().expect("it spoke");
        assert_eq!(last.sequence, u64::MAX, "it never wraps");
        assert!(
            matches!(&last.body, Report::Error { failure, .. } if failure.class == FailureClass::Protocol)
        );
        assert!(sent.windows(2).all(|two| two[0].sequence < two[1].sequence));
        let errors = sent.iter().filter(|message| message.body.is_terminal()).count();
        assert_eq!(errors, 1, "counted once");
        assert!(!world.works(1));
        if label == Label::Partial {
            only_failed(&end, &[1]);
            totals_are_true(world, &end);
            let (kept, counts) = share(&end.results, 1).expect("what it measured is kept");
            assert!(!counts && kept == measured(world, 1), "{kept}");
        } else {
            never_measured(world, &end);
        }
    });
}

pub(crate) fn sequence_numbers_end() {
    exhausted(10, 5, Label::Aborted);
    exhausted(30, 2, Label::Partial);
    // With one number more than it needs, nobody notices.
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.first_sequence = u64::MAX - 60);
        let end = world.ending();
        all_completed(world, &end);
    });
}

/// The wall clocks 10 s apart, the crystals 200 ppm, NTP steps in mid-run; a preparation of so long.
fn skewed(prepare: Duration) {
    let cluster = Cluster { latency: (ms(1), ms(6)), ..Cluster::of(3) };
    simulate(&cluster, |world| {
        for agent in world.agents() {
            world.agent(agent, |host| host.engine.prepare = prepare);
        }
        let second = 1_000_000_000;
        for (host, skew, ppm) in [
            (Host::Agent(0), -10 * second, 200),
            (Host::Agent(1), 10 * second, -200),
            (Host::Controller(0), 3 * second, 100),
        ] {
            world.inject(Fault::StepClock(host, skew));
            world.inject(Fault::Drift(host, ppm));
        }
        world.run_for(prepare);
        world.inject(Fault::StepClock(Host::Agent(2), 7 * second));
        world.run_until("the start is set", |world| {
            world.agents().all(|index| world.agent(index, |host| host.state == StateName::Ready))
                && world.controller(|host| host.state == RunState::WorkloadPhase)
        });
        world.inject(Fault::StepClock(Host::Agent(1), -20 * second));
        world.inject(Fault::StepClock(Host::Controller(0), -5 * second));
        into_workload(world, s(5));
        world.inject(Fault::StepClock(Host::Agent(0), 20 * second));
        let end = world.ending();
        all_completed(world, &end);
        let began: Vec<_> =
            world.agents().map(|index| world.agent(index, |host| host.engine.began()[0])).collect();
        let (first, last) = (began.iter().min().expect("three"), began.iter().max().expect("three"));
        assert!(*last - *first <= ms(50), "they begin {:?} apart: {began:?}", *last - *first);
        // What the results say of the skew is true within what they say of its error; against each other, so that
        // the controller's own clock does not matter.
        let skews: Vec<_> = end.outcome.starts[0].skews.iter().map(|skew| skew.expect("measured")).collect();
        for (index, skew) in skews.iter().enumerate() {
            let said = skew.nanos - skews[0].nanos;
            let truth = nanos(began[index]).cast_signed() - nanos(began[0]).cast_signed();
            let bound = skew.bound + skews[0].bound + 3_000_000;
            assert!(said.abs_diff(truth) <= bound, "agent {index}: {said} said, {truth} true, ± {bound}");
            assert!(skew.bound <= 15_000_000, "{skew:?}");
            // Against the instant that the controller set, on its own clock: a tick of the simulation apart.
            let at = end.outcome.starts[0].at;
            let shown = world.controller(|host| host.clock.at(nanos(began[index]))).mono;
            let truth = shown.0.cast_signed() - at.0.cast_signed();
            assert!(
                skew.nanos.abs_diff(truth) <= skew.bound + 3_000_000,
                "agent {index}: {skew:?}, {truth} true"
            );
        }
        assert!(end.text.contains(", started ") && end.text.contains(" ± "), "{}", end.text);
    });
}

/// A Start for an instant so far from now reaches agent 1 before the real one.
fn start_refused(ahead: i64, words: &str) {
    simulate(&Cluster::of(3), |world| {
        world.run_until("READY", |world| world.agent(1, |host| host.state == StateName::Ready));
        world.inject(Fault::Hold(1));
        let (stream, configure) = received(world, 1, |body| matches!(body, Control::Configure(_)));
        let now = world.agent(1, |host| host.clock.at(nanos(world.now())));
        let at = StartAt { mono: Mono(now.mono.0.saturating_add_signed(ahead)), unix: now.unix };
        let start = ControlMessage { body: Control::Start { stage: 1, at: Some(at) }, ..configure };
        world.tell_agent(1, stream, start);
        world.run_for(s(1));
        world.inject(Fault::Release(1));
        let end = world.ending();
        ended(&end, 5, Label::Aborted, &["agent-1", "the start instant is", words, "raise start_delay"]);
        told(world, Level::Error, &["agent-1 (agent-1:7420)", words]);
        never_measured(world, &end);
        assert!(world.agent(1, |host| host.states.iter().any(|(_, state)| *state == StateName::Error)));
        [0, 2].into_iter().for_each(|index| was_aborted(world, index));
    });
}

pub(crate) fn clocks_are_skewed() {
    skewed(s(10));
    skewed(s(3600));
    start_refused(-20_000_000, "in the past");
    start_refused(301_000_000_000, "301 s ahead, more than 300 s");
}
