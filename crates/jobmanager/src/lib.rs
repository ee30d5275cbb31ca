//! Scheduling, checkpoint coordination and failover decisions of Flott, without I/O.
