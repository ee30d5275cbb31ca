//! The state machine: what a customer of a shop may do, and when.
//!
//! ```text
//!            add              order               pay             ship
//!   empty ---------> filled ---------> ordered ---------> paid ---------> shipped
//!     ^              |  ^ | add           |               |  ^               | |
//!     |     drop     |  +-+               |               |  +---------------+ |
//!     +--------------+        cancel      |               |     send back      |
//!     +-----------------------------------+    refund     |                    |
//!     +---------------------------------------------------+      deliver       |
//!     +------------------------------------------------------------------------+
//! ```
//!
//! Every other action is wrong in its state, and leaves the state as it is.

use serde::{Deserialize, Serialize};

/// Where the order of a customer stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    #[default]
    Empty,
    Filled,
    Ordered,
    Paid,
    Shipped,
}

/// What a customer or the shop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Add,
    Drop,
    Order,
    Cancel,
    Pay,
    Refund,
    Ship,
    SendBack,
    Deliver,
}

impl State {
    pub(crate) const ALL: [State; 5] = [State::Empty, State::Filled, State::Ordered, State::Paid, State::Shipped];

    /// The actions that are right in this state, and the state behind each.
    pub(crate) fn transitions(self) -> &'static [(Action, State)] {
        match self {
            State::Empty => &[(Action::Add, State::Filled)],
            State::Filled => &[(Action::Add, State::Filled), (Action::Drop, State::Empty), (Action::Order, State::Ordered)],
            State::Ordered => &[(Action::Cancel, State::Empty), (Action::Pay, State::Paid)],
            State::Paid => &[(Action::Refund, State::Empty), (Action::Ship, State::Shipped)],
            State::Shipped => &[(Action::SendBack, State::Paid), (Action::Deliver, State::Empty)],
        }
    }

    /// The state behind `action`; `None` if it is wrong here.
    pub(crate) fn after(self, action: Action) -> Option<State> {
        self.transitions().iter().find(|(right, _)| *right == action).map(|(_, next)| *next)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "empty",
            State::Filled => "filled",
            State::Ordered => "ordered",
            State::Paid => "paid",
            State::Shipped => "shipped",
        }
    }
}

impl Action {
    pub(crate) const ALL: [Action; 9] = [
        Action::Add,
        Action::Drop,
        Action::Order,
        Action::Cancel,
        Action::Pay,
        Action::Refund,
        Action::Ship,
        Action::SendBack,
        Action::Deliver,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Add => "add",
            Action::Drop => "drop",
            Action::Order => "order",
            Action::Cancel => "cancel",
            Action::Pay => "pay",
            Action::Refund => "refund",
            Action::Ship => "ship",
            Action::SendBack => "send-back",
            Action::Deliver => "deliver",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_goes_from_the_empty_basket_to_the_door_and_back() {
        let way = [
            (Action::Add, State::Filled),
            (Action::Add, State::Filled),
            (Action::Order, State::Ordered),
            (Action::Pay, State::Paid),
            (Action::Ship, State::Shipped),
            (Action::SendBack, State::Paid),
            (Action::Ship, State::Shipped),
            (Action::Deliver, State::Empty),
        ];
        let mut state = State::default();
        for (action, next) in way {
            state = state.after(action).unwrap();
            assert_eq!(state, next);
        }
    }

    #[test]
    fn ten_actions_are_right_and_all_others_wrong() {
        let pairs = || State::ALL.iter().flat_map(|state| Action::ALL.iter().map(|action| (*state, *action)));
        assert_eq!(pairs().filter(|(state, action)| state.after(*action).is_some()).count(), 10);
        assert_eq!(State::Empty.after(Action::Pay), None);
        assert_eq!(State::Shipped.after(Action::Refund), None);
        // Each action is right somewhere.
        assert!(Action::ALL.iter().all(|action| State::ALL.iter().any(|state| state.after(*action).is_some())));
    }
}
