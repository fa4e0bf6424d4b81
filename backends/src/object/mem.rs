//! Objects in the memory of this process. One store a process, so that all its agents see the same objects.

use super::inline::{Hands, Immediate, Look};
use crate::error::{Fault, StorageError};
use crate::executor::{Clock, Manner, ObjectId, Outcome, Task};
use crate::storage::{Content, Page, Storage, Token};
use iobench_core::stats::{ErrorClass, Operation};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// So many threads rarely meet at one lock.
const SHARDS: usize = 64;

/// An object is shared by its readers; a block write waits for them and they for it.
type Object = Arc<RwLock<Box<[u8]>>>;
type Shard = BTreeMap<Box<[u8]>, Object>;

static STORE: [Mutex<Shard>; SHARDS] = [const { Mutex::new(BTreeMap::new()) }; SHARDS];

/// The objects below one target.
#[derive(Debug)]
pub(crate) struct Mem {
    /// Empty or ending in `/`.
    root: Box<[u8]>,
}

impl Mem {
    pub(crate) fn new(root: &str) -> Self {
        let root = root.trim_matches('/');
        let root = if root.is_empty() { String::new() } else { format!("{root}/") };
        Self { root: root.into_bytes().into() }
    }

    fn path(&self, key: &[u8]) -> Vec<u8> {
        let mut path = [&self.root, key].concat();
        if key.is_empty() && path.ends_with(b"/") {
            path.pop();
        }
        path
    }

    fn insert(&self, key: &[u8], bytes: Vec<u8>) {
        let path = self.path(key).into_boxed_slice();
        shard(&path).insert(path, Arc::new(RwLock::new(bytes.into_boxed_slice())));
    }

    /// Puts an object where none is.
    fn insert_new(&self, key: &[u8], bytes: Vec<u8>) -> Result<(), Fault> {
        let path = self.path(key).into_boxed_slice();
        match shard(&path).entry(path) {
            Entry::Occupied(_) => Err(Fault::of(ErrorClass::Exists)),
            Entry::Vacant(free) => {
                free.insert(Arc::new(RwLock::new(bytes.into_boxed_slice())));
                Ok(())
            }
        }
    }

    fn find(&self, key: &[u8]) -> Result<Object, Fault> {
        let path = self.path(key);
        shard(&path).get(&*path).cloned().ok_or(Fault::of(ErrorClass::NotFound))
    }

    fn remove(&self, key: &[u8]) -> Result<Object, Fault> {
        let path = self.path(key);
        shard(&path).remove(&*path).ok_or(Fault::of(ErrorClass::NotFound))
    }

    fn copy_out(&self, key: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let object = self.find(key)?;
        let bytes = object.read().unwrap_or_else(PoisonError::into_inner);
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or(&[]);
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn copy_in(&self, key: &[u8], offset: u64, data: &[u8]) -> Result<(), Fault> {
        let object = self.find(key)?;
        let mut bytes = object.write().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| Fault::of(ErrorClass::Invalid))?;
        let end = start.checked_add(data.len()).ok_or(Fault::of(ErrorClass::Invalid))?;
        if end > bytes.len() {
            let mut longer = std::mem::take(&mut *bytes).into_vec();
            longer.resize(end, 0);
            *bytes = longer.into_boxed_slice();
        }
        bytes[start..end].copy_from_slice(data);
        Ok(())
    }

    /// Copies an object, or so many bytes of it, through the buffer, as reading it would; gives how many.
    fn copy_through(
        &self,
        key: &[u8],
        (from, length): (u64, u64),
        buffer: &mut [u8],
        sink: Look<'_>,
    ) -> Result<u64, Fault> {
        let object = self.find(key)?;
        let bytes = object.read().unwrap_or_else(PoisonError::into_inner);
        let place = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
        let wanted = &bytes[place(from)..place(from.saturating_add(length))];
        let mut offset = from;
        for piece in wanted.chunks(buffer.len().max(1)) {
            let copy = &mut buffer[..piece.len()];
            copy.copy_from_slice(piece);
            sink(offset, copy)?;
            offset += piece.len() as u64;
        }
        Ok(offset - from)
    }

