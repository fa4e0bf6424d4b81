//! 17 to 19: protocol hygiene.

use crate::judge::*;
use iobench_core::agent::StateName;
use iobench_core::config;
use iobench_core::controller::{AgentEnd, AgentState, Label, Level};
use iobench_core::message::{AgentMessage, Report};
use sim::faults::Fault;
use sim::state::Tampering;
use sim::world::{Cluster, World, simulate};

/// The first answer to a ping after READY is READY again; all state messages come twice where a number is free.
fn repeating(memory: &mut Tampering, message: AgentMessage) -> Vec<AgentMessage> {
    match &message.body {
        Report::Ready { .. } => {
            memory.added = 1;
            vec![message]
        }
        Report::Acknowledge(pong) if memory.added == 1 => {
            memory.added = 2;
            let body = Report::Ready { unix: iobench_core::time::Unix(pong.sent.0) };
            vec![AgentMessage { body, ..message }]
        }
        Report::Completed { .. } => {
            let again = AgentMessage { sequence: message.sequence + 1, ..message.clone() };
            let once_more = AgentMessage { sequence: message.sequence + 2, ..message.clone() };
            vec![message, again, once_more]
        }
        _ => vec![message],
    }
}

pub(crate) fn messages_are_repeated() {
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.tamper = Some(repeating));
        world.disturb(Some(1));
        let end = world.ending();
        all_completed(world, &end);
        assert_eq!(
            times_told(world, &["agent-1", "only repeats what is known; ignored"]),
            1,
            "warned about once"
        );
        let entered = |wanted: AgentState| {
            world.controller(|host| {
                host.agent_states.iter().filter(|(_, who, to)| (*who, *to) == (1, wanted)).count()
            })
        };
        assert_eq!((entered(AgentState::Ready), entered(AgentState::Completed)), (1, 1), "idempotent");
        assert_eq!(end.outcome.agents[1].invalid, 0);
    });
    // A correct agent says READY once a run: in every run that it serves, and delivered again after the end.
    simulate(&Cluster::of(3), |world| {
        world.run_until("the first agent is over", |world| {
            world.controller(|host| host.agents[0] == AgentState::Completed)
        });
        let stream = received(world, 0, |_| true).0;
        let (ready, last) = world.agent(0, |host| {
            let ready = host.sent.iter().find(|(_, message)| matches!(message.body, Report::Ready { .. }));
            let last = host.sent.last().map_or(0, |(_, message)| message.sequence);
            (ready.expect("it said so").1.clone(), last)
        });
        for later in 1..=2 {
            world.tell_controller(0, stream, AgentMessage { sequence: last + later, ..ready.clone() });
        }
        let end = world.ending();
        all_completed(world, &end);
        assert_eq!(times_told(world, &["agent-0", "only repeats what is known; ignored"]), 1);
        serves_again(world);
        for agent in world.agents() {
            for run in [0x1000, 0x1001] {
                let run = iobench_core::message::RunId(run);
                assert_eq!(world.agent(agent, |host| host.readies(run)), 1, "agent {agent}");
            }
        }
    });
}

/// Agents that are not what the configuration says are refused by name before any storage is touched.
fn refused(world: &mut World<'_>, controller: usize, words: &[&str]) {
    let end = world.ending_of(controller);
    ended(&end, 4, Label::Aborted, words);
    assert!(end.at < s(12), "{:?}", end.at);
    assert!(end.results.stages.is_empty(), "{}", end.text);
}

