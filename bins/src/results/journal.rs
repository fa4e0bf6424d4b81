//! The journal: an append-only file of framed records, readable up to the last whole one however its writer ended.
//!
//! ```text
//! file  = MAGIC frame*
//! frame = length u32 · kind u8 · crc32 u32 · payload          little endian; the CRC covers length, kind, payload
//! ```
//! Headers, events and the outcome are JSON; an agent's message is its wire encoding after 20 bytes of envelope.

use super::directory::PathError;
use super::record::{AgentRecord, FORMAT, Record};
use iobench_core::message::AgentIndex;
use iobench_core::time::{Mono, Now, Unix};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use thiserror::Error;

/// The first bytes of every journal.
pub const MAGIC: &[u8; 8] = b"iobenchJ";
const CUT_OFF: &str = "the last record is cut off";
/// Bytes before a payload.
const FRAME: usize = 9;
/// Longer payloads are damage: messages are at most 64 MiB.
const PAYLOAD_MAX: usize = 65 << 20;
/// Agent index, monotonic and wall clock before a message.
const ENVELOPE: usize = 20;

const HEADER: u8 = 1;
const AGENT: u8 = 2;
const EVENT: u8 = 3;
const OUTCOME: u8 = 4;
const KEPT: u8 = 5;

/// A journal, or the part of it that can be used.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    /// Bytes read as whole frames.
    offset: u64,
    loss: Option<Loss>,
    /// Whole records that this version cannot interpret.
    skipped: u64,
}

/// Where a journal stops being readable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The first byte that is lost.
    pub offset: u64,
    /// The file ends in the middle of a record. Otherwise it goes on, but what it says is wrong.
    pub torn: bool,
    /// What is wrong there.
    pub reason: String,
}

/// Why a file cannot be read as a journal at all.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It cannot be opened or read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is none.
    #[error(
        "{path} holds no journal; give a results directory, as `./iobench-20260101T000000Z-name-0123abcd`"
    )]
    Missing {
        /// The directory.
        path: String,
    },
    /// There is none, but an agent has kept something there.
    #[error(
        "{path} holds results that an agent kept and is not a results directory; show them with: iobench merge {path}, or \
             together with the controller's: iobench merge RESULTS_DIR {path}"
    )]
    Kept {
        /// The directory.
        path: String,
    },
    /// It is something else.
    #[error("{path} is not a journal of iobench; give a results directory, or one that an agent kept")]
    Foreign {
        /// Where.
        path: String,
    },
    /// A later version wrote it.
    #[error("{path} has format {format}, and this version reads up to {FORMAT}; use a newer iobench")]
    Newer {
        /// Where.
        path: String,
        /// Its format.
        format: u32,
    },
    /// Even its first record is lost.
    #[error("{path} has no complete header, so its run is unknown; nothing can be recovered from it")]
    Headless {
        /// Where.
        path: String,
    },
}

/// Appends a record's frame to `out`.
pub fn encode(record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME]);
    let kind = match record {
        Record::Header(header) => json(HEADER, header, out)?,
        Record::Kept(header) => json(KEPT, header, out)?,
        Record::Event(event) => json(EVENT, event, out)?,
        Record::Outcome(outcome) => json(OUTCOME, outcome, out)?,
        Record::Agent(record) => {
            out.extend_from_slice(&record.agent.0.to_le_bytes());
            out.extend_from_slice(&record.received.mono.0.to_le_bytes());
            out.extend_from_slice(&record.received.unix.0.to_le_bytes());
            out.extend_from_slice(&iobench_proto::to_bytes(&record.message));
            AGENT
        }
    };
    let length = out.len() - start - FRAME;
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= PAYLOAD_MAX) else {
        out.truncate(start);
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a record of {length} bytes is too long"),
        ));
    };
    let crc = checksum(length, kind, &out[start + FRAME..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4] = kind;
    out[start + 5..start + FRAME].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

fn json(kind: u8, value: &impl Serialize, out: &mut Vec<u8>) -> io::Result<u8> {
    serde_json::to_writer(out, value)?;
    Ok(kind)
}

fn checksum(length: u32, kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

impl Reader<File> {
    /// Opens a journal.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let open = || {
            // Something that is no file, such as a pipe, may keep its reader waiting for ever.
            if path.metadata()?.is_file() {
                File::open(path)
            } else {
                Err(io::Error::other("it is not a file"))
            }
        };
        Self::of(path, open().map_err(PathError::on("read", path))?)
    }
}

