//! What every backend can do, one whole operation at a time.
//!
//! This is the plain view of a store: blocking, exact, for everything that is not measured (looking what is there,
//! cleaning up) and for the one [conformance suite](crate::conformance) that all backends pass. What is measured
//! goes through an [`Executor`](crate::executor::Executor), which keeps many operations in flight.

use crate::error::StorageError;

/// A store of objects, each with a key below one target.
///
/// Keys are bytes, `/` separates their segments, no key begins or ends with one. The empty key is the target itself.
pub trait Storage: Send + Sync {
    /// Writes a whole object, replacing one that exists. Missing parents are made. When it fails, or the content
    /// ends it early, nothing of it remains.
    fn put(&self, key: &[u8], content: &dyn Content) -> Result<(), StorageError>;

    /// Reads a whole object through `buffer` (not empty; aligned to 4096 bytes for direct I/O) and hands it over
    /// piece by piece; gives its size in bytes.
    fn get(&self, key: &[u8], buffer: &mut [u8], sink: &mut dyn FnMut(&[u8])) -> Result<u64, StorageError>;

    /// Reads a block of an object; gives how many bytes there were, fewer than asked for only at its end.
    fn read(&self, key: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError>;

    /// Writes a block of an existing object.
    fn write(&self, key: &[u8], offset: u64, data: &[u8]) -> Result<(), StorageError>;

    /// The size of an object, bytes. A directory is no object: `NotFound`.
    fn stat(&self, key: &[u8]) -> Result<u64, StorageError>;

    /// One page of the keys that begin with `prefix` and have no further `/` behind it: at most `limit` objects
    /// and directories together (at least 1), after `token` of the page before. The order is the store's own.
    fn list(&self, prefix: &[u8], token: Option<&Token>, limit: usize) -> Result<Page, StorageError>;

    /// Removes an object; `NotFound` when there is none.
    fn delete(&self, key: &[u8]) -> Result<(), StorageError>;

    /// Makes one directory, where there are such things; `Exists` when it is there.
    fn mkdir(&self, key: &[u8]) -> Result<(), StorageError>;

    /// Removes an empty directory; `Exists` when something is in it, `NotFound` when there is none.
    fn rmdir(&self, key: &[u8]) -> Result<(), StorageError>;

    /// Moves an object, replacing one that exists.
    fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), StorageError>;

    /// Makes one object durable.
    fn sync(&self, key: &[u8]) -> Result<(), StorageError>;

    /// Makes everything durable that was written to the target.
    fn sync_all(&self) -> Result<(), StorageError>;

    /// Forgets what the host caches of an object, so that the next read comes from the storage.
    fn drop_cache(&self, key: &[u8]) -> Result<(), StorageError>;

    /// Whether it is an object store, which differs from files and memory in this:
    /// - blocks are not written: [`write`](Self::write) and the operation fail with `Invalid`;
    /// - an executor's delete does not have to say whether there was an object;
    /// - an executor's list goes through all pages, and says of each how long it took;
    /// - an object replaces another at once and as a whole, also when its put was cancelled.
    fn is_object_store(&self) -> bool {
        false
    }

    /// The target and the key, for a person.
    fn place(&self, key: &[u8]) -> String;
}

/// What a put writes.
pub trait Content {
    /// How many bytes in all.
    fn size(&self) -> u64;

    /// Some bytes from `offset` on, at most `max`, at least one below the size; aligned in memory like the offset
    /// for direct I/O. `None` ends the put: it was cancelled.
    fn piece(&self, offset: u64, max: usize) -> Option<&[u8]>;
}

impl Content for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn piece(&self, offset: u64, max: usize) -> Option<&[u8]> {
        let rest = self.get(usize::try_from(offset).ok()?..)?;
        Some(&rest[..rest.len().min(max)])
    }
}

/// Where the next page begins; only the store that made it understands it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token(pub Vec<u8>);

/// A page of a listing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Objects: key and size in bytes, the latter `None` where it takes another request.
    pub objects: Vec<(Vec<u8>, Option<u64>)>,
    /// Directories, each ending in `/`.
    pub directories: Vec<Vec<u8>>,
    /// For the next page; `None` on the last.
    pub next: Option<Token>,
}

impl Page {
    /// Objects and directories on it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len() + self.directories.len()
    }

    /// Whether nothing is on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
