//! Where streams end.

use super::{DataStream, properties::operator_properties};
use crate::{
    collect::Results,
    environment::{Environment, Place},
};
use flott_core::{Data, Error, ErrorKind, config::options, sink::Sink};
use flott_graph::StreamNode;
use flott_operators::sink::{CollectSink, DiscardSink, PrintSink, fetch::fetch_sink, sink_operator};
use flott_rpc::gateway::ResultsBy;
use std::panic::Location;

/// The name of the sink that brings results back.
const COLLECT: &str = "Sink: Collect";
/// What its state is stored under on a cluster.
const COLLECT_UID: &str = "flott-execute-and-collect";

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
    /// With checkpoints, records come when a checkpoint after them is complete: each exactly once, whatever fails. Without checkpoints
    /// and restarts, they come at once.
    ///
    /// On a cluster the program fetches them. If it takes them slowly, the job waits for it; if it drops the results, or is not heard of
    /// for a minute, the job goes on without it.
    ///
    /// # Errors
    /// The program is no job, the job could not be started, or nobody would wait for its results (`flott run -d`). Later errors come with
    /// the results.
    #[track_caller]
    pub fn execute_and_collect(&self, name: &str) -> Result<Results<T>, Error> {
        let at_once =
            self.env.option(&options::CHECKPOINTING_INTERVAL)?.is_none() && self.env.option(&options::RESTART_STRATEGY_TYPE)?.is_none();
        match self.env.results() {
            ResultsBy::Nothing(reason) => Err(Error::invalid(reason)),
            ResultsBy::Memory => {
                let (sink, values) = CollectSink::new(at_once);
                self.sink(COLLECT, sink, Location::caller());
                let client = self.env.execute_async(name)?;
                Ok(Results::new(values, client))
            }
            ResultsBy::Fetching => {
                let place = self.add(COLLECT, fetch_sink::<T>(at_once), Location::caller());
                self.env.change(place, Location::caller(), |node| {
                    node.uid = Some(COLLECT_UID.to_owned());
                    node.fixed_parallelism = true;
                });
                let (gateway, graph) = self.env.submit(name)?;
                let mut operators = graph.vertices.iter().flat_map(|vertex| &vertex.operators);
                let sink = operators.find(|operator| operator.uid.as_deref() == Some(COLLECT_UID)).map(|operator| operator.id);
                let sink = sink.ok_or_else(|| Error::new(ErrorKind::Internal, "the job has no sink for its results"))?;
                Results::fetched(gateway, sink)
            }
        }
    }
}
