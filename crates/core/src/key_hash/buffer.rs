//! Where the encoding of a composite key is written.

use std::fmt::{self, Write};

/// As much of a composite key as stays on the stack, bytes.
const INLINE: usize = 96;

/// The encoding of a composite key: on the stack while it is short.
pub(super) struct Buffer {
    inline: [u8; INLINE],
    /// Bytes in `inline`; unused once `heap` is not empty.
    inline_len: usize,
    heap: Vec<u8>,
}

impl Buffer {
    #[inline]
    pub(super) fn new() -> Self {
        Buffer { inline: [0; INLINE], inline_len: 0, heap: Vec::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        // `INLINE + 1` marks that the bytes have moved to the heap.
        match self.inline.get_mut(self.inline_len..).and_then(|free| free.get_mut(..bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.inline_len += bytes.len();
            }
            None => self.push_heap(bytes),
        }
    }

    #[inline(never)]
    fn push_heap(&mut self, bytes: &[u8]) {
        if self.inline_len <= INLINE {
            self.heap.reserve(INLINE * 4 + bytes.len());
            self.heap.extend_from_slice(&self.inline[..self.inline_len]);
            self.inline_len = INLINE + 1;
        }
        self.heap.extend_from_slice(bytes);
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.inline.get(..self.inline_len).unwrap_or(&self.heap)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.inline.get_mut(..self.inline_len).unwrap_or(&mut self.heap)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// A length; the remainder is enough for a hash.
    #[inline]
    pub(super) fn push_len(&mut self, len: usize) {
        self.push(&(len as u32).to_le_bytes());
    }

    /// Replaces the length written at `at`.
    pub(super) fn patch_len(&mut self, at: usize, len: usize) {
        self.bytes_mut()[at..at + 4].copy_from_slice(&(len as u32).to_le_bytes());
    }

    /// Sorts the map entries that begin at `starts` (ascending; the last one ends the encoding) by their bytes.
    pub(super) fn sort_entries(&mut self, starts: &[usize]) {
        let Some(&first) = starts.first() else { return };
        let bytes = self.bytes();
        let ends = starts[1..].iter().copied().chain([bytes.len()]);
        let mut entries: Vec<&[u8]> = starts.iter().zip(ends).map(|(&start, end)| &bytes[start..end]).collect();
        if !entries.is_sorted() {
            entries.sort_unstable();
            let sorted = entries.concat();
            self.bytes_mut()[first..].copy_from_slice(&sorted);
        }
    }
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
