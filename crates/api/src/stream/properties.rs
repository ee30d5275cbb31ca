//! Properties of the operator whose output a stream is.

use super::DataStream;
use flott_core::{error::location_of, tap::TapMask};
use flott_graph::{Chaining, StreamNode, Tapping};
use std::panic::Location;

/// Writes the property methods for a type with `fn property(self, method, location, change) -> Self`.
macro_rules! operator_properties {
    () => {
        /// What the operator is called in plans, metrics and messages.
        #[track_caller]
        pub fn name(self, name: impl Into<String>) -> Self {
            let name = name.into();
            self.property("name", std::panic::Location::caller(), |node| node.name = name)
        }

        /// What the operator's state is stored under. Give one to every operator with state: without, the state is lost when the
        /// program is changed before it.
        #[track_caller]
        pub fn uid(self, uid: impl Into<String>) -> Self {
            let uid = uid.into();
            self.property("uid", std::panic::Location::caller(), |node| node.uid = Some(uid))
        }

        /// The number of subtasks.
        #[track_caller]
        pub fn parallelism(self, parallelism: u32) -> Self {
            self.property("parallelism", std::panic::Location::caller(), |node| node.parallelism = Some(parallelism))
        }

        /// The number of key groups: the largest parallelism that the state can be rescaled to, from 1 to 32768. It cannot change
        /// over the life of the state.
        #[track_caller]
        pub fn max_parallelism(self, max_parallelism: u32) -> Self {
            self.property("max_parallelism", std::panic::Location::caller(), |node| node.max_parallelism = Some(max_parallelism))
        }

        /// Operators of different groups never share a slot.
        #[track_caller]
        pub fn slot_sharing_group(self, group: impl Into<String>) -> Self {
            let group = group.into();
            self.property("slot_sharing_group", std::panic::Location::caller(), |node| node.slot_sharing_group = Some(group))
        }

        /// Runs the operator in a task of its own.
        #[track_caller]
        pub fn disable_chaining(self) -> Self {
            self.property("disable_chaining", std::panic::Location::caller(), |node| node.chaining = flott_graph::Chaining::Never)
        }

        /// A longer description, for plans.
        #[track_caller]
        pub fn describe(self, description: impl Into<String>) -> Self {
            let description = description.into();
            self.property("describe", std::panic::Location::caller(), |node| node.description = Some(description))
        }
    };
}
pub(super) use operator_properties;

impl<T> DataStream<T> {
    operator_properties!();

    /// Begins a new chain with the operator: it shares no task with those before it.
    #[track_caller]
    pub fn start_new_chain(self) -> Self {
        self.property("start_new_chain", Location::caller(), |node| node.chaining = Chaining::Head)
    }

    /// What a tap shows of this stream's records: it gives `mask` a copy of each, to overwrite what nobody is to see. The job's own
    /// records are as they were. See [`hide_from_tap`](DataStream::hide_from_tap) for what holds behind this operator.
    #[track_caller]
    pub fn mask_tap(self, mask: impl Fn(&mut T) + Send + Sync + 'static) -> Self
    where
        T: 'static,
    {
        self.property("mask_tap", Location::caller(), |node| node.tapping = Tapping::Masked(TapMask::new(mask)))
    }

    /// A tap shows nothing of this stream's records but that there are some.
    ///
    /// That holds for the operators that take them, too; and what is computed from them is hidden until the program says otherwise,
    /// with [`show_in_tap`](DataStream::show_in_tap) or [`mask_tap`](DataStream::mask_tap). Only what filters and `sum`, `min`, `max`,
    /// `min_by` and `max_by` emit are records as they came: what may be shown of those may be shown of these.
    #[track_caller]
    pub fn hide_from_tap(self) -> Self {
        self.property("hide_from_tap", Location::caller(), |node| node.tapping = Tapping::Hidden)
    }

    /// A tap may show this stream's records, although it hides something of those that they are computed from.
    #[track_caller]
    pub fn show_in_tap(self) -> Self {
        self.property("show_in_tap", Location::caller(), |node| node.tapping = Tapping::Shown)
    }

    /// The operator emits records of its input, or some that look like them.
    pub(super) fn like_its_input(self, at: &Location<'_>) -> Self {
        self.property("like_its_input", at, |node| node.tapping = Tapping::AsInputs)
    }

    fn property(self, method: &str, at: &Location<'_>, change: impl FnOnce(&mut StreamNode)) -> Self {
        match self.operator {
            Some(place) => self.env.change(place, at, change),
            None => self.env.mistake(format!(
                "`{method}` at {} follows a partitioner or a union, which is no operator: call it right behind the operator it is for",
                location_of(at)
            )),
        }
        self
    }
}
