//! What this program was started for: its part, and what only it is told.

use flott_core::{Error, ErrorKind, secret::Secret};
use flott_rpc::{
    control::{PART_VARIABLE, Part},
    handover::Handover,
};
use flott_security::{Connector, TlsIdentity, TlsMaterial};
use std::sync::{Mutex, PoisonError};

/// The part that the environment holds; `None`: the program was started by itself.
///
/// # Errors
/// It cannot be read.
pub(crate) fn part() -> Result<Option<Part>, Error> {
    let Some(text) = std::env::var_os(PART_VARIABLE) else { return Ok(None) };
    serde_json::from_str(&text.to_string_lossy()).map(Some).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("`{PART_VARIABLE}`, which a cluster sets for programs that it starts, cannot be read"))
            .with_source(error)
    })
}

/// What was handed over: read once, however many environments the program makes.
///
/// # Errors
/// It cannot be read.
pub(crate) fn handover() -> Result<Handover, Error> {
    static READ: Mutex<Option<Handover>> = Mutex::new(None);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if read.is_none() {
        *read = Some(Handover::read(std::io::stdin().lock())?);
    }
    Ok(read.clone().unwrap_or_default())
}

/// How a program connects that was handed this over, and shows `token`.
///
/// # Errors
/// The certificates are damaged, or the program was built without TLS.
pub(crate) fn connector(handover: &Handover, token: Option<Secret>) -> Result<Connector, Error> {
    let identity = handover.certificate.clone().zip(handover.key.clone());
    let identity = identity.map(|(certificate, key)| TlsIdentity { certificate, key });
    let material = handover.authority.clone().map(|authority| TlsMaterial { authority, identity });
    Connector::new(material, token)
}
