//! Where results are read from: one journal or several, and what could not be written.

use super::journal::{Loss, ReadError, Reader};
use super::record::{AgentRecord, FORMAT, Record};
use iobench_core::message::{AgentIndex, Session};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Records that can be read again and again, so that no report needs them all in memory.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Read in this order.
    pub journals: Vec<PathBuf>,
    /// The first of them, where it is open already: then it can be read even if its name is gone.
    pub open: Option<Arc<File>>,
    /// Records after them, which are nowhere on a disk.
    pub unwritten: Vec<Record>,
}

/// What a reading of a [`Source`] did not give, one sentence each; empty when it gave all.
pub type Losses = Vec<String>;

/// What stood in the way of reading a [`Source`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gaps {
    /// All of it.
    pub losses: Losses,
    /// Where the controller's journal stops being readable, and with it what the controller said of the end.
    pub broken: Option<Loss>,
}

impl Source {
    /// One journal.
    #[must_use]
    pub fn journal(path: PathBuf) -> Self {
        Self { journals: vec![path], open: None, unwritten: Vec::new() }
    }

    /// Visits every record, an agent's message only once however many journals hold it.
    pub fn each(&self, mut visit: impl FnMut(&Record)) -> Result<Gaps, ReadError> {
        let mut once = (self.journals.len() > 1).then(Once::default);
        let mut gaps = Gaps::default();
        let mut pass = |record: &Record| {
            let first = match (record, &mut once) {
                (Record::Agent(message), Some(once)) => once.is_first(message),
                _ => true,
            };
            if first {
                visit(record);
            }
        };
        for (path, open) in
            self.journals.iter().zip(std::iter::once(self.open.as_ref()).chain(std::iter::repeat(None)))
        {
            match open {
                Some(file) => visit_all(Reader::of(path, FromStart::of(file))?, path, &mut gaps, &mut pass)?,
                None => visit_all(Reader::open(path)?, path, &mut gaps, &mut pass)?,
            }
        }
        self.unwritten.iter().for_each(pass);
        Ok(gaps)
    }
}

/// Visits the records of one journal.
fn visit_all(
    mut reader: Reader<impl Read>,
    path: &Path,
    gaps: &mut Gaps,
    visit: &mut impl FnMut(&Record),
) -> Result<(), ReadError> {
    let mut kept = false;
    for record in reader.by_ref() {
        refuse_newer(&record, path)?;
        kept |= matches!(record, Record::Kept(_));
        visit(&record);
    }
    if let Some(loss) = reader.loss() {
        gaps.losses.push(format!("{}: {loss}", path.display()));
        if !kept {
            gaps.broken.get_or_insert_with(|| loss.clone());
        }
    }
    if reader.skipped() > 0 {
        gaps.losses.push(format!(
            "{}: {} records are of a kind that this version does not know, and are passed over; \
             use the version that wrote them",
            path.display(),
            reader.skipped()
        ));
    }
    Ok(())
}

/// Reads an open file from its beginning, wherever others are in it.
pub(super) struct FromStart<'a> {
    file: &'a File,
    offset: u64,
}

impl<'a> FromStart<'a> {
    pub(super) fn of(file: &'a File) -> Self {
        Self { file, offset: 0 }
    }
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

fn refuse_newer(record: &Record, path: &Path) -> Result<(), ReadError> {
    let format = match record {
        Record::Header(header) => header.format,
        Record::Kept(header) => header.format,
        _ => FORMAT,
    };
    if format > FORMAT { Err(ReadError::Newer { path: path.display().to_string(), format }) } else { Ok(()) }
}

/// Which messages were seen. Used only for merging, where two journals can hold the same.
#[derive(Default)]
struct Once(BTreeSet<(AgentIndex, Session, u64)>);

impl Once {
    fn is_first(&mut self, record: &AgentRecord) -> bool {
        self.0.insert((record.agent, record.message.session, record.message.sequence))
    }
}
