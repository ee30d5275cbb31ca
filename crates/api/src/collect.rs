//! Results of a job in the program that runs it.

use crate::{client::JobClient, fetch::Fetching};
use flott_core::{Data, Error, id::OperatorId};
use flott_operators::sink::CollectedResults;
use flott_rpc::gateway::JobGateway;
use std::sync::Arc;

/// The results of a job, in the order in which they come; behind the last one, the error if the job failed.
pub struct Results<T> {
    way: Way<T>,
    client: JobClient,
    ended: bool,
}

/// How they come.
enum Way<T> {
    Memory(CollectedResults<T>),
    Fetching(Fetching<T>),
}

impl<T> std::fmt::Debug for Results<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Results").field("client", &self.client).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl<T: Data> Results<T> {
    pub(crate) fn new(values: CollectedResults<T>, client: JobClient) -> Self {
        // Tells the results when the job has ended: all of its values were sent before.
        let (end, waiter) = (values.end(), client.clone());
        std::thread::spawn(move || {
            // The error is fetched again by whoever reads the results.
            let _ = waiter.wait();
            end.send();
        });
        Results { way: Way::Memory(values), client, ended: false }
    }

    /// Of a job in other processes, from its operator `sink`.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(crate) fn fetched(gateway: Arc<dyn JobGateway>, sink: OperatorId) -> Result<Self, Error> {
        let fetching = Fetching::start(gateway.clone(), sink)?;
        Ok(Results { way: Way::Fetching(fetching), client: JobClient::new(gateway), ended: false })
    }
}

impl<T> Results<T> {
    /// The job.
    pub fn client(&self) -> &JobClient {
        &self.client
    }
}

impl<T: Data> Iterator for Results<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match &mut self.way {
            Way::Memory(values) => values.next().map(Ok),
            Way::Fetching(fetching) => fetching.next(),
        };
        self.ended = !matches!(next, Some(Ok(_)));
        next.or_else(|| self.client.wait().err().map(Err))
    }
}
