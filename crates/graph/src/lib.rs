//! Stream graph, job graph and execution plan of Flott.
