//! The environment: where a program begins, and what it is run by.

use crate::{
    client::{JobClient, JobExecutionResult},
    settings::{graph_defaults, job_settings},
    stream::DataStream,
};
use flott_core::{
    Error,
    config::{ConfigOption, ConfigValue, Configuration, RuntimeMode, options},
    error::location_of,
    source::Source,
    watermark::WatermarkStrategy,
};
use flott_graph::{Chaining, JobGraph, JobTopology, NodeId, NodeKind, StreamGraph, StreamNode, Tapping};
use flott_operators::source::source_factory;
use flott_rpc::gateway::{JobExecutor, JobGateway, ResultsBy};
use std::{
    panic::Location,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// An operator of one of the programs that an environment runs one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    program: u64,
    node: NodeId,
}

#[derive(Default)]
struct Inner {
    /// Counts the programs, so that a stream of an earlier one is noticed.
    program: u64,
    graph: StreamGraph,
    config: Configuration,
    /// The first thing that the program got wrong in a call that returns no error. `execute` returns it.
    mistake: Option<String>,
}

/// Collects the operators of a program and runs them. Cheap to clone: clones are the same environment.
#[derive(Clone)]
pub struct Environment {
    inner: Arc<Mutex<Inner>>,
    executor: Arc<dyn JobExecutor>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("operators", &self.lock().graph.nodes().len()).finish_non_exhaustive()
    }
}

impl Environment {
    /// An environment with this configuration, whose jobs are run by `executor`.
    pub fn new(config: Configuration, executor: Arc<dyn JobExecutor>) -> Self {
        let inner = Inner { config, ..Inner::default() };
        Environment { inner: Arc::new(Mutex::new(inner)), executor }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets an option; see `docs/config.md` for all of them. What is set in code wins over every other place.
    #[track_caller]
    pub fn set<T: ConfigValue>(&self, option: &ConfigOption<T>, value: T) -> &Self {
        self.lock().config.set(option, value);
        self
    }

    /// The value of an option.
    ///
    /// # Errors
    /// The value that was configured is none for this option.
    pub fn option<T: ConfigValue>(&self, option: &ConfigOption<T>) -> Result<T, Error> {
        Ok(self.lock().config.get(option)?)
    }

    /// Sets the number of subtasks of operators that set none themselves.
    #[track_caller]
    pub fn set_parallelism(&self, parallelism: u32) -> &Self {
        self.set(&options::PARALLELISM_DEFAULT, parallelism)
    }

    /// Sets the number of key groups of operators that set none themselves. It cannot change over the life of the state.
    #[track_caller]
    pub fn set_max_parallelism(&self, max_parallelism: u32) -> &Self {
        self.set(&options::PIPELINE_MAX_PARALLELISM, Some(max_parallelism))
    }

    /// Takes a checkpoint every `interval`.
    #[track_caller]
    pub fn enable_checkpointing(&self, interval: Duration) -> &Self {
        self.set(&options::CHECKPOINTING_INTERVAL, Some(interval))
    }

    /// Sets streaming, batch, or the choice between them by whether all sources end.
    #[track_caller]
    pub fn set_runtime_mode(&self, mode: RuntimeMode) -> &Self {
        self.set(&options::EXECUTION_RUNTIME_MODE, mode)
    }

    /// Runs every operator in a task of its own.
    #[track_caller]
    pub fn disable_operator_chaining(&self) -> &Self {
        self.set(&options::PIPELINE_OPERATOR_CHAINING_ENABLED, false)
    }

    /// A stream of the records of `source`. `name` is what the source is called in plans and messages.
    #[track_caller]
    pub fn from_source<S: Source>(&self, source: S, strategy: WatermarkStrategy<S::Out>, name: &str) -> DataStream<S::Out> {
        let node = StreamNode {
            name: format!("Source: {name}"),
            uid: None,
            description: None,
            location: location_of(Location::caller()),
            kind: NodeKind::Source(source_factory(source, strategy)),
            inputs: Vec::new(),
            parallelism: None,
            max_parallelism: None,
            slot_sharing_group: None,
            chaining: Chaining::Always,
            fixed_parallelism: false,
            tapping: Tapping::default(),
        };
        let node = self.add(node);
        DataStream::of_node(self.clone(), node)
    }

    /// Compiles what was written so far, without running it.
    ///
    /// # Errors
    /// The program is no job, or the configuration is wrong.
    pub fn job_graph(&self, name: &str) -> Result<JobGraph, Error> {
        let inner = self.lock();
        if let Some(mistake) = &inner.mistake {
            return Err(Error::invalid(mistake.clone()));
        }
        let defaults = graph_defaults(&inner.config)?;
        let settings = job_settings(&inner.config, &inner.graph)?;
        let name = inner.config.get(&options::PIPELINE_NAME)?.unwrap_or_else(|| name.to_owned());
        inner.graph.compile(&name, settings, defaults).map_err(|error| Error::invalid(error.to_string()))
    }

    /// The plan of what was written so far: see [`flott_graph::plan`] to print it.
    ///
    /// # Errors
    /// As [`Environment::job_graph`].
    pub fn execution_plan(&self, name: &str) -> Result<JobTopology, Error> {
        Ok(self.job_graph(name)?.topology())
    }

    /// Runs the program and waits for its end. Afterwards, also after an error, the environment is empty, for the next job.
    ///
    /// # Errors
    /// The program is no job, the job could not be started, failed, or was cancelled.
    pub fn execute(&self, name: &str) -> Result<JobExecutionResult, Error> {
        self.execute_async(name)?.wait()
    }

    /// Runs the program and returns at once. Afterwards, also after an error, the environment is empty, for the next job.
    ///
    /// # Errors
    /// The program is no job, or the job could not be started.
    pub fn execute_async(&self, name: &str) -> Result<JobClient, Error> {
        Ok(JobClient::new(self.submit(name)?.0))
    }

    /// Runs the program. Returns the job and its graph.
    pub(crate) fn submit(&self, name: &str) -> Result<(Arc<dyn JobGateway>, JobTopology), Error> {
        let graph = self.job_graph(name);
        let mut inner = self.lock();
        inner.program += 1;
        (inner.graph, inner.mistake) = (StreamGraph::default(), None);
        drop(inner);
        let graph = graph?;
        let topology = graph.topology();
        Ok((self.executor.submit(graph)?, topology))
    }

    /// How results come back into this program.
    pub(crate) fn results(&self) -> ResultsBy {
        self.executor.results()
    }

    pub(crate) fn add(&self, node: StreamNode) -> Place {
        let mut inner = self.lock();
        Place { program: inner.program, node: inner.graph.add(node) }
    }

    /// The node of an operator; `None`, and a mistake, if it belongs to a program that was executed before. `at` is where it is used.
    pub(crate) fn resolve(&self, place: Place, at: &Location<'_>) -> Option<NodeId> {
        if place.program == self.lock().program {
            return Some(place.node);
        }
        let at = location_of(at);
        self.mistake(format!(
            "a stream of a program that was executed before is used at {at}: after `execute`, build the next program anew"
        ));
        None
    }

    pub(crate) fn change(&self, place: Place, at: &Location<'_>, change: impl FnOnce(&mut StreamNode)) {
        let Some(node) = self.resolve(place, at) else { return };
        if let Some(node) = self.lock().graph.node_mut(node) {
            change(node);
        }
    }

    pub(crate) fn mistake(&self, what: String) {
        self.lock().mistake.get_or_insert(what);
    }

    pub(crate) fn is_same(&self, other: &Environment) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}
