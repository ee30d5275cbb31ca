//! How many bytes go over connections.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counts the bytes of connections: what is taken from their sockets and given to them, so that what TLS adds counts, and what TCP and IP
/// add does not. Cheap to clone: clones are the same count.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    /// Bytes that were received since it was made.
    pub fn received(&self) -> u64 {
        self.0.received.load(Relaxed)
    }

    /// Bytes that were sent since it was made.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Relaxed)
    }

    /// So many more bytes were received.
    pub fn count_received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Relaxed);
    }

    /// So many more bytes were sent.
    pub fn count_sent(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn clones_count_into_the_same_and_others_do_not() {
        let (traffic, other) = (Traffic::default(), Traffic::default());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let traffic = traffic.clone();
                thread::spawn(move || {
                    for _ in 0..1000 {
                        traffic.count_received(3);
                        traffic.count_sent(5);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((traffic.received(), traffic.sent()), (12_000, 20_000));
        assert_eq!((other.received(), other.sent()), (0, 0));
    }
}
