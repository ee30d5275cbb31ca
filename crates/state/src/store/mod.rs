//! Several named states for each key: what process functions use.

mod aggregating;
mod cells;
mod column;
mod handle;
mod list;
mod map;
mod register;
mod snapshot;
#[cfg(test)]
mod tests;
mod value;

pub use aggregating::{AggregateFunction, AggregatingState, ReducingState};
pub use cells::MapKey;
pub use list::ListState;
pub use map::MapState;
pub use value::ValueState;

use crate::{
    blocks::Run,
    slots::{Position, SEGMENT_SLOTS, Slots},
};
use column::AnyColumn;
use flott_core::{
    BoxError, Key,
    context::RestoredState,
    key_group::{KeyGroup, KeyGroupRange},
    key_hash::key_hash,
    snapshot::{KeyedStateMeta, StateKind},
};
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

/// Which key the states are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Current {
    /// None: no user code should be running.
    Nothing,
    /// One that has no state yet: it waits in [`Keys::pending`].
    Absent,
    /// One that has a slot, in a segment that may be changed.
    At(Position),
}

/// What handles and store share, whatever the type of the key.
#[derive(Debug)]
struct Cursor {
    current: Cell<Current>,
    /// Whether a state of the current key has been emptied: perhaps nothing is left.
    emptied: Cell<bool>,
}

/// A state of a snapshot that nothing has been registered for.
#[derive(Debug)]
struct Unclaimed {
    meta: KeyedStateMeta,
    blocks: Vec<(KeyGroup, Rc<[u8]>)>,
}

/// The keys, and what a snapshot needs.
#[derive(Debug)]
struct Keys<K> {
    slots: Slots<K>,
    hash: u64,
    pending: Option<K>,
    run: Option<Run>,
    /// Blocks of unclaimed states that the snapshot under way has still to hand on.
    handed_on: Vec<(u16, KeyGroup, Rc<[u8]>)>,
    unclaimed: Vec<Unclaimed>,
}

struct Shared<K> {
    cursor: Rc<Cursor>,
    keys: RefCell<Keys<K>>,
    columns: RefCell<Vec<Rc<dyn AnyColumn<K>>>>,
}

/// The named states of one operator's subtask, for each key of its key groups.
///
/// A state is registered by name and used through its handle, which always means the current key. The runtime sets the key before
/// it runs user code for a record or timer. A key takes memory from its first write on, until all its states are empty and
/// another key becomes current. A cheap handle itself: clones are the same store.
#[derive(Clone)]
pub struct KeyedStore<K>(Rc<Shared<K>>);

impl<K: Key> KeyedStore<K> {
    /// A store for the key groups `groups`. All keyed states of `restored`, timers aside, are kept until they are registered;
    /// those that never are go into every snapshot as they came, until [`KeyedStore::drop_unclaimed`].
    ///
    /// # Errors
    /// The restored state cannot be read.
    pub fn new(max_parallelism: u32, groups: KeyGroupRange, restored: Option<&dyn RestoredState>) -> Result<Self, BoxError> {
        let mut unclaimed: Vec<Unclaimed> = Vec::new();
        if let Some(restored) = restored {
            restored.keyed_blocks(&mut |meta, group, bytes| {
                if meta.kind != StateKind::Timers && groups.contains(group) {
                    let block = (group, Rc::from(bytes));
                    // Subtasks may differ in a state's description, so the name alone does not make it the same.
                    match unclaimed.iter_mut().find(|state| state.meta == *meta) {
                        Some(state) => state.blocks.push(block),
                        None => unclaimed.push(Unclaimed { meta: meta.clone(), blocks: vec![block] }),
                    }
                }
                Ok(())
            })?;
        }
        let slots = Slots::new(max_parallelism, groups);
        let keys = Keys { slots, hash: 0, pending: None, run: None, handed_on: Vec::new(), unclaimed };
        let cursor = Rc::new(Cursor { current: Cell::new(Current::Nothing), emptied: Cell::new(false) });
        Ok(KeyedStore(Rc::new(Shared { cursor, keys: RefCell::new(keys), columns: RefCell::new(Vec::new()) })))
    }

    /// The names of restored states that have not been registered.
    pub fn unclaimed(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys.borrow().unclaimed.iter().map(|state| state.meta.name.clone()).collect();
        names.dedup();
        names
    }

    /// Gives up restored states that have not been registered.
    pub fn drop_unclaimed(&self) {
        self.0.keys.borrow_mut().unclaimed.clear();
    }

