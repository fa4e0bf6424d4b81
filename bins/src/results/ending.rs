//! How a run ended, where no controller lived to say so, and where kept results know better.

use super::directory::Condition;
use super::fold::{End, Fold, Seen};
use super::journal::Loss;
use super::record::Header;
use iobench_core::controller::{AgentEnd, AgentOutcome, ExitCode, Label, Outcome};
use iobench_core::message::AgentIndex;

/// The outcome of a run: what its controller said, else what the messages say. `broken`: where its journal stops being
/// readable.
pub(super) fn outcome(fold: &Fold, header: &Header, condition: Condition, broken: Option<&Loss>) -> Outcome {
    match &fold.outcome {
        Some(outcome) if fold.kept.is_empty() => outcome.clone(),
        Some(outcome) => amended(outcome.clone(), fold, header),
        None => rebuilt(fold, header, condition, broken),
    }
}

/// Why there is no word of the controller about the end. An interrupted controller and one whose disk was full leave the
/// same; what is damaged may have been a whole run.
fn silence(condition: Condition, broken: Option<&Loss>) -> String {
    match (condition, broken) {
        (Condition::Kept, _) => {
            "these are only the results that agents kept because no controller confirmed them; the controller's own are not among them".to_owned()
        }
        (Condition::Running, _) => "the run is still going on".to_owned(),
        (_, Some(Loss { offset, torn: false, .. })) => {
            format!("the journal is damaged from byte {offset} on: what came after it is lost, and with it how the run ended")
        }
        (_, Some(Loss { offset, torn: true, .. })) => format!(
            "the journal ends early, within the record at byte {offset}: the controller was interrupted before the run \
             ended, or could no longer write, or the file was damaged"
        ),
        (_, None) => "the journal ends early: the controller was interrupted before the run ended, or could no longer write"
            .to_owned(),
    }
}

/// What the messages say of a run of whose end the controller has left no word.
fn rebuilt(fold: &Fold, header: &Header, condition: Condition, broken: Option<&Loss>) -> Outcome {
    let silent = silence(condition, broken);
    let agents = (0_u32..).zip(&header.agents).map(|(index, entry)| {
        let seen = fold.agents.get(&AgentIndex(index));
        let (end, reason) = match seen.and_then(|seen| seen.end.as_ref()) {
            Some(End::Completed) => (AgentEnd::Completed, String::new()),
            Some(End::Error(failure)) => (AgentEnd::Failed, failure.to_string()),
            Some(End::Aborted(reason)) => (AgentEnd::Aborted, reason.clone()),
            // An agent that still runs has no reason to have ended.
            None if condition == Condition::Running => (AgentEnd::Failed, String::new()),
            None => (AgentEnd::Failed, silent.clone()),
        };
        AgentOutcome {
            id: entry.id.clone(),
            address: entry.address.clone(),
            end,
            reason,
            ran: seen.map_or(0, |seen| ran(seen, header)),
            planned: header.planned(),
            invalid: 0,
            merged: 0,
            missing: 0,
        }
    });
    let mut outcome = Outcome {
        run: header.run,
        exit: ExitCode::NoneCompleted,
        label: Label::Partial,
        cause: silent.clone(),
        agents: agents.collect(),
        starts: Vec::new(),
        coverage_ppm: 0,
        results_failure: String::new(),
    };
    judge(&mut outcome);
    outcome
}

/// A controller's outcome, corrected by the results that agents kept because it did not confirm them.
fn amended(mut outcome: Outcome, fold: &Fold, header: &Header) -> Outcome {
    for kept in &fold.kept {
        let index = AgentIndex(kept.index);
        let (Some(seen), Some(agent)) =
            (fold.agents.get(&index), outcome.agents.get_mut(kept.index as usize))
        else {
            continue;
        };
        agent.ran = agent.ran.max(ran(seen, header));
        if matches!(seen.end, Some(End::Completed)) {
            agent.end = AgentEnd::Completed;
            agent.reason = String::new();
        }
    }
    judge(&mut outcome);
    outcome
}

/// Sets what follows from how the agents ended.
fn judge(outcome: &mut Outcome) {
    let completed = outcome.agents.iter().filter(|agent| agent.end == AgentEnd::Completed).count();
    let sum =
        |of: fn(&AgentOutcome) -> u64| outcome.agents.iter().map(|agent| u128::from(of(agent))).sum::<u128>();
    let (ran, planned) = (sum(|agent| agent.ran.min(agent.planned)), sum(|agent| agent.planned));
    let share = (ran * 1_000_000).checked_div(planned).unwrap_or(0);
    outcome.coverage_ppm = u32::try_from(share).unwrap_or(1_000_000);
    if completed == outcome.agents.len() {
        outcome.exit = ExitCode::AllCompleted;
        outcome.label = Label::Complete;
        outcome.coverage_ppm = 1_000_000;
        outcome.cause = String::new();
    } else if completed > 0 && outcome.exit == ExitCode::NoneCompleted {
        outcome.exit = ExitCode::SomeCompleted;
    }
}

/// The time of timed stages that an agent delivered, nanoseconds.
fn ran(seen: &Seen, header: &Header) -> u64 {
    let timed = |stage: u32| header.stages.get(stage as usize).is_some_and(|stage| stage.timed.is_some());
    let spans = seen.extents.iter().filter(|&(&stage, _)| timed(stage));
    spans.map(|(_, extent)| extent.to.0 - extent.from.0).fold(0, u64::saturating_add)
}
