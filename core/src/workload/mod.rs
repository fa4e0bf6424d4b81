//! What to do next: names, sizes, contents and the order of operations, all computed from one seed.
//!
//! [`Keys`] name the objects of a pool, a [`Worklist`] goes through them to prepare or clean up, a [`Stream`] is
//! the mix of a timed stage, and a [`Payload`] holds what is written. None of them needs memory for each key, and
//! nothing here depends on the host, the time, or what happened before.

mod blocks;
mod decimal;
mod keys;
mod listing;
mod mix;
mod offsets;
mod payload;
mod permutation;
mod prepare;
mod seed;
mod sizes;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
mod tree;

pub use blocks::UNEQUAL_FILES_MAX;
pub use keys::Keys;
pub use listing::Listing;
pub use payload::Payload;
pub use prepare::{Item, Position, Worklist};
pub use stream::{Next, Special, Step, Stream, StreamError};
