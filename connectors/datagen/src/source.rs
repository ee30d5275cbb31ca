//! The sources.

use crate::{
    enumerator::{GeneratorEnumerator, GeneratorEnumeratorState},
    error::DatagenError,
    random::Random,
    reader::{Generate, GeneratorReader},
    split::GeneratorSplit,
};
use flott_core::{
    BoxError, Data,
    source::{Boundedness, EnumeratorContext, ReaderContext, Source, SourceReader, SplitEnumerator},
};
use std::{fmt, marker::PhantomData, sync::Arc};

type BoxedEnumerator = Box<dyn SplitEnumerator<GeneratorSplit, GeneratorEnumeratorState>>;

/// What the sources have in common: records by index.
#[derive(Debug, Clone)]
struct Indexed<G> {
    records: G,
    /// The index behind the last; `None` goes on as long as there are numbers.
    end: Option<u64>,
    boundedness: Boundedness,
    /// In records per second.
    rate: Option<f64>,
}

impl<G: Generate> Indexed<G> {
    fn bounded(records: G, end: Option<u64>) -> Self {
        Indexed { records, end, boundedness: Boundedness::Bounded, rate: None }
    }

    fn check_rate(&self) -> Result<(), DatagenError> {
        match self.rate {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => Err(DatagenError::InvalidRate { rate }),
            _ => Ok(()),
        }
    }

    fn create_enumerator(
        &self,
        context: &EnumeratorContext,
        restored: Option<GeneratorEnumeratorState>,
    ) -> Result<BoxedEnumerator, BoxError> {
        self.check_rate()?;
        let splits = match restored {
            Some(state) => state.unassigned,
            None => GeneratorSplit::divide(context.parallelism, self.end).collect(),
        };
        Ok(Box::new(GeneratorEnumerator::new(splits, context.parallelism, self.boundedness == Boundedness::Bounded)))
    }

    fn create_reader(&self, context: &ReaderContext) -> Result<Box<dyn SourceReader<G::Out, GeneratorSplit>>, BoxError> {
        self.check_rate()?;
        Ok(Box::new(GeneratorReader::new(self.records.clone(), self.end, self.rate, context.clock.clone())))
    }
}

/// Implements [`Source`] by the field of type [`Indexed`].
macro_rules! source_by_index {
    ($source:ty, $out:ty, [$($generics:tt)*], [$($bounds:tt)*]) => {
        impl<$($generics)*> Source for $source
        where
            $($bounds)*
        {
            type Out = $out;
            type Split = GeneratorSplit;
            type EnumeratorState = GeneratorEnumeratorState;

            fn boundedness(&self) -> Boundedness {
                self.indexed.boundedness
            }

            fn create_enumerator(
                &self,
                context: &EnumeratorContext,
                restored: Option<GeneratorEnumeratorState>,
            ) -> Result<BoxedEnumerator, BoxError> {
                self.indexed.create_enumerator(context, restored)
            }

            fn create_reader(&self, context: &ReaderContext) -> Result<Box<dyn SourceReader<$out, GeneratorSplit>>, BoxError> {
                self.indexed.create_reader(context)
            }
        }
    };
}

/// Generates records by a function of their index.
///
/// The function gets the index, from 0, and a [`Random`] that depends on the seed and the index alone. As long as it uses
/// nothing else, a record is the same in each run, on each machine and after each failure.
pub struct GeneratorSource<T, F> {
    indexed: Indexed<ByFunction<T, F>>,
}

struct ByFunction<T, F> {
    seed: u64,
    function: Arc<F>,
    out: PhantomData<fn() -> T>,
}

impl<T, F> Clone for ByFunction<T, F> {
    fn clone(&self) -> Self {
        ByFunction { seed: self.seed, function: self.function.clone(), out: PhantomData }
    }
}

impl<T, F> Generate for ByFunction<T, F>
where
    T: Data,
    F: Fn(u64, &mut Random) -> T + Send + Sync + 'static,
{
    type Out = T;

    fn generate(&self, index: u64) -> T {
        (self.function)(index, &mut Random::new(self.seed, index))
    }
}

