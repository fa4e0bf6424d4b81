//! Names and sizes of keys, computed: a billion of them cost no memory.
//!
//! Names, below the pool's base:
//!
//! | naming | key `i` |
//! |---|---|
//! | prepared | `prepared-%08d.dat` |
//! | deletable | `deletable-%08d.dat` |
//! | put | `obj_%d` |
//! | single | the base itself |
//! | directory | the base with its slash: a place, not an object |
//! | listed | as listed |
//! | tree | `d1_w1.dir/d2_w3.dir/file_%08d.dat` |
//!
//! A tree's directory is called `d<level>_w<number>.dir`, both from 1. Directories are numbered level by level,
//! parents before children: each level in the order of its parents. Files are numbered through the whole tree,
//! `files_per_dir` to each directory that has any, in the order of directories.

use super::decimal::{number, push_number};
use super::listing::Listing;
use super::seed::{Tag, derive};
use super::sizes::Sizes;
use super::tree::TreeShape;
use crate::plan::{Naming, Pool, PoolId};
use std::sync::Arc;

/// The keys of a pool: how many, what each is called and how large it is.
#[derive(Clone, Debug)]
pub struct Keys {
    base: Box<[u8]>,
    names: Names,
    count: u64,
    sizes: Sizes,
    seed: u64,
    pool: PoolId,
}

#[derive(Clone, Debug)]
enum Names {
    Numbered { prefix: &'static str, digits: usize, suffix: &'static str },
    Tree(TreeShape),
    Single,
    Directory,
    Listed(Arc<Listing>),
}

impl Keys {
    /// The keys of a pool with computed names. A listed pool has none before [`listed`](Self::listed) gives them.
    #[must_use]
    pub fn new(pool: &Pool, id: PoolId, seed: u64) -> Self {
        let numbered = |prefix, digits, suffix| Names::Numbered { prefix, digits, suffix };
        let (names, most) = match &pool.naming {
            Naming::Prepared => (numbered("prepared-", 8, ".dat"), u64::MAX),
            Naming::Deletable => (numbered("deletable-", 8, ".dat"), u64::MAX),
            Naming::Put => (numbered("obj_", 1, ""), u64::MAX),
            Naming::Tree(tree) => {
                let shape = TreeShape::new(tree);
                (Names::Tree(shape), shape.files())
            }
            Naming::Single => (Names::Single, 1),
            Naming::Directory => (Names::Directory, 1),
            Naming::Listed { .. } => (Names::Listed(Arc::default()), 0),
        };
        let base = pool.base.as_bytes().into();
        Self { base, names, count: pool.count.min(most), sizes: Sizes::new(&pool.sizes), seed, pool: id }
    }

    /// The keys that a listing found: names relative to the target, sizes as they are.
    #[must_use]
    pub fn listed(listing: Arc<Listing>, id: PoolId) -> Self {
        let count = listing.len();
        Self {
            base: Box::default(),
            names: Names::Listed(listing),
            count,
            sizes: Sizes::Fixed(0),
            seed: 0,
            pool: id,
        }
    }

    /// The same key or keys, all of this size, in bytes: for an existing file or device whose size was looked up.
    #[must_use]
    pub fn with_size(self, size: u64) -> Self {
        Self { sizes: Sizes::Fixed(size), ..self }
    }

    /// Which pool they belong to.
    #[must_use]
    pub fn pool(&self) -> PoolId {
        self.pool
    }

    /// How many there are; `u64::MAX` for names that PUT takes without end.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The prefix of every name, relative to the target; empty or ending in `/`. Empty for listed keys.
    #[must_use]
    pub fn base(&self) -> &[u8] {
        &self.base
    }

    /// Appends the name of a key, relative to the target. Indices beyond the last wrap around.
    pub fn name(&self, index: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.base);
        match &self.names {
            Names::Numbered { prefix, digits, suffix } => {
                out.extend_from_slice(prefix.as_bytes());
                push_number(index, *digits, out);
                out.extend_from_slice(suffix.as_bytes());
            }
            Names::Tree(shape) => shape.push_file(index, out),
            Names::Single => {
                // The base of a single file may be written like a directory's.
                if out.last() == Some(&b'/') {
                    out.pop();
                }
            }
            Names::Directory => {}
            Names::Listed(listing) => out.extend_from_slice(listing.name(index)),
        }
    }

    /// The size of a key, bytes.
    #[inline]
    #[must_use]
    pub fn size(&self, index: u64) -> u64 {
        match (&self.names, self.sizes) {
            (Names::Listed(listing), _) => listing.size(index),
            (_, Sizes::Fixed(size)) => size,
            (_, sizes) => sizes.draw(derive(self.seed, Tag::Size, u64::from(self.pool.0), index)),
        }
    }

    /// The size that all keys have, if they all have the same and there are any.
    #[must_use]
    pub fn same_size(&self) -> Option<u64> {
        match &self.names {
            Names::Listed(listing) => listing.same_size(),
            _ => self.sizes.constant(),
        }
    }

    /// The index of the key with this name, relative to the target; `None` when it is no key of this pool. For
    /// finding out by listing what exists already. Listed keys are not looked up: they exist.
    #[must_use]
    pub fn index_of(&self, name: &[u8]) -> Option<u64> {
        let below = name.strip_prefix(&*self.base)?;
        let index = match &self.names {
            Names::Numbered { prefix, suffix, .. } => {
                number(below.strip_prefix(prefix.as_bytes())?.strip_suffix(suffix.as_bytes())?)?
            }
            Names::Tree(_) => {
                number(below.rsplit(|&b| b == b'/').next()?.strip_prefix(b"file_")?.strip_suffix(b".dat")?)?
            }
            Names::Single => 0,
            Names::Directory | Names::Listed(_) => return None,
        };
        // Only the one spelling that we would write: no further zeros, the right directory.
        let mut spelled = Vec::with_capacity(name.len());
        self.name(index, &mut spelled);
        (index < self.count && spelled == name).then_some(index)
    }

    /// How many directories a tree has below its base; 0 for other pools.
    #[must_use]
    pub fn directories(&self) -> u64 {
        match &self.names {
            Names::Tree(shape) => shape.directories(),
            _ => 0,
        }
    }

    /// Appends the name of a tree's directory, relative to the target, without a slash at its end. In the order of
    /// indices parents come before their children, so directories can be made in order and removed in reverse.
    pub fn directory(&self, index: u64, out: &mut Vec<u8>) {
        if let Names::Tree(shape) = &self.names {
            out.extend_from_slice(&self.base);
            shape.push_directory(index, out);
        }
    }
}

#[cfg(test)]
mod tests;
