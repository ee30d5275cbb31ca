//! etcd as the coordination store of JobManagers, through the JSON gateway that etcd 3.4 and later serve beside gRPC.
//!
//! A key of the store is `/flott/<cluster id>/<key>` in etcd. Its version is the revision of etcd in which it was last changed, which
//! never comes again. Reads are linearizable, writes are transactions that compare that revision.
//!
//! What is in here: `settings` from the configuration, `client` for one call to one of the members, `store` for what is asked.

mod client;
mod message;
mod settings;
mod store;

pub use settings::EtcdSettings;
pub use store::EtcdStore;