    /// Makes `key`, whose hash is `hash`, the one that handles mean.
    ///
    /// # Panics
    /// The key is not of this subtask's key groups, or this is called from inside a closure given to a handle.
    pub fn set_current_key(&self, hash: u64, key: &K) {
        self.clear_current_key();
        let shared = &*self.0;
        let keys = &mut *shared.keys.borrow_mut();
        keys.hash = hash;
        let current = match keys.slots.find(hash, |other| other == key) {
            Some(at) => {
                shared.before_change(keys, at);
                Current::At(at)
            }
            None => {
                keys.pending = Some(key.clone());
                Current::Absent
            }
        };
        shared.cursor.current.set(current);
    }

    /// Ends the use of the current key: until another is set, handles must not be used.
    pub fn clear_current_key(&self) {
        let cursor = &self.0.cursor;
        if let (Current::At(at), true) = (cursor.current.replace(Current::Nothing), cursor.emptied.replace(false)) {
            self.0.remove_if_empty(at);
        }
    }

    /// The number of keys that have state, the current one included if it ever was written.
    pub fn len(&self) -> usize {
        self.0.keys.borrow().slots.len()
    }

    /// Whether no key has state.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes each key that has state the current one and calls `visit`, which may use handles. No key is current afterwards.
    ///
    /// # Errors
    /// `visit` failed.
    pub fn for_each_key(&self, mut visit: impl FnMut(&K) -> Result<(), BoxError>) -> Result<(), BoxError> {
        self.clear_current_key();
        // The next position to look at; the borrow must end before `visit`.
        let next = |from: Position| -> Option<(Position, K)> {
            let keys = self.0.keys.borrow();
            (from.group()..keys.slots.group_count()).find_map(|group| {
                let start = if group == from.group() { from.slot } else { 0 };
                let end = (keys.slots.segment_count(group) * SEGMENT_SLOTS) as u32;
                let mut positions = (start..end).map(|slot| Position { group: group as u32, slot });
                positions.find_map(|at| keys.slots.get(at).map(|key| (at, key.clone())))
            })
        };
        let mut from = Position { group: 0, slot: 0 };
        while let Some((at, key)) = next(from) {
            self.set_current_key(key_hash(&key), &key);
            visit(&key)?;
            self.clear_current_key();
            from = Position { slot: at.slot + 1, ..at };
        }
        Ok(())
    }
}

impl<K: Key> Shared<K> {
    /// Must be called before anything of the position's segment changes, in any column.
    #[inline]
    fn before_change(&self, keys: &mut Keys<K>, at: Position) {
        if keys.slots.segment(at.group(), at.segment()).version != keys.slots.version {
            self.write_segment(keys, at.group(), at.segment());
        }
    }

    /// Adds a key that is not there.
    fn add_key(&self, keys: &mut Keys<K>, hash: u64, key: K) -> Position {
        let at = keys.slots.free_slot(keys.slots.group_of(hash));
        self.before_change(keys, at);
        keys.slots.fill(at, hash, key);
        at
    }

    #[cold]
    fn remove_if_empty(&self, at: Position) {
        let columns = self.columns.borrow();
        let keys = &mut *self.keys.borrow_mut();
        if columns.iter().all(|column| column.is_empty_at(at)) {
            keys.slots.take(at, keys.hash);
            if keys.slots.segment(at.group(), at.segment()).is_released() {
                columns.iter().for_each(|column| column.release(at.group(), at.segment()));
            }
        }
    }
}

/// What a handle needs of the keys, whatever their type.
trait MakeKey {
    /// The current key's position; makes one if it has none.
    fn position(&self) -> Position;
}

impl<K: Key> MakeKey for Shared<K> {
    fn position(&self) -> Position {
        if let Current::At(at) = self.cursor.current.get() {
            return at;
        }
        let keys = &mut *self.keys.borrow_mut();
        let key = keys.pending.take().expect("the current key waits here while it has no slot");
        let hash = keys.hash;
        let at = self.add_key(keys, hash, key);
        self.cursor.current.set(Current::At(at));
        at
    }
}

impl<K: Key> fmt::Debug for KeyedStore<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.columns.borrow();
        let states: Vec<&str> = columns.iter().map(|column| column.meta().name.as_str()).collect();
        f.debug_struct("KeyedStore").field("keys", &self.len()).field("states", &states).finish()
    }
}
