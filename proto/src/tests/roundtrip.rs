//! What was sent is what arrives.

use super::any::{agent_message, control_message, repeatable};
use crate::convert::{Message, decode, encode};
use crate::limits::{LIST_ENTRIES, TEXT_BYTES, YAML_BYTES};
use crate::{CurrentRun, Description, PROTOCOL, ProtocolRange, from_bytes, to_bytes, wire};
use iobench_core::message::{
    AgentMessage, Capabilities, Configure, Control, ControlMessage, Failure, FailureClass, Report, RunId,
    Session,
};
use iobench_core::time::Mono;
use proptest::prelude::*;
use std::time::Duration;

pub(super) fn frame<M: Message>(message: M) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(message, &mut frame).expect("a Vec grows");
    frame
}

pub(super) fn from_agent(body: Report) -> AgentMessage {
    AgentMessage {
        run: RunId(7),
        session: Session(1),
        sequence: 4,
        stamp: Mono(5),
        kept_before: Some(2),
        body,
    }
}

pub(super) fn from_controller(body: Control) -> ControlMessage {
    ControlMessage { run: RunId(7), session: Session(1), body }
}

proptest! {
    #![proptest_config(repeatable())]

    #[test]
    fn every_controller_message_arrives_as_it_was_sent(message in control_message()) {
        prop_assert_eq!(decode::<ControlMessage>(&frame(message.clone())), message);
    }

    #[test]
    fn every_agent_message_arrives_as_it_was_sent(message in agent_message()) {
        prop_assert_eq!(decode::<AgentMessage>(&frame(message.clone())), message);
    }

    #[test]
    fn a_journal_gives_back_what_it_was_given(message in agent_message()) {
        let bytes = to_bytes(&message);
        prop_assert_eq!(from_bytes(&bytes), Ok(message.clone()));
        prop_assert_eq!(bytes, frame(message), "a journal entry is a frame");
    }
}

#[test]
fn statuses_have_the_numbers_of_the_protocol() {
    use wire::Status::*;
    let numbers = [Ready, Running, Error, Completed, Aborted, Acknowledge, Preparing, Accepted, StageDone]
        .map(|status| status as i32);
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

/// Bytes written down once: old journals and older peers must stay readable.
#[test]
fn the_encoding_does_not_change() {
    let message = from_agent(Report::Ready { unix: iobench_core::time::Unix(1) });
    let head = [0x11, 7, 0, 0, 0, 0, 0, 0, 0, 0x18, 1, 0x20, 4, 0x28, 5, 0x30, 1];
    let body = [0x5a, 2, 0x08, 1];
    assert_eq!(to_bytes(&message), [&head[..], &[0x38, 2], &body].concat());
    // As peers wrote it that do not count what they keep.
    let older = AgentMessage { kept_before: None, ..message };
    let bytes = [&head[..], &body].concat();
    assert_eq!(to_bytes(&older), bytes);
    assert_eq!(from_bytes(&bytes), Ok(older));
    let abort = from_controller(Control::Abort { reason: "ok".into() });
    let bytes = [0x11, 7, 0, 0, 0, 0, 0, 0, 0, 0x18, 1, 0x30, 6, 0x82, 0x01, 4, 0x0a, 2, b'o', b'k'];
    assert_eq!(frame(abort), bytes);
}

#[test]
fn what_nobody_sends_is_undecodable_on_the_other_side_too() {
    let sent = from_agent(Report::Undecodable { detail: "x".into() });
    let Report::Undecodable { detail } = decode::<AgentMessage>(&frame(sent)).body else {
        panic!("it turned into something else");
    };
    assert_eq!(detail, "status is 0, which this version does not know; is the other side newer?");
}

#[test]
fn a_long_explanation_is_cut_so_that_the_message_arrives() {
    // Each é is two bytes and the first letter one, so that the limit falls into the middle of a character.
    let long = format!("a{}", "é".repeat(TEXT_BYTES));
    let failure = Failure::new(FailureClass::Storage, &long, &long);
    let sent = from_agent(Report::Error { failure, totals: Vec::new() });
    let Report::Error { failure, .. } = decode::<AgentMessage>(&frame(sent)).body else {
        panic!("it was lost");
    };
    assert_eq!(failure.message.len(), TEXT_BYTES - 1);
    assert!(long.starts_with(&failure.message));

    let mut facts = vec![("name".to_owned(), "value".to_owned()); LIST_ENTRIES + 1];
    facts[0] = (long.clone(), long);
    let capabilities =
        Capabilities { facts, warnings: vec![String::new(); LIST_ENTRIES + 1], ..Default::default() };
    let sent = from_agent(Report::Accepted(Box::new(capabilities)));
    let Report::Accepted(capabilities) = decode::<AgentMessage>(&frame(sent)).body else {
        panic!("it was lost");
    };
    assert_eq!((capabilities.facts.len(), capabilities.warnings.len()), (LIST_ENTRIES, LIST_ENTRIES));
}

#[test]
fn a_configuration_is_never_cut() {
    let arrives = |yaml: usize, overrides: usize, setting: usize| {
        let configure = Configure {
            yaml: "#".repeat(yaml),
            overrides: vec!["a".repeat(setting); overrides],
            ..Configure::default()
        };
        let sent = from_controller(Control::Configure(Box::new(configure)));
        match decode::<ControlMessage>(&frame(sent.clone())).body {
            Control::Undecodable { detail } => Err(detail),
            body => {
                assert_eq!(body, sent.body);
                Ok(())
            }
        }
    };
    assert_eq!(arrives(YAML_BYTES, 3, TEXT_BYTES), Ok(()));
    assert_eq!(
        arrives(YAML_BYTES + 1, 0, 0),
        Err("configure.yaml has a length of 16777217, but the limit is 16777216".into())
    );
    assert_eq!(
        arrives(0, 2, TEXT_BYTES + 1),
        Err("configure.overrides[0] has a length of 65537, but the limit is 65536".into())
    );
    assert_eq!(
        arrives(0, LIST_ENTRIES + 1, 1),
        Err("configure.overrides has a length of 4097, but the limit is 4096".into())
    );
}

#[test]
fn an_agent_introduces_itself() {
    let mut description = Description {
        version: "0.1.0".into(),
        protocol: PROTOCOL,
        host: "h1".into(),
        cores: 8,
        memory: 1 << 34,
        state: "RUNNING".into(),
        agent_id: "a".into(),
        current: Some(CurrentRun { run: RunId(u128::MAX - 5), age: Duration::from_millis(1500) }),
    };
    assert_eq!(Description::from(wire::Description::from(description.clone())), description);
    description.current = None;
    assert_eq!(Description::from(wire::Description::from(description.clone())), description);
}

#[test]
fn peers_agree_on_the_newest_version_both_speak() {
    let range = |min, max| ProtocolRange { min, max };
    assert_eq!(range(1, 3).common(range(2, 5)), Some(3));
    assert_eq!(range(2, 5).common(range(1, 3)), Some(3));
    assert_eq!(range(1, 1).common(range(2, 2)), None);
    assert_eq!(range(4, 5).common(range(1, 3)), None);
    assert_eq!((range(1, 1).to_string(), range(1, 3).to_string()), ("1".into(), "1-3".into()));
}
