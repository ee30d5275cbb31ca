//! The environment of a program that runs on the embedded cluster, with the sources that come along.

use crate::part::{connector, handover, part};
use flott_api::Environment;
use flott_cluster::{EmbeddedCluster, PlanOnly, RemoteCluster, WorkerExecutor};
use flott_core::{Error, config::Configuration, secret::Secret};
use flott_rpc::{
    control::{ORIGINS_VARIABLE, Part},
    gateway::JobExecutor,
};
use flott_security::Connector;
use std::{ops::Deref, sync::Arc};

/// Where a program begins. See [`Environment`] for what can be set and run.
#[derive(Debug, Clone)]
pub struct StreamExecutionEnvironment(Environment);

impl Deref for StreamExecutionEnvironment {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        &self.0
    }
}

impl StreamExecutionEnvironment {
    /// The environment that the program was started in, configured, in rising order, by `conf/config.yaml` (or the one in
    /// `$FLOTT_CONF_DIR`), by environment variables such as `FLOTT_PARALLELISM_DEFAULT`, and by arguments such as
    /// `-Dparallelism.default=2`.
    ///
    /// # Errors
    /// A configuration file cannot be read, an option of an argument is unknown, or a value is none for its option.
    ///
    /// A program that `flott run` has started submits its jobs to the cluster; one that a TaskManager has started runs the tasks of
    /// its job, with the configuration that it was submitted with. The program's code is the same everywhere.
    pub fn get() -> Result<Self, Error> {
        crate::manifest::keep();
        let part = part()?;
        let config = match &part {
            Some(Part::Worker { .. }) => handover()?.configuration.unwrap_or_default(),
            Some(_) => submitted_configuration()?,
            None => Configuration::load()?,
        };
        let executor: Arc<dyn JobExecutor> = match part {
            None => Arc::new(EmbeddedCluster::default()),
            Some(Part::Plan) => Arc::new(PlanOnly::Plan),
            Some(Part::Graph) => Arc::new(PlanOnly::Graph),
            Some(Part::Client { job_manager, executable, detached, job, handover: handed }) => {
                let security = if handed { of_client()? } else { Connector::of_client(&config)? };
                Arc::new(RemoteCluster::new(job_manager, executable, config.clone(), detached, job).with_security(security))
            }
            Some(Part::Worker { job_manager, job, worker, bind, folder, survives, standby, copies }) => {
                let handover = handover()?;
                // The token is for other workers.
                let security = connector(&handover, None)?;
                let token = handover.token.unwrap_or_else(|| Secret::new(""));
                Arc::new(WorkerExecutor { job_manager, job, worker, bind, folder, token, security, survives, standby, copies })
            }
        };
        Ok(StreamExecutionEnvironment(Environment::new(config, executor)))
    }

    /// An environment with this configuration and no other, whose jobs run in this process, wherever it was started.
    pub fn with_configuration(config: Configuration) -> Self {
        StreamExecutionEnvironment(Environment::new(config, Arc::new(EmbeddedCluster::default())))
    }
}

/// The configuration of a program that something else has started, which tells where it was given what it passes on.
fn submitted_configuration() -> Result<Configuration, Error> {
    let mut config = Configuration::load_quietly()?;
    if let Ok(text) = std::env::var(ORIGINS_VARIABLE) {
        let unreadable = |error| {
            Error::invalid(format!("`{ORIGINS_VARIABLE}`, which a cluster sets for programs that it starts, cannot be read"))
                .with_source(error)
        };
        config.came_from(&serde_json::from_str(&text).map_err(unreadable)?);
    }
    Ok(config)
}

/// How a client connects that whoever started it has told.
fn of_client() -> Result<Connector, Error> {
    let handover = handover()?;
    connector(&handover, handover.token.clone())
}

#[cfg(feature = "datagen")]
mod data {
    use super::StreamExecutionEnvironment;
    use flott_api::DataStream;
    use flott_connector_datagen::{CollectionSource, SequenceSource};
    use flott_core::{Data, watermark::WatermarkStrategy};

    impl StreamExecutionEnvironment {
        /// A stream of these records, in their order; read by one subtask.
        #[track_caller]
        pub fn from_data<T: Data + Sync>(&self, records: impl IntoIterator<Item = T>) -> DataStream<T> {
            let source = CollectionSource::new(records.into_iter().collect());
            self.from_source(source, WatermarkStrategy::no_watermarks(), "Collection Source").parallelism(1)
        }

        /// A stream of these records, in their order; read by one subtask.
        #[track_caller]
        pub fn from_elements<T: Data + Sync, const N: usize>(&self, records: [T; N]) -> DataStream<T> {
            self.from_data(records)
        }

        /// The whole numbers from `from` to `to`, both included; read by all subtasks.
        #[track_caller]
        pub fn from_sequence(&self, from: i64, to: i64) -> DataStream<i64> {
            self.from_source(SequenceSource::new(from, to), WatermarkStrategy::no_watermarks(), "Sequence Source")
        }
    }
}

#[cfg(feature = "file")]
mod file {
    use super::StreamExecutionEnvironment;
    use flott_api::DataStream;
    use flott_connector_file::FileSource;
    use flott_core::watermark::WatermarkStrategy;
    use std::path::Path;

    impl StreamExecutionEnvironment {
        /// The lines of a text file, of the files of a directory, or of those that a glob matches; `.gz` and `.zst` are
        /// decompressed. See [`FileSource`] for more choices.
        #[track_caller]
        pub fn read_text_file(&self, path: impl AsRef<Path>) -> DataStream<String> {
            let name = format!("File {}", path.as_ref().display());
            self.from_source(FileSource::text_lines(path), WatermarkStrategy::no_watermarks(), &name)
        }
    }
}

#[cfg(feature = "socket")]
mod socket {
    use super::StreamExecutionEnvironment;
    use flott_api::DataStream;
    use flott_connector_socket::SocketSource;
    use flott_core::watermark::WatermarkStrategy;

    impl StreamExecutionEnvironment {
        /// Lines from a server's socket (try `nc -lk 9999`). At most once: a socket cannot be read again after a failure.
        #[track_caller]
        pub fn socket_text_stream(&self, host: &str, port: u16) -> DataStream<String> {
            let name = format!("Socket {host}:{port}");
            self.from_source(SocketSource::new(host, port), WatermarkStrategy::no_watermarks(), &name)
        }
    }
}
