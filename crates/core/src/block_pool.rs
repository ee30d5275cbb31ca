//! Memory for snapshots, used again and again: fresh memory is cleared page by page by the operating system, which would make a
//! task stand still while it takes one.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that a pool keeps at the most.
const KEPT_BYTES: usize = 8 << 20;

/// Empty blocks of memory that wait to be filled. Whoever writes a snapshot takes them, whoever has stored it puts them back.
#[derive(Debug, Default)]
pub struct BlockPool {
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

impl BlockPool {
    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty block with room for `bytes`.
    pub fn take(&self, bytes: usize) -> Vec<u8> {
        let free = &mut *self.lock();
        while let Some(block) = free.blocks.pop() {
            free.bytes -= block.capacity();
            if block.capacity() >= bytes {
                return block;
            }
        }
        Vec::with_capacity(bytes)
    }

    /// Gives a block back, unless there are enough of them.
    pub fn put(&self, mut block: Vec<u8>) {
        let free = &mut *self.lock();
        if block.capacity() > 0 && free.bytes + block.capacity() <= KEPT_BYTES {
            block.clear();
            free.bytes += block.capacity();
            free.blocks.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_empty_and_large_enough() {
        let pool = BlockPool::default();
        let mut block = pool.take(100);
        block.extend_from_slice(b"content");
        let place = block.as_ptr();
        pool.put(block);
        let again = pool.take(100);
        assert_eq!((again.len(), again.as_ptr()), (0, place));
        pool.put(again);
        assert!(pool.take(1000).capacity() >= 1000);
    }

    #[test]
    fn keeps_no_more_than_its_bound() {
        let pool = BlockPool::default();
        (0..100).for_each(|_| pool.put(Vec::with_capacity(1 << 20)));
        assert_eq!(pool.lock().bytes, KEPT_BYTES);
        (0..8).for_each(|_| assert!(pool.take(1 << 20).capacity() >= 1 << 20));
        assert_eq!(pool.lock().bytes, 0);
    }
}
