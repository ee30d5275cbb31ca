//! The operators of a task: a tree, in which each hands its output to the next by a call.

use crate::{element::StreamElement, output::OutputEdge, tap::Sampler};
use flott_core::{
    AnyBatch, BoxError, Timestamp,
    context::OperatorInfo,
    metrics::{Counter, Gauge, MetricGroup},
    operator::{Operator, Output, WatermarkStatus},
    source::SourceOperator,
};
use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What a node of the chain runs.
pub(crate) enum Running {
    Source(Box<dyn SourceOperator>),
    Operator(Box<dyn Operator>),
}

/// An operator in its chain.
pub(crate) struct ChainNode {
    pub(crate) info: OperatorInfo,
    pub(crate) location: String,
    pub(crate) running: Running,
    pub(crate) children: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) metrics: MetricGroup,
    pub(crate) records_in: Counter,
    pub(crate) records_out: Counter,
}

/// Which operator is at work: read after a failure or a panic to know whom to blame.
#[derive(Debug, Clone, Default)]
pub(crate) struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    const NOBODY: usize = usize::MAX;

    pub(crate) fn get(&self) -> Option<usize> {
        let index = self.0.load(Ordering::Relaxed);
        (index != Self::NOBODY).then_some(index)
    }

    fn set(&self, index: usize) {
        self.0.store(index, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.set(Self::NOBODY);
    }
}

/// The operators and outputs of a task.
pub(crate) struct Chain {
    pub(crate) nodes: Vec<ChainNode>,
    pub(crate) edges: Vec<OutputEdge>,
    pub(crate) at_work: AtWork,
    pub(crate) records_out: Counter,
    /// The last watermark that left the task.
    pub(crate) watermark_out: Rc<Cell<Timestamp>>,
    /// The last watermark that the head has sent on.
    pub(crate) head_watermark: Gauge,
    pub(crate) sampler: Sampler,
}

impl Chain {
    /// Calls `call` for operator `index` with the output that leads to those behind it.
    fn with<R>(&mut self, index: usize, call: impl FnOnce(&mut Running, &mut dyn Output) -> Result<R, BoxError>) -> Result<R, BoxError> {
        let (head, tail) = self.nodes.split_at_mut(index + 1);
        let Some(node) = head.last_mut() else { return Err("the chain has no such operator".into()) };
        self.at_work.set(index);
        let mut output = Downstream {
            own: index,
            children: &node.children,
            outputs: &node.outputs,
            emitted: &node.records_out,
            base: index + 1,
            tail,
            edges: &mut self.edges,
            at_work: &self.at_work,
            records_out: &self.records_out,
            watermark_out: &self.watermark_out,
            head_watermark: &self.head_watermark,
            sampler: &mut self.sampler,
        };
        let result = call(&mut node.running, &mut output)?;
        self.at_work.clear();
        Ok(result)
    }

    /// Calls an operator; on the source it would be a mistake in the graph.
    pub(crate) fn operator<R>(
        &mut self,
        index: usize,
        call: impl FnOnce(&mut dyn Operator, &mut dyn Output) -> Result<R, BoxError>,
    ) -> Result<R, BoxError> {
        self.with(index, |running, output| match running {
            Running::Operator(operator) => call(operator.as_mut(), output),
            Running::Source(_) => Err("a source was given input".into()),
        })
    }

    /// Calls the source at the head.
    pub(crate) fn source<R>(
        &mut self,
        call: impl FnOnce(&mut dyn SourceOperator, &mut dyn Output) -> Result<R, BoxError>,
    ) -> Result<R, BoxError> {
        self.with(0, |running, output| match running {
            Running::Source(source) => call(source.as_mut(), output),
            Running::Operator(_) => Err("the head of the chain is no source".into()),
        })
    }

    /// Gives the head a batch of its input `input`.
    pub(crate) fn process(&mut self, input: usize, batch: AnyBatch) -> Result<(), BoxError> {
        self.nodes[0].records_in.add(batch.len() as u64);
        self.operator(0, |operator, output| operator.process(input, batch, output))
    }

    /// Event time has reached `watermark` at the head's input; for a source, behind it.
    pub(crate) fn watermark(&mut self, watermark: Timestamp) -> Result<(), BoxError> {
        self.with(0, |running, output| match running {
            Running::Operator(operator) => operator.watermark(watermark, output),
            Running::Source(_) => output.emit_watermark(watermark),
        })
    }

    /// The task's input became idle or active.
    pub(crate) fn status(&mut self, status: WatermarkStatus) -> Result<(), BoxError> {
        self.operator(0, |operator, output| operator.status(status, output))
    }

    /// Finishes all operators, each after those whose output it takes.
    pub(crate) fn finish(&mut self) -> Result<(), BoxError> {
        for index in 0..self.nodes.len() {
            self.with(index, |running, output| match running {
                Running::Operator(operator) => operator.finish(output),
                Running::Source(_) => Ok(()),
            })?;
        }
        Ok(())
    }

