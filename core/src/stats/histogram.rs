//! Latency histograms: three significant digits from one nanosecond to one hour.
//!
//! A thin layer over the `hdrhistogram` crate that fixes the range and stops bad bytes. Reading is our own, since
//! the crate's reader allocates as much as the bytes claim and can overflow on hostile counts.

use super::types::Encoded;
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use std::fmt;
use std::io::Read;

/// The largest value, nanoseconds: one hour. Longer ones count as this.
pub const HIGHEST: u64 = 3_600_000_000_000;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// Half of the linear sub-buckets in each power of two: what three digits need (1000 rounded up to 2^10).
const HALF: u64 = 1 << 10;
/// Slots from 0 to the one of [`HIGHEST`], which has 42 bits: 32 powers of two above the first.
const SLOTS: u64 = 33 * HALF;
/// No histogram holds more: a month at a hundred million a second, and 65 535 such can be merged without overflow.
const COUNT_MAX: u64 = 1 << 48;

const COOKIE_DEFLATED: u32 = 0x1c84_9314;
const COOKIE_PLAIN: u32 = 0x1c84_9313;
const HEADER: usize = 40;
/// A number takes at most nine bytes, and there is at most one for each slot.
const PLAIN_MAX: usize = HEADER + 9 * SLOTS as usize;
/// Deflate never grows by more than this (five bytes for each 16 KiB, plus header and checksum).
const DEFLATED_MAX: usize = 8 + PLAIN_MAX + PLAIN_MAX / 1024 + 64;

/// Counts of latencies in nanoseconds. About 270 KB of address space, of which only the touched pages are used.
#[derive(Clone, PartialEq)]
pub struct Histogram {
    inner: hdrhistogram::Histogram<u64>,
}

/// Why bytes are no histogram of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadHistogram {
    /// More bytes, or more after inflating, than any histogram of ours can have.
    #[error("an encoded histogram is larger than any can be; the sender is faulty or of another version")]
    TooLong,
    /// It ends too early, is not deflated, or has no V2 header.
    #[error("an encoded histogram is damaged ({0}); the sender is faulty or of another version")]
    Damaged(&'static str),
    /// Another range or precision.
    #[error(
        "an encoded histogram has {digits} digits from {low} to {high} ns, not 3 from 1 to {HIGHEST}; use the same version on all hosts"
    )]
    OtherRange {
        /// Significant digits.
        digits: u32,
        /// Lowest discernible value.
        low: u64,
        /// Highest trackable value.
        high: u64,
    },
    /// More than 2^48 values, or a negative number of them.
    #[error("an encoded histogram counts more than can have happened; the sender is faulty")]
    Count,
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let inner =
            hdrhistogram::Histogram::new_with_bounds(1, HIGHEST, DIGITS).expect("constant bounds are valid");
        Self { inner }
    }

    /// Counts one latency, nanoseconds; 0 counts as 1, more than an hour as an hour.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.inner.saturating_record(nanos.max(1));
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.inner.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The smallest, nanoseconds, to three digits; 0 when empty.
    #[must_use]
    pub fn min(&self) -> u64 {
        if self.is_empty() { 0 } else { self.inner.min() }
    }

    /// The largest, nanoseconds, to three digits; 0 when empty.
    #[must_use]
    pub fn max(&self) -> u64 {
        if self.is_empty() { 0 } else { self.inner.max() }
    }

    /// The mean, nanoseconds, to three digits. A cell's exact sum is better where there is one.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.inner.mean()
    }

    /// The value that `percent` (0 to 100) of the latencies do not exceed, nanoseconds; 0 when empty.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        // One step down, or rounding errors (99.9 / 100 × 1000 > 999) would reach for the next value.
        self.inner.value_at_quantile((percent / 100.0).next_down().max(0.0))
    }

    /// Every value that was recorded, to three digits, with its count; ascending.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> {
        self.inner.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()))
    }

    /// Adds the counts of another; exact.
    pub fn merge(&mut self, other: &Self) {
        self.inner.add(&other.inner).expect("all histograms have the same range");
    }

    /// Adds the counts of an encoded one; exact. On an error nothing was added.
    pub fn merge_encoded(&mut self, encoded: &Encoded) -> Result<(), BadHistogram> {
        self.merge_opened(&encoded.open()?);
        Ok(())
    }

    /// Adds the counts of an encoded one that was found to be sound.
    pub(super) fn merge_opened(&mut self, opened: &Opened) {
        for_each_count(&opened.counts, |slot, count| self.inner.saturating_record_n(value_of(slot), count))
            .expect("the counts were walked before");
    }

    /// Forgets everything; keeps the memory.
    pub fn clear(&mut self) {
        // Clearing touches all pages, so an untouched histogram is left alone.
        if !self.is_empty() {
            self.inner.reset();
        }
    }

    /// HdrHistogram's V2 + DEFLATE encoding; no bytes when empty.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let mut bytes = Vec::new();
        if !self.is_empty() {
            V2DeflateSerializer::new()
                .serialize(&self.inner, &mut bytes)
                .expect("counts are below 2^63 and a vector takes all bytes");
        }
        Encoded(bytes)
    }

    /// The inverse of [`encode`](Self::encode). Safe for hostile bytes: bounded memory, no panic.
    pub fn decode(encoded: &Encoded) -> Result<Self, BadHistogram> {
        let mut histogram = Self::new();
        histogram.merge_encoded(encoded)?;
        Ok(histogram)
    }
}

