//! Turns Flott's libraries into running processes: the embedded cluster.