    /// When the first operator wants to be woken, in monotonic time. `with_source`: also when the source wants to be polled.
    pub(crate) fn next_wake(&self, with_source: bool) -> Option<Duration> {
        let wake = |node: &ChainNode| match &node.running {
            Running::Source(source) => source.next_wake().filter(|_| with_source),
            Running::Operator(operator) => operator.next_wake(),
        };
        self.nodes.iter().filter_map(wake).min()
    }

    /// Wakes the operators whose time has come. The source is polled anyway.
    pub(crate) fn wake(&mut self, now: Duration) -> Result<(), BoxError> {
        for index in 0..self.nodes.len() {
            let due = matches!(&self.nodes[index].running, Running::Operator(operator) if operator.next_wake().is_some_and(|at| at <= now));
            if due {
                self.operator(index, |operator, output| operator.on_wake(output))?;
            }
        }
        Ok(())
    }

    /// Sends a control element on every output, behind all records.
    pub(crate) fn control(&mut self, element: &StreamElement) {
        self.edges.iter_mut().for_each(|edge| edge.control(element));
    }
}

/// What an operator emits into: the operators and edges behind it.
struct Downstream<'a> {
    own: usize,
    children: &'a [usize],
    outputs: &'a [usize],
    emitted: &'a Counter,
    /// The place in the chain of the first node of `tail`.
    base: usize,
    tail: &'a mut [ChainNode],
    edges: &'a mut [OutputEdge],
    at_work: &'a AtWork,
    records_out: &'a Counter,
    watermark_out: &'a Cell<Timestamp>,
    head_watermark: &'a Gauge,
    sampler: &'a mut Sampler,
}

impl Downstream<'_> {
    /// Calls `call` for child number `child`, with the output that leads to those behind it.
    fn child(
        &mut self,
        child: usize,
        call: impl FnOnce(&mut dyn Operator, &mut dyn Output) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        let (head, tail) = self.tail.split_at_mut(child - self.base + 1);
        let Some(node) = head.last_mut() else { return Err("the chain has no such operator".into()) };
        let Running::Operator(operator) = &mut node.running else { return Err("a source stands inside a chain".into()) };
        self.at_work.set(child);
        let mut output = Downstream {
            own: child,
            children: &node.children,
            outputs: &node.outputs,
            emitted: &node.records_out,
            base: child + 1,
            tail,
            edges: self.edges,
            at_work: self.at_work,
            records_out: self.records_out,
            watermark_out: self.watermark_out,
            head_watermark: self.head_watermark,
            sampler: self.sampler,
        };
        // On an error the child stays the one at work: it is to blame.
        call(operator.as_mut(), &mut output)?;
        self.at_work.set(self.own);
        Ok(())
    }

    fn everywhere(
        &mut self,
        mut to_child: impl FnMut(&mut dyn Operator, &mut dyn Output) -> Result<(), BoxError>,
        element: &StreamElement,
    ) -> Result<(), BoxError> {
        for child in self.children {
            self.child(*child, &mut to_child)?;
        }
        for edge in self.outputs {
            self.edges[*edge].control(element);
        }
        Ok(())
    }
}

impl Output for Downstream<'_> {
    fn emit(&mut self, batch: AnyBatch) -> Result<(), BoxError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.emitted.add(batch.len() as u64);
        if !self.outputs.is_empty() {
            self.records_out.add(batch.len() as u64);
        }
        if self.sampler.is_open() {
            self.sampler.emitted(self.own, &batch);
        }
        let takers = self.children.len() + self.outputs.len();
        let mut batch = Some(batch);
        let mut next = |taker: usize| if taker + 1 == takers { batch.take() } else { batch.clone() };
        for (taker, child) in self.children.iter().enumerate() {
            if let Some(batch) = next(taker) {
                self.tail[*child - self.base].records_in.add(batch.len() as u64);
                self.child(*child, |operator, output| operator.process(0, batch, output))?;
            }
        }
        for (taker, edge) in self.outputs.iter().enumerate() {
            if let Some(batch) = next(self.children.len() + taker) {
                self.edges[*edge].partition(batch)?;
            }
        }
        Ok(())
    }

    fn emit_watermark(&mut self, watermark: Timestamp) -> Result<(), BoxError> {
        if !self.outputs.is_empty() {
            self.watermark_out.set(watermark);
        }
        if self.own == 0 {
            self.head_watermark.set(watermark);
        }
        self.everywhere(|operator, output| operator.watermark(watermark, output), &StreamElement::Watermark(watermark))
    }

    fn emit_status(&mut self, status: WatermarkStatus) -> Result<(), BoxError> {
        self.everywhere(|operator, output| operator.status(status, output), &StreamElement::Status(status))
    }
}
