//! What scenarios ask of a run.

use iobench::results::{Basis, Results, StageResult};
use iobench_core::agent::StateName;
use iobench_core::controller::{AgentEnd, AgentState, Label, Level, RunState};
use iobench_core::message::{Control, ControlMessage, Report, StreamId};
use iobench_core::stats::Tally;
use sim::faults::Fault;
use sim::world::{Ending, World};
use std::time::Duration;

/// Seconds.
pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn operations(tally: &Tally) -> u64 {
    tally.cells.iter().map(|cell| cell.count).sum()
}

/// The workload's results.
pub(crate) fn execute(results: &Results) -> &StageResult {
    results.stages.iter().find(|stage| stage.name == "execute").expect("the workload was measured")
}

/// Operations of one agent in the workload's results, and whether they are part of the result.
pub(crate) fn share(results: &Results, agent: usize) -> Option<(u64, bool)> {
    let parts = &execute(results).agents;
    let part = parts.iter().find(|part| part.agent.0 as usize == agent)?;
    Some((operations(&part.totals.tally), part.counts))
}

/// The exit code, the label, and all these words in the summary.
pub(crate) fn ended(end: &Ending, exit: u8, label: Label, words: &[&str]) {
    assert_eq!(end.exit.code(), exit, "{}", end.text);
    assert_eq!(end.outcome.label, label, "{}", end.text);
    assert!(end.text.starts_with(&label.to_string()), "{}", end.text);
    for word in words {
        assert!(end.text.contains(word), "the summary does not say `{word}`:\n{}", end.text);
    }
}

/// One notice that says all these words.
pub(crate) fn told(world: &World<'_>, level: Level, words: &[&str]) {
    let notices = world.told(level);
    let all = |notice: &String| words.iter().all(|word| notice.contains(word));
    assert!(notices.iter().any(all), "nobody was told {words:?}, but:\n{}", notices.join("\n"));
}

/// How many notices of a level say all these words.
pub(crate) fn times_told(world: &World<'_>, words: &[&str]) -> usize {
    let all = |notice: &&String| words.iter().all(|word| notice.contains(word));
    world.told(Level::Info).iter().filter(all).count()
}

/// The result holds exactly what the engines of the completed agents did, and every one of those is in it.
pub(crate) fn totals_are_true(world: &World<'_>, end: &Ending) {
    let completed = |index: &usize| end.outcome.agents[*index].end == AgentEnd::Completed;
    let truth: u64 = world.agents().filter(completed).map(|index| measured(world, index)).sum();
    assert!(truth > 0, "nothing was measured");
    let stage = execute(&end.results);
    assert_eq!(stage.basis, Basis::Completed);
    assert_eq!(operations(&stage.total.tally), truth, "{}", end.text);
    for index in world.agents().filter(completed) {
        assert_eq!(share(&end.results, index), Some((measured(world, index), true)), "agent {index}");
    }
}

/// All completed, nothing was lost, and the results are true.
pub(crate) fn all_completed(world: &World<'_>, end: &Ending) {
    ended(end, 0, Label::Complete, &["100 % of the planned time"]);
    assert!(end.outcome.agents.iter().all(|agent| agent.missing == 0), "{:?}", end.outcome);
    totals_are_true(world, end);
}

/// The run was stopped before any operation of its workload.
pub(crate) fn never_measured(world: &World<'_>, end: &Ending) {
    assert!(world.agents().all(|index| world.agent(index, |host| host.engine.began().is_empty())));
    assert!(end.results.stages.iter().all(|stage| stage.name != "execute"), "{}", end.text);
}

/// No agent was ever asked to touch its storage.
pub(crate) fn never_touched(world: &World<'_>) {
    assert!(world.agents().all(|index| world.agent(index, |host| host.engine.loads.is_empty())));
}

/// What the agent's engine did in the workload, in truth.
pub(crate) fn measured(world: &World<'_>, agent: usize) -> u64 {
    world.agent(agent, |host| host.engine.measured())
}

