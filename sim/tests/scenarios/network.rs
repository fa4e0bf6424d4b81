//! 1 to 3: the network.

use crate::judge::*;
use iobench_core::agent::StateName;
use iobench_core::controller::{AgentEnd, AgentState, Label, Level};
use sim::faults::Fault;
use sim::state::AgentHost;
use sim::world::{Cluster, World, simulate};
use std::time::Duration;

/// One agent of three cannot be reached, as `breaks` makes it; the run is given up after `time`.
fn unreachable(cluster: &Cluster, address: &str, cause: &str, time: (u64, u64), breaks: fn(&mut World<'_>)) {
    simulate(cluster, |world| {
        world.disturb(None);
        breaks(world);
        let end = world.ending();
        ended(&end, 4, Label::Aborted, &[address, "cannot be reached after 4 attempts", cause, "port open?"]);
        told(world, Level::Error, &[address, "4 attempts", cause]);
        for (attempt, pause) in [("1", "1s"), ("2", "2s"), ("3", "4s")] {
            told(
                world,
                Level::Warning,
                &[address, &format!("attempt {attempt} failed"), &format!("next in {pause}")],
            );
        }
        assert!((s(time.0)..=s(time.1)).contains(&end.at), "{:?}", end.at);
        assert_eq!(end.outcome.agents[2].end, AgentEnd::Failed);
        never_touched(world);
        for agent in [0, 1] {
            was_aborted(world, agent);
            assert_eq!(end.outcome.agents[agent].end, AgentEnd::Aborted);
        }
        assert!(end.results.stages.is_empty());
    });
}

pub(crate) fn an_agent_cannot_be_reached() {
    let three = Cluster::of(3);
    unreachable(&three, "agent-2:7420", "refused", (7, 9), |world| world.agent(2, |host| host.absent = true));
    unreachable(&three, "agent-2:7420", "no TCP connection within 5s", (27, 29), |world| {
        world.step();
        world.inject(Fault::Hold(2));
    });
    unreachable(&three, "agent-2:7420", "connected, but no stream within 15s", (67, 69), |world| {
        world.step();
        world.inject(Fault::PartitionToController(2));
    });
    let misnamed = Cluster { agents: 2, ..Cluster::of(2) };
    let misnamed = misnamed.naming("['agent-0:7420', 'agent-1:7420', 'agnet-2:7420']");
    unreachable(&misnamed, "agnet-2:7420", "Name or service not known", (7, 9), |_| {});
}

/// Agent 1 of three is lost 10 s into a workload of a minute.
///
/// `ran`: how long the controller hears of its load.
fn lost(fault: Fault, seen_within: Duration, ran: u64, alive: bool) {
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        into_workload(world, ms(10_500));
        world.inject(fault.clone());
        let cut = world.now();
        let seen = until_seen(world, 1, AgentState::Failed);
        assert!(seen - cut <= seen_within, "noticed after {:?}", seen - cut);
        assert!(world.works(0) && world.works(2), "the others go on");
        if alive {
            world.run_until("the lease ends its load", |world| !world.works(1));
        }
        assert!(load_ended(world, 1) - cut <= s(30) + ms(100), "{:?}", load_ended(world, 1) - cut);
        let end = world.ending();
        ended(
            &end,
            2,
            Label::Partial,
            &["2 of 3 agents completed", "agent agent-1 failed", "not in the result: agent-1 measured"],
        );
        told(world, Level::Error, &["agent-1 (agent-1:7420)", &format!("failed after {ran} s of 60 s")]);
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
        let (kept, counts) = share(&end.results, 1).expect("its acknowledged intervals are kept");
        assert!(!counts && (ran * 100 - 1..=ran * 100 + 100).contains(&kept), "{kept}");
        assert!(kept >= acknowledged(world, 1), "{kept}");
        assert_eq!(end.outcome.agents[1].ran / 1_000_000_000, ran);
        let coverage = (120 + ran) * 1_000_000 / 180;
        assert!(
            u64::from(end.outcome.coverage_ppm).abs_diff(coverage) < 6_000,
            "{}",
            end.outcome.coverage_ppm
        );
        if alive {
            // Who still hears the controller is told to stop.
            let heard = matches!(fault, Fault::PartitionToController(_));
            let ends = if heard { StateName::Aborted } else { StateName::Error };
            let as_it_should = |it: &AgentHost| it.states.iter().any(|(_, state)| *state == ends);
            assert!(world.agent(1, |host| as_it_should(host)), "it ends as {ends}");
            assert_eq!(world.agent(1, |host| host.kept.len()), 1, "it keeps what nobody confirmed");
            world.inject(Fault::Repair(1));
            world.inject(Fault::Release(1));
            serves_again(world);
        }
    });
}

pub(crate) fn a_stream_breaks() {
    for cut in CUTS {
        lost(cut(1), s(26), 10, true);
    }
    // It hears pings all the time, but no echo of what it says.
    lost(Fault::PartitionToController(1), s(26), 10, true);
    // It is heard until its lease runs out.
    lost(Fault::PartitionToAgent(1), s(31), 39, true);
    // Its process lives: its end is closed (FIN), or both are reset (RST).
    lost(Fault::Close(1), s(2), 10, true);
    lost(Fault::Reset(1), s(2), 10, true);
    lost(Fault::Crash(1), s(1), 10, false);
    lost(Fault::Vanish(1), s(26), 10, false);
}

pub(crate) fn high_latency() {
    let slow = Cluster { latency: (ms(2_000), ms(2_400)), ..Cluster::of(3).set("duration=150s") };
    simulate(&slow, |world| {
        let end = world.ending();
        all_completed(world, &end);
        let minutes = usize::try_from(end.at.as_secs() / 60).expect("few") + 1;
        for agent in ["agent-0", "agent-1", "agent-2"] {
            let warned = times_told(world, &[agent, "high latency, round trip 4."]);
            assert!((minutes - 1..=minutes).contains(&warned), "{agent}: {warned} in {minutes} minutes");
        }
        assert!(world.told(Level::Error).is_empty(), "{:?}", world.told(Level::Error));
    });
    // Quick at first: the slow network comes in the middle of the workload, with jitter.
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        into_workload(world, s(5));
        for agent in world.agents() {
            world.inject(Fault::Latency(agent, s(2)));
            world.inject(Fault::Jitter(agent, ms(2_400)));
        }
        let end = world.ending();
        all_completed(world, &end);
        told(world, Level::Warning, &["agent-1", "high latency", "nothing is lost by it"]);
    });
}
