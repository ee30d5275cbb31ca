//! Where entries live: per key group an index and segments of a fixed number of slots, which never move.

use crate::index::Index;
use flott_core::{
    key_group::{KeyGroup, KeyGroupRange, key_group_of},
    prefetch::prefetch,
};

/// Slots of a segment, the unit of copy-on-write: as many as the bits of [`Segment::live`].
pub(crate) const SEGMENT_SLOTS: usize = 32;

/// Segments smaller than this keep their memory when they become empty, so that a lone key that comes and goes costs nothing.
const KEPT_SLOTS: usize = 16;

/// Where an entry is. Stays the same until the entry is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Index of the group in the range of the subtask.
    pub(crate) group: u32,
    /// Slot in the group.
    pub(crate) slot: u32,
}

impl Position {
    /// Index of the group in the range of the subtask.
    #[inline]
    pub(crate) fn group(self) -> usize {
        self.group as usize
    }

    /// Segment in the group.
    #[inline]
    pub(crate) fn segment(self) -> usize {
        self.slot as usize / SEGMENT_SLOTS
    }

    /// Slot in the segment.
    #[inline]
    pub(crate) fn offset(self) -> usize {
        self.slot as usize % SEGMENT_SLOTS
    }
}

/// Neighbouring slots of a group.
#[derive(Debug)]
pub(crate) struct Segment<E> {
    /// Grows to [`SEGMENT_SLOTS`] in a group's first segment, has them at once in the others; empty if nothing lives here.
    entries: Box<[Option<E>]>,
    /// A bit for each slot in use.
    live: u32,
    /// The version of the table at which this segment was made or last written to a snapshot.
    pub(crate) version: u32,
    /// Whether the group lists this segment as one with free slots.
    open: bool,
}

impl<E> Segment<E> {
    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.live.count_ones() as usize
    }

    /// Whether nothing lives here and the memory has been given back.
    pub(crate) fn is_released(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries and their slots in the segment.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &E)> {
        let mut bits = self.live;
        std::iter::from_fn(move || {
            let offset = (bits != 0).then_some(bits.trailing_zeros() as usize)?;
            bits &= bits - 1;
            Some((offset, self.entries.get(offset)?.as_ref()?))
        })
    }
}

/// The index and the segments of one key group.
#[derive(Debug)]
struct Group<E> {
    index: Index,
    segments: Vec<Segment<E>>,
    /// Segments that have free slots, and perhaps some that no longer do.
    open: Vec<u32>,
}

/// The entries of the key groups of one subtask.
#[derive(Debug)]
pub(crate) struct Slots<E> {
    groups: Vec<Group<E>>,
    range: KeyGroupRange,
    max_parallelism: u32,
    len: usize,
    /// Goes up with every snapshot: a segment of an older version belongs to it and has not been written.
    pub(crate) version: u32,
}

#[cold]
#[inline(never)]
fn foreign_group(hash: u64, group: KeyGroup, range: KeyGroupRange) -> ! {
    panic!("a key with hash {hash:016x} belongs to key group {group}, but this subtask owns {range}: the record came to the wrong subtask")
}