    fn perform_task(&self, task: Task, hands: &mut Hands<'_>) -> Result<u64, Fault> {
        hands.key.clear();
        hands.objects.name(task.object, hands.key);
        let key = &**hands.key;
        let mut look = |offset, bytes: &[u8]| match &mut hands.look {
            Some(look) => look(offset, bytes),
            None => Ok(()),
        };
        let content = |offset: u64, length: u64| {
            let start = hands.objects.start(task.object, offset);
            let length =
                usize::try_from(length).map_or(hands.objects.longest(), |n| n.min(hands.objects.longest()));
            &hands.objects.payload()[start..start + length]
        };
        match task.operation {
            Operation::Get => match self.copy_through(key, span(task), hands.buffer, &mut look)? {
                size if size < task.length => Err(Fault::TRUNCATED),
                size => Ok(size),
            },
            Operation::Put => {
                let mut bytes = Vec::with_capacity(usize::try_from(task.length).unwrap_or(0));
                while (bytes.len() as u64) < task.length {
                    let offset = bytes.len() as u64;
                    bytes.extend_from_slice(content(offset, task.length - offset));
                }
                if task.manner == Manner::IfAbsent {
                    self.insert_new(key, bytes)?;
                } else {
                    self.insert(key, bytes);
                }
                Ok(task.length)
            }
            Operation::Read => {
                let buffer = &mut hands.buffer[..task.length as usize];
                let read = self.copy_out(key, task.offset, buffer)?;
                look(task.offset, &buffer[..read])?;
                if read < buffer.len() { Err(Fault::TRUNCATED) } else { Ok(read as u64) }
            }
            Operation::Write => {
                self.copy_in(key, task.offset, content(task.offset, task.length))?;
                Ok(task.length)
            }
            Operation::Stat => Ok(size(&self.find(key)?)),
            Operation::List => Ok(self.list_all(key, task, hands.clock, hands.pages)),
            Operation::Delete => match task.manner {
                Manner::Batch(count) => {
                    self.remove_batch(task.object, count, hands);
                    Ok(count.into())
                }
                _ => self.remove(key).map(|_| 0),
            },
            Operation::Copy => {
                let Manner::To(to) = task.manner else { return Err(Fault::of(ErrorClass::Invalid)) };
                let bytes = self.find(key)?.read().unwrap_or_else(PoisonError::into_inner).to_vec();
                hands.key.clear();
                hands.objects.name(to, hands.key);
                self.insert(hands.key, bytes);
                Ok(0)
            }
            Operation::Fsync | Operation::Mkdir | Operation::Rmdir => Ok(0),
            Operation::FirstByte | Operation::ListPage => Err(Fault::of(ErrorClass::Invalid)),
        }
    }

    /// Lists the directory that a key is in; gives how many keys there are.
    fn list_all(&self, key: &[u8], task: Task, clock: Clock, pages: &mut Vec<(u64, u64)>) -> u64 {
        let directory = key.iter().rposition(|&b| b == b'/').map_or(&b""[..], |at| &key[..=at]);
        let limit = usize::try_from(task.length).unwrap_or(usize::MAX).max(1);
        let (mut from, mut keys) = (None, 0);
        loop {
            let begun = clock.now();
            let (page, next) = self.page(directory, from.as_deref(), limit);
            pages.push((page.len() as u64, clock.now() - begun));
            keys += page.len() as u64;
            match next {
                Some(next) => from = Some(next),
                None => return keys,
            }
        }
    }

    /// Removes consecutive keys, as far as they are there.
    fn remove_batch(&self, first: ObjectId, count: u32, hands: &mut Hands<'_>) {
        for key in first.key..first.key.saturating_add(count.into()) {
            hands.key.clear();
            hands.objects.name(ObjectId { key, ..first }, hands.key);
            let _was_there = self.remove(hands.key);
        }
    }

    /// Keys with this prefix from `from` on (or from the first), cut at the next `/`; and where the next page begins.
    fn page(&self, prefix: &[u8], from: Option<&[u8]>, limit: usize) -> (Page, Option<Vec<u8>>) {
        let below = [&self.root, prefix].concat();
        let mut cursor = from.map_or_else(|| below.clone(), |from| [&self.root, from].concat());
        let mut page = Page::default();
        while let Some((path, size)) = first_from(&cursor, &below) {
            if page.len() >= limit {
                return (page, Some(path[self.root.len()..].to_vec()));
            }
            let key = &path[self.root.len()..];
            cursor = match key[prefix.len()..].iter().position(|&b| b == b'/') {
                Some(slash) => {
                    let directory = key[..=prefix.len() + slash].to_vec();
                    // Behind everything in it: `0` follows `/`.
                    let mut after = [&self.root, &directory[..]].concat();
                    *after.last_mut().expect("it ends in a slash") = b'0';
                    page.directories.push(directory);
                    after
                }
                None => {
                    page.objects.push((key.to_vec(), Some(size)));
                    [&path[..], &[0]].concat()
                }
            };
        }
        (page, None)
    }
}

