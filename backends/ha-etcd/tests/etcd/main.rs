//! The store on a real etcd, which is killed, started again, cut off and locked.

mod access;
mod contract;
mod faults;
mod proxy;
mod server;
