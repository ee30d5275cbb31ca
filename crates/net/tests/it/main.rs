//! Links between two sides over loopback.

mod connections;
mod links;
mod pair;
