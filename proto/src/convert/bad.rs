//! What is wrong with a message, and where in it.

use thiserror::Error;

/// A message that cannot be understood.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum BadMessage {
    /// The bytes are not protobuf, or stop in the middle.
    #[error("not a message of this protocol: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// It would take too much memory to decode.
    #[error("has more than {} entries", crate::limits::MESSAGE_ENTRIES)]
    TooManyEntries,
    /// A field says what cannot be meant.
    #[error("{field} {problem}")]
    Field {
        /// The path to it from the message down, e.g. `running.tally.cells[3].operation`.
        field: String,
        /// What is wrong.
        problem: Problem,
    },
}

/// What can be wrong with a field.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Problem {
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// The number stands for nothing in this version.
    #[error("is {0}, which this version does not know; is the other side newer?")]
    Unknown(i32),
    /// The body is another than the command or status announces.
    #[error("announces another body than the one that follows")]
    Contradicted,
    /// There is no such size band.
    #[error("is {0}, but bands end at 8")]
    NoSuchBand(u32),
    /// More bytes or entries than the [`limits`](crate::limits) allow.
    #[error("has a length of {length}, but the limit is {limit}")]
    TooLong {
        /// Bytes or entries.
        length: usize,
        /// At most so many.
        limit: usize,
    },
    /// Entries must ascend, each key once.
    #[error("is out of order or there twice")]
    OutOfOrder,
    /// What did not happen has no entry.
    #[error("is 0")]
    Zero,
}

/// Says where: puts a field's name in front of what is known so far.
pub(super) trait At<T> {
    fn at(self, field: &str) -> Result<T, BadMessage>;
}

impl<T> At<T> for Result<T, Problem> {
    fn at(self, field: &str) -> Result<T, BadMessage> {
        self.map_err(|problem| BadMessage::Field { field: field.to_owned(), problem })
    }
}

impl<T> At<T> for Result<T, BadMessage> {
    fn at(self, field: &str) -> Result<T, BadMessage> {
        self.map_err(|bad| match bad {
            BadMessage::Field { field: inner, problem } => {
                BadMessage::Field { field: format!("{field}.{inner}"), problem }
            }
            whole @ (BadMessage::Malformed(_) | BadMessage::TooManyEntries) => whole,
        })
    }
}