impl<E> Slots<E> {
    pub(crate) fn new(max_parallelism: u32, range: KeyGroupRange) -> Self {
        let groups = (0..range.len()).map(|_| Group { index: Index::default(), segments: Vec::new(), open: Vec::new() }).collect();
        Slots { groups, range, max_parallelism, len: 0, version: 0 }
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The key groups.
    pub(crate) fn range(&self) -> KeyGroupRange {
        self.range
    }

    /// The group of a hash, which may be another subtask's.
    pub(crate) fn key_group(&self, hash: u64) -> KeyGroup {
        key_group_of(hash, self.max_parallelism)
    }

    /// The index in the range of the group of a hash.
    #[inline]
    pub(crate) fn group_of(&self, hash: u64) -> usize {
        let group = key_group_of(hash, self.max_parallelism);
        let index = u32::from(group).wrapping_sub(self.range.start) as usize;
        if index >= self.groups.len() {
            foreign_group(hash, group, self.range)
        }
        index
    }

    /// Asks for the index places of `hashes`, which a later [`Slots::prefetch_entries`] will read.
    #[inline]
    pub(crate) fn prefetch_places(&self, hashes: &[u64]) {
        for hash in hashes {
            self.groups[self.group_of(*hash)].index.prefetch(*hash as u32);
        }
    }

    /// Asks for the entries that look-ups of `hashes` will most likely find.
    #[inline]
    pub(crate) fn prefetch_entries(&self, hashes: &[u64]) {
        for hash in hashes {
            let group = &self.groups[self.group_of(*hash)];
            if let Some(slot) = group.index.guess(*hash as u32) {
                prefetch(&group.segments[slot as usize / SEGMENT_SLOTS].entries[slot as usize % SEGMENT_SLOTS]);
            }
        }
    }

    /// The entry with `hash` that `matches` takes.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut matches: impl FnMut(&E) -> bool) -> Option<Position> {
        let index = self.group_of(hash);
        let group = &self.groups[index];
        let slot = group.index.find(hash as u32, |slot| {
            let segment = &group.segments[slot as usize / SEGMENT_SLOTS];
            segment.entries[slot as usize % SEGMENT_SLOTS].as_ref().is_some_and(&mut matches)
        })?;
        Some(Position { group: index as u32, slot })
    }

    /// The segment of a position.
    #[inline]
    pub(crate) fn segment(&self, group: usize, segment: usize) -> &Segment<E> {
        &self.groups[group].segments[segment]
    }

    /// Marks a segment as written.
    pub(crate) fn set_written(&mut self, group: usize, segment: usize) {
        self.groups[group].segments[segment].version = self.version;
    }

    /// The number of groups.
    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The number of segments of a group.
    pub(crate) fn segment_count(&self, group: usize) -> usize {
        self.groups[group].segments.len()
    }

    /// The entry at a position.
    #[inline]
    pub(crate) fn get(&self, at: Position) -> Option<&E> {
        self.groups[at.group()].segments[at.segment()].entries.get(at.offset())?.as_ref()
    }

    /// The entry at a position, to change it: the segment must have been written if a snapshot wants it.
    #[inline]
    pub(crate) fn get_mut(&mut self, at: Position) -> Option<&mut E> {
        self.groups[at.group()].segments[at.segment()].entries.get_mut(at.offset())?.as_mut()
    }

    /// A free slot of a group. Its segment must be written, if a snapshot wants it, before [`Slots::fill`].
    pub(crate) fn free_slot(&mut self, group_index: usize) -> Position {
        let group = &mut self.groups[group_index];
        let segment = loop {
            match group.open.last() {
                Some(&last) if group.segments[last as usize].live != u32::MAX => break last as usize,
                Some(&last) => {
                    group.segments[last as usize].open = false;
                    group.open.pop();
                }
                None => {
                    let number = group.segments.len();
                    assert!(
                        number < u32::MAX as usize / SEGMENT_SLOTS,
                        "a key group cannot hold more than 2^32 keys: raise the maximum parallelism"
                    );
                    group.segments.push(Segment { entries: Box::default(), live: 0, version: self.version, open: true });
                    group.open.push(number as u32);
                }
            }
        };
        let offset = (!group.segments[segment].live).trailing_zeros() as usize;
        Position { group: group_index as u32, slot: (segment * SEGMENT_SLOTS + offset) as u32 }
    }

