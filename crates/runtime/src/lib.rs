//! Tasks, exchanges and barrier alignment of Flott.
