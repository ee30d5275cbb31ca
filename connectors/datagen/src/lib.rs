//! Seeded, rate-limited data generator source of Flott.
