//! Progress of a job on the terminal.

use flott_api::JobClient;
use flott_core::{Error, metrics::names};
use std::{
    io::{IsTerminal, Write},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Shows a line on standard error, once a second, while it lives: records and bytes that sources read a second, and the last
/// checkpoint. Shows nothing where standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to show the progress of a job.
    pub fn show(client: &JobClient) -> Self {
        Progress::show_if(std::io::stderr().is_terminal(), client)
    }

    /// As [`Progress::show`], for a job that prints its results: nothing is shown where they go to a terminal, too.
    pub fn show_beside_results(client: &JobClient) -> Self {
        Progress::show_if(std::io::stderr().is_terminal() && !std::io::stdout().is_terminal(), client)
    }

    fn show_if(wanted: bool, client: &JobClient) -> Self {
        if !wanted {
            return Progress { stop: None, thread: None };
        }
        let (stop, stopped) = mpsc::channel();
        let client = client.clone();
        let thread = thread::spawn(move || {
            let (mut last, mut at) = (Read::default(), Instant::now());
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                // A cluster that does not answer now may answer later.
                let (Ok(read), now) = (Read::of(&client), Instant::now()) else { continue };
                let Ok(line) = read.line(&last, now - at, &client) else { continue };
                // A terminal that is gone needs no progress.
                let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
                (last, at) = (read, now);
            }
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        });
        Progress { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It only prints; whatever became of it, the job's result counts.
            let _ = thread.join();
        }
    }
}

/// What sources have read.
#[derive(Default)]
struct Read {
    records: i64,
    bytes: i64,
}

impl Read {
    fn of(client: &JobClient) -> Result<Self, Error> {
        let mut read = Read::default();
        for task in client.figures()? {
            if let Some((_, source)) = task.operators.first().filter(|(_, figures)| figures.contains_key(names::NUM_BYTES_IN)) {
                read.records += source.get(names::NUM_RECORDS_OUT).copied().unwrap_or(0);
                read.bytes += source.get(names::NUM_BYTES_IN).copied().unwrap_or(0);
            }
        }
        Ok(read)
    }

    fn line(&self, last: &Read, time: Duration, client: &JobClient) -> Result<String, Error> {
        let seconds = time.as_secs_f64();
        let records = (self.records - last.records) as f64 / seconds;
        let bytes = (self.bytes - last.bytes) as f64 / seconds / 1e6;
        let checkpoint = match client.overview()?.checkpoints.last {
            Some(last) => format!("checkpoint {} in {} ms", last.checkpoint, last.duration.as_millis()),
            None => "no checkpoint yet".to_owned(),
        };
        Ok(format!("{} records, {records:.0}/s, {bytes:.1} MB/s, {checkpoint}", self.records))
    }
}
