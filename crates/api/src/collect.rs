//! Results of a job in the program that runs it.

use crate::client::JobClient;
use flott_core::{Data, Error};
use flott_operators::sink::CollectedResults;

/// The results of a job, in the order in which they come; behind the last one, the error if the job failed.
pub struct Results<T> {
    values: CollectedResults<T>,
    client: JobClient,
    ended: bool,
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
        Results { values, client, ended: false }
    }

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
        match self.values.next() {
            Some(value) => Some(Ok(value)),
            None => {
                self.ended = true;
                self.client.wait().err().map(Err)
            }
        }
    }
}
