//! Typed DataStream API of Flott.
