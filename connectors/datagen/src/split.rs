//! A part of the indices.

use flott_core::source::SourceSplit;

/// The records `next`, `next + step`, … below `end`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GeneratorSplit {
    /// Which of the splits it is, from 0.
    pub number: u32,
    /// The index of the next record.
    pub next: u64,
    /// From one record's index to that of the next; the number of splits that the source was divided into.
    pub step: u64,
    /// The index behind the last record; `None` goes on as long as there are numbers.
    pub end: Option<u64>,
}

impl GeneratorSplit {
    /// The number of records that are left.
    pub fn remaining(&self) -> u64 {
        let last = match self.end {
            Some(0) => return 0,
            Some(end) => end - 1,
            None => u64::MAX,
        };
        // Of all 2^64 records one is not counted.
        last.checked_sub(self.next).map_or(0, |distance| (distance / self.step.max(1)).saturating_add(1))
    }

    /// The splits of the indices below `end` for `parallelism` readers, without empty ones.
    pub(crate) fn divide(parallelism: u32, end: Option<u64>) -> impl Iterator<Item = GeneratorSplit> {
        let count = parallelism.max(1);
        (0..count)
            .map(move |number| GeneratorSplit { number, next: u64::from(number), step: u64::from(count), end })
            .filter(|split| split.remaining() > 0)
    }
}

impl SourceSplit for GeneratorSplit {
    fn split_id(&self) -> String {
        self.number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_splits_hold_every_index_once() {
        for (parallelism, end) in [(1, 0), (1, 7), (3, 7), (3, 9), (4, 2), (5, 0)] {
            let mut indices: Vec<u64> = GeneratorSplit::divide(parallelism, Some(end))
                .flat_map(|split| (0..split.remaining()).map(move |nth| split.next + nth * split.step))
                .collect();
            indices.sort_unstable();
            assert_eq!(indices, (0..end).collect::<Vec<_>>(), "{parallelism} splits of {end}");
        }
    }

    #[test]
    fn the_last_numbers_are_counted_without_overflow() {
        let split = |next, step, end| GeneratorSplit { number: 0, next, step, end };
        assert_eq!(split(u64::MAX, 7, None).remaining(), 1);
        assert_eq!(split(u64::MAX - 7, 7, None).remaining(), 2);
        assert_eq!(split(u64::MAX - 7, 7, Some(u64::MAX)).remaining(), 1);
        assert_eq!(split(0, 1, None).remaining(), u64::MAX);
        assert_eq!(split(9, 2, Some(9)).remaining(), 0);
        assert_eq!(split(10, 2, Some(9)).remaining(), 0);
    }
}
