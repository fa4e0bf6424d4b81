//! Nothing that arrives does harm.

use super::any::{agent_message, control_message, repeatable};
use super::roundtrip::{frame, from_agent, from_controller};
use crate::convert::decode;
use crate::limits::{HISTOGRAM_BYTES, LIST_ENTRIES, MESSAGE_ENTRIES, TEXT_BYTES};
use crate::wire::{self, agent_message::Body, control_message};
use crate::{BadMessage, from_bytes};
use iobench_core::message::{AgentMessage, Control, ControlMessage, Report};
use iobench_core::stats::{ErrorClass, ErrorCount, Interval, Operation, Tally};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

fn arrives_undecodable(message: &AgentMessage) -> bool {
    matches!(message.body, Report::Undecodable { .. })
}

/// A length-delimited field with a number that this version does not have.
fn unknown_field() -> impl Strategy<Value = Vec<u8>> {
    (1000..1_000_000u32, vec(any::<u8>(), 0..30)).prop_map(|(tag, content)| {
        let mut field = Vec::new();
        prost::encoding::bytes::encode(tag, &content, &mut field);
        field
    })
}

proptest! {
    #![proptest_config(repeatable())]

    #[test]
    fn arbitrary_bytes_give_a_message_or_undecodable(bytes in vec(any::<u8>(), 0..300)) {
        // What is taken for a message is one: it survives the way back.
        let message: AgentMessage = decode(&bytes);
        if arrives_undecodable(&message) {
            prop_assert!(from_bytes(&bytes).is_err());
        } else {
            prop_assert_eq!(&decode::<AgentMessage>(&frame(message.clone())), &message);
        }
        let message: ControlMessage = decode(&bytes);
        if !matches!(message.body, Control::Undecodable { .. }) {
            prop_assert_eq!(&decode::<ControlMessage>(&frame(message.clone())), &message);
        }
    }

    #[test]
    fn a_changed_byte_never_panics(
        message in agent_message(), at in any::<prop::sample::Index>(), flip in 1..=255u8,
    ) {
        let mut bytes = frame(message);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let message: AgentMessage = decode(&bytes);
        prop_assert_eq!(from_bytes(&bytes).is_err(), arrives_undecodable(&message));
    }

    #[test]
    fn a_message_cut_short_is_undecodable_but_its_header_is_kept(
        message in agent_message(), at in any::<prop::sample::Index>(),
    ) {
        let bytes = frame(message.clone());
        let header = frame(from_agent_header(&message)).len();
        let kept = at.index(bytes.len());
        let cut: AgentMessage = decode(&bytes[..kept]);
        prop_assert!(arrives_undecodable(&cut), "{cut:?}");
        if kept >= header {
            prop_assert_eq!(
                (cut.run, cut.session, cut.sequence, cut.stamp),
                (message.run, message.session, message.sequence, message.stamp)
            );
        }
    }

    #[test]
    fn a_controller_message_cut_short_is_undecodable(
        message in control_message(), at in any::<prop::sample::Index>(),
    ) {
        let bytes = frame(message);
        let cut: ControlMessage = decode(&bytes[..at.index(bytes.len())]);
        prop_assert!(matches!(cut.body, Control::Undecodable { .. }), "{cut:?}");
    }

    #[test]
    fn unknown_fields_are_ignored(
        agent in agent_message(), controller in control_message(), unknown in unknown_field(), first in any::<bool>(),
    ) {
        let with_unknown = |frame: Vec<u8>| {
            if first { [unknown.clone(), frame].concat() } else { [frame, unknown.clone()].concat() }
        };
        prop_assert_eq!(decode::<AgentMessage>(&with_unknown(frame(agent.clone()))), agent);
        prop_assert_eq!(
            decode::<ControlMessage>(&with_unknown(frame(controller.clone()))), controller
        );
    }
}

/// The same header in front of no body.
fn from_agent_header(message: &AgentMessage) -> AgentMessage {
    AgentMessage { body: Report::Undecodable { detail: String::new() }, ..message.clone() }
}

type Change<'a> = &'a dyn Fn(&mut wire::AgentMessage);

/// A message as a peer of ours would send it, with one thing changed; and what is said about it.
fn complaint(change: impl FnOnce(&mut wire::AgentMessage)) -> String {
    let errors = [(Operation::Get, 1), (Operation::Get, 2), (Operation::Put, 1)]
        .map(|(operation, code)| ErrorCount { operation, class: ErrorClass::Storage, code, count: 1 });
    let tally = Tally { errors: errors.into(), ..Tally::default() };
    let interval = Interval { tally, ..Interval::default() };
    let mut message = wire::AgentMessage::from(from_agent(Report::Running(Box::new(interval))));
    change(&mut message);
    match from_bytes(&message.encode_to_vec()) {
        Ok(message) => format!("{message:?}"),
        Err(bad) => bad.to_string(),
    }
}

fn tally(message: &mut wire::AgentMessage) -> &mut wire::Tally {
    let Some(Body::Running(interval)) = &mut message.body else { panic!("not an interval") };
    interval.tally.as_mut().expect("an interval has a tally")
}

fn cell(count: u64) -> wire::Cell {
    wire::Cell { operation: 1, count, ..wire::Cell::default() }
}

