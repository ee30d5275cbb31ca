//! Asking the JobManager something.

use super::connection::{ConnectionError, connect, receive, send};
use flott_core::{Error, ErrorKind};
use flott_rpc::control::{ClientReply, ClientRequest, Hello, PROTOCOL, Role, Welcome};
use flott_security::{Connector, Stream};

/// Introduces this process on a new connection, with the token of `connector`.
///
/// # Errors
/// The other side refuses it, or does not answer.
pub(crate) fn greet(stream: &Stream, connector: &Connector, role: Role) -> Result<(), Error> {
    let hello = Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned(), role, token: connector.token().cloned() };
    send(stream, &hello).map_err(|error| Error::new(ErrorKind::Unavailable, "cannot reach the JobManager").with_source(error))?;
    match receive::<Welcome>(stream) {
        Ok(Welcome::Accepted) => Ok(()),
        Ok(Welcome::Refused(reason)) => Err(Error::invalid(format!("the JobManager refuses this process: {reason}"))),
        // One that wants TLS does not answer in clear, and the other way round.
        Err(ConnectionError::Closed) => Err(Error::new(ErrorKind::Unavailable, "the JobManager ended the connection without a word")),
        Err(error) => Err(error.into()),
    }
}

/// Asks on a connection that has been [greeted](greet). Blocks for the answer.
///
/// # Errors
/// What the JobManager answers, or that it does not.
pub(crate) fn ask(stream: &Stream, request: &ClientRequest) -> Result<ClientReply, Error> {
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
pub(crate) fn ask_once(job_manager: &str, connector: &Connector, request: &ClientRequest) -> Result<ClientReply, Error> {
    let stream = connect(job_manager, connector)?;
    greet(&stream, connector, Role::Client)?;
    ask(&stream, request)
}
