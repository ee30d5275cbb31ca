//! Streams: what operators are written on.

mod keyed;
mod partition;
mod properties;
mod sink;
mod transform;

pub use keyed::KeyedStream;
pub use sink::DataStreamSink;

use crate::environment::{Environment, Place};
use flott_core::{Data, error::location_of, exchange::PartitionKind, operator::SharedOperatorFactory};
use flott_graph::{Chaining, EdgeFactory, NodeKind, StreamEdge, StreamNode, Tapping};
use flott_operators::partition::RecordEdge;
use std::{marker::PhantomData, panic::Location, sync::Arc};

/// Where records of a stream come from.
#[derive(Clone)]
struct Upstream {
    place: Place,
    kind: Option<PartitionKind>,
    factory: Arc<dyn EdgeFactory>,
}

/// A stream of records of `T`.
///
/// Methods add operators to the environment's graph; nothing runs before `execute`. A stream may be used more than once:
/// every use gets all records.
pub struct DataStream<T> {
    env: Environment,
    upstreams: Vec<Upstream>,
    /// The operator that the stream is the output of; `None` behind a union or a partitioner.
    operator: Option<Place>,
    records: PhantomData<fn() -> T>,
}

impl<T> Clone for DataStream<T> {
    fn clone(&self) -> Self {
        DataStream { env: self.env.clone(), upstreams: self.upstreams.clone(), operator: self.operator, records: PhantomData }
    }
}

impl<T> std::fmt::Debug for DataStream<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataStream<{}>", std::any::type_name::<T>())
    }
}

impl<T: Data> DataStream<T> {
    pub(crate) fn of_node(env: Environment, place: Place) -> Self {
        let upstream = Upstream { place, kind: None, factory: Arc::new(RecordEdge::<T>::default()) };
        DataStream { env, upstreams: vec![upstream], operator: Some(place), records: PhantomData }
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// Adds an operator that takes this stream.
    fn add(&self, name: &str, factory: SharedOperatorFactory, at: &Location<'_>) -> Place {
        add_operator(&self.env, &self.upstreams, name, factory, at)
    }

    /// The stream of what an operator that takes this one emits.
    fn then<U: Data>(&self, name: &str, factory: SharedOperatorFactory, at: &Location<'_>) -> DataStream<U> {
        DataStream::of_node(self.env.clone(), self.add(name, factory, at))
    }
}

fn add_operator(env: &Environment, upstreams: &[Upstream], name: &str, factory: SharedOperatorFactory, at: &Location<'_>) -> Place {
    let edge = |upstream: &Upstream| {
        let from = env.resolve(upstream.place, at)?;
        Some(StreamEdge { from, input: 0, kind: upstream.kind, factory: upstream.factory.clone() })
    };
    env.add(StreamNode {
        name: name.to_owned(),
        uid: None,
        description: None,
        location: location_of(at),
        kind: NodeKind::Operator(factory),
        inputs: upstreams.iter().filter_map(edge).collect(),
        parallelism: None,
        max_parallelism: None,
        slot_sharing_group: None,
        chaining: Chaining::Always,
        fixed_parallelism: false,
        tapping: Tapping::default(),
    })
}