#[test]
fn a_bad_field_is_named_with_its_path() {
    let newer = "which this version does not know; is the other side newer?";
    let cases: [(Change<'_>, &str); 12] = [
        (&|m| m.status = 42, &format!("status is 42, {newer}")),
        (&|m| m.status = 0, &format!("status is 0, {newer}")),
        (&|m| m.status = 1, "status announces another body than the one that follows"),
        (&|m| m.body = None, "body is missing"),
        (&|m| m.body = Some(Body::Running(wire::Interval::default())), "running.tally is missing"),
        (
            &|m| tally(m).cells = vec![cell(1), cell(1)],
            "running.tally.cells[1] is out of order or there twice",
        ),
        (&|m| tally(m).cells = vec![cell(0)], "running.tally.cells[0].count is 0"),
        (
            &|m| tally(m).cells = vec![wire::Cell { band: 9, ..cell(1) }],
            "running.tally.cells[0].band is 9, but bands end at 8",
        ),
        (&|m| tally(m).errors.swap(1, 2), "running.tally.errors[2] is out of order or there twice"),
        (&|m| tally(m).errors[1].count = 0, "running.tally.errors[1].count is 0"),
        (&|m| tally(m).errors[2].class = -1, &format!("running.tally.errors[2].class is -1, {newer}")),
        (
            &|m| tally(m).errors[0].operation = 99,
            &format!("running.tally.errors[0].operation is 99, {newer}"),
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(complaint(change), expected);
    }
}

#[test]
fn lists_texts_and_histograms_have_bounds() {
    let histogram = wire::Cell { service: vec![0; HISTOGRAM_BYTES + 1], ..cell(1) };
    assert_eq!(
        complaint(|m| tally(m).cells = vec![histogram]),
        "running.tally.cells[0].service has a length of 1048577, but the limit is 1048576"
    );
    assert_eq!(
        complaint(|m| tally(m).errors = vec![wire::ErrorCount::default(); LIST_ENTRIES + 1]),
        "running.tally.errors has a length of 4097, but the limit is 4096"
    );
    let error = wire::Error { class: 1, message: "x".repeat(TEXT_BYTES + 1), ..wire::Error::default() };
    assert_eq!(
        complaint(|m| (m.status, m.body) = (3, Some(Body::Error(error)))),
        "error.message has a length of 65537, but the limit is 65536"
    );
}

/// Two bytes a fact in the frame, forty-eight in memory: what would be refused after decoding is refused before.
#[test]
fn a_frame_of_very_many_entries_is_refused_before_it_is_decoded() {
    let with_facts = |stages: usize, facts: usize| {
        let facts = vec![wire::Fact::default(); facts];
        let stage = wire::StageTotals { tally: Some(wire::Tally::default()), facts, ..Default::default() };
        let completed = wire::Completed { totals: vec![stage; stages] };
        complaint(|m| (m.status, m.body) = (4, Some(Body::Completed(completed))))
    };
    // The entries besides the facts: the body, and each stage with its tally.
    let most = (MESSAGE_ENTRIES - 1) / (LIST_ENTRIES + 2);
    assert!(with_facts(most, LIST_ENTRIES).starts_with("AgentMessage"), "the most that passes");
    assert_eq!(with_facts(most + 1, LIST_ENTRIES), "has more than 262144 entries");

    let configure = wire::Configure { overrides: vec![String::new(); MESSAGE_ENTRIES], ..Default::default() };
    let body = Some(control_message::Body::Configure(configure));
    let message = wire::ControlMessage { command: 1, body, ..Default::default() };
    let Control::Undecodable { detail } = decode::<ControlMessage>(&message.encode_to_vec()).body else {
        panic!("it passed");
    };
    assert_eq!(detail, "has more than 262144 entries");
}

#[test]
fn a_failure_of_an_unknown_class_is_undecodable() {
    let error = wire::Error { class: 9, ..wire::Error::default() };
    assert_eq!(
        complaint(|m| (m.status, m.body) = (3, Some(Body::Error(error)))),
        "error.class is 9, which this version does not know; is the other side newer?"
    );
}

#[test]
fn a_command_of_a_newer_controller_is_undecodable_and_keeps_run_and_session() {
    let sent = from_controller(Control::Begin { stage: 1 });
    let mut newer = wire::ControlMessage::from(sent.clone());
    (newer.command, newer.body) = (8, None);
    let arrived: ControlMessage = decode(&newer.encode_to_vec());
    let detail = "command is 8, which this version does not know; is the other side newer?".into();
    assert_eq!(arrived, ControlMessage { body: Control::Undecodable { detail }, ..sent.clone() });

    let mut confused = wire::ControlMessage::from(sent);
    confused.body = Some(control_message::Body::Ping(wire::Ping::default()));
    let arrived: ControlMessage = decode(&confused.encode_to_vec());
    let detail = "command announces another body than the one that follows".into();
    assert_eq!(arrived.body, Control::Undecodable { detail });
}

#[test]
fn text_that_is_not_utf8_is_malformed() {
    let mut bytes = frame(from_controller(Control::Abort { reason: "ok".into() }));
    *bytes.last_mut().expect("not empty") = 0xff;
    let arrived: ControlMessage = decode(&bytes);
    let Control::Undecodable { detail } = arrived.body else { panic!("{arrived:?}") };
    assert!(detail.starts_with("not a message of this protocol: "), "{detail}");
    assert!(matches!(from_bytes(&bytes), Err(BadMessage::Malformed(_))));
}
