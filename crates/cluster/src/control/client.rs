//! Asking the JobManager something.

use super::connection::{connect, receive, send};
use flott_core::{Error, ErrorKind};
use flott_rpc::control::{ClientReply, ClientRequest, Hello, PROTOCOL, Role, Welcome};
use std::net::TcpStream;

/// Introduces this process on a new connection.
///
/// # Errors
/// The other side refuses it, or does not answer.
pub(crate) fn greet(stream: &TcpStream, role: Role) -> Result<(), Error> {
    let hello = Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned(), role };
    send(stream, &hello).map_err(|error| Error::new(ErrorKind::Unavailable, "cannot reach the JobManager").with_source(error))?;
    match receive::<Welcome>(stream)? {
        Welcome::Accepted => Ok(()),
        Welcome::Refused(reason) => Err(Error::invalid(format!("the JobManager refuses this process: {reason}"))),
    }
}

/// Asks on a connection that has been [greeted](greet). Blocks for the answer.
///
/// # Errors
/// What the JobManager answers, or that it does not.
pub(crate) fn ask(stream: &TcpStream, request: &ClientRequest) -> Result<ClientReply, Error> {
    send(stream, request).map_err(|error| Error::new(ErrorKind::Unavailable, "the link to the JobManager broke").with_source(error))?;
    match receive(stream)? {
        ClientReply::Failed(kind, reason) => Err(Error::new(kind, reason)),
        reply => Ok(reply),
    }
}

/// Asks on a connection of its own.
///
/// # Errors
/// Nobody answers there, or what the JobManager answers.
pub(crate) fn ask_once(job_manager: &str, request: &ClientRequest) -> Result<ClientReply, Error> {
    let stream = connect(job_manager)?;
    greet(&stream, Role::Client)?;
    ask(&stream, request)
}