impl<T, F> GeneratorSource<T, F>
where
    T: Data,
    F: Fn(u64, &mut Random) -> T + Send + Sync + 'static,
{
    /// `count` records.
    ///
    /// A job that is restored with another `count` keeps its splits: a smaller one ends it earlier, a greater one changes
    /// nothing.
    pub fn new(count: u64, function: F) -> Self {
        let records = ByFunction { seed: 0, function: Arc::new(function), out: PhantomData };
        GeneratorSource { indexed: Indexed::bounded(records, Some(count)) }
    }

    /// Records without an end.
    pub fn unbounded(function: F) -> Self {
        let records = ByFunction { seed: 0, function: Arc::new(function), out: PhantomData };
        let indexed = Indexed { boundedness: Boundedness::ContinuousUnbounded, ..Indexed::bounded(records, None) };
        GeneratorSource { indexed }
    }

    /// How many records per second all readers emit together; as many as they can unless set.
    ///
    /// Each split has the same part of it. After a stall, or while what follows is slower, at most one second is made up
    /// for. A rate that is not finite and above 0 fails the job when it starts.
    pub fn records_per_second(mut self, rate: f64) -> Self {
        self.indexed.rate = Some(rate);
        self
    }

    /// The seed of the [`Random`] that the function gets; 0 unless set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.indexed.records.seed = seed;
        self
    }
}

impl<T, F> fmt::Debug for GeneratorSource<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Indexed { records, end, rate, .. } = &self.indexed;
        f.debug_struct("GeneratorSource")
            .field("count", end)
            .field("records_per_second", rate)
            .field("seed", &records.seed)
            .finish_non_exhaustive()
    }
}

source_by_index!(GeneratorSource<T, F>, T, [T, F], [T: Data, F: Fn(u64, &mut Random) -> T + Send + Sync + 'static]);

/// The numbers from one to another, both included.
#[derive(Debug, Clone)]
pub struct SequenceSource {
    indexed: Indexed<Sequence>,
}

#[derive(Debug, Clone)]
struct Sequence {
    from: i64,
}

impl Generate for Sequence {
    type Out = i64;

    fn generate(&self, index: u64) -> i64 {
        // Never wraps: the index is at most the distance of two numbers.
        self.from.wrapping_add_unsigned(index)
    }
}

impl SequenceSource {
    /// `from`, `from + 1`, … `to`; nothing if `to` is less than `from`.
    pub fn new(from: i64, to: i64) -> Self {
        // All 2^64 numbers have no index behind the last.
        let end = if from > to { Some(0) } else { to.abs_diff(from).checked_add(1) };
        SequenceSource { indexed: Indexed::bounded(Sequence { from }, end) }
    }
}

source_by_index!(SequenceSource, i64, [], []);

/// The elements of a collection, in their order if there is one reader.
///
/// The collection is part of the program: a job must be restored with the one that it was started with.
pub struct CollectionSource<T> {
    indexed: Indexed<Collection<T>>,
}

struct Collection<T>(Arc<Vec<T>>);

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Collection(self.0.clone())
    }
}

impl<T: Data + Sync> Generate for Collection<T> {
    type Out = T;

    fn generate(&self, index: u64) -> T {
        // The reader stops at the collection's end, which fits into memory.
        self.0[index as usize].clone()
    }
}

impl<T: Data + Sync> CollectionSource<T> {
    /// All of `elements`. Readers of one process share them, and emit clones.
    pub fn new(elements: Vec<T>) -> Self {
        let end = elements.len() as u64;
        CollectionSource { indexed: Indexed::bounded(Collection(Arc::new(elements)), Some(end)) }
    }
}

impl<T> fmt::Debug for CollectionSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectionSource").field("elements", &self.indexed.records.0.len()).finish()
    }
}

source_by_index!(CollectionSource<T>, T, [T], [T: Data + Sync]);