    /// Puts an entry into a free slot.
    pub(crate) fn fill(&mut self, at: Position, hash: u64, entry: E) {
        let group = &mut self.groups[at.group()];
        let segment = &mut group.segments[at.segment()];
        let offset = at.offset();
        if segment.entries.len() <= offset {
            let wanted = if at.segment() == 0 { (offset + 1).next_power_of_two().max(4) } else { SEGMENT_SLOTS };
            let mut entries = std::mem::take(&mut segment.entries).into_vec();
            entries.reserve_exact(wanted - entries.len());
            entries.resize_with(wanted, || None);
            segment.entries = entries.into_boxed_slice();
        }
        segment.entries[offset] = Some(entry);
        segment.live |= 1 << offset;
        group.index.insert(hash as u32, at.slot);
        self.len += 1;
    }

    /// Takes out the entry at a position, which was put in with `hash`. The segment must have been written if a snapshot wants it.
    pub(crate) fn take(&mut self, at: Position, hash: u64) -> Option<E> {
        let group = &mut self.groups[at.group()];
        let segment = &mut group.segments[at.segment()];
        let entry = segment.entries.get_mut(at.offset())?.take()?;
        group.index.remove(hash as u32, at.slot);
        segment.live &= !(1 << at.offset());
        if !segment.open {
            segment.open = true;
            group.open.push(at.segment() as u32);
        }
        if segment.live == 0 && segment.entries.len() > KEPT_SLOTS {
            segment.entries = Box::default();
        }
        self.len -= 1;
        Some(entry)
    }

    /// All entries and where they are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Position, &E)> {
        self.groups.iter().enumerate().flat_map(|(group, content)| {
            content.segments.iter().enumerate().flat_map(move |(segment, entries)| {
                entries
                    .iter()
                    .map(move |(offset, entry)| (Position { group: group as u32, slot: (segment * SEGMENT_SLOTS + offset) as u32 }, entry))
            })
        })
    }

    /// Bytes of index and slots, without what entries own elsewhere.
    pub(crate) fn heap_bytes(&self) -> usize {
        let of_group = |group: &Group<E>| {
            let entries: usize = group.segments.iter().map(|segment| segment.entries.len() * size_of::<Option<E>>()).sum();
            entries + group.index.heap_bytes() + group.segments.capacity() * size_of::<Segment<E>>() + group.open.capacity() * 4
        };
        self.groups.iter().map(|group| size_of::<Group<E>>() + of_group(group)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots() -> Slots<u64> {
        Slots::new(1, KeyGroupRange { start: 0, end: 1 })
    }

    fn insert(slots: &mut Slots<u64>, value: u64) -> Position {
        let at = slots.free_slot(0);
        slots.fill(at, value, value);
        at
    }

    #[test]
    fn free_slots_are_used_before_new_segments() {
        let mut slots = slots();
        let at: Vec<_> = (0..200).map(|value| insert(&mut slots, value)).collect();
        assert_eq!(slots.segment_count(0), 7);
        for &removed in &[5usize, 70, 199, 6] {
            assert_eq!(slots.take(at[removed], removed as u64), Some(removed as u64));
        }
        for value in 1000..1060 {
            insert(&mut slots, value);
        }
        assert_eq!((slots.len(), slots.segment_count(0)), (256, 8));
        assert_eq!(slots.find(1003, |value| *value == 1003).and_then(|at| slots.get(at)), Some(&1003));
        assert_eq!(slots.find(70, |value| *value == 70), None);
    }

    #[test]
    fn a_segment_without_entries_gives_its_memory_back() {
        let mut slots = slots();
        let at: Vec<_> = (0..6400).map(|value| insert(&mut slots, value)).collect();
        let full = slots.heap_bytes();
        (0..6400).for_each(|value| assert!(slots.take(at[value as usize], value).is_some()));
        assert!(slots.heap_bytes() * 10 < full, "{} of {full}", slots.heap_bytes());
        assert_eq!(slots.take(at[3], 3), None);
        insert(&mut slots, 7);
        assert_eq!(slots.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [7]);
    }

    #[test]
    #[should_panic(expected = "wrong subtask")]
    fn a_key_of_another_subtask_is_refused() {
        Slots::<u64>::new(128, KeyGroupRange { start: 0, end: 64 }).find(u64::MAX, |_| true);
    }
}
