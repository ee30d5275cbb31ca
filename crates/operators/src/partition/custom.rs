//! A partitioner by a function of the user.

use super::ChannelBuffers;
use flott_core::{
    AnyBatch, BoxError, Data,
    exchange::{BatchCodec, ChannelOutput, PartitionContext, PartitionKind, Partitioner, PartitionerFactory, TypedBatchCodec},
};
use flott_graph::EdgeFactory;
use std::{marker::PhantomData, sync::Arc};

/// An edge of records of `T` whose channel a function chooses.
pub struct CustomEdge<T, F> {
    choose: Arc<F>,
    records: PhantomData<fn() -> T>,
}

impl<T, F> std::fmt::Debug for CustomEdge<T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomEdge").finish_non_exhaustive()
    }
}

impl<T, F> CustomEdge<T, F> {
    /// `choose` gets a record and the number of channels, and returns the channel.
    pub fn new(choose: F) -> Self {
        CustomEdge { choose: Arc::new(choose), records: PhantomData }
    }
}

impl<T: Data, F: Fn(&T, usize) -> usize + Send + Sync + 'static> EdgeFactory for CustomEdge<T, F> {
    fn create(&self, _: PartitionKind) -> Arc<dyn PartitionerFactory> {
        Arc::new(CustomEdge::<T, F> { choose: self.choose.clone(), records: PhantomData })
    }
}

impl<T: Data, F: Fn(&T, usize) -> usize + Send + Sync + 'static> PartitionerFactory for CustomEdge<T, F> {
    fn kind(&self) -> PartitionKind {
        PartitionKind::Custom
    }

    fn create(&self, context: PartitionContext) -> Box<dyn Partitioner> {
        Box::new(Custom { choose: self.choose.clone(), buffers: ChannelBuffers::<T>::new(context.channels) })
    }

    fn codec(&self) -> Box<dyn BatchCodec> {
        Box::new(TypedBatchCodec::<T>::default())
    }
}

struct Custom<T, F> {
    choose: Arc<F>,
    buffers: ChannelBuffers<T>,
}

impl<T: Data, F: Fn(&T, usize) -> usize> Partitioner for Custom<T, F> {
    fn partition(&mut self, batch: AnyBatch, output: &mut dyn ChannelOutput) -> Result<(), BoxError> {
        let batch = batch.downcast::<T>()?;
        let channels = self.buffers.batches.len();
        for (index, value) in batch.values.into_iter().enumerate() {
            let channel = (self.choose)(&value, channels);
            if channel >= channels {
                return Err(format!("the partitioner chose channel {channel}, but there are {channels}, counted from 0").into());
            }
            self.buffers.push(channel, value, batch.timestamps.get(index), None, output);
        }
        Ok(())
    }

    fn flush(&mut self, output: &mut dyn ChannelOutput) {
        self.buffers.flush(output);
    }
}
