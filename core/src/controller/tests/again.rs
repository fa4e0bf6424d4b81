//! Messages that nobody can read, and what is sent again.

use super::started;
use crate::controller::{AgentEnd, ExitCode, Label, Outcome};
use crate::harness::{Harness, Which, order, outline};
use crate::message::Report;

/// Two agents prepare and measure for 120 s; so many messages of this kind of the first are garbled.
fn garbled(which: Which, count: u32) -> (Harness, Outcome) {
    let mut harness = Harness::of(order(&outline(&[("prepare", None), ("execute", Some(120))]), 2));
    harness.hosts[0].garbles = Some((which, count));
    harness.begin();
    let outcome = harness.finish();
    (harness, outcome)
}

const KINDS: [Which; 7] = [
    |body| matches!(body, Report::Accepted(_)),
    |body| matches!(body, Report::Preparing(_)),
    |body| matches!(body, Report::StageDone(_)),
    |body| matches!(body, Report::Ready { .. }),
    |body| matches!(body, Report::Running(_)),
    |body| matches!(body, Report::Acknowledge(_)),
    |body| matches!(body, Report::Completed { .. }),
];

#[test]
fn after_one_garbled_message_of_any_kind_nothing_is_lost_or_merged() {
    for (kind, which) in KINDS.into_iter().enumerate() {
        let (harness, outcome) = garbled(which, 1);
        assert_eq!((outcome.exit, outcome.label), (ExitCode::AllCompleted, Label::Complete), "{kind}");
        let agent = &outcome.agents[0];
        assert_eq!((agent.invalid, agent.missing, agent.merged), (1, 0, 0), "{kind}");
        assert_eq!((harness.journalled(0), harness.journalled(1)), (12_000, 12_000), "{kind}");
        assert!(harness.hosts.iter().all(|host| host.kept.is_empty()), "{kind}: all is confirmed");
    }
}

#[test]
fn what_is_garbled_again_is_asked_for_again() {
    let (harness, outcome) = garbled(|body| matches!(body, Report::Running(_)), 3);
    assert_eq!(outcome.exit, ExitCode::AllCompleted, "{outcome:?}");
    assert_eq!((outcome.agents[0].missing, outcome.agents[0].merged), (0, 0));
    assert_eq!(harness.journalled(0), 12_000);
}

#[test]
fn who_sends_what_can_never_be_read_has_failed_and_keeps_it() {
    let (harness, outcome) = garbled(|body| matches!(body, Report::Running(_)), u32::MAX);
    assert_eq!((outcome.exit, outcome.label), (ExitCode::SomeCompleted, Label::Partial));
    assert_eq!((outcome.agents[0].end, outcome.agents[0].missing > 0), (AgentEnd::Failed, true));
    let told = "sends a message that cannot be read, although it was asked for it 3 times more; is its version ours?";
    assert!(outcome.agents[0].reason.contains(told), "{}", outcome.agents[0].reason);
    assert!(outcome.agents[0].invalid < 40, "{}", outcome.agents[0].invalid);
    assert_eq!(harness.hosts[0].kept.len(), 1, "nobody has confirmed it");
}

#[test]
fn a_last_word_that_can_never_be_read_ends_the_run_all_the_same() {
    let (harness, outcome) = garbled(|body| matches!(body, Report::Completed { .. }), u32::MAX);
    assert_eq!((outcome.exit, outcome.label), (ExitCode::SomeCompleted, Label::Partial));
    assert!((2..=8).contains(&outcome.agents[0].invalid), "{:?}", outcome.agents[0]);
    assert_eq!(harness.hosts[0].kept.len(), 1, "nobody has confirmed it");
}

#[test]
fn messages_that_are_lost_without_a_trace_are_missed_by_those_that_follow() {
    let mut harness = started(2);
    harness.hosts[1].cut = true;
    harness.run_for(6);
    harness.hosts[1].cut = false;
    let outcome = harness.finish();
    assert_eq!((outcome.exit, outcome.agents[1].missing), (ExitCode::AllCompleted, 0));
    assert_eq!(harness.journalled(1), 2_000);
}

#[test]
fn an_agent_that_does_not_say_what_it_keeps_is_never_acknowledged_past_a_gap() {
    let mut harness = Harness::of(order(&outline(&[("execute", Some(120))]), 1));
    harness.hosts[0].is_old = true;
    harness.hosts[0].garbles = Some((|body| matches!(body, Report::Running(_)), 1));
    harness.begin();
    let outcome = harness.finish();
    assert_eq!(outcome.exit, ExitCode::AllCompleted);
    let agent = &outcome.agents[0];
    assert_eq!((agent.invalid, agent.missing), (1, 1));
    assert!(agent.merged > 50, "it holds 32 and merges the rest: {}", agent.merged);
}
