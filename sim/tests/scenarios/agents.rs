//! 4 to 6: agents.

use crate::judge::*;
use iobench_core::agent::StateName;
use iobench_core::controller::{AgentEnd, AgentState, Label, Level, RunState};
use iobench_core::message::{AgentMessage, Failure, FailureClass, Report, RunId};
use iobench_core::stats::StageTotals;
use sim::faults::Fault;
use sim::state::Tampering;
use sim::world::{Cluster, World, simulate};
use std::time::Duration;

/// Something happens to agent 1 while all prepare: noticed after at most `seen`, the run is stopped with this code and
/// cause.
fn dies_preparing(fault: Fault, exit: u8, seen: Duration, cause: &str) {
    dies(|world| into_prepare(world, s(10)), fault, exit, seen, cause);
}

/// Something happens to agent 1 where `reach` has brought the run, before its workload.
fn dies(reach: impl Fn(&mut World<'_>) + Sync, fault: Fault, exit: u8, seen: Duration, cause: &str) {
    let cluster = Cluster::of(3);
    simulate(&cluster, |world| {
        for agent in world.agents() {
            world.agent(agent, |host| host.engine.prepare = s(120));
        }
        reach(world);
        world.inject(fault.clone());
        let at = world.now();
        let noticed = until_seen(world, 1, AgentState::Failed) - at;
        assert!(noticed <= seen, "noticed after {noticed:?}");
        let end = world.ending();
        assert!(end.at - at <= seen + s(5) + ms(100), "ended after {:?}", end.at - at);
        ended(&end, exit, Label::Aborted, &["agent agent-1", cause]);
        told(world, Level::Error, &["agent-1 (agent-1:7420)", cause]);
        told(world, Level::Error, &["stopping the run"]);
        assert_eq!(end.outcome.agents[1].end, AgentEnd::Failed);
        never_measured(world, &end);
        for agent in [0, 2] {
            was_aborted(world, agent);
            assert_eq!(end.outcome.agents[agent].end, AgentEnd::Aborted);
            assert!(
                world.agent(agent, |host| host.engine.loads.iter().all(|load| load.ended <= Some(end.at)))
            );
        }
        world.run_until("the lease ends what is cut off", |world| !world.works(1));
        assert!(world.agent(1, |host| host.engine.loads.iter().all(|load| load.ended <= Some(at + s(31)))));
    });
}

pub(crate) fn an_agent_dies_while_preparing() {
    let standstill = "has made no progress in stage `prepare` for 30 s; look at its storage and its host, or raise timeouts.progress";
    for gone in [Fault::Crash(1), Fault::Reset(1)] {
        dies_preparing(gone, 1, s(1), "its stream broke (did its process or host die, or the network fail?)");
    }
    dies_preparing(Fault::Close(1), 1, s(1), "its stream");
    dies_preparing(Fault::Vanish(1), 6, s(31), standstill);
    for cut in CUTS {
        dies_preparing(cut(1), 6, s(31), standstill);
    }
    let full =
        Failure::new(FailureClass::Storage, "/bench/agent-1: no space left on device", "free some space");
    dies_preparing(Fault::StageFails(1, full), 5, s(2), "no space left on device; free some space");
    dies_preparing(Fault::PrepareStuck(1), 6, s(31), "no progress");
    // Before it has accepted the configuration, and when clocks are compared.
    let configuring = |world: &mut World<'_>| {
        world.run_until("Configure", |world| world.agent(1, |host| host.state == StateName::ConfigReceived));
    };
    let sampling = |world: &mut World<'_>| until_run(world, RunState::CoordinatingStart);
    dies(configuring, Fault::Crash(1), 1, s(1), "its stream broke");
    dies(configuring, Fault::Hold(1), 6, s(31), "has not accepted the configuration for 30 s");
    dies(sampling, Fault::Crash(1), 1, s(1), "its stream broke");
    for cut in CUTS {
        dies(sampling, cut(1), 6, s(16), "did not answer 3 pings in 15 s before the start");
    }
    // Slow is not dead: ten minutes, with progress.
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.engine.prepare = s(600));
        let end = world.ending();
        all_completed(world, &end);
        assert!(end.at > s(600) && world.told(Level::Warning).is_empty());
    });
    // Nor is who rests for a minute when all objects are there, as it was asked to.
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.engine.rest = s(60));
        let end = world.ending();
        all_completed(world, &end);
        assert!(end.at > s(80) && world.told(Level::Warning).is_empty());
    });
}

/// Nothing is heard of agent 1 for 10 s; three pings of 5 s; FAILED.
fn falls_silent(fault: Fault) {
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        into_workload(world, s(10));
        world.inject(fault.clone());
        let at = world.now();
        let seen = until_seen(world, 1, AgentState::Failed) - at;
        assert!((s(24)..=s(26)).contains(&seen), "{seen:?}");
        let end = world.ending();
        let silent = "has been silent for 25 s and did not answer 3 pings; look at its host and the network";
        ended(&end, 2, Label::Partial, &[silent]);
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
        world.run_until("its load ends", |world| !world.works(1));
        assert!(load_ended(world, 1) <= at + s(31));
    });
}

