//! How many entries a frame has, counted before anything is allocated for them.
//!
//! Two bytes of a frame can make an entry of a list, which takes a hundred in memory: a frame within its limit could
//! grow to gigabytes while it is decoded. So the frame is walked first, along the fields that hold messages or lists.

use crate::limits;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The fields of a message that hold messages or lists, with the shape of what they hold.
pub struct Shape(&'static [(u32, &'static Shape)]);

const LEAF: Shape = Shape(&[]);

#[expect(dead_code, reason = "messages that travel in no stream have a shape too")]
mod generated {
    use super::{LEAF, Shape};
    include!(concat!(env!("OUT_DIR"), "/shapes.rs"));
}
pub(super) use generated::{AGENT_MESSAGE, CONTROL_MESSAGE};

/// Whether the frame has more entries than [`limits::MESSAGE_ENTRIES`].
pub(super) fn too_many(frame: &[u8], shape: &Shape) -> bool {
    let mut left = limits::MESSAGE_ENTRIES;
    matches!(count(frame, shape, &mut left), Err(Stop::TooMany))
}

enum Stop {
    TooMany,
    /// Decoding will stop here too.
    Malformed,
}

impl From<DecodeError> for Stop {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

fn count(mut message: &[u8], shape: &Shape, left: &mut usize) -> Result<(), Stop> {
    while !message.is_empty() {
        let (field, kind) = decode_key(&mut message)?;
        if kind != WireType::LengthDelimited {
            skip_field(kind, field, &mut message, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
        let (content, rest) = message.split_at_checked(length).ok_or(Stop::Malformed)?;
        message = rest;
        if let Some((_, inner)) = shape.0.iter().find(|(number, _)| *number == field) {
            *left = left.checked_sub(1).ok_or(Stop::TooMany)?;
            count(content, inner, left)?;
        }
    }
    Ok(())
}
