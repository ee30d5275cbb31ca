//! What a worker is told and nobody else: the first line of its standard input.

use flott_core::{
    Error, ErrorKind,
    config::{Configuration, options},
    secret::Secret,
};
use flott_rpc::handover::Handover;
use flott_security::Connector;
use std::process::{Child, Command};

/// The secrets of the TaskManager's own environment are none of the job's.
pub(super) fn forget_secrets(command: &mut Command) {
    for option in options::all().filter(|option| option.is_secret()) {
        command.env_remove(option.variable());
    }
}

/// Tells a worker the options of its job, the secret that it shares with the job's others, and what it shows other processes.
///
/// # Errors
/// It does not listen.
pub(super) fn to_worker(child: &mut Child, security: &Connector, configuration: Configuration, token: String) -> Result<(), Error> {
    let material = security.material();
    let identity = material.and_then(|material| material.identity.as_ref());
    let handover = Handover {
        configuration: Some(configuration),
        token: Some(Secret::new(token)),
        authority: material.map(|material| material.authority.clone()),
        certificate: identity.map(|identity| identity.certificate.clone()),
        key: identity.map(|identity| identity.key.clone()),
    };
    let Some(input) = child.stdin.as_mut() else { return Err(Error::new(ErrorKind::Internal, "a worker has no standard input")) };
    let written = handover.write(input);
    written.or_else(|error| match error.kind() {
        // It has ended; how, its exit code says.
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Error::new(ErrorKind::Unavailable, "a worker cannot be told its part").with_source(error)),
    })
}
