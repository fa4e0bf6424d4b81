//! 7 to 9: the controller.

use crate::judge::*;
use iobench::results::{Basis, Condition};
use iobench_core::agent::StateName;
use iobench_core::controller::{Label, Level, RunState};
use iobench_core::message::{Control, ControlMessage, FailureClass, Ping, Report};
use iobench_core::time::Mono;
use sim::faults::Fault;
use sim::state::Host;
use sim::world::{Cluster, World, simulate};
use std::time::Duration;

/// Ctrl-C once `reach` has brought the run somewhere.
fn interrupted(reach: fn(&mut World<'_>)) {
    simulate(&Cluster::of(3).set("distributed.start_delay=10s"), |world| {
        world.agent(1, |host| host.engine.prepare = s(20));
        reach(world);
        world.inject(Fault::Interrupt);
        let pressed = world.now();
        let measured = world.agents().any(|index| !world.agent(index, |host| host.engine.began().is_empty()));
        let end = world.ending();
        ended(&end, 3, Label::Aborted, &["interrupted by the user"]);
        told(world, Level::Warning, &["interrupted: stopping all agents; press again to end at once"]);
        assert!(end.at - pressed <= s(5) + ms(500), "{:?}", end.at - pressed);
        assert!(world.agents().all(|index| !world.works(index)), "all load has stopped");
        if measured {
            let stage = execute(&end.results);
            assert_eq!(stage.basis, Basis::Everything);
            let truth: u64 = world.agents().map(|index| measured_by(world, index)).sum();
            assert_eq!(operations(&stage.total.tally), truth, "final statistics came in");
            assert!(end.text.contains("NOT COMPLETED"), "{}", end.text);
        } else {
            never_measured(world, &end);
        }
        world
            .agents()
            .filter(|index| is_configured(world, *index))
            .for_each(|index| was_aborted(world, index));
    });
}

/// Whether it has heard of the run.
fn is_configured(world: &World<'_>, agent: usize) -> bool {
    let configure = |message: &ControlMessage| matches!(message.body, Control::Configure(_));
    world.agent(agent, |host| host.received.iter().any(|(_, _, message)| configure(message)))
}

fn measured_by(world: &World<'_>, agent: usize) -> u64 {
    measured(world, agent)
}

pub(crate) fn the_user_interrupts() {
    interrupted(|world| {
        world.step();
        world.inject(Fault::Hold(1));
        world.run_for(s(7));
        assert_eq!(world.controller(|host| host.state), RunState::ConnectingAll);
    });
    interrupted(|world| until_run(world, RunState::ConfigPhase));
    interrupted(|world| into_prepare(world, s(2)));
    interrupted(|world| until_run(world, RunState::CoordinatingStart));
    interrupted(|world| {
        until_run(world, RunState::WorkloadPhase);
        world.run_for(s(5));
    });
    interrupted(|world| into_workload(world, ms(7_300)));
    // It outranks a cause that has stopped the run already.
    simulate(&Cluster::of(3), |world| {
        into_prepare(world, s(1));
        world.inject(Fault::Hold(2));
        world.inject(Fault::Crash(1));
        until_run(world, RunState::CollectingResults);
        world.inject(Fault::Interrupt);
        let end = world.ending();
        ended(&end, 3, Label::Aborted, &["interrupted by the user"]);
        never_measured(world, &end);
        was_aborted(world, 0);
        world.run_until("the lease ends what is cut off", |world| !world.works(2));
    });
    // A second Ctrl-C does not wait for an agent that cannot answer; nor does the first for longer than 5 s.
    for (presses, least, most) in [(1, s(5), ms(5_100)), (2, s(2), ms(2_100))] {
        for cut in CUTS {
            simulate(&Cluster::of(3).set("duration=60s"), |world| {
                into_workload(world, s(5));
                world.inject(cut(1));
                world.run_for(s(1));
                world.inject(Fault::Interrupt);
                let pressed = world.now();
                if presses == 2 {
                    world.run_for(s(2));
                    world.inject(Fault::Interrupt);
                }
                let end = world.ending();
                ended(&end, 3, Label::Aborted, &["interrupted by the user", "agent-1"]);
                assert!((least..=most).contains(&(end.at - pressed)), "{:?}", end.at - pressed);
                assert!(!world.works(0) && !world.works(2), "who can hear has stopped");
                world.run_until("the lease ends what is cut off", |world| !world.works(1));
                assert!(load_ended(world, 1) <= pressed + s(31), "{:?}", load_ended(world, 1) - pressed);
            });
        }
    }
}

/// The controller dies where `reach` has brought the run.
fn controller_dies(fault: Fault, reach: fn(&mut World<'_>), stale_pings: bool) {
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        world.agent(1, |host| host.engine.prepare = s(20));
        reach(world);
        let measured = world.agents().all(|index| !world.agent(index, |host| host.engine.began().is_empty()));
        let heard = Mono(world.agent(0, |host| host.clock.at(world_nanos(world)).mono.0));
        world.inject(fault.clone());
        let died = world.now();
        let lease = if fault == Fault::CrashController { s(1) } else { s(60) };
        while world.agents().any(|index| world.agent(index, |host| host.state != StateName::Idle)) {
            assert!(
                world.now() - died <= lease + s(15),
                "agents are not idle {:?} later",
                world.now() - died
            );
            if stale_pings {
                stale_ping(world, 0, heard);
            }
            world.run_for(s(1));
        }
        for agent in world.agents() {
            assert!(!world.works(agent));
            let last = world.agent(agent, |host| host.engine.loads.last().and_then(|load| load.ended));
            assert!(last.is_none_or(|ended| ended <= died + s(30) + ms(100)), "{last:?}");
            let lost =
                world.agent(agent, |host| host.states.iter().any(|(_, state)| *state == StateName::Error));
            assert!(lost, "agent {agent} ends as ERROR");
            // Its last words, which nobody hears, are with what it keeps, if it has anything to keep.
            let kept = world.agent(agent, |host| {
                host.kept.iter().map(|(_, run)| run.messages.clone()).collect::<Vec<_>>()
            });
            if measured {
                assert_eq!(kept.len(), 1, "agent {agent} keeps its results");
            }
            for messages in kept {
                let Some(Report::Error { failure, totals }) = messages.last().map(|it| &it.body) else {
                    panic!("agent {agent} keeps {messages:?}")
                };
                assert_eq!(failure.class, FailureClass::ControllerLost);
                let last = totals.last().filter(|_| measured).map(|totals| operations(&totals.tally));
                assert!(
                    last.is_none_or(|last| last == measured_by(world, agent)),
                    "all that it measured: {last:?}"
                );
            }
        }
        let (results, text, _) = world.results(0, Condition::Interrupted);
        assert_eq!(results.outcome.label, Label::Partial, "{text}");
        for words in
            ["the controller was interrupted before the run ended", "as an interrupted controller left them"]
        {
            assert!(text.contains(words), "{text}");
        }
        if measured {
            assert!(
                operations(&execute(&results).total.tally) >= 1_500,
                "what it had journalled is there: {text}"
            );
        }
        for agent in world.agents() {
            world.inject(Fault::Repair(agent));
        }
        // The next run has a host of its own, which nothing was cut off from.
        serves_again(world);
    });
}

