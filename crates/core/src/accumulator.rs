//! Accumulators: small results that come back with the end of a job. Not fault tolerant: they restart with the task.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The value of an accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum AccumulatorValue {
    /// A sum of whole numbers; saturates.
    Long(i64),
    /// A sum.
    Double(f64),
    /// A mean: sum and count.
    Average {
        /// The sum of what was added.
        sum: f64,
        /// How many were added.
        count: u64,
    },
    /// The smallest.
    Min(f64),
    /// The largest.
    Max(f64),
}

impl AccumulatorValue {
    /// Takes `other` in; `None` if it is of another kind.
    pub fn merge(self, other: AccumulatorValue) -> Option<AccumulatorValue> {
        use AccumulatorValue::*;
        Some(match (self, other) {
            (Long(a), Long(b)) => Long(a.saturating_add(b)),
            (Double(a), Double(b)) => Double(a + b),
            (Average { sum, count }, Average { sum: s, count: c }) => Average { sum: sum + s, count: count + c },
            (Min(a), Min(b)) => Min(a.min(b)),
            (Max(a), Max(b)) => Max(a.max(b)),
            _ => return None,
        })
    }
}

/// The accumulators of one task, shared by its operators.
#[derive(Debug, Clone, Default)]
pub struct Accumulators(Arc<Mutex<BTreeMap<String, AccumulatorValue>>>);

impl Accumulators {
    /// Adds `value` to the accumulator `name`. The first addition decides its kind; a value of another kind is refused.
    ///
    /// # Errors
    /// The accumulator is of another kind.
    pub fn add(&self, name: &str, value: AccumulatorValue) -> Result<(), crate::Error> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(name) {
            None => {
                all.insert(name.to_owned(), value);
            }
            Some(present) => {
                *present = present.merge(value).ok_or_else(|| {
                    crate::Error::invalid(format!("accumulator `{name}` holds {present:?}; {value:?} cannot be added to it"))
                })?;
            }
        }
        Ok(())
    }

    /// All values as they are now.
    pub fn snapshot(&self) -> BTreeMap<String, AccumulatorValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
