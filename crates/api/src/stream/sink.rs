//! Where streams end.

use super::{DataStream, properties::operator_properties};
use crate::{
    collect::Results,
    environment::{Environment, Place},
};
use flott_core::{Data, Error, config::options, sink::Sink};
use flott_graph::StreamNode;
use flott_operators::sink::{CollectSink, DiscardSink, PrintSink, sink_operator};
use std::panic::Location;

/// A sink that was added to the graph.
#[derive(Debug, Clone)]
pub struct DataStreamSink {
    env: Environment,
    place: Place,
}

impl DataStreamSink {
    operator_properties!();

    fn property(self, _: &str, at: &Location<'_>, change: impl FnOnce(&mut StreamNode)) -> Self {
        self.env.change(self.place, at, change);
        self
    }
}

impl<T: Data> DataStream<T> {
    /// Gives all records to `sink`.
    #[track_caller]
    pub fn sink_to<S: Sink<T>>(&self, sink: S) -> DataStreamSink {
        self.sink("Sink: Writer", sink, Location::caller())
    }

    fn sink<S: Sink<T>>(&self, name: &str, sink: S, at: &Location<'_>) -> DataStreamSink {
        DataStreamSink { env: self.env.clone(), place: self.add(name, sink_operator::<T, S>(sink), at) }
    }

    /// Prints each record to standard output, a line each. With several subtasks lines begin with the subtask's number:
    /// `2> (the, 3)`.
    #[track_caller]
    pub fn print(&self) -> DataStreamSink {
        self.sink("Sink: Print to Std. Out", PrintSink::stdout(), Location::caller())
    }

    /// Prints each record to standard error.
    #[track_caller]
    pub fn print_to_err(&self) -> DataStreamSink {
        self.sink("Sink: Print to Std. Err", PrintSink::stderr(), Location::caller())
    }

    /// Drops all records, for measurements.
    #[track_caller]
    pub fn discard(&self) -> DataStreamSink {
        self.sink("Sink: Discard", DiscardSink, Location::caller())
    }

    /// Runs the program and brings the records of this stream back into it.
    ///
    /// With checkpoints, records come when the checkpoint that they belong to is complete: each exactly once, whatever fails.
    /// Without, they come at once.
    ///
    /// # Errors
    /// The program is no job, or the job could not be started. Later errors come with the results.
    #[track_caller]
    pub fn execute_and_collect(&self, name: &str) -> Result<Results<T>, Error> {
        if !self.env.is_local() {
            return Err(Error::invalid(
                "`execute_and_collect` cannot bring results back from a cluster yet: run the program by itself, or end the stream in a sink",
            ));
        }
        let at_once =
            self.env.option(&options::CHECKPOINTING_INTERVAL)?.is_none() && self.env.option(&options::RESTART_STRATEGY_TYPE)?.is_none();
        let (sink, values) = CollectSink::new(at_once);
        self.sink("Sink: Collect", sink, Location::caller());
        let client = self.env.execute_async(name)?;
        Ok(Results::new(values, client))
    }
}
