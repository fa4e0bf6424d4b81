//! The objects of a run: names, sizes and contents, with what was found by listing.

use crate::error::StorageError;
use crate::executor::{ObjectId, Objects};
use crate::storage::Storage;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Entry, Fill, Naming, Plan, Pool, PoolId, StageKind, glob_matches};
use iobench_core::stats::{ErrorClass, Operation};
use iobench_core::workload::{Keys, Listing, Payload};
use std::sync::Arc;

/// Objects are read and written in pieces of at most so many bytes; blocks are not cut.
pub(super) const PIECE_MAX: u64 = 1 << 20;
/// So many entries of a directory are looked at together.
const PAGE: usize = 4096;

/// All pools of a plan. Holds nothing for each key, but for the names that a listing found.
pub(super) struct Dataset {
    keys: Vec<Keys>,
    fills: Vec<Fill>,
    payload: Payload,
    /// Of listed pools that are verified: the pool whose objects they are, and the key there of each listed one.
    origins: Vec<Option<(PoolId, Box<[u64]>)>>,
}

impl Dataset {
    /// Looks up what the plan leaves to be found: listed names, and sizes of single files that nobody prepares.
    pub(super) fn resolve(plan: &Plan, storage: &dyn Storage) -> Result<Self, Failure> {
        let mut keys = Vec::with_capacity(plan.pools.len());
        let mut origins = Vec::with_capacity(plan.pools.len());
        for (index, pool) in plan.pools.iter().enumerate() {
            // Plans have at most 65 536 pools: `PoolId` is how they name them.
            let id = PoolId(index as u16);
            let computed = Keys::new(pool, id, plan.seed);
            keys.push(match &pool.naming {
                Naming::Listed { glob } => {
                    let mut found = list(storage, glob)?;
                    origins.push(match origin(plan, id) {
                        Some(origin) => Some(recognize(plan, origin, &mut found, &storage.place(b""))?),
                        None => None,
                    });
                    Keys::listed(Arc::new(found), id)
                }
                Naming::Single if !is_prepared(plan, id) && is_used(plan, id) => single(storage, computed)?,
                _ => computed,
            });
            origins.resize(keys.len(), None);
        }
        let longest = usize::try_from(longest_write(plan)).unwrap_or(usize::MAX);
        let fills = plan.pools.iter().map(|pool| pool.fill).collect();
        Ok(Self { keys, fills, payload: Payload::new(plan.seed, longest), origins })
    }

    /// The keys of all pools, in order.
    pub(super) fn keys(&self) -> &[Keys] {
        &self.keys
    }

    /// The keys of a pool of the plan.
    pub(super) fn pool(&self, pool: PoolId) -> &Keys {
        &self.keys[usize::from(pool.0)]
    }

    /// The key of an object.
    pub(super) fn key(&self, object: ObjectId) -> Vec<u8> {
        let mut key = Vec::new();
        self.name(object, &mut key);
        key
    }
}

impl Objects for Dataset {
    #[inline]
    fn name(&self, object: ObjectId, out: &mut Vec<u8>) {
        self.pool(object.pool).name(object.key, out);
    }

    fn payload(&self) -> &[u8] {
        self.payload.bytes()
    }

    #[inline]
    fn start(&self, object: ObjectId, offset: u64) -> usize {
        let (pool, key) = match &self.origins[usize::from(object.pool.0)] {
            None => (object.pool, object.key),
            Some((origin, keys)) => (*origin, keys[object.key as usize]),
        };
        self.payload.start(self.fills[usize::from(pool.0)], pool, key, offset)
    }

    fn longest(&self) -> usize {
        self.payload.longest()
    }
}

/// The pool that PUT fills with what is listed in this one, if that is to be verified.
fn origin(plan: &Plan, listed: PoolId) -> Option<PoolId> {
    let verified = |entry: &Entry| entry.pool == listed && entry.verify;
    let is_verified = plan.stages.iter().any(|stage| match &stage.kind {
        StageKind::Execute { entries, .. } => entries.iter().any(verified),
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => false,
    });
    let base = &plan.pools.get(usize::from(listed.0)).filter(|_| is_verified)?.base;
    let fills = |pool: &Pool| pool.naming == Naming::Put && pool.base == *base;
    plan.pools.iter().position(fills).map(|index| PoolId(index as u16))
}

