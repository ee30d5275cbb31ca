//! S3, or what speaks its protocol, as the coordination store of JobManagers.
//!
//! A key of the store is the object `<path>/<cluster id>/<key>.value` of a bucket; `high-availability.s3.path` names bucket and path. A
//! write is a PUT with `If-None-Match: *` or `If-Match`; a version is an entity tag. Every object begins with a random number, so that
//! no tag comes again, though most servers make it from the content alone.
//!
//! Not every server that speaks the protocol honours these conditions; some ignore them, and two JobManagers would then lead at once.
//! Therefore the store tries them out before its first write, and refuses a server that does not.
//!
//! What is in here: `settings` from the configuration, `client` for one call, `signature` and `clock` for what it must show, `object`
//! for what an object holds, `probe` for what the server can do, `store` for what is asked.

mod client;
mod clock;
mod object;
mod probe;
mod settings;
mod signature;
mod store;

pub use settings::S3Settings;
pub use store::S3Store;