impl<R: Read> Reader<R> {
    /// Reads the journal that is or was at this path.
    pub(super) fn of(path: &Path, input: R) -> Result<Self, ReadError> {
        Self::new(input)
            .map_err(PathError::on("read", path))?
            .ok_or_else(|| ReadError::Foreign { path: path.display().to_string() })
    }

    /// Reads the magic; `None` when it is another.
    pub fn new(input: R) -> io::Result<Option<Self>> {
        let mut input = BufReader::with_capacity(1 << 16, input);
        let mut magic = [0; MAGIC.len()];
        let read = read_up_to(&mut input, &mut magic)?;
        let reader = Self { input, offset: MAGIC.len() as u64, loss: None, skipped: 0 };
        Ok((&magic[..read] == MAGIC).then_some(reader))
    }

    /// Where and why reading ended before the end of the file; `None` when it did not, or not yet.
    #[must_use]
    pub fn loss(&self) -> Option<&Loss> {
        self.loss.as_ref()
    }

    /// Whole records that this version could not interpret, and passed over.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next whole frame; `None` at the end, clean or not.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        if self.loss.is_some() {
            return None;
        }
        match self.try_frame() {
            Ok(frame) => frame,
            Err(broken) => {
                let torn = broken == CUT_OFF;
                self.loss = Some(Loss { offset: self.offset, torn, reason: broken });
                None
            }
        }
    }

    fn try_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
        let mut head = [0; FRAME];
        match read_up_to(&mut self.input, &mut head).map_err(|error| error.to_string())? {
            0 => return Ok(None),
            FRAME => {}
            _ => return Err(CUT_OFF.to_owned()),
        }
        let [l0, l1, l2, l3, kind, c0, c1, c2, c3] = head;
        let (length, crc) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([c0, c1, c2, c3]));
        if length as usize > PAYLOAD_MAX {
            return Err("a record is damaged".to_owned());
        }
        let mut payload = Vec::new();
        // `take` and not a buffer of the claimed length: damage must not allocate.
        let read = (&mut self.input).take(length.into()).read_to_end(&mut payload);
        match read.map_err(|error| error.to_string())? {
            read if read < length as usize => Err(CUT_OFF.to_owned()),
            _ if checksum(length, kind, &payload) != crc => Err("a record is damaged".to_owned()),
            read => {
                self.offset += (FRAME + read) as u64;
                Ok(Some((kind, payload)))
            }
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            let (kind, payload) = self.frame()?;
            match decode(kind, &payload) {
                Some(record) => return Some(record),
                None => self.skipped += 1,
            }
        }
    }
}

/// A record from a frame whose checksum is right; `None` when a newer version wrote what we do not know.
fn decode(kind: u8, payload: &[u8]) -> Option<Record> {
    match kind {
        HEADER => parse(payload).map(Record::Header),
        KEPT => parse(payload).map(Record::Kept),
        EVENT => parse(payload).map(Record::Event),
        OUTCOME => parse(payload).map(Record::Outcome),
        AGENT => {
            let (envelope, message) = payload.split_at_checked(ENVELOPE)?;
            let word = |at: usize| Some(u64::from_le_bytes(envelope.get(at..at + 8)?.try_into().ok()?));
            Some(Record::Agent(Box::new(AgentRecord {
                agent: AgentIndex(u32::from_le_bytes(envelope.get(..4)?.try_into().ok()?)),
                received: Now { mono: Mono(word(4)?), unix: Unix(word(12)?) },
                message: iobench_proto::from_bytes(message).ok()?,
            })))
        }
        _ => None,
    }
}

fn parse<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

/// Fills the buffer as far as the input reaches.
fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal is lost from byte {} on ({}); all before it is kept", self.offset, self.reason)
    }
}
