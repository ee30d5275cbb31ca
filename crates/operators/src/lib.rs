//! Operators of Flott: map, filter, rolling aggregates, process functions, sources and sinks.
