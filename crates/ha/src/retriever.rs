//! Who leads, for those who do not want to lead: TaskManagers, clients.

use crate::{CoordinationStore, LeaseRecord, StoreError, election::read_lease};

/// Where the leader is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// Its term.
    pub epoch: u64,
    /// Where it takes TaskManagers, workers and clients: `host:port`.
    pub address: String,
    /// Where its REST server listens: `host:port`; empty if it has none.
    pub rest_address: String,
}

/// Follows the leader.
#[derive(Debug, Default)]
pub struct LeaderRetriever {
    leader: Option<Leader>,
    highest_epoch: u64,
}

impl LeaderRetriever {
    /// Knows of no leader yet.
    pub fn new() -> Self {
        LeaderRetriever::default()
    }

    /// The leader that was last seen. It may be gone: nobody but another candidate can tell.
    pub fn leader(&self) -> Option<&Leader> {
        self.leader.as_ref()
    }

    /// Takes in the lease as it was read; gives the leader if it is another one than before. A lease that was given up has none, and an
    /// older epoch than one seen before is ignored.
    pub fn observe(&mut self, lease: Option<&LeaseRecord>) -> Option<&Leader> {
        let record = lease?;
        if record.epoch < self.highest_epoch || record.released {
            return None;
        }
        self.highest_epoch = record.epoch;
        if self.leader.as_ref().is_some_and(|leader| leader.epoch == record.epoch) {
            return None;
        }
        self.leader = Some(Leader { epoch: record.epoch, address: record.address.clone(), rest_address: record.rest_address.clone() });
        self.leader.as_ref()
    }

    /// Reads the lease; gives the leader if it is another one than before.
    ///
    /// # Errors
    /// The store does not answer, or the lease is damaged.
    pub fn poll(&mut self, store: &dyn CoordinationStore) -> Result<Option<&Leader>, StoreError> {
        let lease = read_lease(store)?;
        Ok(self.observe(lease.as_ref().map(|lease| &lease.record)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expected, MemoryStore, WriteOutcome, election::write_lease};

    fn record(epoch: u64, address: &str) -> LeaseRecord {
        LeaseRecord {
            epoch,
            holder: format!("holder-{epoch}"),
            renewals: 1,
            duration_ms: 1000,
            address: address.to_owned(),
            rest_address: String::new(),
            released: false,
        }
    }

    #[test]
    fn each_leader_is_reported_once_and_none_of_an_older_epoch() {
        let mut retriever = LeaderRetriever::new();
        assert_eq!(retriever.observe(None), None);
        assert_eq!(retriever.observe(Some(&record(3, "a"))).unwrap().address, "a");
        assert_eq!(retriever.observe(Some(&LeaseRecord { renewals: 2, ..record(3, "a") })), None);
        assert_eq!(retriever.observe(Some(&record(2, "old"))), None);
        assert_eq!(retriever.observe(Some(&LeaseRecord { released: true, ..record(4, "b") })), None);
        assert_eq!(retriever.observe(Some(&record(5, "c"))).unwrap().epoch, 5);
        assert_eq!(retriever.leader().unwrap().address, "c");
    }

    #[test]
    fn the_lease_is_read_from_the_store() {
        let store = MemoryStore::new();
        let mut retriever = LeaderRetriever::new();
        assert_eq!(retriever.poll(&store).unwrap(), None);
        let written = write_lease(&store, &record(1, "a:6123"), &Expected::Absent).unwrap();
        assert!(matches!(written, WriteOutcome::Written(_)));
        assert_eq!(retriever.poll(&store).unwrap().unwrap().address, "a:6123");
    }
}