pub(crate) fn an_agent_is_missing_in_silence() {
    // Two names lead to one agent.
    let cluster = Cluster::of(2).naming("['agent-0:7420', 'agent-1:7420', 'other-name:7420']");
    simulate(&cluster, |world| {
        world.disturb(None);
        world.alias("other-name", "agent-1");
        refused(
            world,
            0,
            &["two configured addresses lead to this one agent", "give each agent its own address"],
        );
        let named = |name: &str| world.told(Level::Error).iter().any(|text| text.contains(name));
        assert!(named("agent-1:7420") || named("other-name:7420"), "{:?}", world.told(Level::Error));
        never_touched(world);
        world.until_all(StateName::Idle);
    });
    // Two agents bear one id, or are one address: the configuration is refused with its line, before anybody is asked.
    for agents in ["[{id: a, address: 'h1:1'}, {id: a, address: 'h2:1'}]", "['h1:1', 'h1:1']"] {
        let Cluster { yaml, .. } = Cluster::of(2);
        let setting = format!("distributed.agents={agents}");
        let error = config::load(&yaml, &[setting], "simulated.yaml").expect_err("refused").to_string();
        assert!(error.contains("distributed.agents"), "{error}");
    }
    // The port of a second agent on one host is taken: it ends with a sentence, and nobody listens for it elsewhere.
    simulate(&Cluster::of(3), |world| {
        a_port_is_taken();
        world.agent(2, |host| host.absent = true);
        world.disturb(Some(2));
        refused(world, 0, &["agent-2:7420", "cannot be reached after 4 attempts"]);
        never_touched(world);
    });
    // An agent is busy with another controller's run, which is not disturbed.
    simulate(&Cluster::of(3), |world| {
        into_workload(world, s(5));
        let (yaml, overrides) =
            world.controller(|host| (host.order.yaml.clone(), host.order.overrides.clone()));
        let second = world.order(&yaml, &overrides);
        let asked = world.now();
        let refusal = world.ending_of(second);
        ended(
            &refusal,
            4,
            Label::Aborted,
            &["agent-0", "run 00000000000000000000000000001000 holds this agent for", "wait for it to end"],
        );
        assert!(refusal.at - asked < s(2));
        assert!(world.agents().all(|index| world.works(index)), "its own run is not disturbed");
        let end = world.ending();
        all_completed(world, &end);
        assert!(world.agents().all(|index| world.agent(index, |host| host.engine.began().len() == 1)));
    });
}

/// On the real network, as an agent's process asks for it.
fn a_port_is_taken() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("sockets");
    runtime.block_on(async {
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let (bound, _first) = iobench::grpc::listen(any).await.expect("a free port");
        let error = iobench::grpc::listen(bound).await.err().expect("the port is taken");
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    });
}

pub(crate) fn most_agents_fail() {
    for fault in [Fault::Crash as fn(usize) -> Fault, Fault::Vanish, Fault::Hold, Fault::Partition] {
        simulate(&Cluster::of(5).set("duration=90s"), |world| {
            into_workload(world, s(5));
            for agent in [0, 1] {
                world.inject(fault(agent));
            }
            world.run_for(s(30));
            assert!(world.works(3) && world.works(4), "two of five may fail");
            world.inject(fault(2));
            let end = world.ending();
            ended(
                &end,
                1,
                Label::Unrepresentative,
                &[
                    "3 of 5 agents failed, so that the result would not represent the system (policy.min_alive)",
                    "the last was agent-2",
                    "NOT COMPLETED",
                ],
            );
            for agent in [3, 4] {
                was_aborted(world, agent);
                assert_eq!(end.outcome.agents[agent].end, AgentEnd::Aborted);
                let (kept, _) = share(&end.results, agent).expect("what it measured is kept");
                assert_eq!(kept, measured(world, agent));
            }
            let failed = world.now();
            world.run_until("no load goes on", |world| world.agents().all(|index| !world.works(index)));
            assert!(world.now() <= failed + s(31), "{:?}", world.now() - failed);
        });
    }
    // One agent completes before the others are found to be gone.
    for cut in CUTS {
        simulate(&Cluster::of(4), |world| {
            into_workload(world, s(17));
            (1..4).for_each(|agent| world.inject(cut(agent)));
            let end = world.ending();
            ended(&end, 2, Label::Unrepresentative, &["3 of 4 agents failed", "1 of 4 agents completed"]);
            only_failed(&end, &[1, 2, 3]);
            totals_are_true(world, &end);
        });
    }
    // The threshold is a setting.
    simulate(&Cluster::of(5).set("policy.min_alive=0.2"), |world| {
        into_workload(world, s(5));
        (0..4).for_each(|agent| world.inject(Fault::Crash(agent)));
        let end = world.ending();
        ended(&end, 2, Label::Partial, &["agent agent-0 failed", "and 3 more"]);
        only_failed(&end, &[0, 1, 2, 3]);
        totals_are_true(world, &end);
    });
}
