//! A store that is not there: accepts everything, keeps nothing. It measures the tool itself.

use super::inline::{Hands, Immediate};
use crate::error::{Fault, StorageError};
use crate::executor::{Outcome, Task};
use crate::storage::{Content, Page, Storage, Token};
use iobench_core::stats::{ErrorClass, Operation};

/// Every object exists, has the size that is expected of it, and contains nothing worth reading. As plain storage,
/// where no size is expected, objects are empty and nothing is listed.
#[derive(Debug)]
pub(crate) struct Null;

impl Immediate for Null {
    fn perform(&self, task: Task, hands: &mut Hands<'_>) -> Outcome {
        match task.operation {
            Operation::Get | Operation::Put | Operation::Read | Operation::Write | Operation::Stat => {
                Outcome::Done(task.length)
            }
            Operation::List => {
                hands.pages.push((0, 0));
                Outcome::Done(0)
            }
            _ => Outcome::Done(0),
        }
    }
}

impl Storage for Null {
    fn put(&self, key: &[u8], content: &dyn Content) -> Result<(), StorageError> {
        let mut done = 0;
        while done < content.size() {
            match content.piece(done, usize::MAX) {
                Some(piece) => done += piece.len() as u64,
                None => return Err(Fault::os(libc::ECANCELED).at("write", self.place(key))),
            }
        }
        Ok(())
    }

    fn get(
        &self,
        _key: &[u8],
        _buffer: &mut [u8],
        _sink: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, StorageError> {
        Ok(0)
    }

    fn read(&self, _key: &[u8], _offset: u64, _buffer: &mut [u8]) -> Result<usize, StorageError> {
        Ok(0)
    }

    fn write(&self, _key: &[u8], _offset: u64, _data: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn stat(&self, _key: &[u8]) -> Result<u64, StorageError> {
        Ok(0)
    }

    fn list(&self, prefix: &[u8], _token: Option<&Token>, _limit: usize) -> Result<Page, StorageError> {
        if prefix.is_empty() || prefix.ends_with(b"/") {
            Ok(Page::default())
        } else {
            Err(Fault::of(ErrorClass::NotFound).at("list", self.place(prefix)))
        }
    }

    fn delete(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn mkdir(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn rmdir(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn rename(&self, _from: &[u8], _to: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn sync(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn sync_all(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn drop_cache(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn place(&self, key: &[u8]) -> String {
        format!("null://{}", String::from_utf8_lossy(key))
    }
}
