//! The store on a real server that speaks the protocol of S3, which is killed, started again and cut off; and on servers that are not
//! as they should be, which are played.

mod contract;
mod faults;
mod install;
mod played;
mod server;
