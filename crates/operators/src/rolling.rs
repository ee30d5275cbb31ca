//! Rolling aggregates of a keyed stream: sum, min, max, reduce, fold.
//!
//! In streaming mode each record emits its key's new result; in batch mode each key emits its last one at the end of input.

use crate::key::{KeySelector, check_hashes};
use flott_core::{
    AnyBatch, Batch, BoxError, Data,
    batch::BATCH_RECORDS,
    context::{OpenContext, RuntimeMode},
    id::CheckpointId,
    operator::{Operator, OperatorFactory, Output, SnapshotProgress, SnapshotWriter},
    snapshot::StateKind,
};
use flott_state::{Entry, KeyedTable};
use std::{marker::PhantomData, ops::AddAssign, sync::Arc};

const STATE: &str = "rolling";
/// Keys whose memory is asked for together: what they touch fits the first-level cache.
const RUN_KEYS: usize = 32;

/// A rolling aggregate of records of `T`.
pub trait Rolling<T>: Send + Sync + 'static {
    /// What is kept for a key.
    type State: Data;
    /// What is emitted.
    type Out: Data;

    /// The state after a key's first record.
    ///
    /// # Errors
    /// The user's function failed.
    fn first(&self, record: T) -> Result<Self::State, BoxError>;

    /// Takes another record in.
    ///
    /// # Errors
    /// The user's function failed.
    fn add(&self, state: &mut Self::State, record: T) -> Result<(), BoxError>;

    /// What is emitted for a state.
    fn result(&self, state: &Self::State) -> Self::Out;
}

/// Sums one field; the others are those of the key's first record.
pub struct Sum<F, N>(pub F, pub PhantomData<fn(N)>);

impl<F, N> std::fmt::Debug for Sum<F, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sum").finish_non_exhaustive()
    }
}

impl<T: Data, N: AddAssign + Clone + 'static, F: Fn(&mut T) -> &mut N + Send + Sync + 'static> Rolling<T> for Sum<F, N> {
    type State = T;
    type Out = T;

    fn first(&self, record: T) -> Result<T, BoxError> {
        Ok(record)
    }
    #[inline]
    fn add(&self, state: &mut T, mut record: T) -> Result<(), BoxError> {
        *(self.0)(state) += (self.0)(&mut record).clone();
        Ok(())
    }
    #[inline]
    fn result(&self, state: &T) -> T {
        state.clone()
    }
}

/// Keeps the smallest or largest value of one field; the others are those of the key's first record.
pub struct Extreme<F, N> {
    /// The field.
    pub field: F,
    /// Whether the largest is kept.
    pub largest: bool,
    /// The field's type.
    pub types: PhantomData<fn(N)>,
}

impl<F, N> std::fmt::Debug for Extreme<F, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extreme").finish_non_exhaustive()
    }
}

impl<T: Data, N: PartialOrd + Clone + 'static, F: Fn(&mut T) -> &mut N + Send + Sync + 'static> Rolling<T> for Extreme<F, N> {
    type State = T;
    type Out = T;

    fn first(&self, record: T) -> Result<T, BoxError> {
        Ok(record)
    }
    fn add(&self, state: &mut T, mut record: T) -> Result<(), BoxError> {
        let (new, kept) = ((self.field)(&mut record), (self.field)(state));
        if (self.largest && *new > *kept) || (!self.largest && *new < *kept) {
            *kept = new.clone();
        }
        Ok(())
    }
    fn result(&self, state: &T) -> T {
        state.clone()
    }
}

/// Keeps the whole record with the smallest or largest value; of equal ones the first.
pub struct ExtremeBy<F, N> {
    /// The value to compare.
    pub value: F,
    /// Whether the largest is kept.
    pub largest: bool,
    /// The value's type.
    pub types: PhantomData<fn() -> N>,
}

impl<F, N> std::fmt::Debug for ExtremeBy<F, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExtremeBy").finish_non_exhaustive()
    }
}

impl<T: Data, N: PartialOrd + 'static, F: Fn(&T) -> N + Send + Sync + 'static> Rolling<T> for ExtremeBy<F, N> {
    type State = T;
    type Out = T;

    fn first(&self, record: T) -> Result<T, BoxError> {
        Ok(record)
    }
    fn add(&self, state: &mut T, record: T) -> Result<(), BoxError> {
        let (new, kept) = ((self.value)(&record), (self.value)(state));
        if (self.largest && new > kept) || (!self.largest && new < kept) {
            *state = record;
        }
        Ok(())
    }
    fn result(&self, state: &T) -> T {
        state.clone()
    }
}

/// Merges records by a function of two.
pub struct Reduce<F>(pub F);

impl<F> std::fmt::Debug for Reduce<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reduce").finish_non_exhaustive()
    }
}

impl<T: Data, F: Fn(T, T) -> Result<T, BoxError> + Send + Sync + 'static> Rolling<T> for Reduce<F> {
    // `None` only while the function has the value.
    type State = Option<T>;
    type Out = T;

    fn first(&self, record: T) -> Result<Option<T>, BoxError> {
        Ok(Some(record))
    }
    fn add(&self, state: &mut Option<T>, record: T) -> Result<(), BoxError> {
        *state = Some(match state.take() {
            Some(kept) => (self.0)(kept, record)?,
            None => record,
        });
        Ok(())
    }
    fn result(&self, state: &Option<T>) -> T {
        state.clone().expect("a failed reduction fails the task, so that its state is not asked again")
    }
}

/// Takes records into an accumulator of another type.
pub struct Fold<A, F> {
    /// The accumulator of a new key.
    pub initial: A,
    /// Takes a record in.
    pub add: F,
}

