//! Socket text source of Flott.
