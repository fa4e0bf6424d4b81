//! Memory aligned for direct I/O.

/// Direct I/O wants memory, offsets and lengths aligned to the device's block size; 4096 suits all devices.
pub(crate) const ALIGNMENT: usize = 4096;

/// Bytes that begin on a multiple of [`ALIGNMENT`] and never move.
pub(crate) struct AlignedBuffer {
    memory: Box<[u8]>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    /// Zeroed memory of at least one byte; the length is rounded up to the alignment.
    pub(crate) fn new(len: usize) -> Self {
        let len = len.max(1).next_multiple_of(ALIGNMENT);
        let memory = vec![0; len + ALIGNMENT].into_boxed_slice();
        // The box never moves its bytes, so what is aligned now stays aligned.
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        assert!(start < ALIGNMENT, "an offset can be computed for bytes");
        Self { memory, start, len }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_and_ends_on_a_block() {
        for len in [0, 1, 4095, 4096, 4097] {
            let buffer = AlignedBuffer::new(len);
            assert_eq!(buffer.bytes().as_ptr().align_offset(ALIGNMENT), 0);
            assert_eq!(buffer.len() % ALIGNMENT, 0);
            assert!(buffer.len() >= len.max(1));
        }
    }
}
