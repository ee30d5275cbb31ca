//! From hash to slot: the small table that is all of a key group that ever moves.

use flott_core::prefetch::prefetch;

/// The smallest number of places of an index that is not empty.
const MIN_PLACES: usize = 8;

/// Maps hashes to slots, open addressing with linear probing. A place holds slot + 1 in its lower half (0: empty) and the mixed
/// hash in its upper half, so that a look-up reads one cache line before it compares keys, and growing compares none.
#[derive(Debug, Default)]
pub(crate) struct Index {
    places: Vec<u64>,
    /// A mixed hash shifted right by this is its home: homes keep the order of mixed hashes, so growing is one sequential pass.
    shift: u32,
    len: usize,
}

/// Spreads entropy from anywhere in `hash` to its upper bits. One to one, so nothing is lost by keeping the result alone.
#[inline]
pub(crate) fn mix(hash: u32) -> u32 {
    hash.wrapping_mul(0x9E37_79B9)
}

#[inline]
fn slot_of(place: u64) -> u32 {
    (place as u32).wrapping_sub(1)
}

impl Index {
    #[inline]
    fn home(&self, mixed: u32) -> usize {
        (mixed >> self.shift) as usize
    }

    /// The slot with `hash` that `matches` takes.
    #[inline]
    pub(crate) fn find(&self, hash: u32, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        let mixed = mix(hash);
        let mut at = self.home(mixed);
        // `get` fails on an index without places and at the end, where probing goes on from the front.
        loop {
            let place = match self.places.get(at) {
                Some(place) => *place,
                None if at == 0 => return None,
                None => {
                    at = 0;
                    continue;
                }
            };
            if place == 0 {
                return None;
            }
            if (place >> 32) as u32 == mixed && matches(slot_of(place)) {
                return Some(slot_of(place));
            }
            at += 1;
        }
    }

    /// Asks for the place where a look-up of `hash` begins.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u32) {
        if let Some(place) = self.places.get(self.home(mix(hash))) {
            prefetch(place);
        }
    }

    /// The first slot with `hash`, most likely the one that is meant.
    #[inline]
    pub(crate) fn guess(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds `slot`, which must not be in here.
    pub(crate) fn insert(&mut self, hash: u32, slot: u32) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.resize((self.places.len() * 2).max(MIN_PLACES));
        }
        self.place((u64::from(mix(hash)) << 32) | (u64::from(slot) + 1));
        self.len += 1;
    }

    /// Takes out `slot`, which was added with `hash`.
    pub(crate) fn remove(&mut self, hash: u32, slot: u32) {
        let wanted = (u64::from(mix(hash)) << 32) | (u64::from(slot) + 1);
        if self.places.is_empty() {
            return;
        }
        let mask = self.places.len() - 1;
        let mut hole = self.home(mix(hash));
        while self.places[hole] != wanted {
            if self.places[hole] == 0 {
                debug_assert!(false, "slot {slot} is not in the index");
                return;
            }
            hole = (hole + 1) & mask;
        }
        // Close the gap: move back whatever may come nearer to its home.
        let mut next = (hole + 1) & mask;
        while self.places[next] != 0 {
            let home = self.home((self.places[next] >> 32) as u32);
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.places[hole] = 0;
        self.len -= 1;
        if self.places.len() > 8 * MIN_PLACES && self.len * 8 < self.places.len() {
            self.resize(self.places.len() / 4);
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.places.capacity() * size_of::<u64>()
    }

    fn resize(&mut self, places: usize) {
        let old = std::mem::replace(&mut self.places, vec![0; places]);
        self.shift = 32 - places.trailing_zeros();
        for place in old {
            if place != 0 {
                self.place(place);
            }
        }
    }

    fn place(&mut self, place: u64) {
        let mask = self.places.len() - 1;
        let mut at = self.home((place >> 32) as u32);
        while self.places[at] != 0 {
            at = (at + 1) & mask;
        }
        self.places[at] = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::Random;
    use std::collections::HashMap;

    #[test]
    fn finds_what_a_map_finds_under_random_changes() {
        // `spread` decides how many different hashes there are: 1 makes every probe a collision.
        for spread in [1u64, 3, 50, u64::from(u32::MAX)] {
            let mut random = Random::new(spread + 1);
            let mut index = Index::default();
            let mut model: HashMap<u32, u32> = HashMap::new();
            for step in 0..6000 {
                let slot = random.below(if step < 3000 { 300 } else { 40 }) as u32;
                match model.remove(&slot) {
                    Some(hash) => index.remove(hash, slot),
                    None => {
                        let hash = random.below(spread) as u32;
                        index.insert(hash, slot);
                        model.insert(slot, hash);
                    }
                }
                let slot = random.below(300) as u32;
                let expected = model.get(&slot).map(|_| slot);
                let hash = model.get(&slot).copied().unwrap_or(slot);
                assert_eq!(index.find(hash, |found| found == slot), expected);
            }
            assert_eq!(index.len, model.len());
        }
    }

    #[test]
    fn gives_memory_back_when_most_is_removed() {
        let mut index = Index::default();
        (0..10_000).for_each(|slot| index.insert(slot * 7, slot));
        let full = index.heap_bytes();
        (0..9_990).for_each(|slot| index.remove(slot * 7, slot));
        assert!(index.heap_bytes() * 100 < full);
        assert_eq!(index.find(9_995 * 7, |slot| slot == 9_995), Some(9_995));
    }
}
