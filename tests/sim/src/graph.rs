//! Builds the job graph of a shape, of real operators and exchanges.

use crate::{
    operators::{Buckets, CountAndSum, Fan, Tag, may_fail, watched},
    outside::SimSink,
    plant::Plant,
    record::{Out, Record},
    shape::{Shape, Widths},
    sim::{Sim, Term},
    source::SimSource,
};
use flott_core::{exchange::PartitionKind, operator::OperatorFactory, watermark::WatermarkStrategy};
use flott_graph::{
    Chaining, EdgeFactory, GraphDefaults, JobGraph, NodeId, NodeKind, StreamEdge, StreamGraph, StreamNode, Tapping,
    settings::CheckpointMode,
};
use flott_operators::{
    key::ByValue,
    partition::{KeyEdge, RecordEdge},
    process::{keyed_process, process},
    rolling::rolling,
    sink::sink_operator,
    source::source_factory,
    stateless::{flat_map, map},
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// The sink of records as they are.
pub(crate) const PLAIN: &str = "plain";
/// The sink of running counts.
pub(crate) const COUNTED: &str = "counted";
/// The sink of buckets.
pub(crate) const BUCKETS: &str = "buckets";
/// The sink behind the broadcast.
pub(crate) const FAN: &str = "fan";
/// The sink of running counts of a pipeline that stands apart.
pub(crate) const APART: &str = "apart";

struct Builder<'a> {
    sim: &'a Arc<Sim>,
    term: Term,
    max_parallelism: u32,
    graph: StreamGraph,
    /// For each watched operator its uid and where it is told its vertex.
    watched: Vec<(String, Arc<AtomicU32>)>,
}

type Input<'a> = (NodeId, Option<PartitionKind>, Arc<dyn EdgeFactory>);

impl Builder<'_> {
    fn add(&mut self, uid: &str, kind: NodeKind, parallelism: u32, inputs: Vec<Input<'_>>) -> NodeId {
        let inputs = inputs.into_iter().map(|(from, kind, factory)| StreamEdge { from, input: 0, kind, factory });
        self.graph.add(StreamNode {
            name: uid.to_owned(),
            uid: Some(uid.to_owned()),
            description: None,
            location: format!("{uid}:1"),
            kind,
            inputs: inputs.collect(),
            parallelism: Some(parallelism),
            max_parallelism: Some(self.max_parallelism),
            slot_sharing_group: None,
            chaining: Chaining::Always,
            fixed_parallelism: false,
            tapping: Tapping::default(),
        })
    }

    fn operator(&mut self, uid: &str, operator: Arc<dyn OperatorFactory>, parallelism: u32, inputs: Vec<Input<'_>>) -> NodeId {
        let vertex = Arc::new(AtomicU32::new(0));
        self.watched.push((uid.to_owned(), vertex.clone()));
        let operator = watched(self.sim.clone(), self.term, vertex, operator);
        self.add(uid, NodeKind::Operator(operator), parallelism, inputs)
    }

    fn sink(&mut self, name: &str, parallelism: u32, from: NodeId, kind: Option<PartitionKind>) {
        let sink = SimSink { sim: self.sim.clone(), name: name.to_owned() };
        self.operator(
            &format!("sink {name}"),
            sink_operator::<Out, _>(sink),
            parallelism,
            vec![(from, kind, Arc::new(RecordEdge::<Out>::default()))],
        );
    }
}