fn world_nanos(world: &World<'_>) -> u64 {
    iobench_core::time::nanos(world.now())
}

/// A Ping that was on its way for ever so long: it echoes nothing new.
fn stale_ping(world: &mut World<'_>, agent: usize, newest: Mono) {
    let (stream, configure) = received(world, agent, |body| matches!(body, Control::Configure(_)));
    let ping = Ping { number: 1, stamp: Mono(1), newest: Some(newest), again_from: None };
    let message = ControlMessage { body: Control::Ping(ping), ..configure };
    world.tell_agent(agent, stream, message);
}

pub(crate) fn the_controller_dies() {
    let phases: [fn(&mut World<'_>); 4] = [
        |world| world.until_all(StateName::ConfigReceived),
        |world| into_prepare(world, s(2)),
        |world| {
            until_run(world, RunState::WorkloadPhase);
            world.run_for(ms(500));
        },
        |world| into_workload(world, ms(7_300)),
    ];
    for reach in phases {
        controller_dies(Fault::CrashController, reach, false);
        controller_dies(Fault::VanishController, reach, false);
    }
    controller_dies(Fault::VanishController, phases[1], true);
    controller_dies(Fault::VanishController, phases[3], true);
}

/// A process stops for a while where `reach` has brought the run, and nobody fails for it.
///
/// `gap`: how long a person at the controller waits for news.
fn stalls(host: Host, time: Duration, gap: Option<u64>, reach: fn(&mut World<'_>)) {
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        for agent in world.agents() {
            world.agent(agent, |host| host.engine.prepare = s(40));
        }
        reach(world);
        world.inject(Fault::Stall(host, time));
        let others: Vec<usize> = world.agents().filter(|index| Host::Agent(*index) != host).collect();
        world.run_for(time - s(1));
        assert!(others.iter().all(|index| world.works(*index)), "agents keep running");
        let end = world.ending();
        all_completed(world, &end);
        assert!(world.told(Level::Error).is_empty(), "{:?}", world.told(Level::Error));
        let screen = world.controller(|host| host.screen.clone());
        let gaps: Vec<_> = screen.lines().filter_map(|line| line.split_once(", after ")).collect();
        let seconds =
            |text: &str| text.strip_suffix(" s without news").and_then(|text| text.parse::<u64>().ok());
        match (gap, &*gaps) {
            (None, []) => {}
            (Some(gap), [(_, text)]) if seconds(text).is_some_and(|it| it.abs_diff(gap) <= 5) => {}
            _ => panic!("a gap of {gap:?} s is shown as {gaps:?}:\n{screen}"),
        }
    });
}