pub(crate) fn an_agent_hangs_in_the_workload() {
    for cut in CUTS {
        falls_silent(cut(1));
    }
    falls_silent(Fault::PartitionToController(1));
    falls_silent(Fault::Vanish(1));
    // Silent, but not for so long: a warning, and nothing is lost.
    simulate(&Cluster::of(3).set("duration=60s"), |world| {
        into_workload(world, s(10));
        world.inject(Fault::Hold(1));
        world.run_for(s(20));
        world.inject(Fault::Release(1));
        let end = world.ending();
        all_completed(world, &end);
        let warning =
            ["agent-1 (agent-1:7420) has been silent for 10 s", "it is asked 3 times, and given up"];
        told(world, Level::Warning, &warning);
    });
    // It is told to start, answers pings, and never says what it measures: as patient as later with an engine that hangs.
    simulate(&Cluster::of(3).set("duration=100s"), |world| {
        until_run(world, RunState::WorkloadPhase);
        world.inject(Fault::EngineHangs(1));
        let seen = until_seen(world, 1, AgentState::Failed) - world.agent(0, |host| host.engine.began()[0]);
        assert!((s(60)..=s(61)).contains(&seen), "{seen:?} after the start");
        told(
            world,
            Level::Warning,
            &["agent-1 (agent-1:7420) has sent no statistics for 10 s after the start"],
        );
        let end = world.ending();
        let hangs =
            "answers, but has sent no statistics for 60 s after the start; look at its log, and restart it";
        ended(&end, 2, Label::Partial, &["agent-1", hangs]);
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
        assert!(!world.works(1));
    });
    // It answers pings, but its engine is stuck.
    simulate(&Cluster::of(3).set("duration=120s"), |world| {
        into_workload(world, s(10));
        world.inject(Fault::EngineHangs(1));
        let at = world.now();
        let seen = until_seen(world, 1, AgentState::Failed) - at;
        assert!((s(59)..=s(62)).contains(&seen), "{seen:?}");
        let end = world.ending();
        let hangs = "hangs: it answers, but has sent no statistics for 60 s; look at its log, and restart it";
        ended(&end, 2, Label::Partial, &[hangs]);
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
        assert!(!world.works(1));
        // While its engine does not stop, the next run is refused by name; afterwards it is served.
        world.until_all(StateName::Idle);
        let (yaml, overrides) =
            world.controller(|host| (host.order.yaml.clone(), host.order.overrides.clone()));
        let refused = world.order(&yaml, &overrides);
        let end = world.ending_of(refused);
        ended(&end, 5, Label::Aborted, &["agent-1", "stuck in the kernel", "restart the agent"]);
        world.inject(Fault::EngineRecovers(1));
        world.run_for(s(1));
        serves_again(world);
    });
    // Storage that stalls is no hang.
    simulate(&Cluster::of(3).set("duration=120s"), |world| {
        into_workload(world, s(10));
        world.inject(Fault::StorageStalls(1, s(80)));
        world.run_for(s(75));
        let oldest = world.agent(1, |host| match &host.sent.last().expect("it speaks").1.body {
            Report::Running(interval) => (operations(&interval.tally), interval.in_flight, interval.oldest),
            other => panic!("not an interval: {other:?}"),
        });
        assert!(oldest.0 == 0 && oldest.1 > 0 && oldest.2 > 70_000_000_000, "{oldest:?}");
        let end = world.ending();
        all_completed(world, &end);
        let (stalled, _) = share(&end.results, 1).expect("it completed");
        assert_eq!(stalled, 4_000, "what it did in 40 of 120 s");
    });
    // Nor is one that takes 100 s at the end to make durable what was written: longer than any deadline.
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.engine.flush = s(100));
        let end = world.ending();
        all_completed(world, &end);
        assert!(end.at > s(120) && world.told(Level::Warning).is_empty());
    });
}

/// One message in four brings bytes that nobody can read, and others become one that makes no sense; pongs are sacrificed where a number is needed.
fn babbling(memory: &mut Tampering, message: AgentMessage) -> Vec<AgentMessage> {
    let odd = |body: Report| AgentMessage { body, ..message.clone() };
    if let Report::Acknowledge(_) = message.body
        && memory.seen.is_multiple_of(3)
    {
        let totals = Box::new(StageTotals { stage: 9, ..StageTotals::default() });
        return vec![odd(Report::StageDone(totals))];
    }
    if !matches!(message.body, Report::Running(_)) || !memory.seen.is_multiple_of(4) {
        return vec![message];
    }
    let wrong_run = AgentMessage { run: RunId(99), ..message.clone() };
    let gone_back = AgentMessage { sequence: 1, ..message.clone() };
    let garbage = ["", "\u{8}", "this is no protobuf", "\u{12}\u{7f}short", "\0\0\0\0"];
    let at = usize::try_from(memory.seen).unwrap_or(0) / 4 % garbage.len();
    let undecodable = odd(Report::Undecodable { detail: garbage[at].to_owned() });
    vec![message, wrong_run, gone_back, undecodable]
}

