//! Between the core's values and their wire form.
//!
//! Towards the wire every value has a form. Towards the core only what can be meant passes; see [`Problem`] for what
//! cannot. Fields this version does not know are ignored, optional ones that are absent have their default, and
//! histograms are carried as they are: whoever merges them checks them.

mod bad;
mod control;
mod entries;
mod report;
mod stats;

pub use bad::{BadMessage, Problem};

use crate::{limits, wire};
use bad::At;
use bytes::BufMut;
use iobench_core::message::{AgentMessage, ControlMessage, RunId};
use prost::EncodeError;
use std::time::Duration;

/// A value of the core that travels in frames of its own: one of the two message types.
pub trait Message: Framed + Send + 'static {}

impl Message for ControlMessage {}
impl Message for AgentMessage {}

mod sealed {
    use super::{BadMessage, entries::Shape};

    /// What keeps [`Message`](super::Message) to the two types it is made for.
    pub trait Framed: Sized {
        /// Its wire form.
        type Wire: prost::Message + Default + From<Self>;

        /// Where its wire form has lists.
        const SHAPE: Shape;

        /// What the wire form says and, if its body cannot be understood, why. The header is kept in either case.
        fn parse(wire: Self::Wire, intact: Result<(), BadMessage>) -> (Self, Option<BadMessage>);
    }
}
use sealed::Framed;

/// Appends a message's frame.
///
/// # Errors
/// When the buffer cannot grow to hold it.
pub fn encode<M: Message>(message: M, frame: &mut impl BufMut) -> Result<(), EncodeError> {
    prost::Message::encode(&M::Wire::from(message), frame)
}

/// The message in a frame. A frame that cannot be understood gives `Undecodable`, with as much of run, session and
/// sequence as could be read.
pub fn decode<M: Message>(frame: &[u8]) -> M {
    read(frame).0
}

/// An agent's message as a journal keeps it.
#[must_use]
pub fn to_bytes(message: &AgentMessage) -> Vec<u8> {
    prost::Message::encode_to_vec(&wire::AgentMessage::from(message.clone()))
}

/// An agent's message from a journal.
///
/// # Errors
/// When the bytes are not what [`to_bytes`] of this or a compatible version gives. It never gives `Undecodable`.
pub fn from_bytes(bytes: &[u8]) -> Result<AgentMessage, BadMessage> {
    match read(bytes) {
        (message, None) => Ok(message),
        (_, Some(bad)) => Err(bad),
    }
}

fn read<M: Message>(frame: &[u8]) -> (M, Option<BadMessage>) {
    let mut wire = M::Wire::default();
    if entries::too_many(frame, &M::SHAPE) {
        return M::parse(wire, Err(BadMessage::TooManyEntries));
    }
    // Merging into a value, rather than decoding one, keeps the fields in front of a bad byte.
    let intact = prost::Message::merge(&mut wire, frame).map_err(BadMessage::from);
    M::parse(wire, intact)
}

pub(crate) fn run_id(high: u64, low: u64) -> RunId {
    RunId(u128::from(high) << 64 | u128::from(low))
}

/// The upper and the lower half.
pub(crate) fn halves(run: RunId) -> (u64, u64) {
    let [high, low] = [run.0 >> 64, run.0 & u128::from(u64::MAX)];
    (high as u64, low as u64)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    iobench_core::time::nanos(duration)
}

/// Text for a person, cut where it would make the message undecodable.
pub(crate) fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(limits::TEXT_BYTES));
    text
}

/// Entries for the record, cut where they would make the message undecodable.
fn cut_list<T, W>(list: Vec<T>, entry: impl FnMut(T) -> W) -> Vec<W> {
    list.into_iter().take(limits::LIST_ENTRIES).map(entry).collect()
}

fn text(text: String, field: &'static str) -> Result<String, BadMessage> {
    within(text.len(), limits::TEXT_BYTES).at(field).map(|()| text)
}

/// Every entry of a list, converted; the first bad one is named by its place.
fn list<W, T, E>(
    entries: Vec<W>,
    field: &'static str,
    convert: impl Fn(W) -> Result<T, E>,
) -> Result<Vec<T>, BadMessage>
where
    Result<T, E>: At<T>,
{
    within(entries.len(), limits::LIST_ENTRIES).at(field)?;
    entries.into_iter().enumerate().map(|(i, entry)| convert(entry).at(&format!("{field}[{i}]"))).collect()
}

fn required<T>(value: Option<T>, field: &'static str) -> Result<T, BadMessage> {
    value.ok_or(Problem::Missing).at(field)
}

fn within(length: usize, limit: usize) -> Result<(), Problem> {
    if length > limit { Err(Problem::TooLong { length, limit }) } else { Ok(()) }
}

/// An enumeration that both sides know by number.
trait Known: Sized {
    /// The value with this number; `None` for 0, which means "not said", and for what a newer peer may have.
    fn from_number(number: i32) -> Option<Self>;
}

fn known<T: Known>(number: i32, field: &'static str) -> Result<T, BadMessage> {
    T::from_number(number).ok_or(Problem::Unknown(number)).at(field)
}

/// Ties an enumeration of the core to its namesake on the wire. The compiler sees to it that none is forgotten.
macro_rules! same_names {
    ($core:path as $wire:ident: $($variant:ident)*) => {
        impl From<$core> for crate::wire::$wire {
            fn from(value: $core) -> Self {
                use $core as Core;
                match value { $(Core::$variant => Self::$variant,)* }
            }
        }
        impl crate::convert::Known for $core {
            fn from_number(number: i32) -> Option<Self> {
                match crate::wire::$wire::try_from(number).ok()? {
                    crate::wire::$wire::Unspecified => None,
                    $(crate::wire::$wire::$variant => Some(Self::$variant),)*
                }
            }
        }
    };
}
use same_names;