pub(crate) fn a_process_stalls() {
    for reach in
        [(|world| into_prepare(world, s(5))) as fn(&mut World<'_>), |world| into_workload(world, s(10))]
    {
        stalls(Host::Controller(0), s(20), Some(20), reach);
        stalls(Host::Agent(1), s(20), None, reach);
    }
    // The agents begin on their own clocks while the controller stands.
    stalls(Host::Controller(0), s(20), None, |world| until_run(world, RunState::WorkloadPhase));
    // An agent that stands over its start begins when it goes on, and the results say how late.
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        until_run(world, RunState::WorkloadPhase);
        world.run_for(ms(500));
        world.inject(Fault::Stall(Host::Agent(1), s(20)));
        let end = world.ending();
        all_completed(world, &end);
        told(
            world,
            Level::Warning,
            &["agent-1 (agent-1:7420) has sent no statistics for 10 s after the start"],
        );
        let skews: Vec<_> = end.outcome.starts[0].skews.iter().map(|skew| skew.expect("measured")).collect();
        assert!(skews[0].nanos.abs() < 50_000_000 && skews[2].nanos.abs() < 50_000_000, "{skews:?}");
        assert!((18_400_000_000..18_600_000_000).contains(&skews[1].nanos), "{skews:?}");
        assert!(end.text.contains("started +18.5"), "{}", end.text);
    });
    // If it stands when Start arrives, the instant is past when it can read it: refused, and the others go on.
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        until_run(world, RunState::WorkloadPhase);
        world.inject(Fault::Stall(Host::Agent(1), s(8)));
        let end = world.ending();
        ended(
            &end,
            2,
            Label::Partial,
            &["agent agent-1 failed: the start instant is 6.", "raise start_delay"],
        );
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
    });
}