/// Bytes that nobody can read.
fn unreadable(message: AgentMessage) -> AgentMessage {
    AgentMessage { body: Report::Undecodable { detail: "\u{12}\u{7f}short".to_owned() }, ..message }
}

/// The first message of each kind is garbled.
fn garbling_each_kind_once(memory: &mut Tampering, message: AgentMessage) -> Vec<AgentMessage> {
    let kind = match &message.body {
        Report::Accepted(_) => 0,
        Report::Preparing(_) => 1,
        Report::StageDone(_) => 2,
        Report::Ready { .. } => 3,
        Report::Running(_) => 4,
        Report::Acknowledge(_) => 5,
        _ => 6,
    };
    let is_first = memory.added & (1 << kind) == 0;
    memory.added |= 1 << kind;
    vec![if is_first { unreadable(message) } else { message }]
}

/// After ten of them, no interval can be read.
fn garbling_for_ever(memory: &mut Tampering, message: AgentMessage) -> Vec<AgentMessage> {
    let is_interval = matches!(message.body, Report::Running(_));
    memory.added += u64::from(is_interval);
    vec![if is_interval && memory.added > 10 { unreadable(message) } else { message }]
}

/// What nobody could read is sent again: at once, and not for ever.
pub(crate) fn an_agent_is_asked_again_for_what_nobody_could_read() {
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.tamper = Some(garbling_each_kind_once));
        world.disturb(Some(1));
        let end = world.ending();
        all_completed(world, &end);
        let agent = &end.outcome.agents[1];
        assert_eq!((agent.invalid, agent.missing, agent.merged), (7, 0, 0));
        assert_eq!(times_told(world, &["agent-1", "ignored invalid message", "undecodable"]), 7);
        let (counted, counts) = share(&end.results, 1).expect("it completed");
        assert!(counts && counted == measured(world, 1), "{counted}");
    });
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.tamper = Some(garbling_for_ever));
        world.disturb(Some(1));
        let end = world.ending();
        let told = "sends a message that cannot be read, although it was asked for it 3 times more; is its version ours?";
        ended(&end, 2, Label::Partial, &["agent agent-1 failed", told]);
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
        world.run_until("its load ends", |world| !world.works(1));
        assert!(load_ended(world, 1) < s(40), "it is told at once");
        world.until_all(StateName::Idle);
        let kept = world.agent(1, |host| host.kept.len());
        assert_eq!(kept, 1, "what nobody confirmed stays there");
    });
}

/// After each interval one that belongs to another run.
fn muttering(_: &mut Tampering, message: AgentMessage) -> Vec<AgentMessage> {
    let junk = AgentMessage { run: RunId(99), ..message.clone() };
    let running = matches!(message.body, Report::Running(_));
    std::iter::once(message).chain(running.then_some(junk)).collect()
}

/// After each interval forty messages that make no sense.
fn flooding(_: &mut Tampering, message: AgentMessage) -> Vec<AgentMessage> {
    let junk = AgentMessage { run: RunId(99), ..message.clone() };
    let many = if matches!(message.body, Report::Running(_)) { 40 } else { 0 };
    std::iter::once(message).chain(std::iter::repeat_n(junk, many)).collect()
}

pub(crate) fn an_agent_sends_invalid_messages() {
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.tamper = Some(babbling));
        world.disturb(Some(1));
        let end = world.ending();
        all_completed(world, &end);
        for why in [
            "it belongs to another run or session",
            "its sequence number has gone back",
            "undecodable",
            "STAGE_DONE of a stage that was not begun",
        ] {
            told(world, Level::Warning, &["agent agent-1 (agent-1:7420): ignored invalid message", why]);
        }
        let invalid = times_told(world, &["ignored invalid message"]);
        assert!(invalid >= 15, "{invalid}");
        assert_eq!(end.outcome.agents[1].invalid, invalid as u64);
        assert!(end.outcome.agents.iter().all(|agent| agent.id == "agent-1" || agent.invalid == 0));
        assert!(
            world.controller(|host| host
                .agent_states
                .iter()
                .all(|(_, _, state)| *state != AgentState::Failed))
        );
    });
    // More than a hundred, but not in a minute.
    simulate(&Cluster::of(3).set("duration=150s"), |world| {
        world.agent(1, |host| host.tamper = Some(muttering));
        world.disturb(Some(1));
        let end = world.ending();
        all_completed(world, &end);
        assert!(end.outcome.agents[1].invalid > 140, "{}", end.outcome.agents[1].invalid);
    });
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.tamper = Some(flooding));
        world.disturb(Some(1));
        let end = world.ending();
        ended(
            &end,
            2,
            Label::Partial,
            &[
                "agent-1",
                "violates the protocol: more than 100 invalid messages in a minute; is its version ours?",
            ],
        );
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
        assert!(times_told(world, &["ignored invalid message"]) <= 101 + 1, "warnings are bounded");
        was_aborted(world, 1);
    });
}
