//! Directory trees: which directory has which number, and which files lie in it.

use super::decimal::push_number;
use crate::plan::Tree;

/// A tree whose levels were counted. Counts saturate, so that no configuration can overflow them.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct TreeShape {
    width: u64,
    depth: u32,
    files_per_dir: u64,
    /// The first directory, in the order of all of them, that has files.
    first_with_files: u64,
    directories: u64,
}

impl TreeShape {
    pub(super) fn new(tree: &Tree) -> Self {
        let width = u64::from(tree.width);
        let above_bottom = directories_to(width, tree.depth.saturating_sub(1));
        Self {
            width,
            depth: tree.depth,
            files_per_dir: u64::from(tree.files_per_dir),
            first_with_files: if tree.all_levels { 0 } else { above_bottom },
            directories: directories_to(width, tree.depth),
        }
    }

    /// Directories below the base.
    pub(super) fn directories(&self) -> u64 {
        self.directories
    }

    /// Files in the whole tree. A tree without levels has its files in the base itself.
    pub(super) fn files(&self) -> u64 {
        let holders = if self.depth == 0 { 1 } else { self.directories - self.first_with_files };
        holders.saturating_mul(self.files_per_dir)
    }

    /// Appends the path of a file below the base.
    pub(super) fn push_file(&self, index: u64, out: &mut Vec<u8>) {
        if self.depth > 0 {
            let holder = self.first_with_files + index.checked_div(self.files_per_dir).unwrap_or(0);
            self.push_directory(holder, out);
            out.push(b'/');
        }
        out.extend_from_slice(b"file_");
        push_number(index, 8, out);
        out.extend_from_slice(b".dat");
    }

    /// Appends the path of a directory below the base. Directories beyond the last wrap around.
    pub(super) fn push_directory(&self, index: u64, out: &mut Vec<u8>) {
        let Some(index) = index.checked_rem(self.directories) else { return };
        // The level, and the place within it: the digits of the place, base `width`, are the path.
        let (mut level, mut first, mut size) = (1, 0, self.width);
        while index - first >= size {
            (level, first, size) = (level + 1, first + size, size.saturating_mul(self.width));
        }
        let place = index - first;
        for ancestor in 1..=level {
            let below = self.width.saturating_pow(level - ancestor);
            if ancestor > 1 {
                out.push(b'/');
            }
            out.push(b'd');
            push_number(u64::from(ancestor), 1, out);
            out.extend_from_slice(b"_w");
            push_number(place / below % self.width + 1, 1, out);
            out.extend_from_slice(b".dir");
        }
    }
}

/// Directories on the first `levels` levels: width + width² + …
fn directories_to(width: u64, levels: u32) -> u64 {
    // A tree that does not branch would take a step for each level.
    if width == 1 {
        return u64::from(levels);
    }
    let mut sum = 0_u64;
    let mut size = 1_u64;
    for _ in 0..levels {
        size = size.saturating_mul(width);
        let next = sum.saturating_add(size);
        // Nothing more to add: no directories at all, or more than can be counted.
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}
