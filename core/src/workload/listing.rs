//! Keys that were found by listing a target.

/// Names and sizes of existing objects in the order they were found. Compact: all names lie in one piece of memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listing {
    names: Vec<u8>,
    /// Where each name ends in `names`, and the object's size.
    entries: Vec<(u64, u64)>,
    /// The size of all of them; `None` once two differ.
    same_size: Option<u64>,
}

impl Listing {
    /// Nothing found so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object: its name relative to the target, its size in bytes.
    pub fn push(&mut self, name: &[u8], size: u64) {
        self.same_size =
            if self.entries.is_empty() { Some(size) } else { self.same_size.filter(|&all| all == size) };
        self.names.extend_from_slice(name);
        self.entries.push((self.names.len() as u64, size));
    }

    /// How many objects.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether none was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The name of an object; beyond the last it wraps around. Empty when nothing was found.
    #[must_use]
    pub fn name(&self, index: u64) -> &[u8] {
        let Some(index) = self.wrap(index) else { return &[] };
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].0);
        &self.names[start as usize..self.entries[index].0 as usize]
    }

    /// The size of an object, bytes; beyond the last it wraps around. 0 when nothing was found.
    #[must_use]
    pub fn size(&self, index: u64) -> u64 {
        self.wrap(index).map_or(0, |index| self.entries[index].1)
    }

    /// The size of all objects, if they all have the same and there are any.
    #[must_use]
    pub fn same_size(&self) -> Option<u64> {
        self.same_size
    }

    fn wrap(&self, index: u64) -> Option<usize> {
        index.checked_rem(self.len()).map(|index| index as usize)
    }
}