impl Immediate for Mem {
    fn perform(&self, task: Task, hands: &mut Hands<'_>) -> Outcome {
        match self.perform_task(task, hands) {
            Ok(bytes) => Outcome::Done(bytes),
            Err(fault) => Outcome::Failed(fault),
        }
    }
}

impl Storage for Mem {
    fn put(&self, key: &[u8], content: &dyn Content) -> Result<(), StorageError> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < content.size() {
            let piece = content.piece(bytes.len() as u64, usize::MAX);
            bytes.extend_from_slice(
                piece.ok_or(Fault::os(libc::ECANCELED)).map_err(|f| f.at("write", self.place(key)))?,
            );
        }
        self.insert(key, bytes);
        Ok(())
    }

    fn get(&self, key: &[u8], buffer: &mut [u8], sink: &mut dyn FnMut(&[u8])) -> Result<u64, StorageError> {
        let mut all = |_, bytes: &[u8]| {
            sink(bytes);
            Ok(())
        };
        self.copy_through(key, WHOLE, buffer, &mut all).map_err(|fault| fault.at("read", self.place(key)))
    }

    fn read(&self, key: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.copy_out(key, offset, buffer).map_err(|fault| fault.at("read", self.place(key)))
    }

    fn write(&self, key: &[u8], offset: u64, data: &[u8]) -> Result<(), StorageError> {
        self.copy_in(key, offset, data).map_err(|fault| fault.at("write", self.place(key)))
    }

    fn stat(&self, key: &[u8]) -> Result<u64, StorageError> {
        self.find(key).map(|object| size(&object)).map_err(|fault| fault.at("look at", self.place(key)))
    }

    fn list(&self, prefix: &[u8], token: Option<&Token>, limit: usize) -> Result<Page, StorageError> {
        let (mut page, next) = self.page(prefix, token.map(|token| &token.0[..]), limit);
        page.next = next.map(Token);
        Ok(page)
    }

    fn delete(&self, key: &[u8]) -> Result<(), StorageError> {
        self.remove(key).map(drop).map_err(|fault| fault.at("remove", self.place(key)))
    }

    fn mkdir(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn rmdir(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), StorageError> {
        let object = self.remove(from).map_err(|fault| fault.at("rename", self.place(from)))?;
        let path = self.path(to).into_boxed_slice();
        shard(&path).insert(path, object);
        Ok(())
    }

    fn sync(&self, key: &[u8]) -> Result<(), StorageError> {
        self.stat(key).map(drop)
    }

    fn sync_all(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn drop_cache(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn place(&self, key: &[u8]) -> String {
        format!("mem://{}", String::from_utf8_lossy(&self.path(key)))
    }
}

/// All of an object, as an offset and a length.
const WHOLE: (u64, u64) = (0, u64::MAX);

/// What a get reads.
fn span(task: Task) -> (u64, u64) {
    if task.manner == Manner::Range { (task.offset, task.length) } else { WHOLE }
}

fn size(object: &Object) -> u64 {
    object.read().unwrap_or_else(PoisonError::into_inner).len() as u64
}

fn shard(path: &[u8]) -> MutexGuard<'static, Shard> {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    // Below 64.
    lock(&STORE[(hasher.finish() % SHARDS as u64) as usize])
}

fn lock(shard: &'static Mutex<Shard>) -> MutexGuard<'static, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first object at or after `from` whose path begins with `prefix`, over all shards; and its size.
fn first_from(from: &[u8], prefix: &[u8]) -> Option<(Box<[u8]>, u64)> {
    let firsts = STORE.iter().filter_map(|shard| {
        let shard = lock(shard);
        let mut range = shard.range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        range
            .next()
            .filter(|(path, _)| path.starts_with(prefix))
            .map(|(path, object)| (path.clone(), size(object)))
    });
    firsts.min_by(|a, b| a.0.cmp(&b.0))
}
