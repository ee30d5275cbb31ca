//! A sink that drops everything, for measurements.

use flott_core::{
    Batch, BoxError, Data,
    sink::{Committer, Sink, SinkWriter, WriterContext},
};

/// Drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiscardSink;

impl<T: Data> Sink<T> for DiscardSink {
    type Committable = ();
    type WriterState = ();

    fn create_writer(&self, _: &WriterContext, _: Vec<()>) -> Result<Box<dyn SinkWriter<T, (), ()>>, BoxError> {
        Ok(Box::new(DiscardWriter))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<()>>>, BoxError> {
        Ok(None)
    }
}

struct DiscardWriter;

impl<T> SinkWriter<T, (), ()> for DiscardWriter {
    fn write(&mut self, _: Batch<T>) -> Result<(), BoxError> {
        Ok(())
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        Ok(())
    }
}