/// Operations in the agent's intervals that the controller has acknowledged.
pub(crate) fn acknowledged(world: &World<'_>, agent: usize) -> u64 {
    let highest = world.controller(|host| host.acknowledged.get(&agent).copied()).unwrap_or(0);
    world.agent(agent, |host| {
        let sent = host.sent.iter().filter(|(_, message)| message.sequence <= highest);
        let counted = sent.map(|(_, message)| match &message.body {
            Report::Running(interval) => operations(&interval.tally),
            _ => 0,
        });
        counted.sum()
    })
}

/// When the agent's load ended.
pub(crate) fn load_ended(world: &World<'_>, agent: usize) -> Duration {
    let ended = world.agent(agent, |host| host.engine.loads.last().and_then(|load| load.ended));
    ended.expect("it had a load, which has ended")
}

/// The agent was told to stop, did, and said so.
pub(crate) fn was_aborted(world: &World<'_>, agent: usize) {
    world.agent(agent, |host| {
        let abort = |message: &ControlMessage| matches!(message.body, Control::Abort { .. });
        assert!(host.received.iter().any(|(_, _, message)| abort(message)), "agent {agent} was not told");
        assert!(
            host.states.iter().any(|(_, state)| *state == StateName::Aborted),
            "agent {agent} did not stop"
        );
        let said = host.sent.iter().any(|(_, message)| matches!(message.body, Report::Aborted { .. }));
        assert!(said, "agent {agent} did not say so");
        assert!(!host.engine.works());
    });
}

/// The agents that failed, in the results; all others completed.
pub(crate) fn only_failed(end: &Ending, failed: &[usize]) {
    for (index, agent) in end.outcome.agents.iter().enumerate() {
        let expected = if failed.contains(&index) { AgentEnd::Failed } else { AgentEnd::Completed };
        assert_eq!(agent.end, expected, "{}", end.text);
    }
}

/// Until all agents measure, and for a while longer.
pub(crate) fn into_workload(world: &mut World<'_>, time: Duration) {
    world.run_until("the workload", |world| world.agents().all(|index| is_measuring(world, index)));
    world.run_for(time);
}

fn is_measuring(world: &World<'_>, agent: usize) -> bool {
    world.agent(agent, |host| host.engine.loads.last().is_some_and(|load| load.timed && load.ended.is_none()))
}

/// Until all agents prepare, and for a while longer.
pub(crate) fn into_prepare(world: &mut World<'_>, time: Duration) {
    world.run_until("the preparation", |world| world.agents().all(|index| world.works(index)));
    world.run_for(time);
}

/// Until the controller is in a state.
pub(crate) fn until_run(world: &mut World<'_>, state: RunState) {
    world.run_until(state.as_str(), |world| world.controller(|host| host.state == state));
}

/// Until the controller sees an agent in a state; gives when.
pub(crate) fn until_seen(world: &mut World<'_>, agent: usize, state: AgentState) -> Duration {
    world.run_until(state.as_str(), |world| world.controller(|host| host.agents[agent] == state));
    world.now()
}

/// The message of the controller that the agent received first and that passes the test, with its stream.
pub(crate) fn received(
    world: &World<'_>,
    agent: usize,
    test: impl Fn(&Control) -> bool,
) -> (StreamId, ControlMessage) {
    world.agent(agent, |host| {
        let found = host.received.iter().find(|(_, _, message)| test(&message.body));
        let (_, stream, message) = found.expect("it was received");
        (*stream, message.clone())
    })
}

/// All agents can serve another run.
pub(crate) fn serves_again(world: &mut World<'_>) {
    world.until_all(StateName::Idle);
    let (yaml, overrides) = world.controller(|host| (host.order.yaml.clone(), host.order.overrides.clone()));
    let next = world.order(&yaml, &overrides);
    let end = world.ending_of(next);
    ended(&end, 0, Label::Complete, &[]);
}

/// The network fails between the controller and an agent: everything is held, or everything is lost.
pub(crate) const CUTS: [fn(usize) -> Fault; 2] = [Fault::Hold, Fault::Partition];
