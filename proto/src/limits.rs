//! How much of anything a message may hold. A message beyond these is undecodable.
//!
//! What a person reads (reasons, failures, facts, warnings) is cut to fit when it is encoded: a terminal message must
//! not be lost because its explanation is long. What a run depends on (configuration, settings, names, counts) is
//! never cut; whoever makes it keeps it within these bounds.

/// A whole message, bytes, in both directions.
pub const MESSAGE_BYTES: usize = 64 << 20;

/// Entries in all lists of a message together, which bounds the memory that decoding a frame can take. A hundred
/// stages with every cell, and as many errors and facts, are a tenth of it.
pub const MESSAGE_ENTRIES: usize = 1 << 18;

/// A configuration, bytes.
pub const YAML_BYTES: usize = 16 << 20;

/// Any other text, bytes.
pub const TEXT_BYTES: usize = 64 << 10;

/// An encoded histogram, bytes. The largest that 3 digits up to one hour can need is a third of this.
pub const HISTOGRAM_BYTES: usize = 1 << 20;

/// Overrides, facts, warnings, kinds of error, stages: entries in any one list. Cells need no bound of their own,
/// because each pair of operation and band appears at most once.
pub const LIST_ENTRIES: usize = 4096;