/// The counts of an encoded histogram, inflated and found to be sound.
pub(super) struct Opened {
    counts: Vec<u8>,
}

impl Opened {
    /// Whether it counts nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl Encoded {
    /// Whether the bytes are empty or a histogram of ours; how many values it counts.
    pub fn check(&self) -> Result<u64, BadHistogram> {
        count_all(&self.open()?.counts)
    }

    /// Looks at every byte, so that nothing can fail afterwards.
    pub(super) fn open(&self) -> Result<Opened, BadHistogram> {
        let mut counts = inflate(&self.0)?;
        if !counts.is_empty() {
            check_header(&counts)?;
            counts.drain(..HEADER);
        }
        count_all(&counts)?;
        Ok(Opened { counts })
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({} from {} to {} ns)", self.count(), self.min(), self.max())
    }
}

/// The plain V2 encoding inside the deflated one; empty for empty.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, BadHistogram> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    if bytes.len() > DEFLATED_MAX {
        return Err(BadHistogram::TooLong);
    }
    let (Some(cookie), Some(length)) = (be32(bytes, 0), be32(bytes, 4)) else {
        return Err(BadHistogram::Damaged("no header"));
    };
    if cookie != COOKIE_DEFLATED {
        return Err(BadHistogram::Damaged("not V2 + DEFLATE"));
    }
    if length as usize != bytes.len() - 8 {
        return Err(BadHistogram::Damaged("length differs"));
    }
    read_bounded(ZlibDecoder::new(&bytes[8..]))
}

/// All that a reader gives, if it is no more than a plain histogram can have.
fn read_bounded(reader: impl Read) -> Result<Vec<u8>, BadHistogram> {
    let mut plain = Vec::new();
    let mut bounded = reader.take(PLAIN_MAX as u64 + 1);
    bounded.read_to_end(&mut plain).map_err(|_| BadHistogram::Damaged("cannot be inflated"))?;
    if plain.len() > PLAIN_MAX { Err(BadHistogram::TooLong) } else { Ok(plain) }
}

/// Whether a plain histogram is as long as its header says and has our range.
fn check_header(plain: &[u8]) -> Result<(), BadHistogram> {
    if plain.len() < HEADER {
        return Err(BadHistogram::Damaged("short header"));
    }
    let word = |at| be32(plain, at).unwrap_or(0);
    let double = |at| u64::from(word(at)) << 32 | u64::from(word(at + 4));
    let (cookie, length, offset, digits) = (word(0), word(4), word(8), word(12));
    let (low, high, ratio) = (double(16), double(24), f64::from_bits(double(32)));
    if cookie != COOKIE_PLAIN || offset != 0 || ratio != 1.0 {
        return Err(BadHistogram::Damaged("not a plain V2 histogram"));
    }
    if (digits, low, high) != (u32::from(DIGITS), 1, HIGHEST) {
        return Err(BadHistogram::OtherRange { digits, low, high });
    }
    if length as usize != plain.len() - HEADER {
        return Err(BadHistogram::Damaged("length of the counts differs"));
    }
    Ok(())
}

/// The sum of all counts, or why they make no sense.
fn count_all(counts: &[u8]) -> Result<u64, BadHistogram> {
    let mut sum = 0_u64;
    for_each_count(counts, |_, count| sum = sum.saturating_add(count))?;
    if sum > COUNT_MAX { Err(BadHistogram::Count) } else { Ok(sum) }
}

/// Walks the counts: a positive number is the count of the next slot, a negative one skips so many empty slots.
fn for_each_count(mut bytes: &[u8], mut visit: impl FnMut(u64, u64)) -> Result<(), BadHistogram> {
    let mut slot = 0_u64;
    while !bytes.is_empty() {
        let zigzag = take_varint(&mut bytes)?;
        let magnitude = zigzag.div_ceil(2);
        if zigzag % 2 == 1 {
            slot = slot.saturating_add(magnitude);
        } else {
            if slot >= SLOTS {
                return Err(BadHistogram::Damaged("more counts than slots"));
            }
            if magnitude > 0 {
                visit(slot, magnitude);
            }
            slot += 1;
        }
    }
    if slot > SLOTS { Err(BadHistogram::Damaged("more counts than slots")) } else { Ok(()) }
}

/// A number in the format's own variant of LEB128: seven bits a byte, lowest first, but all eight of a ninth byte.
fn take_varint(bytes: &mut &[u8]) -> Result<u64, BadHistogram> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(9).enumerate() {
        let last = index == 8 || byte < 0x80;
        let bits = if index == 8 { byte } else { byte & 0x7f };
        value |= u64::from(bits) << (7 * index);
        if last {
            *bytes = &bytes[index + 1..];
            return Ok(value);
        }
    }
    Err(BadHistogram::Damaged("ends within a number"))
}

/// The lowest value of a slot: linear in the first two halves, then twice as coarse with each further half.
fn value_of(slot: u64) -> u64 {
    match slot / HALF {
        0 => slot,
        half => (slot % HALF + HALF) << (half - 1),
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
