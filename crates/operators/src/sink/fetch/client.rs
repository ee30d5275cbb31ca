//! The side of the program: decides what to ask, and what stands. It asks nobody itself.

use super::{FetchReply, FetchRequest};
use flott_core::{
    BoxError, Data, Error, ErrorKind,
    codec::{decode, encode},
};
use std::{collections::VecDeque, marker::PhantomData, time::Duration};

/// The results of a job as far as they have come.
#[derive(Debug)]
pub struct FetchedResults<T> {
    version: Option<u64>,
    /// The number of the next one that is wanted.
    next: u64,
    /// Those before `next` that a restart may take back.
    pending: VecDeque<Vec<u8>>,
    /// How many there are, if that is known.
    total: Option<u64>,
    given_up: bool,
    /// Results are missing; what came before them has been returned.
    missing: bool,
    values: PhantomData<fn() -> T>,
}

impl<T> Default for FetchedResults<T> {
    fn default() -> Self {
        FetchedResults {
            version: None,
            next: 0,
            pending: VecDeque::new(),
            total: None,
            given_up: false,
            missing: false,
            values: PhantomData,
        }
    }
}

impl<T: Data> FetchedResults<T> {
    /// What to ask the sink next, for about `most_bytes` of results. `closed`: no more are wanted.
    ///
    /// # Errors
    /// Results are missing, since the sink has given them up: all that can be returned has been.
    pub fn request(&self, most_bytes: u64, closed: bool) -> Result<Vec<u8>, Error> {
        if self.missing && !closed {
            return Err(given_up());
        }
        let done = self.is_complete();
        let stands = done && self.pending.is_empty();
        encode(&FetchRequest { version: self.version, from: self.next, most_bytes, done, stands, closed }).map_err(unreadable)
    }

    /// Whether all results are here, of a job that may still start again.
    pub fn is_complete(&self) -> bool {
        self.total == Some(self.next)
    }

    /// How many have come so far, with those that a restart may take back.
    pub fn fetched(&self) -> u64 {
        self.next
    }

    /// Takes an answer. Returns those that will not come again, each once, with the bytes that it had on its way.
    ///
    /// # Errors
    /// It is no answer, or after a restart results would be repeated or are missing.
    pub fn answer(&mut self, body: &[u8]) -> Result<Vec<(T, u64)>, Error> {
        let reply: FetchReply = decode(body).map_err(unreadable)?;
        let first_pending = self.next - self.pending.len() as u64;
        match self.version {
            None => self.next = reply.first,
            Some(version) if version != reply.version => {
                // What was confirmed at its checkpoint beyond what is here was given up.
                if reply.first > self.next {
                    return Err(given_up());
                }
                let restored = reply.restored;
                if restored < first_pending {
                    let text = format!(
                        "the job was started again from result {restored}, and {first_pending} results were handed out before: they would be \
                         repeated; with `execution.checkpointing.interval` each comes once"
                    );
                    return Err(Error::new(ErrorKind::Unavailable, text));
                }
                // What it had not confirmed there may be different now.
                self.next = first_pending.max(reply.first);
                self.pending.truncate((self.next - first_pending) as usize);
            }
            Some(_) => {}
        }
        self.version = Some(reply.version);
        (self.total, self.given_up) = (reply.total, reply.given_up);
        if reply.first == self.next {
            self.next += reply.values.len() as u64;
            self.pending.extend(reply.values);
        }
        self.missing = reply.first > self.next;
        let first_pending = self.next - self.pending.len() as u64;
        let standing = match reply.durable {
            Some(durable) => durable.saturating_sub(first_pending).min(self.pending.len() as u64) as usize,
            None => self.pending.len(),
        };
        self.pending.drain(..standing).map(standing_value).collect()
    }

    /// The job has ended. Returns what comes with its end, as [`answer`](FetchedResults::answer) does: if it has `finished`, everything that was fetched stands. `unheard`: the
    /// longest time since the last answer in which the program could ask nobody.
    ///
    /// # Errors
    /// Results are missing, since the sink has given them up, or may have.
    pub fn end(&mut self, finished: bool, unheard: Duration) -> Result<Vec<(T, u64)>, Error> {
        if !finished {
            return Ok(Vec::new());
        }
        let missing = match self.total {
            Some(total) => total != self.next,
            // It ended before it could tell how many there are, as with a stop: then everything was fetched, or given up. A question
            // that reached the cluster may still not have reached the sink, so half of the time is taken for the whole.
            None => self.given_up || unheard >= super::SILENCE / 2,
        };
        if missing || self.missing {
            return Err(given_up());
        }
        self.pending.drain(..).map(standing_value).collect()
    }
}

fn standing_value<T: Data>(value: Vec<u8>) -> Result<(T, u64), Error> {
    let bytes = value.len() as u64;
    decode(&value).map(|value| (value, bytes)).map_err(unreadable)
}

/// The job has given up results that this program did not fetch.
fn given_up() -> Error {
    let silence = super::SILENCE.as_secs();
    Error::new(ErrorKind::Unavailable, format!("results are missing: the program was not heard of for {silence} s, and the job went on"))
}

fn unreadable(error: BoxError) -> Error {
    Error::new(ErrorKind::Data, format!("results of the job cannot be read: {error}"))
}
