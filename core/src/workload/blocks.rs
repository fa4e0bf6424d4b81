//! All whole blocks of all files of a pool as one address space.

use super::keys::Keys;

/// Files of different sizes need a table, so there may be no more of them.
pub const UNEQUAL_FILES_MAX: u64 = 4096;

/// Which block of which file a number means. A last partial block of a file is never visited.
#[derive(Clone, Debug)]
pub(super) enum Blocks {
    /// Every file has as many.
    Equal { per_file: u64, files: u64 },
    /// How many blocks there are up to and including each file.
    Unequal { ends: Box<[u64]> },
}

impl Blocks {
    /// The address space of a pool's files; `None` when they are of different sizes and too many.
    pub(super) fn new(keys: &Keys, block_size: u64) -> Option<Self> {
        if let Some(size) = keys.same_size() {
            return Some(Self::Equal { per_file: size / block_size, files: keys.count() });
        }
        if keys.count() > UNEQUAL_FILES_MAX {
            return None;
        }
        let mut end = 0_u64;
        let ends = (0..keys.count()).map(|file| {
            end = end.saturating_add(keys.size(file) / block_size);
            end
        });
        Some(Self::Unequal { ends: ends.collect() })
    }

    /// How many blocks there are.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Equal { per_file, files } => per_file.saturating_mul(*files),
            Self::Unequal { ends } => ends.last().copied().unwrap_or(0),
        }
    }

    /// The file of a block, and the block's number within it.
    #[inline]
    pub(super) fn locate(&self, block: u64) -> (u64, u64) {
        match self {
            Self::Equal { files: 1, .. } => (0, block),
            Self::Equal { per_file, .. } => (block / per_file, block % per_file),
            Self::Unequal { ends } => {
                let file = ends.partition_point(|&end| end <= block);
                let start = file.checked_sub(1).map_or(0, |before| ends[before]);
                (file as u64, block - start)
            }
        }
    }
}