impl<A, F> std::fmt::Debug for Fold<A, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fold").finish_non_exhaustive()
    }
}

impl<T: Data, A: Data + Sync, F: Fn(&mut A, T) -> Result<(), BoxError> + Send + Sync + 'static> Rolling<T> for Fold<A, F> {
    type State = A;
    type Out = A;

    fn first(&self, record: T) -> Result<A, BoxError> {
        let mut state = self.initial.clone();
        (self.add)(&mut state, record)?;
        Ok(state)
    }
    fn add(&self, state: &mut A, record: T) -> Result<(), BoxError> {
        (self.add)(state, record)
    }
    fn result(&self, state: &A) -> A {
        state.clone()
    }
}

/// The operator of a rolling aggregate over records of `T`, keyed by `selector`.
pub fn rolling<T: Data, S: KeySelector<T>, R: Rolling<T>>(selector: Arc<S>, rolling: R) -> Arc<dyn OperatorFactory> {
    let rolling = Arc::new(rolling);
    Arc::new(move || -> Box<dyn Operator> {
        Box::new(RollingOperator::<T, S, R> {
            selector: selector.clone(),
            rolling: rolling.clone(),
            table: None,
            mode: RuntimeMode::Streaming,
            types: PhantomData,
        })
    })
}

struct RollingOperator<T, S: KeySelector<T>, R: Rolling<T>> {
    selector: Arc<S>,
    rolling: Arc<R>,
    table: Option<KeyedTable<S::Kept, R::State>>,
    mode: RuntimeMode,
    types: PhantomData<fn(T)>,
}

impl<T, S: KeySelector<T>, R: Rolling<T>> RollingOperator<T, S, R> {
    fn table(&mut self) -> Result<&mut KeyedTable<S::Kept, R::State>, BoxError> {
        self.table.as_mut().ok_or_else(|| "the operator was not opened".into())
    }
}

/// Takes in a record whose key was not there.
#[inline(never)]
fn add_new<'a, T, S: KeySelector<T>, R: Rolling<T>>(
    selector: &S,
    rolling: &R,
    table: &'a mut KeyedTable<S::Kept, R::State>,
    hash: u64,
    value: T,
) -> Result<&'a mut R::State, BoxError> {
    let entry = selector.with_key(&value, |key| match table.entry(hash, |kept| S::is(kept, key)) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => Err((entry, S::keep(key))),
    });
    match entry {
        Ok(state) => {
            rolling.add(state, value)?;
            Ok(state)
        }
        Err((entry, key)) => Ok(entry.insert(key, rolling.first(value)?)),
    }
}

impl<T: Data, S: KeySelector<T>, R: Rolling<T>> Operator for RollingOperator<T, S, R> {
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let mut table = KeyedTable::new(STATE, StateKind::Value, context.info.max_parallelism, context.info.key_groups());
        if let Some(restored) = context.restored {
            table.restore(restored)?;
        }
        self.table = Some(table);
        self.mode = context.mode;
        Ok(())
    }

    fn process(&mut self, _: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError> {
        let Batch { values, timestamps, hashes } = batch.downcast::<T>()?;
        check_hashes(values.len(), hashes.len())?;
        let table = self.table.as_mut().ok_or("the operator was not opened")?;
        let running = self.mode == RuntimeMode::Streaming;
        let mut results = Vec::with_capacity(if running { values.len() } else { 0 });
        // Look-ups wait for memory: it is asked for one run ahead, the index two runs ahead.
        let run = |number: usize| hashes.chunks(RUN_KEYS).nth(number).unwrap_or_default();
        table.prefetch_places(run(0));
        table.prefetch_places(run(1));
        table.prefetch_entries(run(0));
        // From inside the iterator: a record that comes out of it as an `Option` is copied twice.
        values.into_iter().enumerate().try_for_each(|(index, value)| -> Result<(), BoxError> {
            if index % RUN_KEYS == 0 {
                table.prefetch_places(run(index / RUN_KEYS + 2));
                table.prefetch_entries(run(index / RUN_KEYS + 1));
            }
            let hash = hashes[index];
            let found = self.selector.with_key(&value, |key| table.get_mut(hash, |kept| S::is(kept, key)));
            let state = match found {
                Some(state) => {
                    self.rolling.add(state, value)?;
                    state
                }
                None => add_new(&*self.selector, &*self.rolling, table, hash, value)?,
            };
            if running {
                results.push(self.rolling.result(state));
            }
            Ok(())
        })?;
        if running { output.emit(AnyBatch::new(Batch { values: results, timestamps, hashes: Vec::new() })) } else { Ok(()) }
    }

    fn snapshot(&mut self, _: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        self.table()?.snapshot_begin(0, writer);
        Ok(SnapshotProgress::More)
    }

    fn snapshot_step(&mut self, mut entries: usize, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        self.table()?.snapshot_step(&mut entries, writer)
    }

    fn snapshot_cancel(&mut self) {
        if let Some(table) = &mut self.table {
            table.snapshot_cancel();
        }
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        if self.mode == RuntimeMode::Streaming {
            return Ok(());
        }
        let rolling = self.rolling.clone();
        let mut results = Batch::with_capacity(BATCH_RECORDS);
        for (_, state) in self.table()?.iter() {
            results.push(rolling.result(state), None);
            if results.len() == BATCH_RECORDS {
                output.emit(AnyBatch::new(std::mem::replace(&mut results, Batch::with_capacity(BATCH_RECORDS))))?;
            }
        }
        output.emit(AnyBatch::new(results))
    }
}