/// Keeps of a listing what PUT names so, with the sizes that it would give them; and finds the key of each.
fn recognize(
    plan: &Plan,
    origin: PoolId,
    listing: &mut Listing,
    place: &str,
) -> Result<(PoolId, Box<[u64]>), Failure> {
    let keys = Keys::new(&plan.pools[usize::from(origin.0)], origin, plan.seed);
    let mut known = Listing::new();
    let mut indices = Vec::new();
    for index in 0..listing.len() {
        let name = listing.name(index);
        if let Some(key) = keys.index_of(name) {
            known.push(name, keys.size(key));
            indices.push(key);
        }
    }
    if known.is_empty() {
        let base = String::from_utf8_lossy(keys.base());
        let message =
            format!("nothing in `{base}` of `{place}` was written by a `put` of this configuration");
        return Err(Failure::new(FailureClass::Config, message, "run it once without `verify`"));
    }
    *listing = known;
    Ok((origin, indices.into()))
}

/// Whether some stage prepares the pool.
pub(super) fn is_prepared(plan: &Plan, id: PoolId) -> bool {
    plan.stages
        .iter()
        .any(|stage| matches!(&stage.kind, StageKind::Prepare { pools, .. } if pools.contains(&id)))
}

/// Whether some stage works on what is in the pool.
fn is_used(plan: &Plan, id: PoolId) -> bool {
    plan.stages.iter().any(|stage| match &stage.kind {
        StageKind::Execute { entries, .. } => {
            entries.iter().any(|entry| entry.pool == id && entry.operation != Operation::Put)
        }
        StageKind::Prepare { .. } | StageKind::Cleanup { .. } => false,
    })
}

/// The largest piece that is written at once.
fn longest_write(plan: &Plan) -> u64 {
    let largest = |id: &PoolId| {
        plan.pools.get(usize::from(id.0)).map_or(0, |pool| pool.sizes.bounds().1.min(PIECE_MAX))
    };
    let of_stage = |kind: &StageKind| match kind {
        StageKind::Prepare { pools, .. } => pools.iter().map(largest).max().unwrap_or(0),
        StageKind::Cleanup { .. } => 0,
        StageKind::Execute { entries, .. } => {
            let of_entry = entries.iter().map(|entry| match entry.operation {
                Operation::Put => largest(&entry.pool),
                Operation::Write => entry.block_size.unwrap_or(0),
                _ => 0,
            });
            of_entry.max().unwrap_or(0)
        }
    };
    plan.stages.iter().map(|stage| of_stage(&stage.kind)).max().unwrap_or(0).max(4096)
}

fn single(storage: &dyn Storage, keys: Keys) -> Result<Keys, Failure> {
    let mut key = Vec::new();
    keys.name(0, &mut key);
    match storage.stat(&key) {
        Ok(size) => Ok(keys.with_size(size)),
        Err(error) => Err(missing(&error)),
    }
}

/// What is to be read cannot be looked at.
pub(super) fn missing(error: &StorageError) -> Failure {
    if error.class() == ErrorClass::NotFound {
        let message = format!("nothing is at `{}`, and no stage prepares it", error.place);
        Failure::new(FailureClass::Config, message, "correct the path, or add a `prepare` section")
    } else {
        Failure::new(FailureClass::Config, error.to_string(), "give this user access, or correct the path")
    }
}

/// All objects that match a glob, in the order of their names.
fn list(storage: &dyn Storage, glob: &str) -> Result<Listing, Failure> {
    let fixed = glob.split('*').next().unwrap_or("");
    let base = fixed.rfind('/').map_or("", |at| &fixed[..=at]);
    let mut found = Vec::new();
    walk(
        storage,
        base.as_bytes(),
        glob.contains("**") || glob[base.len()..].contains('/'),
        &mut |key, size| {
            if glob_matches(glob, &String::from_utf8_lossy(key)) {
                let size = match size {
                    Some(size) => size,
                    // One that is no file, or has gone, is not part of it.
                    None => match storage.stat(key) {
                        Ok(size) => size,
                        Err(_) => return,
                    },
                };
                found.push((key.to_vec(), size));
            }
        },
    )
    .map_err(|error| missing(&error))?;
    if found.is_empty() {
        let message = format!("nothing matches `{}`", storage.place(glob.as_bytes()));
        return Err(Failure::new(
            FailureClass::Config,
            message,
            "correct the path, or add a `prepare` section",
        ));
    }
    found.sort_unstable();
    let mut listing = Listing::new();
    found.iter().for_each(|(key, size)| listing.push(key, *size));
    Ok(listing)
}

/// Visits all objects of a directory (empty, or ending in `/`), and of those below it if wanted.
pub(super) fn walk(
    storage: &dyn Storage,
    base: &[u8],
    below: bool,
    visit: &mut dyn FnMut(&[u8], Option<u64>),
) -> Result<(), StorageError> {
    let mut directories = vec![base.to_vec()];
    while let Some(directory) = directories.pop() {
        let mut token = None;
        loop {
            let page = storage.list(&directory, token.as_ref(), PAGE)?;
            page.objects.iter().for_each(|(key, size)| visit(key, *size));
            if below {
                directories.extend(page.directories);
            }
            match page.next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
    }
    Ok(())
}