/// The graph of one run of the job, as JobMaster number `term` runs it.
pub(crate) fn build(sim: &Arc<Sim>, term: Term, shape: &Shape, widths: Widths) -> JobGraph {
    let graph = StreamGraph::default();
    let mut builder = Builder { sim, term, max_parallelism: shape.max_parallelism, graph, watched: Vec::new() };
    let records = || Arc::new(RecordEdge::<Record>::default()) as Arc<dyn EdgeFactory>;
    let mut streams = Vec::new();
    for source in &shape.sources {
        let number = source.number;
        let mut strategy =
            if shape.watermarks { WatermarkStrategy::for_monotonous_timestamps() } else { WatermarkStrategy::no_watermarks() };
        if let Some(idleness) = shape.idleness {
            strategy = strategy.with_idleness(idleness);
        }
        let factory = source_factory(SimSource { sim: sim.clone(), shape: source.clone() }, strategy);
        let stream = builder.add(&format!("source {number}"), NodeKind::Source(factory), widths.source, Vec::new());
        let tag = process::<Record, Tag, _>(Tag::open);
        let stream = builder.operator(&format!("tag {number}"), tag, widths.source, vec![(stream, None, records())]);
        let failing = sim.clone();
        let risky = map(move |record: Record| may_fail(&failing).map(|()| record));
        streams.push(builder.operator(&format!("map {number}"), risky, widths.upstream, vec![(stream, shape.upstream, records())]));
    }
    let by_key = Arc::new(ByValue::new(|record: &Record| record.key));
    let key_edge = || Arc::new(KeyEdge::<Record, _>::shared(by_key.clone())) as Arc<dyn EdgeFactory>;
    if shape.apart
        && let Some(stream) = streams.pop()
    {
        let input = vec![(stream, Some(PartitionKind::Hash), key_edge())];
        let counted = builder.operator("apart", rolling(by_key.clone(), CountAndSum), widths.keyed, input);
        builder.sink(APART, widths.sink, counted, None);
    }
    // A union: all streams lead to one input.
    let union = |kind: Option<PartitionKind>| streams.iter().map(|stream| (*stream, kind, records())).collect::<Vec<_>>();
    let failing = sim.clone();
    let doubles = shape.flat_map;
    let twins = flat_map(move |record: Record, out| {
        may_fail(&failing)?;
        if let Some(twin) = record.twin().filter(|_| doubles) {
            out.emit(twin);
        }
        out.emit(record);
        Ok(())
    });
    let stream = builder.operator("twins", twins, widths.upstream, union(None));
    let by_key = Arc::new(ByValue::new(|record: &Record| record.key));
    let keyed =
        || vec![(stream, Some(PartitionKind::Hash), Arc::new(KeyEdge::<Record, _>::shared(by_key.clone())) as Arc<dyn EdgeFactory>)];
    if shape.plain {
        let plain =
            builder.operator("plain", map(|record: Record| Ok(Out::Plain(record.id()))), widths.upstream, vec![(stream, None, records())]);
        builder.sink(PLAIN, if shape.to_sink.is_none() { widths.upstream } else { widths.sink }, plain, shape.to_sink);
    }
    if shape.counted {
        let counted = builder.operator("counted", rolling(by_key.clone(), CountAndSum), widths.keyed, keyed());
        builder.sink(COUNTED, widths.sink, counted, shape.to_sink);
    }
    if shape.buckets {
        let (code, width) = (sim.clone(), shape.bucket_ms);
        let buckets = keyed_process::<Record, _, Buckets, _>(by_key.clone(), move |context| Buckets::open(&code, width, context));
        let buckets = builder.operator("buckets", buckets, widths.keyed, keyed());
        builder.sink(BUCKETS, widths.sink, buckets, shape.to_sink);
    }
    if shape.fan {
        let fan = process::<Record, Fan, _>(|context| Ok(Fan { at: context.info().subtask, width: context.info().parallelism }));
        let fan = builder.operator("fan", fan, widths.keyed, vec![(stream, Some(PartitionKind::Broadcast), records())]);
        builder.sink(FAN, widths.sink, fan, shape.to_sink);
    }
    let Builder { graph, watched, .. } = builder;
    let mut settings = shape.settings.clone();
    if sim.planted(Plant::NoAlignment) {
        settings.checkpoints.mode = CheckpointMode::AtLeastOnce;
    }
    let defaults = GraphDefaults { parallelism: 1, max_parallelism: None, chaining: shape.chaining };
    let graph = graph.compile("simulated", settings, defaults).expect("the shape is a job");
    for (uid, vertex) in watched {
        let place = graph.vertices.iter().find(|candidate| candidate.operators.iter().any(|operator| operator.name == uid));
        vertex.store(place.map_or(0, |vertex| vertex.id.0), Ordering::Relaxed);
    }
    graph
}
